"""What in an English question leans on what was said before it; see followup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.text.leaning import Leaning
from wenqu.text.normalize import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["about", "leans"]

_LEAD = re.compile(
    r"^(?:(?:and|but|so|then|or|ok(?:ay)?|also|well|now|great|thanks|thank you|alright|please|"
    r"hi|hello|"
    r"i see|got it|sure|hmm|um|no|yes|yeah|right|cool|nice|could you tell me|can you tell me|"
    r"tell me|"
    r"do you know|i(?:'d| would) like to know|i want to know|i was wondering)\b[,.!;:]* ?)+"
)
_BARE = re.compile(
    r"(?:why|how|when|where|who|which|what|really|how so|how come|since when|such as(?: what)?|"
    r"like what|"
    r"for example|for instance|who else|what else|where else|how else|anything else|anyone else|"
    r"any others?|any more|more|more details?|go on|continue|elaborate|explain|what then|"
    r"what next|"
    r"then what|how much|how many|how long|how far|how old|how often|how big|how fast|what for|"
    r"why not|"
    r"why so|what if not|in what way|for how long|by whom|with whom|from where|to whom|by when|"
    r"is that (?:so|true|right)|are you sure|which ones?|who exactly|what exactly|"
    r"(?:can|could|would|will) you (?:please )?(?:elaborate|explain|continue|clarify|go on|"
    r"be more specific|"
    r"say more|rephrase|simplify|summari[sz]e|expand)"
    r"(?: (?:that|this|it|further|more|a bit(?: more)?|a little(?: more)?|in (?:more )?detail|"
    r"again|"
    r"in simpler (?:terms|words)))*|"
    r"(?:say|explain|tell me|know|hear) (?:a (?:bit|little) )?more|"
    r"(?:tell me )?more about (?:it|that|this)|"
    r"(?:in|with) more details?|explain (?:further|again|more|in (?:more )?detail|simply)|"
    r"(?:can|could|would) you (?:please )?(?:give|show|provide)(?: me| us)? (?:an?|some|another|"
    r"more|a few) "
    r"(?:more )?(?:examples?|details?)|(?:give|show)(?: me| us)? (?:an?|some|another|"
    r"more) (?:more )?"
    r"(?:examples?|details?)|(?:an? |any |another |some )?examples?|"
    r"does it matter|is it possible|is it free|is it safe|is it hard|is it worth it|does it work)"
)
_TAIL = re.compile(r"[\s?!.,]+$")
_ABOUT = re.compile(
    r"^(?:what|how) about\b|^what if\b.{0,30}$|^(?:same|the same) (?:for|with|question)"
)
_EXPLETIVE = re.compile(
    r"\bit (?:came|comes) to\b|\bdoes it mean (?:when|if|to|that|for)\b|\bdoes it get (?:dark|"
    r"cold|hot|light)\b"
    r"|\b(?:is|was|be|does|will|would|can|could|should|might|may|has|did|isn't|wasn't) it "
    r"(?:ever |really |still |always |also )?(?:take|mean to|cost to|feel|possible|legal|"
    r"illegal|ok|okay|"
    r"safe|true|necessary|allowed|better|best|worth|important|good|bad|hard|easy|difficult|"
    r"common|normal|"
    r"rain|snow|possible|required|recommended|advisable|likely|been|that|called when|"
    r"like to)\b(?= ?\S)"
    r"|\bit(?:'s| is| was) (?:possible|that|true|called when|necessary|legal|important|like to)\b"
    r"|what time is it|when it comes to|\bmake it (?:possible|easier|easy|hard)|"
    r"\bit takes? to\b|as it were"
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|themselves|he|him|his|himself|she|her|hers|"
    r"herself|"
    r"these|those|this(?! (?:year|month|week|century|morning|evening|time of)))\b(?!-)"
)
_THAT = re.compile(
    r"(?:^|\b(?:is|was|does|did|do|would|will|can|could|should|has|why|how|about|of|for|with|"
    r"like|by|in|on|"
    r"than|after|before|from|to|what's|and|at|under|into|mean|means|do|using|use) )that"
    r"(?:'s\b|\b(?! (?:it|the|an?|they|he|she|you|we|i|there|is|are|was|were|can|has|have|had|"
    r"will)\b))"
)
_ONE = re.compile(
    r"\b(?:(?:the|that|this|which|another|any other|a different) (?:\w+ )?ones?|the (?:former|"
    r"latter)|"
    r"(?:the |any |some )?(?:other|others|rest)$|the above|above[- ]mentioned|aforementioned|"
    r"you (?:just )?(?:said|mentioned|listed|described|gave|suggested)|(?:each|both|all|neither|"
    r"either|any|"
    r"some|one|none|most|which) of (?:them|these|those|the (?:two|three))|the (?:two|three)$|"
    r"^(?:is|are|does|do|would|will) (?:it |this |that )?the same\b|"
    r"^(?:which|what|is|are|do|does|did|can|were|was) both|the (?:first|second|third|fourth|"
    r"last|previous|next|other) "
    r"(?:\w+ )?(?:option|method|step|point|item|approach|way|reason|example|question|part|"
    r"answer|type|kind)|"
    r"(?:the|what's the|about the) (?:first|second|third|fourth|last)$|instead$|otherwise$|then$|"
    r"(?:like|work|works|live|lived|go|get|stay|stayed|died|located|from|did|happen|happened|in|"
    r"do) there$|"
    r"\bthere$|\belse\b|\bone(?: too| as well| first| now)?$)"
)
_AUX = (
    "is are was were am be been do does did has have had can could will would shall should may "
    "might "
    "must isn't aren't wasn't weren't don't doesn't didn't can't won't what's who's how's "
    "where's when's"
)
_STOP = frozenset(
    f"{_AUX} what how which who whom whose where when why a an the of to in on for with at by "
    f"from as "
    "and or but if so than then that this these those it its they them their he him his she her "
    "i me my we "
    "us our you your there here about into over under not no any some all each every much many "
    "more most "
    "other another long far old often big fast also too very just only still ever even up out "
    "off please "
    "like make need get go tell explain know want help use using used work works working mean "
    "means happen "
    "happens happened think thought say says said see look find found give show one ones "
    "something anything "
    "thing things way ways kind kinds sort type types first second third last next both same "
    "different "
    "people year years time day days exactly actually really usually normally generally because "
    "while "
    "before after until since during without within between among s t".split()
)
_BOUNDARY = re.compile(
    r"[,;:]|\b(?:and|when|if|while|because|before|after|that|who|which|what|why|how|so|but|"
    r"since|until|although|than|where|as|or)\b"
)
_POSSESSIVE = re.compile(r"^(?:its|their|his|her|itself|themselves|himself|herself)$")
_OWNED = frozenset(
    """
    author authors director founder founders inventor creator owner writer composer ceo
    president leader
    price prices cost costs fee fees reason reasons cause causes result results outcome
    advantage
    advantages disadvantage disadvantages benefit benefits drawback drawbacks pros cons
    difference
    differences feature features purpose function functions performance effect effects capital
    population
    area length height width depth weight size age birthday father mother parents wife husband
    son
    daughter children address phone deadline process procedure step steps requirement
    requirements
    condition conditions parameter parameters format version versions speed accuracy limit
    limits
    limitation limitations default defaults meaning definition impact background content theme
    date
    number ratio name names licence license documentation docs source code range unit color
    colour brand
    ingredients dosage method methods plot cast ending lyrics exception exceptions penalty
    penalties
    consequence consequences risk risks symptom symptoms treatment treatments language
    languages main
    maximum minimum average total exact typical current side original syntax options arguments
    prerequisites dependencies alternatives alternative examples example evidence setting
    settings
    architecture dataset datasets output outputs input inputs role roles significance
    """.split()  # noqa: SIM905
)
_VERBS = frozenset(
    """
    install configure run start stop use build compile download upgrade update remove delete
    enable
    disable fix solve change set deploy train test apply cancel order buy measure calculate
    verify
    released born die died invented founded written built published created discovered located
    called
    made formed started end ended begin began begun supported set named signed married killed
    elected appointed introduced launched caused located work calculated done
    """.split()  # noqa: SIM905
)
_PREPOSITION = re.compile(
    r"^(?:on|in|for|with|without|by|at|to|from|under|during|after|before|versus|vs\.?|"
    r"compared (?:to|with)|"
    r"instead of|besides|other than|except|apart from|including|only|even|not)\b"
)
_COMPARED = re.compile(
    r"^(?:which|who|what) (?:\w+ )?(?:is|are|was|works?|runs?|would be|"
    r"do you recommend)? ?(?:the )?(?:\w+er|\w+est|better|best|"
    r"worse|worst|more \w+|most \w+|less \w+|least \w+)$|^(?:is there|are there) (?:an?|any|"
    r"anything) "
    r"(?:\w+er|better|more \w+|other|alternative)\b|^(?:any|something|anything) (?:\w+er|better|"
    r"more \w+|cheaper)\b"
)
_WORD = re.compile(r"[a-z0-9][\w'+#./-]*[\w+#]|[a-z0-9]")
_ASKING = re.compile(r"^(?:what|which|who|whom|whose|where|when|why|how)\b")
_HOW = re.compile(r"how \w+|(?:if|unless) [^,]*")
_KEPT = frozenset(
    """
    and of in the for to on with a an or from at by i old new long big first second third last next
    """.split()  # noqa: SIM905
)
_FRAGMENT = 3
_PHRASE = 6
_BRIEF = 7


def leans(question: str, text: str) -> Leaning | None:
    """Return by what a question leans on its conversation; None where it stands alone.

    Args:
        question: As it was asked: capitals tell names.
        text: The same, folded.
    """
    tail = _TAIL.sub("", text)
    bare = _LEAD.sub("", tail) or tail
    tests = (
        (_bare_or_cut, Leaning.ELLIPSIS),
        (lambda bare: _refers(question, bare), Leaning.REFERENCE),
        (_compares_one, Leaning.COMPARISON),
        (_fragment, Leaning.ELLIPSIS),
        (_misses, Leaning.MISSING),
        (lambda bare: _brief(question, bare), Leaning.PERHAPS),
    )
    return next((leaning for test, leaning in tests if test(bare)), None)


def _bare_or_cut(bare: str) -> bool:
    return any((_BARE.fullmatch(bare), _ABOUT.match(bare), _HOW.fullmatch(bare)))


def _compares_one(bare: str) -> bool:
    return _COMPARED.match(bare) is not None and " or " not in bare


def _fragment(bare: str) -> bool:
    words = _WORD.findall(bare)
    if _has_verb(words):
        return False
    begun = _PREPOSITION.match(bare) is not None
    return len(words) < _FRAGMENT or (begun and len(words) <= _PHRASE)


def _misses(bare: str) -> bool:
    """Say whether what is asked of is missing, as in: who is the author?"""
    words = _WORD.findall(bare)
    content = [word for word in words if word not in _STOP]
    if content and all(word in _OWNED for word in content):
        return True
    return _has_verb(words) and (not content or (len(content) == 1 and content[0] in _VERBS))


def _brief(question: str, bare: str) -> bool:
    words = _WORD.findall(bare)
    content = [word for word in words if word not in _STOP]
    brief = len(words) <= _BRIEF and len(content) < _FRAGMENT
    return brief and not _named(question, bare, len(bare))


def _has_verb(words: Sequence[str]) -> bool:
    asking = {
        *_AUX.split(),
        "how",
        "what",
        "why",
        "when",
        "where",
        "who",
        "which",
        "tell",
        "explain",
    }
    return any(word in asking for word in words)


def _refers(question: str, bare: str) -> bool:
    if _ONE.search(bare):
        return True
    plain = _EXPLETIVE.sub(lambda found: " " * len(found[0]), bare)
    if _THAT.search(plain) and not _named(question, bare, len(bare)):
        return True
    return any(not _resolved(question, plain, found) for found in _PRONOUN.finditer(plain))


def _resolved(question: str, plain: str, found: re.Match[str]) -> bool:
    """Say whether what a pronoun stands for may be in the same question, before it."""
    before = plain[: found.start()]
    clauses = [each.end() for each in _BOUNDARY.finditer(before) if each.start()]
    if clauses and (_content(before[: clauses[-1]]) or _named(question, before, clauses[-1])):
        return True
    if _POSSESSIVE.match(found[0]) and _content(_after_asking(before)):
        return True
    # Where do they film it: people in general.
    return found[0] == "they" and len(_content(plain[found.end() :])) > 1


def _named(question: str, bare: str, end: int) -> bool:
    """Say whether a proper name stands among the first ``end`` characters of ``bare``."""
    names = re.findall(r"(?<=[\w,] )[A-Z][\w'-]+", question)
    return any(fold(name) in bare[:end] for name in names if fold(name) not in _STOP)


def _after_asking(before: str) -> str:
    """Return what follows the first auxiliary: in "what year did he" 'year' is no antecedent."""
    auxiliaries = "|".join(re.escape(word) for word in _AUX.split())
    found = re.search(rf"\b(?:{auxiliaries})\b", before)
    return before[found.end() :] if found else _ASKING.sub("", before)


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word not in _STOP | _VERBS]


def about(turn: str) -> list[str]:
    """Return the words of a turn that say what it is about, as they are written."""
    words = re.findall(r"[^\s,;:()\"“”]+", turn)
    plain = [fold(word).strip("'.") for word in words]
    says = [at for at, word in enumerate(plain) if word not in _STOP]
    if not says:
        return []
    inside = range(says[0], says[-1] + 1)
    kept = [at for at in inside if at in says or plain[at] in _KEPT]
    # What stands between them stays where it may be part of a name, as in World War I.
    return [words[at] for at in kept]
