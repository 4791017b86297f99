"""Documents, what they are cut into, and the knowledge bases that hold them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from wenqu.choices import ChunkStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Language = Literal["zh", "en"]
"""The languages wenqu answers in and has analysis for."""


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


MAX_PROMPT_TOKENS = 1000
"""Longest own instructions of a knowledge base, as ``text.memory.tokens_of`` counts.

With the rules, evidence and an answer they fit the context of the smallest local model in use.
"""


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
    """What one knowledge base does otherwise than the general settings say; None follows them.

    ``prompt`` is what its operator tells the chat model before each question to it, beside the
    rules that every answer follows.
    """

    chunk_strategy: ChunkStrategy | None = None
    chunk_tokens: int | None = None
    chunk_overlap: int | None = None
    prompt: str | None = None

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
