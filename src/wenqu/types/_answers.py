"""Answers with what they rest on, and the conversations that they are part of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from wenqu.types._search import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.types._documents import Chunk, Language, Place, Span
    from wenqu.types._search import Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to or from a chat model."""

    role: Literal["system", "user", "assistant"]
    text: str


class Outcome(StrEnum):
    """How a question ended. Refusing is an outcome, not an error.

    ``chat`` is a reply of the model alone, for which no documents were asked.
    """

    ANSWERED = "answered"
    NO_EVIDENCE = "no_evidence"
    OUT_OF_SCOPE = "out_of_scope"
    NOT_A_QUESTION = "not_a_question"
    CHAT = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Numbered excerpts of one chunk that an answer may use; ``spans`` are of the document.

    ``text`` is their text, with an ellipsis for what is left out between them. Before rows of a
    table it has that table's header rows, which lie in no span.
    """

    marker: int
    hit: Hit
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A marker ``[n]`` of an answer, and the exact span of the document that it points at.

    ``sentence`` is the answer's sentence that carries the marker; ``supported`` says whether the
    chunk was found to say the same, and is False where wenqu could not confirm it. ``places`` are
    those of the span on the document's pages, in its order; none where it has no pages.
    """

    marker: int
    hit: Hit
    sentence: str
    quote: str
    span: Span
    supported: bool
    places: tuple[Place, ...] = ()

    @property
    def chunk(self) -> Chunk:
        """The cited chunk."""
        return self.hit.chunk

    @property
    def page(self) -> int | None:
        """The page the quote begins on, from 1; None where the format has no pages."""
        return self.places[0].page if self.places else self.chunk.page


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSentence:
    """A sentence of an answer; ``span`` is of the answer's text, with its markers.

    ``supported`` is None where it claims nothing: a heading, a lead-in (``如下：``), or that the
    documents do not say. ``missing`` has the numbers, dates and names in it that no evidence has,
    as they are written; a number or date among them makes it unsupported.
    """

    span: Span
    text: str
    markers: tuple[int, ...] = ()
    supported: bool | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a chat model read and wrote, as it reports them (0 where it does not).

    ``model`` names the one that answered, where there were several to ask.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of a question: an outcome, a text with ``[n]`` markers, and what it rests on.

    ``sentences`` are those of the text in order, each with what the check of it found; a refusal
    has none. ``id`` names its record, where one is kept.
    """

    outcome: Outcome
    text: str
    language: Language
    citations: tuple[Citation, ...] = ()
    sentences: tuple[CheckedSentence, ...] = ()
    hits: tuple[Hit, ...] = ()
    trace: Trace = field(default_factory=Trace)
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """An answer as it is kept: what was asked and how, all that came of it, and each stage.

    ``data`` holds only what JSON has; ``pipeline.record`` knows its shape. ``kb`` is None once the
    knowledge base is gone. ``number`` counts answers from 1; ``created_at`` is UTC, in ISO 8601.
    """

    id: str
    kb: int | None
    kb_name: str
    question: str
    outcome: str
    data: Mapping[str, Any]
    number: int = 0
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question in a conversation, and what came of it.

    ``outcome`` is an ``Outcome``, or ``chat`` where no documents were asked, or ``stopped`` or
    ``failed`` where ``answer`` has only what had been said by then. ``answer_id`` names the record
    of an answer, where one is kept. ``detail`` holds what doors show of it; only what JSON has.
    """

    id: str
    question: str
    answer: str
    outcome: str
    parent: str | None = None
    answer_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Turns that follow one another, oldest first, on the branch that was last used.

    ``kb_name`` is None in a plain chat. ``summary`` tells of the turns up to ``summarised``.
    """

    id: str
    kb_name: str | None = None
    owner: str = ""
    title: str = ""
    turns: tuple[Turn, ...] = ()
    summary: str = ""
    summarised: str | None = None
    created_at: str = ""
    used_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFound:
    """First event of an answer: the sources, before the first word."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerText:
    """A piece of the answer's text, in order; pieces join to the text before verification."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFinished:
    """Last event of an answer."""

    answer: Answer


AnswerEvent = EvidenceFound | AnswerText | AnswerFinished
"""What a streamed answer is made of, in this order: found once, text many times, finished once."""
