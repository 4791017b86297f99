"""Where citations stand on the pages of their documents, so that they can be highlighted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wenqu.types import Place, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.protocols import DocumentStore
    from wenqu.types import Answer, Block

__all__ = ["located"]


async def located(answer: Answer, kb: int, documents: DocumentStore) -> Answer:
    """Return the answer, each of its citations with the pages and boxes of the blocks it quotes."""
    spans: dict[str, Span] = {}
    for citation in answer.citations:
        # Only a chunk from pages has places to look up.
        if citation.chunk.pages:
            known = spans.get(citation.chunk.document_id, citation.span)
            spans[citation.chunk.document_id] = Span(
                start=min(known.start, citation.span.start), end=max(known.end, citation.span.end)
            )
    blocks = {
        document: await documents.blocks(kb, document, span) for document, span in spans.items()
    }
    if not blocks:
        return answer
    citations = tuple(
        replace(citation, places=_places(blocks.get(citation.chunk.document_id, ()), citation.span))
        for citation in answer.citations
    )
    return replace(answer, citations=citations)


def _places(blocks: Sequence[Block], span: Span) -> tuple[Place, ...]:
    places = [
        Place(page=block.page, box=block.box)
        for block in blocks
        if block.page is not None and block.span.start < span.end and span.start < block.span.end
    ]
    return tuple(dict.fromkeys(places))
