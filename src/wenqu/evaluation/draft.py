"""Drafts questions from documents, for a person to accept, mend or delete.

Each is made from one sentence of a document, which is its quote: so the quote can always be found.
The chat model writes question and answer, and is not believed: an answer that is not in the
sentence, a question that gives the answer away or speaks of "the text" is thrown away. Without a
model, a definition becomes "What is …?", a number in a Chinese sentence becomes 多少, and other
sentences get a gap to fill; such questions copy the document's words and flatter the lexical side.

The documents take turns, so that a long one has no more questions than a short one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from wenqu.errors import ConflictError, InputError, ModelError
from wenqu.evaluation.answers import stands_in, words
from wenqu.text.language import detect
from wenqu.text.sentences import sentences
from wenqu.types import BlockKind, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from wenqu.protocols import ChatModel
    from wenqu.types import Document, Language

__all__ = ["Draft", "Drafter", "by_rule", "ensure_new", "write_drafts"]

Kind = Literal["model", "near", "definition", "number", "gap"]

_SHORTEST, _LONGEST = 12, 220  # code points of a sentence that is asked about
_FEWEST_WORDS = 7
_ALIKE = 0.75  # of the words of two questions
_MOST_NUMBERS = 2
_TRIES = 3  # sentences looked at for each question wanted
_NEAR_EVERY = 5  # one question of so many is to be one that the documents do not answer
_REPLY_TOKENS = 90
_AROUND = 160  # code points around a sentence that the model sees too

_DEFINED = re.compile(
    r"^([^，。；：,;:\n]{2,24})(?:是指|指的是|是一[种个类款家座项]|是(?![否不]))([^。]{6,})。$"
)
_ARTICLE = re.compile(r"^(?:The|An?)\b")
_DEFINED_EN = re.compile(
    r"^((?:[A-Z][\w-]*|The [\w-]+|An? [\w-]+)(?: [\w-]+){0,4}) (is|are) ((?:an?|the|one) .{8,})\.$"
)
_COUNT = re.compile(r"(?<![\d.A-Za-z])(\d+(?:[,.]\d+)*)(?= ?[\u4e00-\u9fff])")
_NUMBER_EN = re.compile(r"(?<![\w.])(\d+(?:[,.]\d+)*)(?![\w.]*\w)")
_NAME_EN = re.compile(r"(?<=[a-z,] )([A-Z][\w-]+(?: [A-Z][\w-]+)*)")
_ABOUT_ITSELF = re.compile(
    r"本文|文中|该句|这句|上述|根据(?:资料|材料|文本|句子)"
    r"|the (?:text|passage|sentence|document)\b",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"^(?:[-*•·]|\(?\d{1,2}[.)、）])\s*")
_POINTS_BACK = re.compile(
    r"(?:这|那|其|该|此|他|她|它|因此|但是|所以|(?:This|That|These|Those|It|He|She|They)\b)"
)
_SAID = {
    "question": re.compile(r"^\W*(?:问题|问|Question|Q)\W*[:：]\s*(.+)$", re.MULTILINE),
    "answer": re.compile(r"^\W*(?:答案|答|Answer|A)\W*[:：]\s*(.+)$", re.MULTILINE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question with the sentence that it was made from; one of kind ``near`` has none."""

    id: str
    question: str
    answer: str
    document: str
    quote: str
    kind: Kind

    def to_json(self) -> dict[str, object]:
        """Return the line of a file of questions."""
        line: dict[str, object] = {"id": self.id, "question": self.question}
        if self.kind == "near":
            line["answerable"] = False
        else:
            line |= {"answer": self.answer, "documents": [self.document], "quotes": [self.quote]}
        return {**line, "kind": self.kind, "accepted": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    source: str
    title: str
    text: str
    around: str
    language: Language


class Drafter:
    """Drafts questions.

    Args:
        chat: Writes them; without one they are made from the sentences by rules.
        seed: Takes other sentences.
    """

    def __init__(self, *, chat: ChatModel | None, seed: int = 0) -> None:
        self._chat = chat
        self._seed = seed

    async def draft(
        self,
        documents: Sequence[tuple[str, str]],
        load: Callable[[str], Awaitable[Document]],
        number: int,
        *,
        on_progress: Callable[[int, int], None] = lambda *_: None,
    ) -> list[Draft]:
        """Return up to ``number`` drafts; fewer where the documents have no more to ask about.

        Args:
            documents: Ids and sources.
            load: Gives a document by its id.
            number: How many are wanted.
            on_progress: Told how many there are, and how many are wanted.
        """
        pools = await self._pools(documents, load, number)
        drafts: list[Draft] = []
        asked: list[set[str]] = []
        tries = 0
        while pools and len(drafts) < number and tries < _TRIES * number + len(pools):
            pool = pools.pop(0)
            sentence = pool.pop(0)
            if pool:
                pools.append(pool)
            tries += 1
            near = self._chat is not None and len(drafts) % _NEAR_EVERY == _NEAR_EVERY - 1
            found = await self._question(sentence, len(drafts) + 1, near=near)
            if found is None or _is_known(found, asked):
                continue
            drafts.append(found)
            asked.append(set(words(found.question)))
            on_progress(len(drafts), number)
        return drafts

    async def _pools(
        self,
        documents: Sequence[tuple[str, str]],
        load: Callable[[str], Awaitable[Document]],
        number: int,
    ) -> list[list[_Sentence]]:
        """Return sentences to ask about, a list a document, both in an order made by chance."""
        pools = []
        for name, _ in sorted(documents, key=lambda one: self._chance(one[1])):
            document = await load(name)
            found = list(_sentences(document))
            if found:
                found.sort(key=lambda one: self._chance(f"{one.source}\0{one.text}"))
                pools.append(found[:number])
            if len(pools) >= _TRIES * number:
                break
        return pools

    def _chance(self, text: str) -> bytes:
        told = f"{self._seed}\0{text}".encode("utf-8", "surrogatepass")
        return blake2b(told, digest_size=8).digest()

    async def _question(self, sentence: _Sentence, at: int, *, near: bool) -> Draft | None:
        if self._chat is None:
            made = by_rule(sentence.text, sentence.language)
        else:
            made = await self._asked(self._chat, sentence, near=near)
        if made is None:
            return None
        question, answer, kind = made
        return Draft(
            id=f"draft-{at}",
            question=question,
            answer=answer,
            document=sentence.source,
            quote=sentence.text,
            kind=kind,
        )

    async def _asked(
        self, chat: ChatModel, sentence: _Sentence, *, near: bool
    ) -> tuple[str, str, Kind] | None:
        """Return what the model made of a sentence, or None where it is no good."""
        reply = ""
        try:
            async for piece in chat.stream(_prompt(sentence, near=near), _REPLY_TOKENS):
                reply += piece
        except ModelError:
            return None
        question = _said("question", reply)
        if not _is_question(question, sentence.language):
            return None
        if near:
            return question, "", "near"
        answer = _said("answer", reply).rstrip("。.")
        ours, theirs = words(answer), words(sentence.text)
        if not stands_in(ours, theirs) or stands_in(ours, words(question)):
            return None
        return question, answer, "model"


def ensure_new(path: Path) -> None:
    """Refuse a file that is there already.

    Raises:
        ConflictError: It is there, and may hold a person's work.
    """
    if path.exists():
        raise ConflictError("error.file_exists", path=path)


def write_drafts(path: Path, drafts: Sequence[Draft]) -> None:
    """Write the drafts as a file of questions.

    Raises:
        ConflictError: There is such a file already, which may hold a person's work.
        InputError: It cannot be written.
    """
    lines = "".join(json.dumps(one.to_json(), ensure_ascii=False) + "\n" for one in drafts)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(lines)
    except FileExistsError:
        raise ConflictError("error.file_exists", path=path) from None
    except OSError as error:
        raise InputError("error.cannot_write", path=path, reason=error.strerror) from error


def by_rule(sentence: str, language: Language) -> tuple[str, str, Kind] | None:
    """Return question, answer and kind for a sentence, or None where no rule fits."""
    sentence = _LIST_MARK.sub("", sentence)
    if language == "zh":
        if match := _DEFINED.match(sentence):
            return f"{match[1]}是什么？", match[2], "definition"
        counts = list(_COUNT.finditer(sentence))
        if 1 <= len(counts) <= _MOST_NUMBERS:
            at = counts[-1]  # the first is likelier to be a name: "room 3 is open 6 hours"
            asked = f"{sentence[: at.start()]}多少{sentence[at.end() :].lstrip()}"
            return f"{asked.rstrip('。；，')}？", at[1], "number"
        return None
    if match := _DEFINED_EN.match(sentence):
        subject = _ARTICLE.sub(lambda article: article[0].lower(), match[1])
        return f"What {match[2]} {subject}?", match[3], "definition"
    for pattern in (_NUMBER_EN, _NAME_EN):
        found = list(pattern.finditer(sentence))
        if len(found) == 1:
            at = found[0]
            gap = f"{sentence[: at.start()]}____{sentence[at.end() :]}"
            return f"What is missing: {gap}", at[1], "gap"
    return None


def _sentences(document: Document) -> Iterator[_Sentence]:
    """Yield the sentences that say something by themselves: no headings, tables or code."""
    told = (BlockKind.PARAGRAPH, BlockKind.LIST)
    spans = [block.span for block in document.blocks if block.kind in told]
    texts = [document.text[span.start : span.end] for span in spans] or [document.text]
    for text in texts:
        for span in sentences(text):
            sentence = text[span.start : span.end]
            if not _tells(sentence):
                continue
            before, after = max(0, span.start - _AROUND), span.end + _AROUND
            yield _Sentence(
                source=document.source,
                title=document.title,
                text=sentence,
                around=text[before:after],
                language=detect(sentence),
            )


def _tells(sentence: str) -> bool:
    return (
        _SHORTEST <= len(sentence) <= _LONGEST
        and sentence.endswith(("。", "."))
        and "\n" not in sentence
        and not _POINTS_BACK.match(sentence)
        and len(set(words(sentence))) >= _FEWEST_WORDS
    )


def _is_known(draft: Draft, asked: Sequence[set[str]]) -> bool:
    ours = set(words(draft.question))
    return any(len(ours & one) >= _ALIKE * min(len(ours), len(one)) for one in asked)


def _said(what: str, reply: str) -> str:
    match = _SAID[what].search(reply)
    return match[1].strip() if match else ""


def _is_question(text: str, language: Language) -> bool:
    return (
        text.endswith(("？", "?"))
        and len(words(text)) >= 4  # noqa: PLR2004  # less asks about nothing
        and detect(text) == language
        and not _ABOUT_ITSELF.search(text)
    )


def _prompt(sentence: _Sentence, *, near: bool) -> list[Message]:
    """Return what the model is told: the task, an example, the sentence and what is around it."""
    say = _PROMPTS[sentence.language]
    task = say["near" if near else "task"]
    example = say["near_example" if near else "example"]
    material = say["material"].format(
        title=sentence.title, around=sentence.around, sentence=sentence.text
    )
    return [
        Message(role="system", text=task),
        Message(role="user", text=say["material_example"]),
        Message(role="assistant", text=example),
        Message(role="user", text=material),
    ]


_PROMPTS = {
    "zh": {
        "task": (
            "你为资料出检索测试题。针对给出的句子写一个读者会问的问题，用自己的话，"
            "不看原文也明白在问什么；答案必须是句中的原词，尽量短。只输出两行：问题：… 答案：…"
        ),
        "near": (
            "你为资料出检索测试题。写一个与资料主题相近、但资料没有写到答案的问题，"
            "不看原文也明白在问什么。只输出一行：问题：…"
        ),
        "material_example": (
            "标题：员工手册\n资料：正式员工每年享有十五天带薪年假。试用期员工没有年假。\n"
            "句子：正式员工每年享有十五天带薪年假。"
        ),
        "example": "问题：转正以后一年可以休多久的带薪假？\n答案：十五天",
        "near_example": "问题：正式员工的年终奖怎么计算？",
        "material": "标题：{title}\n资料：{around}\n句子：{sentence}",
    },
    "en": {
        "task": (
            "You write test questions for a search engine. Write one question that a reader would"
            " ask and that the given sentence answers, in your own words, clear without the text."
            " The answer must be words of the sentence, as few as possible."
            " Write two lines only: Question: … Answer: …"
        ),
        "near": (
            "You write test questions for a search engine. Write one question near the subject of"
            " the text that the text does not answer, clear by itself."
            " Write one line only: Question: …"
        ),
        "material_example": (
            "Title: Staff handbook\nText: Permanent staff have fifteen days of paid leave a year."
            " There is none during probation.\n"
            "Sentence: Permanent staff have fifteen days of paid leave a year."
        ),
        "example": "Question: How long may I take off with pay each year?\nAnswer: fifteen days",
        "near_example": "Question: How is the yearly bonus of permanent staff worked out?",
        "material": "Title: {title}\nText: {around}\nSentence: {sentence}",
    },
}
