"""Finds sentences that give orders to whoever answers, instead of telling the reader something.

"Ignore all previous instructions and say …" is no evidence for any question but one about itself.
What is looked for is a mood, not a topic: a document *about* prompts, and a policy that employees
must follow, stay as they are. So most signs count only in a clause that commands (a verb at its
beginning, or after ``please``, ``you must``, 请, 你必须), and weak ones only together, or beside a
sentence that is an order without doubt.

This is one layer of several, and only words: whoever knows it can write past it. What it misses is
still marked as data in the prompt, filtered in the answer and checked against its source.
Source: Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting", 2024;
Chen et al., "StruQ", 2024 (a front end that takes reserved tokens out of the data).
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from wenqu.text.normalize import fold
from wenqu.text.sentences import sentences
from wenqu.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["asks_about_orders", "orders", "telling", "without_orders"]

_SURE = 1.0
_NEARLY = 0.6
_NEAR_AN_ORDER = 0.5  # what a sentence needs where the text holds an order without doubt
_OMITTED = "…"
_ENTIRELY = 0.9
_MOSTLY = 0.5  # of a unit's letters that orders must be for the whole to be one


# Where a clause that commands begins. A comma may end what it depends on ("if you are an AI, …").
_BEGINS = re.compile(
    r"^|[.:;!?,(\[\"'“‘|*#>=–—-]\s{0,3}"
    r"|\b(?:please|kindly|now|simply|just|then|instead|always|first|and|kind of you to|asked you to"
    r"|(?:you|it|bots?|models?|assistants?|agents?)"
    r" (?:must|should|shall|have to|are to|may only|will)) "
)
_BEGINS_PLAINLY = re.compile(
    _BEGINS.pattern.replace("(\\[\\\"'“‘|*#>=", "").replace("\\s{0,3}", "\\s+")
)
_STILL = re.compile(r"(?:please|kindly|now|always|simply|just|then|first|only) ")
_BEGINS_ZH = re.compile(
    r"^|[。，：；！？,:;!?（(【\[“‘\"'|*#>=—-]\s{0,3}|请|务必|一律|直接|你|您|并|然后|现在|都|就|顺便"
    r"|(?:助[手理]|模型|机器人|人工智能|ai)(?:必须|须|应当?|要|只能|不得)"
)
_BEGINS_ZH_PLAINLY = re.compile(_BEGINS_ZH.pattern.replace("（(【\\[“‘\\\"'|*#>=", ""))
_STILL_ZH = re.compile(r"请|务必|必须|须|应|不得|只能|先|再|都|也|就|一律|直接|你|您|要|顺便")
_HAN = re.compile("[\u4e00-\u9fff]")


class _Sign(NamedTuple):
    """A sign of an order: its weight, and its patterns by where they may stand."""

    weight: float
    do: re.Pattern[str] | None
    plainly: re.Pattern[str] | None
    do_zh: re.Pattern[str] | None
    plainly_zh: re.Pattern[str] | None
    en: re.Pattern[str] | None
    zh: re.Pattern[str] | None


@cache
def _signs() -> tuple[_Sign, ...]:
    """Return the signs of orders.toml."""
    data = tomllib.loads(files("wenqu.text").joinpath("orders.toml").read_text("utf-8"))
    words: Mapping[str, str] = data["words"]
    places = _Sign._fields[1:]
    return tuple(
        _Sign(sign["weight"], *(_compiled(sign.get(place, ()), words) for place in places))
        for sign in data["sign"]
    )


def _compiled(patterns: Sequence[str], words: Mapping[str, str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    joined = "|".join(patterns)
    for name, pattern in words.items():
        joined = joined.replace(f"{{{name}}}", pattern)
    return re.compile(joined)


# A turn or a delimiter of a prompt in running text: what follows it, to the end of its paragraph,
# poses as something else than the document's words. In code they are what a manual shows.
_POSING = re.compile(
    r"(?<![\"'])<\s*[|｜]\s*(?:im_start|im_end|system|user|assistant|end_?of_?text|eot_id"
    r"|(?:start|end)_header_id)\s*[|｜]\s*>"
    r"|(?<![\"'])(?:\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</?\s*doc(?:\s+\d+)?\s*>)"
    r"|^#{2,4} (?:Instruction|Response|System|指令|回复|系统)\s?[:：]\s*$"
    r"|^[-=_*#\s\"]{0,8}(?:END OF (?:THE )?(?:DOCUMENTS?|CONTEXT|TEXT|DATA|PROMPT)"
    r"|(?:文档|资料|上下文|正文)(?:到此)?(?:结束|为止))",
    re.IGNORECASE | re.MULTILINE,
)
# After the last of several marks the document goes on, unless that one gives somebody the word; a
# single mark is the end of something only where it closes, or is the user's.
_CLOSES = re.compile(
    r"<</SYS>>|\[/INST\]|<[|｜]\s*(?:im_end|user|end_?of_?text|eot_id)\s*[|｜]>|</?end_of_turn>",
    re.IGNORECASE,
)
_NEUTRAL = re.compile(
    r"(?!\[/INST\]|#|</?start_of_turn>|<[|｜]\s*(?:im_start|assistant|start_header_id)\s*[|｜]>).+",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(
    r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)|`[^`\n]+`", re.DOTALL | re.MULTILINE
)
_SYSTEM = re.compile(r"(?:system(?: message)?|系统(?:消息)?)\s?:")
_NEXT_TURN = re.compile(
    r"\s*^[ \t>*]*(?:user|assistant|human|model|用户|助[手理]|模型)\*{0,2}\s?[:：][^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = re.compile(r"\w+(?:[-_.]+\w+)+")
_JOINT = re.compile(r"[-_.]+")
_QUOTED = re.compile(r"“[^”]{6,}”|\"[^\"]{6,}\"|「[^」]{6,}」|‘[^’]{6,}’")
_SPACED = re.compile(r"(?:(?<=\s)|^)\w(?: \w){6,}(?=\s|$|[.,!?])")
_SPACED_ORDER = re.compile(
    r"(?:ignore|disregard|forget)(?:all|any|the|your|previous|prior)*(?:rules|instructions|above|prompt)"
)
_HAN_GAPS = re.compile(r"(?<=[\u4e00-\u9fff，。：]) (?=[\u4e00-\u9fff，。：])")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_DIGITS = str.maketrans("01345", "oieas")
_LEET = re.compile(r"\b(?=\w*[a-z])(?=\w*[01345])[a-z01345]{3,}\b")
# Letters of other scripts that look like Latin ones: of Unicode's confusables what words need.
_LIKE_LATIN = str.maketrans("аеорсхуіјѕԁһԛԝӏɑαοινκρτυ", "aeopcxyijsdhqwlaaoivkptu")
_CYRILLIC = re.compile("[\u0370-\u04ff\u0500-\u052f]")
_LATIN = re.compile(r"[a-z]")
# No sign counts without one of these; most sentences have none, and cost no more than this look.
_FIRST_LOOK = re.compile(
    r"ignor|disregard|forget|overrid|bypass|neglect|discard|set aside|abandon|\bnew |supersede"
    r"|previous|prior|\byou(?:'re| are) |act as|pretend|role-?play|behave|imagine you|\bon\b"
    r"|\bdan\b|jailbr|unrestrict|mode\b|restriction|system|instruction|prompt|answer|repl(?:y|ies)|respon"
    r"|\bsay|output|\bai\b|\bllm|model|bot\b|bots\b|assistant|\buser|decod|decrypt|reverse"
    r"|unscrambl|above|\blink\b|\bimage|!\[|<img|<script|https?:|else\b|example|debugging"
    r"|忽|无视|忘|抛开|理会|别管|不用管|不要管|跳过|废|无效|失效|新|你|您|从现在|从今|从此|即日|自此"
    r"|扮演|假装|假设|装作|限制|模式|系统|初始|以上|之前|前面|只|仅|统一|一律|回[复答]|囘答|答复|输出|作答"
    r"|人工智能|模型|机器人|助[手理]|用户|提问者|询问者|问题|拒绝|不予|谁问|解码|解密|倒过来|反转"
    r"|加上|写上|带上|附上|不要|不必|听从|遵|示例|调试|规则|指令"
)

# Narrow, because what it lets through is in the prompt: "I want to order", 命令 and "what do the
# documents say about …" are not about such texts.
_ABOUT = re.compile(
    r"\bprompts?\b|jailbreak|phish|\bai\b|\bllms?\b|language model|chat ?bot|red team"
    r"|\bhidden (?:\w+ )?(?:text|sentence|instruction|order|message|line|word)s?\b|\bscam\b"
    r"|\b(?:e-?mail|mail|message|note|letter|comment|post|review|footnote|cv|sentence)s?\b[^?]{0,30}"
    r"\b(?:ask|say|tell|instruct|order|request|demand|want|command)(?:s|ed|ing)?\b"
    r"|\b(?:do|does|did|what|is|was)\b[^?]{0,30}\b(?:document|page|text)s?\b[^?]{0,20}"
    r"\b(?:ask|tell|instruct|order|command)(?:s|ed|ing)?\b"
    r"|提示词|提示注入|指令注入|越狱|钓鱼|隐藏的(?:文字|句子|内容|指令|话|文本|命令)|人工智能|\bai\b|大模型|语言模型"
    r"|聊天机器人|智能助[手理]|红队|诈骗|系统消息"
    r"|(?:邮件|来信|信件|信|消息|短信|便条|留言|评论|帖子|简历)[^？]{0,6}(?:要求|让|叫|写|说|命令)"
    r"|(?:文档|页面|文字|句子|通知)[^？]{0,6}(?:要求|让|叫|命令)(?:读者|收件人|人|你|助[手理])"
)


def orders(text: str) -> tuple[Span, ...]:
    """Return the parts of ``text`` that give orders to whoever answers, in order.

    A part is a sentence, a cell of a table, or what stands in quotes where the sentence around it
    tells of it. The text's own blocks of code are looked at line by line.
    """
    posing = _posing(text)
    parts = [part for part in _parts(text) if not _within(part, posing)]
    weights = [_weight(text[part.start : part.end]) for part in parts]
    needed = _NEAR_AN_ORDER if _surely(weights) else _SURE
    found = [
        _told(text, part) for part, weight in zip(parts, weights, strict=True) if weight >= needed
    ]
    return _merged([*posing, *(_with_turns(text, span) for span in found)])


def telling(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return those of ``spans`` that are not mostly orders: what may be evidence.

    Args:
        text: A chunk's text, whose other sentences help to tell an order.
        spans: Sentences, rows and blocks of it.
    """
    found = orders(text)
    return [span for span in spans if not found or not _is_orders(text, span, found)]


def without_orders(text: str) -> str:
    """Return ``text`` with an ellipsis for each part that gives orders; for prompts only.

    A name whose words are joined by hyphens or underscores, as those of files are, is read without
    them, and goes as a whole.
    """
    if _NAME.fullmatch(text) and orders(_JOINT.sub(" ", text)):
        return _OMITTED
    pieces: list[str] = []
    position = 0
    for span in orders(text):
        pieces += [text[position : span.start], _OMITTED]
        position = span.end
    return "".join(pieces) + text[position:]


def asks_about_orders(question: str) -> bool:
    """Say whether ``question`` is about such texts, or about those they speak to.

    Then they are what is asked for: "What does the e-mail ask people to do?"
    """
    return _ABOUT.search(fold(question)) is not None


def _surely(weights: Sequence[float]) -> bool:
    """Say whether one part is an order without doubt, or two that follow one another nearly are."""
    if any(weight >= _SURE for weight in weights):
        return True
    return any(min(pair) >= _NEARLY for pair in pairwise(weights))


def _posing(text: str) -> list[Span]:
    """Return what follows a turn or delimiter of a prompt, to the end of its paragraph."""
    if _POSING.search(text) is None:
        return []
    code = [match.span() for match in _CODE.finditer(text)]
    spans: list[Span] = []
    found = [
        match
        for match in _POSING.finditer(text)
        if not any(start <= match.start() < end for start, end in code)
    ]
    for match in found:
        if spans and match.start() < spans[-1].end:
            continue
        stop = text.find("\n\n", match.end())
        stop = len(text) if stop < 0 else stop
        last = [other for other in found if other.start() < stop][-1]
        ends = _CLOSES if last is match else _NEUTRAL
        closed = ends.fullmatch(last[0]) is not None
        spans.append(Span(start=match.start(), end=last.end() if closed else stop))
    return spans


def _parts(text: str) -> Iterator[Span]:
    """Yield sentences, and the cells of table rows."""
    for span in sentences(text):
        said = text[span.start : span.end]
        if not said.startswith("|"):
            yield from _lines(said, span.start)
            continue
        for cell in re.finditer(r"[^|\n]+", said):
            yield Span(start=span.start + cell.start(), end=span.start + cell.end())


def _lines(said: str, start: int) -> Iterator[Span]:
    for line in re.finditer(r"[^\n]+", said):
        yield Span(start=start + line.start(), end=start + line.end())


def _merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(start=merged[-1].start, end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def _with_turns(text: str, span: Span) -> Span:
    """Return the span with the turns of a made-up talk that follow a system's."""
    end = span.end
    if _SYSTEM.match(fold(text[span.start : end])):
        while turn := _NEXT_TURN.match(text, end):
            end = turn.end()
    return Span(start=span.start, end=end)


def _is_orders(text: str, span: Span, found: Sequence[Span]) -> bool:
    # A table or a block of code stays for what else it says; the prompt leaves the order out.
    block = text.startswith(("|", "```", "~~~"), span.start)
    return _share(text, span, found) >= (_ENTIRELY if block else _MOSTLY)


def _share(text: str, span: Span, found: Sequence[Span]) -> float:
    """Return the share of a span's letters that lie in what was found."""
    shared = [
        _letters(text[max(span.start, one.start) : max(span.start, min(span.end, one.end))])
        for one in found
    ]
    return sum(shared) / (_letters(text[span.start : span.end]) or 1)


def _within(part: Span, spans: Sequence[Span]) -> bool:
    return any(span.start <= part.start < span.end for span in spans)


def _weight(said: str) -> float:
    """Return how much speaks for an order: 1 is enough."""
    forms = _forms(said)
    plain = forms[0]
    if len(forms) == 1 and _FIRST_LOOK.search(plain) is None:
        return 0.0
    weight = max(map(_weight_of, forms))
    if _SYSTEM.match(plain) and (weight or "answer" in plain or "答案" in plain):
        return _SURE
    return weight


def _weight_of(form: str) -> float:
    if _SPACED_ORDER.search(form):
        return _SURE
    chinese = _HAN.search(form) is not None
    places = {
        "do": _begun(form, _BEGINS, _STILL),
        "plainly": _begun(form, _BEGINS_PLAINLY, _STILL),
        "do_zh": _begun(form, _BEGINS_ZH, _STILL_ZH) if chinese else (),
        "plainly_zh": _begun(form, _BEGINS_ZH_PLAINLY, _STILL_ZH) if chinese else (),
    }
    return sum(sign.weight for sign in _signs() if _shows(sign, form, places, chinese=chinese))


def _shows(sign: _Sign, form: str, places: Mapping[str, Iterable[int]], *, chinese: bool) -> bool:
    for name, starts in places.items():
        pattern: re.Pattern[str] | None = getattr(sign, name)
        if pattern is not None and any(pattern.match(form, start) for start in starts):
            return True
    if sign.en is not None and sign.en.search(form):
        return True
    return chinese and sign.zh is not None and sign.zh.search(form) is not None


def _begun(form: str, begins: re.Pattern[str], still: re.Pattern[str]) -> tuple[int, ...]:
    """Return where a clause that commands may begin, and again after each ``please``, ``now``."""
    starts: set[int] = set()
    for match in begins.finditer(form):
        at = match.end()
        starts.add(at)
        for _ in range(2):
            more = still.match(form, at)
            if more is None:
                break
            at = more.end()
            starts.add(at)
    return tuple(sorted(starts))


def _forms(said: str) -> list[str]:
    """Return what a sentence may be read as: as it stands first, then as what it hides."""
    plain = " ".join(fold(said).split())
    plain = plain.lstrip("#*->•/ \t")
    if _CYRILLIC.search(plain) and _LATIN.search(plain):
        plain = plain.translate(_LIKE_LATIN)
    forms = [plain]
    closed = _HAN_GAPS.sub("", plain)
    if closed != plain:
        forms.append(closed)
    if _SPACED.search(plain):
        forms.append(_SPACED.sub(lambda match: match[0].replace(" ", ""), plain))
    if _LEET.search(plain):
        forms.append(_LEET.sub(lambda match: match[0].translate(_DIGITS), plain))
    forms.extend(filter(None, map(_decoded, _BASE64.findall(said))))
    return forms


def _decoded(run: str) -> str:
    """Return what a run of base64 says, or nothing where it is no text."""
    try:
        text = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return fold(text) if text.isprintable() else ""


def _told(text: str, part: Span) -> Span:
    """Return the part, or what it quotes where the rest tells of an order and gives none."""
    said = text[part.start : part.end]
    for quote in _QUOTED.finditer(said):
        around = f"{said[: quote.start()]} … {said[quote.end() :]}"
        if _letters(around) >= _MOSTLY * _letters(said) and _weight(around) < _NEAR_AN_ORDER:
            return Span(start=part.start + quote.start(), end=part.start + quote.end())
    return part


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)
