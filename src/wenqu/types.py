"""The values that flow between layers: frozen, slotted, keyword-only.

Spans are half-open and count code points of a document's text:
``document.text[chunk.start:chunk.end] == chunk.text`` holds for every chunk.
Nothing here imports anything heavy, so that any module may import it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MAX_CHUNK_OVERLAP",
    "MAX_CHUNK_TOKENS",
    "MIN_CHUNK_TOKENS",
    "Answer",
    "AnswerEvent",
    "AnswerFinished",
    "AnswerRecord",
    "AnswerText",
    "Block",
    "BlockKind",
    "Box",
    "CheckedSentence",
    "Chunk",
    "ChunkStrategy",
    "Chunking",
    "Citation",
    "Conversation",
    "Document",
    "DocumentInfo",
    "Evidence",
    "EvidenceFound",
    "Hit",
    "KnowledgeBase",
    "KnowledgeBaseSettings",
    "Language",
    "Message",
    "Origin",
    "Outcome",
    "Place",
    "Qrels",
    "Query",
    "Run",
    "SearchHits",
    "Span",
    "Stage",
    "Trace",
    "Turn",
    "Usage",
    "chunk_id",
    "document_id",
]

Language = Literal["zh", "en"]
"""The languages wenqu answers in and has analysis for."""

Qrels = dict[str, dict[str, int]]
"""Relevance in TREC shape: query id → document id → grade (0 is not relevant)."""

Run = dict[str, dict[str, float]]
"""A ranking in TREC shape: query id → document id → score, higher is better."""


def document_id(source: str) -> str:
    """Return the id of the document that comes from ``source``: 16 hex digits, stable for ever."""
    return hashlib.blake2b(_bytes(source), digest_size=8).hexdigest()


def chunk_id(document: str, start: int, text: str) -> str:
    """Return a content-derived id: 16 hex digits whose value fits a signed 64-bit integer.

    The same text at the same place of the same document always has the same id, so a rebuilt
    index, a repeated ingest and an old citation agree.
    """
    key = _bytes(f"{document}\0{start}\0{text}")
    value = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1
    return f"{value:016x}"


def _bytes(text: str) -> bytes:
    # Any text has an id, also one that broken input has left half a surrogate pair in.
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Half-open range of code points of a document's text."""

    start: int
    end: int


class BlockKind(StrEnum):
    """What a block of a document is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle on a page, from its top left corner: PDF points, or pixels of a picture."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page, counted from 1, and where on it; ``box`` is None where only the page is known."""

    page: int
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A structural part of a document: a heading, a paragraph, a table, a code block.

    ``heading`` is the path of headings above the block, outermost first; a heading block's own
    text is not in its path. ``page`` counts from 1 and is None where a format has no pages.
    """

    span: Span
    kind: BlockKind = BlockKind.PARAGRAPH
    heading: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None

    def to_row(self) -> list[object]:
        """Return a short form of numbers, strings and lists, which JSON takes."""
        box = self.box
        return [
            self.span.start,
            self.span.end,
            self.kind.value,
            list(self.heading),
            self.page,
            [box.left, box.top, box.right, box.bottom] if box else None,
        ]

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Block:
        """Return the block that ``to_row`` was called on."""
        start, end, kind, heading, page, box = row
        return cls(
            span=Span(start=start, end=end),
            kind=BlockKind(kind),
            heading=tuple(heading),
            page=page,
            box=Box(left=box[0], top=box[1], right=box[2], bottom=box[3]) if box else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A source read into text and blocks; blocks are in reading order and do not overlap."""

    id: str
    source: str
    title: str
    text: str
    language: Language
    blocks: tuple[Block, ...] = ()
    meta: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 1

    @property
    def info(self) -> DocumentInfo:
        """What a hit says of its document."""
        return DocumentInfo(
            id=self.id,
            source=self.source,
            title=self.title,
            language=self.language,
            version=self.version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """A document without its text."""

    id: str
    source: str
    title: str
    language: Language
    version: int = 1
    chunks: int = 0
    characters: int = 0


MIN_CHUNK_TOKENS = 32
MAX_CHUNK_TOKENS = 500
"""What the embedder reads, less what tells it where the text is from."""
MAX_CHUNK_OVERLAP = 250


class ChunkStrategy(StrEnum):
    """How a document is cut into chunks; ``text.chunk`` says what each one does."""

    AUTO = "auto"
    HEADING = "heading"
    SENTENCE = "sentence"
    RECURSIVE = "recursive"
    CHARACTER = "character"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """A strategy with the largest chunk, and with what neighbours may share, in tokens.

    ``overlap`` counts only in the recursive and character strategies: see ``shared``.
    """

    strategy: ChunkStrategy = ChunkStrategy.AUTO
    max_tokens: int = 256
    overlap: int = 0

    @property
    def shared(self) -> int:
        """Tokens that neighbours may share in fact: never more than half of a chunk."""
        overlapping = self.strategy in {ChunkStrategy.RECURSIVE, ChunkStrategy.CHARACTER}
        return min(self.overlap, self.max_tokens // 2) if overlapping else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A span of a document, small enough to embed: what is searched and cited.

    ``header`` is not part of the span: where the chunk begins with later rows of a table, it has
    that table's header rows, without which the rows mean little. It is empty everywhere else.
    """

    id: str
    document_id: str
    text: str
    start: int
    end: int
    heading: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    header: str = ""

    @property
    def page(self) -> int | None:
        """The page the chunk begins on, from 1; None where the format has no pages."""
        return self.pages[0] if self.pages else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBaseSettings:
    """What one knowledge base does otherwise than the general settings say; None follows them."""

    chunk_strategy: ChunkStrategy | None = None
    chunk_tokens: int | None = None
    chunk_overlap: int | None = None

    def chunking(self, general: Chunking) -> Chunking:
        """Return how its documents are cut, where ``general`` holds for what it does not say."""
        return Chunking(
            strategy=self.chunk_strategy or general.strategy,
            max_tokens=self.chunk_tokens or general.max_tokens,
            overlap=general.overlap if self.chunk_overlap is None else self.chunk_overlap,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """A named collection of documents that is searched as one."""

    id: int
    name: str
    settings: KnowledgeBaseSettings = field(default_factory=KnowledgeBaseSettings)
    documents: int = 0
    chunks: int = 0
    characters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is searched for.

    ``text`` is the question as it stands by itself: it is what hits are reranked, gated and
    answered by. ``variants`` are searched too, and count less: the user's own words where they were
    rewritten, other wordings, the parts of a question about two things. ``passages`` are texts as
    an answer might stand in a document, which are looked for by meaning alone.
    """

    text: str
    variants: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()


class Origin(StrEnum):
    """Which stage gave a score; scores are comparable only within one origin."""

    LEXICAL = "lexical"
    DENSE = "dense"
    FUSED = "fused"
    RERANKED = "reranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that a query found; ``scores`` keeps the score of every stage it passed."""

    chunk: Chunk
    document: DocumentInfo
    score: float
    origin: Origin
    scores: Mapping[Origin, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a pipeline run: its name, milliseconds, and what it wants to say of itself."""

    name: str
    ms: float
    detail: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    skipped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How an answer came about, stage by stage in order."""

    stages: tuple[Stage, ...] = ()

    @property
    def timings_ms(self) -> dict[str, float]:
        """Milliseconds a stage, to two decimals, with their sum as ``total``."""
        timings = {stage.name: round(stage.ms, 2) for stage in self.stages}
        timings["total"] = round(sum(stage.ms for stage in self.stages), 2)
        return timings


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHits:
    """Hits, best first, and how they were found."""

    hits: tuple[Hit, ...]
    trace: Trace


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
