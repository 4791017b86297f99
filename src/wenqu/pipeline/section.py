"""Hits with what their text depends on, where the cut between chunks fell inside a section.

Of two neighbouring chunks of one section in real documentation, every fifth pair is cut behind a
lead-in (``Run this:``); what it announces is then in the next chunk, which need not be a hit.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wenqu.types import Chunk, Hit

    ChunksOf = Callable[[str], Awaitable[Sequence[Chunk]]]
    """The chunks of a document, by its id, in order."""

__all__ = ["with_sections"]

_LOOKED_AT = 4  # hits whose edges are looked at: lower ones rarely give evidence
_ANNOUNCES = re.compile(r"[:：]\s*$")
# A list item or block of code, whose lead-in went before, or a word that points back.
_DEPENDS = re.compile(
    r"\s*(?:[-*+•]\s|\d{1,2}[.)、]|[(（]\d{1,2}[)）]|```|~~~"
    r"|(?:它|其|该|此|这|那|上述|前者|后者)|(?:It|They|This|These|Those|Its|Their)\b)"
)


async def with_sections(hits: Sequence[Hit], chunks_of: ChunksOf) -> tuple[Hit, ...]:
    """Return the hits, each followed by the chunk of its section that its edge depends on, if any.

    A chunk that ends in a lead-in brings the next one; one that begins with a list item, a block of
    code or a word that points back brings the one before, where that ends in a lead-in or the word
    needs it. What is a hit already stays where it is.
    """
    present = {hit.chunk.id for hit in hits}
    found: list[Hit] = []
    for rank, hit in enumerate(hits):
        found.append(hit)
        text = hit.chunk.text
        after, before = bool(_ANNOUNCES.search(text)), bool(_DEPENDS.match(text))
        if rank >= _LOOKED_AT or not (after or before):
            continue
        chunks = await chunks_of(hit.chunk.document_id)
        for chunk in _neighbours(hit.chunk, chunks, before=before, after=after):
            if chunk.id not in present:
                present.add(chunk.id)
                found.append(replace(hit, chunk=chunk))
    return tuple(found)


def _neighbours(chunk: Chunk, chunks: Sequence[Chunk], *, before: bool, after: bool) -> list[Chunk]:
    at = next((at for at, one in enumerate(chunks) if one.id == chunk.id), None)
    if at is None:
        return []
    near = []
    if before and at and chunks[at - 1].heading == chunk.heading:
        near.append(chunks[at - 1])
    if after and at + 1 < len(chunks) and chunks[at + 1].heading == chunk.heading:
        near.append(chunks[at + 1])
    return near
