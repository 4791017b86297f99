"""What holds for the chunks of any document, however it is cut; and documents to cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.text.chunk import chunk
from wenqu.types import Block, BlockKind, Chunking, ChunkStrategy, Document, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.types import Chunk

__all__ = ["check_chunks", "cut", "made_of", "size", "texts", "word_starts"]

_WORD = re.compile("[\u4e00-\u9fff]|[^\\W\u4e00-\u9fff]+|[^\\w\\s]")


def word_starts(text: str) -> list[int]:
    """Return where tokens begin for one to whom a word, a character or a sign is a token."""
    return [match.start() for match in _WORD.finditer(text)]


def made_of(*parts: tuple[BlockKind, tuple[str, ...], str], page: int | None = None) -> Document:
    """Return a document of blocks, (kind, headings, text) each, that are parted by a blank line."""
    text, blocks = "", []
    for kind, heading, content in parts:
        text += "\n\n" if text else ""
        span = Span(start=len(text), end=len(text) + len(content))
        blocks.append(Block(span=span, kind=kind, heading=heading, page=page))
        text += content
    return Document(id="d", source="s", title="t", text=text, language="zh", blocks=tuple(blocks))


def size(text: str) -> int:
    """Return how many tokens a text has by ``word_starts``."""
    return len(word_starts(text))


def cut(
    whole: Document,
    maximum: int,
    strategy: ChunkStrategy = ChunkStrategy.AUTO,
    overlap: int = 0,
) -> list[Chunk]:
    """Return the chunks of a document, measured by ``word_starts`` and checked."""
    chunking = Chunking(strategy=strategy, max_tokens=maximum, overlap=overlap)
    chunks = chunk(whole, chunking, word_starts)
    check_chunks(whole, chunks, chunking, word_starts)
    return chunks


def texts(chunks: Sequence[Chunk]) -> list[str]:
    """Return the texts of chunks."""
    return [each.text for each in chunks]


def check_chunks(
    document: Document,
    chunks: Sequence[Chunk],
    chunking: Chunking,
    token_starts: Callable[[str], Sequence[int]],
) -> None:
    """Assert that chunks are exact, in order, whole, small enough, and overlap only where they may.

    Args:
        document: What was cut.
        chunks: What came of it.
        chunking: How it was cut.
        token_starts: What the sizes were measured with.
    """
    tables = [block.span for block in document.blocks if block.kind is BlockKind.TABLE]
    start = -1
    end = 0
    for each in chunks:
        assert each.start > start
        assert each.end > end
        assert each.start >= end or chunking.shared
        assert not document.text[end : each.start].strip()
        assert each.text == document.text[each.start : each.end] == each.text.strip()
        assert each.text
        size = len(token_starts(each.text)) + len(token_starts(each.header))
        assert size <= chunking.max_tokens or len(each.text.split()) == 1
        if each.header:
            assert any(
                span.start + len(each.header) < each.start < span.end
                and document.text[span.start : span.end].strip().startswith(each.header)
                for span in tables
            )
        start, end = each.start, each.end
    assert not document.text[end:].strip()
    assert len({each.id for each in chunks}) == len(chunks)
