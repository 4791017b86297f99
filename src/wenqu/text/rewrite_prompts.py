"""What a chat model is asked before a search, and what of its reply may be used.

It completes a question that leans on its conversation, or writes other wordings of a question and a
passage as might answer it. Instructions and examples come first and are always the same, so that a
model server that keeps prompt prefixes reads them once; what differs is a few lines.

A reply is not trusted. What adds a name that nobody mentioned, drops one that the user wrote,
changes the language, or answers instead of asking is refused, and the caller does without.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from wenqu.text.language import detect
from wenqu.text.normalize import fold
from wenqu.text.prompts import neutralise
from wenqu.text.query import query_terms
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wenqu.types import Language

__all__ = [
    "Expansion",
    "Refused",
    "expand_prompt",
    "language_of",
    "read_expansion",
    "read_rewrite",
    "rewrite_prefix",
    "rewrite_prompt",
]

_TURN_CHARACTERS = 160
_TURNS = 4
"""Messages of the conversation that the model is shown: two questions with their answers."""
_LONGEST_QUESTION = 400
_LONGEST_PASSAGE = 500
_SHORTEST_PASSAGE = 12
_TELLING = 4
"""Words of Latin letters from which on they tell the language of a text."""


class _Texts(NamedTuple):
    rewrite: str
    examples: tuple[tuple[str, str, str, str], ...]
    user: str
    assistant: str
    last: str
    expand: str
    wanted_question: str
    wanted_passage: str
    question: str
    wanted: str
    ask_mark: str
    passage_mark: str
    expand_example: tuple[str, tuple[str, str], str]


_TEXTS: Mapping[Language, _Texts] = {
    "zh": _Texts(
        rewrite=(
            "根据对话，把最后的问题补全成一个不看对话也能懂的问题：补上省略的内容，把代词换成所指的名称。"
            "保留原来的词和数字，不回答，不解释，只输出一个问题。"
        ),
        examples=(
            (
                "电热水壶怎么除水垢？",
                "加白醋煮沸后静置半小时。",
                "它的保修期多长？",
                "电热水壶的保修期多长？",
            ),
            (
                "北京到上海的高铁要多久？",
                "最快四个多小时。",
                "那广州呢？",
                "北京到广州的高铁要多久？",
            ),
            ("谁发现了镭？", "居里夫人。", "她在哪里出生？", "居里夫人在哪里出生？"),
        ),
        user="用户：",
        assistant="助手：",
        last="最后的问题：",
        expand=(
            "为检索文档，按要求改写问题。“问”是意思相同、用词不同的问题，每行一个；"
            "“文”是文档里可能回答它的一两句话。只输出所要求的。"
        ),
        wanted_question="{count}个问",
        wanted_passage="1个文",
        question="问题：",
        wanted="要求：",
        ask_mark="问：",
        passage_mark="文：",
        expand_example=(
            "员工怎么请年假？",
            ("年假的申请流程是什么？", "带薪休假要如何办理？"),
            "员工休年假须提前三个工作日提交申请，经部门主管批准后生效。",
        ),
    ),
    "en": _Texts(
        rewrite=(
            "Complete the last question so that it can be understood without the conversation: add"
            " what is left out and put names for pronouns. Keep its words and numbers. Do not"
            " answer, do not explain; output one question only."
        ),
        examples=(
            (
                "How do I descale the kettle?",
                "Boil vinegar in it and wait half an hour.",
                "How long is its warranty?",
                "How long is the warranty of the kettle?",
            ),
            (
                "How long is the train from Paris to Lyon?",
                "About two hours.",
                "What about Nice?",
                "How long is the train from Paris to Nice?",
            ),
            (
                "Who discovered radium?",
                "Marie Curie.",
                "Where was she born?",
                "Where was Marie Curie born?",
            ),
        ),
        user="User: ",
        assistant="Assistant: ",
        last="Last question: ",
        expand=(
            "Rewrite the question for a document search, as requested. A Q is a question with the"
            " same meaning in other words, one a line; a P is one or two sentences of a document"
            " that might answer it. Output only what is requested."
        ),
        wanted_question="{count} Q",
        wanted_passage="1 P",
        question="Question: ",
        wanted="Requested: ",
        ask_mark="Q: ",
        passage_mark="P: ",
        expand_example=(
            "How do I request annual leave?",
            ("What is the procedure for applying for vacation?", "How are paid days off arranged?"),
            (
                "Employees file a request for annual leave three working days ahead; it takes"
                " effect once the manager has approved it."
            ),
        ),
    ),
}

_HAN = re.compile("[\u3400-\u9fff]")
_MARKERS = re.compile(r"[ \t]*\[\d{1,3}\]")
_CODE = re.compile(r"[a-z0-9][a-z0-9_.+#/-]*[a-z0-9+#]|[a-z0-9]")
_PREFIX = re.compile(
    r"^(?:[-*•>\s]*(?:\d{1,2}[.、)]\s*)?)(?:(?:补全后的?问题|完整的?问题|改写后的?问题|改写|"
    r"最后的问题|问题|问|答案|答|"
    r"输出|last question|rewritten question|complete(?:d)? question|question|standalone question|"
    r"output|q|p|文)\s*[:：]\s*)?",
    re.IGNORECASE,
)
_QUOTES = "\"'“”‘’「」『』《》`* "
_ORDERS = re.compile(
    r"(?:请|介绍|说明|解释|列出|比较)|(?:tell|explain|describe|list|compare|give|show)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"什么|怎么|怎样|如何|为何|哪|谁|多少|几|吗|呢|是否|能否|是不是|能不能|多[大长久高远快]"
    r"|^(?:what|how|why|when|where|who|whom|whose|which|is|are|was|were|do|does|did|can|could|"
    r"should|will)\b",
    re.IGNORECASE,
)
_OF_CONTEXT = frozenset(
    """
    it its they them their he him his she her this that these those one ones more else other
    another
    there then also same first second third last next previous former latter 它 他 她 它们
    他们 她们 这 那 这个 那个
    这些 那些 这样 那样 这种 那种 其 该 前者 后者 第一 第二 第三 个 种 呢 还 也 又 再 还有 别
    别的 其他 其中 上面 刚才 之后
    具体 详细 例子 举 说 说说 讲 继续 一下 点 一点 all both each any some of two three 两者
    要 能 会 可以 有 没有 没 不 么 多 久 长 大 高 就 才 后
    """.split()  # noqa: SIM905
)


class Refused(Enum):
    """Why a reply was not used."""

    EMPTY = "empty"
    LONG = "long"
    LANGUAGE = "language"
    ANSWER = "answer"
    LOST = "lost"
    INVENTED = "invented"
    SAME = "same"


class Expansion(NamedTuple):
    """Other wordings of a question, and passages as might answer it."""

    wordings: tuple[str, ...]
    passages: tuple[str, ...]


def language_of(question: str, history: Sequence[Message] = ()) -> Language:
    """Return the language of a question; where it says too little, that of its conversation."""
    if _HAN.search(question) or len(question.split()) >= _TELLING:
        return detect(question)
    asked = [message.text for message in history if message.role == "user"]
    return detect(asked[-1] if asked else question)


def rewrite_prefix(language: Language) -> list[Message]:
    """Return the messages that every prompt to complete a question begins with."""
    texts = _TEXTS[language]
    prompt = [Message(role="system", text=texts.rewrite)]
    for asked, answered, last, whole in texts.examples:
        turns = [f"{texts.user}{asked}", f"{texts.assistant}{answered}", f"{texts.last}{last}"]
        prompt.append(Message(role="user", text="\n".join(turns)))
        prompt.append(Message(role="assistant", text=whole))
    return prompt


def rewrite_prompt(question: str, history: Sequence[Message], language: Language) -> list[Message]:
    """Return the prompt that has ``question`` completed from the last turns of ``history``."""
    texts = _TEXTS[language]
    turns = [
        f"{texts.user if message.role == 'user' else texts.assistant}{_short(message.text)}"
        for message in history[-_TURNS:]
        if message.role != "system"
    ]
    turns.append(f"{texts.last}{_short(question, _LONGEST_QUESTION)}")
    return [*rewrite_prefix(language), Message(role="user", text="\n".join(turns))]


def read_rewrite(
    reply: str, question: str, history: Sequence[Message], language: Language
) -> str | Refused:
    """Return the question that a reply to ``rewrite_prompt`` holds, or why it is not to be used."""
    text = _line(reply)
    said = " ".join([question, *(message.text for message in history)])
    faults = {
        Refused.EMPTY: not text,
        Refused.LONG: len(text) > _LONGEST_QUESTION,
        Refused.LANGUAGE: detect(text) != language and _says_language(text),
        Refused.SAME: _plain(text) == _plain(question),
        Refused.ANSWER: not _asks(text),
        Refused.LOST: _lost(text, question),
        Refused.INVENTED: _invented(text, said),
    }
    return next((refused for refused, fails in faults.items() if fails), text)


def expand_prompt(
    question: str, language: Language, *, wordings: int, imagine: bool
) -> list[Message]:
    """Return the prompt for ``wordings`` other wordings of a question, and for a passage."""
    texts = _TEXTS[language]
    asked, others, passage = texts.expand_example
    shown = [*(f"{texts.ask_mark}{other}" for other in others), f"{texts.passage_mark}{passage}"]
    return [
        Message(role="system", text=texts.expand),
        Message(role="user", text=_request(texts, asked, len(others), imagine=True)),
        Message(role="assistant", text="\n".join(shown)),
        Message(
            role="user",
            text=_request(texts, _short(question, _LONGEST_QUESTION), wordings, imagine=imagine),
        ),
    ]


def _request(texts: _Texts, question: str, wordings: int, *, imagine: bool) -> str:
    wanted = [texts.wanted_question.format(count=wordings)] if wordings else []
    wanted += [texts.wanted_passage] if imagine else []
    return f"{texts.question}{question}\n{texts.wanted}{', '.join(wanted)}"


def read_expansion(
    lines: Iterable[str], question: str, language: Language, *, wordings: int, imagine: bool
) -> Expansion:
    """Return what the lines of a reply to ``expand_prompt`` hold that may be searched for."""
    texts = _TEXTS[language]
    asked: list[str] = []
    passages: list[str] = []
    seen = {_plain(question)}
    for line in lines:
        text = _line(line)
        if not text or _plain(text) in seen or (detect(text) != language and _says_language(text)):
            continue
        seen.add(_plain(text))
        if line.strip().startswith(texts.passage_mark.strip()) or not _asks(text):
            if _SHORTEST_PASSAGE <= len(text) <= _LONGEST_PASSAGE:
                passages.append(text)
        elif len(text) <= _LONGEST_QUESTION and not _codes(question) - _codes(text):
            asked.append(text)
    return Expansion(tuple(asked[:wordings]), tuple(passages[: int(imagine)]))


def _short(text: str, characters: int = _TURN_CHARACTERS) -> str:
    text = " ".join(neutralise(_MARKERS.sub("", text)).split())
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _line(reply: str) -> str:
    """Return the first line of a reply without quotes and without a label in front."""
    lines = [line for line in reply.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    first = lines[0].strip().strip(_QUOTES) if len(lines) == 1 else _labelled(lines)
    return _PREFIX.sub("", first, count=1).strip(_QUOTES)


def _labelled(lines: Sequence[str]) -> str:
    """Return the first line that is more than a label, as "Rewritten question:" is."""
    return next((line for line in lines if _PREFIX.sub("", line).strip(_QUOTES)), "")


def _asks(text: str) -> bool:
    if text.endswith(("?", "？")) or _ORDERS.match(text):
        return True
    return not text.endswith(("。", ".")) and _ASKS.search(text) is not None


def _plain(text: str) -> str:
    return re.sub(r"\W+", "", fold(text))


def _says_language(text: str) -> bool:
    return bool(_HAN.search(text)) or len(text.split()) >= _TELLING


def _codes(text: str) -> set[str]:
    """Return numbers, and in a Chinese text also the names in Latin letters."""
    found = _CODE.findall(fold(text))
    return {one for one in found if any(c.isdigit() for c in one) or _HAN.search(text)}


def _lost(text: str, question: str) -> bool:
    """Say whether ``text`` lacks a number of the question, or most of its words."""
    if _codes(question) - _codes(text):
        return True
    own = [term for term in query_terms(question) if term not in _OF_CONTEXT and _weighty(term)]
    have = set(query_terms(text))
    return len(own) > 1 and sum(term in have for term in own) < len(own) / 2


def _invented(text: str, said: str) -> bool:
    """Say whether ``text`` names what nobody mentioned, or mostly has words of its own."""
    if {one for one in _codes(text) if one not in fold(said)}:
        return True
    known = set(query_terms(said))
    new = [term for term in query_terms(text) if _weighty(term) and term not in known]
    return len(new) > max(2, len([t for t in query_terms(text) if _weighty(t)]) / 2)


def _weighty(term: str) -> bool:
    # Single Chinese characters are in every text.
    return len(term) > 1 or not _HAN.match(term)
