"""An answer that says, in its own words, that the documents do not answer.

Told sentence by sentence: the sentence must be about the documents or about not knowing, from its
beginning to its end. ``没有`` alone is no sign (年假没有上限), nor is a case that a rule provides
for (资料没有提供的，不予受理), nor half a sentence before a claim (文档没有提到甲，但提到了乙).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.text.citations import needs_citation, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.types import Language

__all__ = ["ABSTENTION", "abstains", "may_abstain", "says_nothing_is_known"]

ABSTENTION: Mapping[Language, str] = {
    "zh": "文档中没有相关内容。",
    "en": "The documents do not say.",
}
"""What the model is told to say when the evidence does not answer."""

_SPACE = re.compile(r"[\s\[\]0-9,，、]+")
_MARKER = re.compile(r"\s*\[\d{1,3}\]")

# Chinese: what may stand before, the documents, and the ways to say that they do not say.
_GIVEN = (
    r"(?:(?:您|你|我)?(?:所|已)?(?:提供|给出|给定|现有|已有|已知|上述|以上|这些|该|此"
    r"|参考|检索到|相关|上传)的?)"
)
_PAPER = (
    r"(?:文档|资料|知识库|上下文|材料|原文|文中|文章|手册|检索结果|依据"
    rf"|{_GIVEN}(?:这些|几篇|两篇)?(?:文档|资料|信息|内容|文件|文本|材料|上下文|片段|段落))"
)
_PAPERS = rf"{_GIVEN}?{_PAPER}(?:的?(?:内容|信息|资料|片段))?(?:之?中|里|里面|内|上)?"
_HOW = r"(?:并|也|都|均|暂时?|目前|似乎|尚|还|仅|确实|中)*"
_SAYS = (
    r"(?:直接|明确|具体|详细|进一步|专门|单独)?地?(?:提到|提及|提供|说明|包含|包括|给出|找到|涉及|记载|指出"
    r"|明确|描述|介绍|写明|列出|讨论|谈到|回答|解释|规定|显示|关于|有关|相关|任何|足够|答案|说|写|讲|提)"
)
_BEFORE = (
    r"(?:(?:很|非常|十分)?(?:抱歉|对不起|不好意思|遗憾)[，,。！!]?(?:但是?)?|(?:不过|但是?|然而|因此|所以)[，,]?"
    rf"|(?:根据|从|基于|在|按照?|依据){_PAPERS}(?:来看|看|而言)?[，,]?|目前|暂时"
    r"|(?:关于|对于|至于|针对)[^，,。]{1,40}[，,]|我)*"
)
_CLAUSE = r"[^，,；;。]*"
_ZH = re.compile(
    rf"{_BEFORE}(?:"
    rf"{_PAPERS}[，,]?{_HOW}(?:没有|没|未曾?|无|不(?=包含|包括|涉及|提供)){_HOW}{_SAYS}(?P<rest>{_CLAUSE})"
    rf"|{_PAPERS}[，,]?{_HOW}(?:找不到|查不到|看不出|不足以|没有|无){_CLAUSE}(?:信息|内容|答案|说明|记录|描述|回答)?"
    rf"|{_PAPERS}[，,]?{_HOW}(?:我)?(?:无法|不能|没法|难以|未能)(?:直接)?(?:回答|确定|判断|得知|得出|知道|给出|提供"
    rf"|找到|确认|获取|推断|看出){_CLAUSE}"
    rf"|{_HOW}(?:没有|未能?|没能?|找不到|查不到)(?:在{_PAPERS})?(?:找到|查到|检索到|发现|搜到)?(?:任何|与|和|关于|有关|相关)"
    rf"{_CLAUSE}(?:信息|内容|资料|说明|答案|文档|描述|记录|记载|规定)"
    rf"|(?:无法|不能|没法)(?:从|根据|由|在|依据|基于){_PAPERS}{_CLAUSE}"
    r"|(?:无法|不能|没法)(?:直接|准确)?回答(?:这|该|您|你|此|上述|关于|问题)?[^，,；;。]*"
    rf"|(?:无法|不能|没法)(?:提供|给出|确定|判断|找到|获取){_CLAUSE}(?:答案|相关信息|相关内容|具体信息|问题)"
    rf"|(?:根据|从|基于|按照?|依据){_PAPERS}(?:来看|看)?[，,]?我?{_HOW}(?:无法|不能|没法|难以|未能)(?:直接)?"
    rf"(?:回答|确定|判断|得知|得出|知道|给出|提供|找到|确认|获取|推断|看出){_CLAUSE}"
    rf"|(?:我|对此|抱歉[，,]?|对不起[，,]?)(?:不|不太|并不)(?:知道|清楚|了解|确定){_CLAUSE}"
    rf"|(?:不|不太|并不)(?:知道|清楚|了解|确定)(?:(?:答案|这个|该问题|此问题|具体){_CLAUSE})?(?=[。.！!]?$)"
    r")(?P<tail>.*)",
    re.DOTALL,
)
_ZH_TAIL = re.compile(
    r"[。.！!\s]*(?:[，,；;。]?\s*(?:所以|因此|故|因而|请|建议|如需|如果您|您可以|我|无法|不能|也|不知道|没有|抱歉"
    r"|只(?:提到|介绍|说明)).*)?",
    re.DOTALL,
)
_RULE = re.compile("不得|应当|必须|视为|不予|须|将会?被|则|的不|时$|的$|者$")

# English.
_DET = r"(?:the|these|this|those|your|any of the|all)"
_QUALIFIED = (
    r"(?:(?:provided|given|available|supplied|above|retrieved|attached|cited|listed|current) )*"
)
_DOCS = (
    rf"(?:{_DET} )?{_QUALIFIED}"
    r"(?:documents?|docs?|texts?|context|passages?|sources?|evidence|information|excerpts?"
    r"|knowledge base|articles?|materials?|content|references?|documentation|search results?)"
    r"(?: (?:provided|given|above|available|supplied|here|i have|you provided|in <doc>))?"
)
_NOT = r"(?:do|does|did|could|can)(?: not|n['’]t)|cannot"
_ADVERB = r"(?:(?:seem to|appear to|explicitly|directly|specifically|actually|clearly|currently) )*"
_TELL = (
    r"(?:say|mention|contain|provide|answer|include|specify|state|give|indicate|address|cover"
    r"|discuss|describe|have|offer|explain|tell|list|reveal|define|detail|name|identify|clarify)"
)
_TOLD = (
    r"(?:mentioned|specified|provided|stated|given|found|included|discussed|described|addressed"
    r"|covered|available|answered|contained|explained|defined|indicated|listed)"
)
_FIRST = (
    r"(?:(?:i['’]?m|i am|we are) (?:very )?(?:sorry|afraid)[,.!]?(?: but| that)? "
    r"|sorry[,.!]?(?: but)? "
    r"|unfortunately,? |however,? |but |i apologi[sz]e,? (?:but )?"
    rf"|(?:based on|according to|from|given|in|within|as for) {_DOCS}(?: alone)?,? )*"
)
_KNOWLEDGE = r"(?:information|mention|answer|details?|reference|indication|data|explanation)"
_EN = re.compile(
    rf"{_FIRST}(?:"
    rf"{_DOCS} (?:{_NOT}) {_ADVERB}{_TELL}\b"
    rf"|(?:none|neither) of {_DOCS} {_ADVERB}(?:{_TELL}s?)\b"
    rf"|{_DOCS} (?:is|are) (?:silent|insufficient|not (?:sufficient|enough|clear))\b"
    rf"|[^,;]{{1,120}}? (?:is|are|was|were|has|have)(?: not|n['’]t)(?: been)? {_ADVERB}{_TOLD}"
    rf"(?: (?:in|by|from|within|anywhere in) {_DOCS})"
    rf"|[^,;]{{1,120}}? (?:cannot|can not|can['’]t|could not|couldn['’]t) be {_ADVERB}"
    r"(?:answered|determined|found|inferred|ascertained|identified)"
    rf"(?: (?:from|in|by|with|within|based on|given|using) {_DOCS}|(?=[.!]?$))"
    r"|i (?:do not|don['’]t|cannot|can not|can['’]t|could not|couldn['’]t"
    r"|(?:am|was) (?:unable|not able) to)"
    r" (?:know|find|answer|determine|tell|see|have|provide|locate|say)\b"
    r"|(?:there (?:is|are|was|were)|there['’]s) (?:no|not any|not enough|insufficient) "
    rf"(?:(?:relevant|specific|such|further|direct|explicit|clear) )*{_KNOWLEDGE}\b"
    rf"|no (?:(?:relevant|specific|such|further) )*{_KNOWLEDGE} "
    r"(?:is|are|was|were|can be|could be|about|on|regarding|found|available|provided|given)\b"
    rf"|not (?:{_TOLD})(?: (?:in|by|from) {_DOCS})?[.!]?$"
    r"|(?:it is |it['’]s |the answer is )?"
    r"(?:unknown(?=[.!]?$)|unclear from|not clear from|impossible to (?:say|tell))\b"
    r")(?P<tail>.*)",
    re.IGNORECASE | re.DOTALL,
)
_EN_TURN = re.compile(
    r"[,;] (?:but|however|although|though|while|yet|only|it (?:does|says))\b", re.IGNORECASE
)

_APOLOGY = re.compile(
    r"(?:很|非常|十分)?(?:抱歉|对不起|不好意思)[。.！!]*|(?:i['’]?m |i am )?(?:very )?sorry[.!]*",
    re.IGNORECASE,
)

# How an abstention may begin: held back until its sentence has ended.
_OPENING = re.compile(
    r"(?:很|非常)?(?:抱歉|对不起|不好意思)|(?:文档|资料|知识库|上下文)(?:中|里)?(?:并|也)?(?:没|未|无)"
    r"|我?(?:无法|不知道|不清楚|没有找到|未找到)"
    r"|sorry\b|i['’]?m (?:sorry|afraid)|i am (?:sorry|afraid|unable)|unfortunately\b"
    r"|i (?:do not|don['’]t|can|could)"
    rf"|{_DOCS} (?:{_NOT})|there (?:is|are) no\b",
    re.IGNORECASE,
)


def says_nothing_is_known(sentence: str) -> bool:
    """Say whether a sentence says that the documents, or the writer, do not know the answer."""
    plain = _MARKER.sub("", " ".join(sentence.split())).strip("*_ ")
    if plain.endswith(("?", "？")):
        return False
    if _bare(plain) in _BARE or _APOLOGY.fullmatch(plain):
        return True
    return _zh(plain) or _en(plain)


def abstains(text: str) -> bool:
    """Say whether an answer says nothing but that it is not known."""
    parts = parse(text)[1]
    told = [says_nothing_is_known(part.text) for part in parts]
    return any(told) and all(
        said or not needs_citation(part) for said, part in zip(told, parts, strict=True)
    )


def may_abstain(begun: str) -> bool:
    """Say whether an answer that begins so may still turn out to be an abstention."""
    parts = [part.text for part in parse(begun)[1]]
    last = parts.pop() if parts else ""
    return all(map(says_nothing_is_known, parts)) and (
        any(abstention.startswith(_bare(last)) for abstention in _BARE)
        or _OPENING.match(last) is not None
        or says_nothing_is_known(last)
    )


def _zh(plain: str) -> bool:
    match = _ZH.match(plain)
    if match is None or not _ZH_TAIL.fullmatch(match["tail"]):
        return False
    return not _RULE.search((match["rest"] or "").rstrip("。. "))


def _en(plain: str) -> bool:
    match = _EN.match(plain)
    return match is not None and not _EN_TURN.search(match["tail"])


def _bare(text: str) -> str:
    return _SPACE.sub("", text).rstrip("。.").casefold()


_BARE = frozenset(_bare(text) for text in ABSTENTION.values())
