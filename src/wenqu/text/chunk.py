"""Cutting a document into chunks along its structure.

A chunk is an exact span of its document. How it is cut is a strategy:

auto       Sections, then whole blocks while they fit; whole sentences or rows where a block does
           not. A row of a table of questions and answers is a chunk of its own.
heading    As auto, but every section is a chunk or more of its own, however small.
sentence   As auto, but paragraphs are cut to fill chunks with whole sentences.
recursive  Chunks are filled up; what fits into one whole (a section, a block) is not cut.
character  Chunks of equal size, whatever the structure.
table      As auto, but every row of every table is a chunk of its own.

No chunk has text from two top-level sections. Chunks do not overlap, except by ``overlap`` in the
recursive and character strategies: the neighbours of a hit are found through its span, so an
overlap only embeds, stores and shows the same words twice.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wenqu.text.chunk_pack import overlapped, pack, windows
from wenqu.text.chunk_units import Tokens, plain_heading, units_of
from wenqu.types import BlockKind, Chunk, ChunkStrategy, chunk_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.text.chunk_pack import Cut
    from wenqu.types import Chunking, Document

__all__ = ["FINGERPRINT", "chunk", "embedding_key", "embedding_text", "fingerprint"]

FINGERPRINT = "chunk-2"
"""Names these rules; what a chunk is also depends on the chunking and the token counter."""

_SEPARATOR = " › "
_MAX_TITLE = 120


def chunk(
    document: Document, chunking: Chunking, token_starts: Callable[[str], Sequence[int]]
) -> list[Chunk]:
    """Cut ``document`` into chunks, in order.

    Together the chunks hold every character that is not white space. A chunk with its header is
    larger than it may be only where a single token is.

    Args:
        document: Its blocks may leave text out; that text is treated as paragraphs.
        chunking: How to cut it.
        token_starts: Returns where each token of a text begins, ascending; called once.
    """
    text, strategy, overlap = document.text, chunking.strategy, chunking.shared
    tokens = Tokens(token_starts(text), chunking.max_tokens - overlap)
    units = list(units_of(document, tokens, alone=strategy is ChunkStrategy.TABLE))
    character = strategy is ChunkStrategy.CHARACTER
    cuts = windows(text, units, tokens) if character else pack(text, units, tokens, strategy)
    if overlap:
        cuts = overlapped(text, cuts, tokens, overlap, anywhere=character)
    return [_chunk(document, cut) for cut in cuts]


def fingerprint(chunking: Chunking) -> str:
    """Name the rules and the chunking; where it is the same, so are the chunks of a document."""
    return f"{FINGERPRINT}:{chunking.strategy}:{chunking.max_tokens}:{chunking.shared}"


def embedding_text(chunk: Chunk, title: str) -> str:
    """Return what is embedded and indexed: title and heading path, header rows, the chunk's text.

    Each begins a line. What the text begins with anyway is not said twice.
    """
    beginning = {plain_heading(line) for line in chunk.text.split("\n", 12)[:12]}
    context: list[str] = []
    for part in (title, *chunk.heading):
        plain = plain_heading(part)
        if plain and plain not in beginning and plain not in context:
            context.append(plain)
    path = _SEPARATOR.join(part[:_MAX_TITLE] for part in context)
    return "\n".join(part for part in (path, chunk.header, chunk.text) if part)


def embedding_key(text: str) -> str:
    """Return the key under which the vector of ``text`` is kept: 32 hex digits of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _chunk(document: Document, cut: Cut) -> Chunk:
    units = [*cut.lead, *cut.units]
    start, end, header = units[0].start, units[-1].end, units[0].header
    text = document.text[start:end]
    # Where it belongs follows from what is its own, not from what it shares.
    bodies = [unit.section for unit in cut.units if unit.kind is not BlockKind.HEADING]
    pages = dict.fromkeys(unit.page for unit in units if unit.page is not None)
    return Chunk(
        id=chunk_id(document.id, start, text),
        document_id=document.id,
        text=text,
        start=start,
        end=end,
        heading=_common(bodies or [cut.units[-1].section]),
        pages=tuple(pages),
        header=document.text[header.start : header.end] if header else "",
    )


def _common(sections: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, last = min(sections), max(sections)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]
