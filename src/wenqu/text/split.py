"""Takes a question about several things apart, by rules.

A passage that speaks of both is found by the question itself; where each has a passage of its own,
a search for each finds both, and the answer has evidence for both sides.
"""

from __future__ import annotations

import re

from wenqu.text.followup import complete, leaning

__all__ = ["parts"]

_MOST = 4
_LONGEST_NAME = 40
_SHORTEST = 2

_ENDS = re.compile(r"(?<=[?？;；])\s*|\n+")
_CLAUSES = re.compile(
    r"[,，;；]\s*(?:以及|并且|而且|还有|另外|然后)?(?=(?:[^,，;；]{0,12})(?:什么|怎么|如何|哪|"
    r"谁|多少|为什么|为何|吗[?？]?$))"
    r"|[,;]?\s+and\s+(?=(?:what|how|when|where|who|why|which|can|could|do|does|is|are|should)\b)"
    r"|[,;]\s+(?=(?:what|how|when|where|who|why|which)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"什么|怎么|怎样|如何|为何|哪|谁|多少|几[个种条年天次]|吗|是否|能否|多[大长久高远快]|[?？]"
    r"|\b(?:what|how|why|when|where|who|which|is|are|do|does|did|can|could|should)\b",
    re.IGNORECASE,
)

_ZH_AND = r"\s*(?:和|与|跟(?!随|踪|进|着)|以及|还是|相比于?|\bvs\.?\b|\bversus\b)\s*"
_ZH_NAMES = (
    rf"(?P<first>[^,，。?？]{{1,{_LONGEST_NAME}}}?){_ZH_AND}"
    rf"(?P<second>[^,，。?？]{{1,{_LONGEST_NAME}}}?)"
)
_ZH_WHAT = "(?:的|有|有着|存在|是)?(?:什么|何|哪些|啥)?(?:样的|主要|本质)?的?"
_ZH_DIFFERENCE = "(?:区别|差别|不同|差异|异同|对比|比较|联系|关系|优缺点)"
_ZH_TOLD = (
    rf"(?:的(?P<of>[^的,，?？]{{1,12}}?))?{_ZH_WHAT}{_ZH_DIFFERENCE}[^?？]{{0,8}}",
    (
        r"(?:的(?P<which>[^?？]{1,12}))?(?:谁|哪个|哪一个|哪种|哪款|哪家)的?(?P<more>[^?？]{0,8}"
        r"(?:更|最|比较|好|强|快|贵|便宜|值得|合适|划算)[^?？]{0,6})"
    ),
    r"(?P<each>(?:的[^?？]{1,12})?分别[^?？]{1,14})",
    r"(?P<same>(?:都|各自?)(?:是|有|指|叫|属于)[^?？]{1,14})",
)
_ZH_BOTH = tuple(
    re.compile(f"^(?:请问|请|帮我|麻烦)?{pattern}[?？]?$", re.IGNORECASE)
    for pattern in (
        rf"(?:比较|对比)(?:一?下)?{_ZH_NAMES}",
        rf"{_ZH_NAMES}\s*(?:这?(?:两者|两个|二者|两种))?(?:之间|相比)?[,，]?(?:{'|'.join(_ZH_TOLD)})",
    )
)
_NAME = r"[^,?]{1,60}?"
_AND = r"(?:compared? (?:to|with)|differ(?:ent)? from|related to|vs\.?|versus)"
_DIFFERENCE = r"(?:differences?|distinction|relation(?:ship)?|similarities)"
_CHOICE = r"(?:which|what|who)(?: \w+)? (?:is|are|was|has|one is)"
_IS = r"(?:is|are|was|were|does|do|should i use|should i choose)"
_MORE = r"(?:\w+er|better|more \w+|less \w+)"
_EN_BOTH = tuple(
    re.compile(f"^{pattern}[?.]?$", re.IGNORECASE)
    for pattern in (
        (
            rf"(?:what(?: is|'s| are) |explain |describe |tell me )?(?:the )?(?:main |key |major )?"
            rf"{_DIFFERENCE}(?P<of> in {_NAME})? between (?P<first>{_NAME}) and (?P<second>{_NAME})"
        ),
        rf"(?:please )?compare (?P<first>{_NAME}) (?:and|with|to|against) (?P<second>{_NAME})",
        (
            rf"how (?:do|does|did) (?P<first>{_NAME}) and (?P<second>{_NAME}) "
            rf"(?:compare|differ|relate|work together)(?P<of> in {_NAME})?"
        ),
        rf"how (?:do|does|did|is|are) (?P<first>{_NAME}) {_AND} (?P<second>{_NAME})",
        rf"(?P<first>{_NAME}) (?:vs\.?|versus) (?P<second>{_NAME})",
        rf"{_CHOICE} (?P<of>{_MORE})[,:]? (?P<first>{_NAME}),? or (?P<second>{_NAME})",
        rf"{_IS} (?P<first>{_NAME}) (?P<of>{_MORE}) than (?P<second>{_NAME})",
    )
)
_TOLD = ("of", "which", "more", "each", "same")
_ARTICLE = re.compile(r"^(?:the|a|an|using) ", re.IGNORECASE)


def parts(question: str) -> tuple[str, ...]:
    """Return what to search for beside a question about several things; () for any other.

    Questions that follow one another are taken one by one, and a later one that leans on the first
    is completed from it. Two things that are compared come each with what is compared of them.
    """
    asked = _questions(question)
    if len(asked) > 1:
        return tuple(asked[:_MOST])
    plain = " ".join(question.split())
    matches = (pattern.match(plain) for pattern in (*_ZH_BOTH, *_EN_BOTH))
    found = next((match for match in matches if match), None)
    return _compared(found) if found else ()


def _questions(question: str) -> list[str]:
    pieces = [piece for line in _ENDS.split(question) for piece in _CLAUSES.split(line)]
    pieces = [piece.strip(" ,，;；") for piece in pieces if piece and piece.strip()]
    asked = [piece for piece in pieces if _ASKS.search(piece) and len(piece) > _SHORTEST]
    if len(asked) <= 1 or len(asked) < len(pieces):
        return []
    whole = [asked[0]]
    for at, piece in enumerate(asked[1:], 1):
        leans = leaning(piece) is not None
        whole.append((complete(piece, asked[:at]) if leans else None) or piece)
    return whole


def _compared(found: re.Match[str]) -> tuple[str, ...]:
    groups = found.groupdict()
    told = next((groups[name] for name in _TOLD if groups.get(name)), "")
    told = re.sub("^(?:的|都|各自?|分别)|分别", "", told.strip()).strip()
    names = [_ARTICLE.sub("", found[name].strip(" 的")) for name in ("first", "second")]
    if any(len(name) < 1 for name in names):
        return ()
    gap = "" if re.search("[\u3400-\u9fff]", found.string) else " "
    return tuple(f"{name}{gap}{told}".strip() for name in names)
