"""Citations are found again on the pages of their documents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from wenqu.pipeline.places import located
from wenqu.testing.samples import chunks_of, document_of, put_of
from wenqu.types import Answer, Box, Citation, Document, Hit, Origin, Outcome, Place, Span

if TYPE_CHECKING:
    from wenqu.testing.contracts_store import Stores

BOX = Box(left=1.5, top=2, right=3, bottom=4.25)


def cited(document: Document, span: Span, *, paged: bool = True) -> Citation:
    """Cite a span from one chunk that is the whole document."""
    first, *others = chunks_of(document)
    pages = (first.page or 1, *(chunk.page or 1 for chunk in others)) if paged else ()
    chunk = replace(first, text=document.text, end=len(document.text), pages=pages)
    return Citation(
        marker=1,
        hit=Hit(chunk=chunk, document=document.info, score=1.0, origin=Origin.FUSED),
        sentence="so it is [1]",
        quote=document.text[span.start : span.end],
        span=span,
        supported=True,
    )


def places_of(stores: Stores, document: Document, *citations: Citation) -> list[Citation]:
    async def work() -> list[Citation]:
        kb = (await stores.bases.create("made")).id
        await stores.put(kb, put_of(document))
        answer = Answer(
            outcome=Outcome.ANSWERED, text="so it is [1]", language="en", citations=citations
        )
        return list((await located(answer, kb, stores.documents)).citations)

    return asyncio.run(work())


def test_a_citation_names_the_page_of_its_quote_and_not_of_its_chunk(stores: Stores) -> None:
    document = document_of("a.pdf", "On page one.", "On page two.")
    start = document.text.index("page two")
    (citation,) = places_of(stores, document, cited(document, Span(start=start, end=start + 8)))
    assert citation.chunk.page == 1
    assert citation.page == 2
    assert citation.places == (Place(page=2),)


def test_a_quote_across_a_page_break_has_a_place_on_both(stores: Stores) -> None:
    document = document_of("a.pdf", "On page one.", "On page two.")
    whole = cited(document, Span(start=3, end=len(document.text) - 1))
    start = cited(document, Span(start=0, end=2))
    across, first = places_of(stores, document, whole, start)
    assert across.places == (Place(page=1, box=BOX), Place(page=2))
    assert first.places == (Place(page=1, box=BOX),)
    assert across.page == 1


def test_without_pages_nothing_is_looked_up(stores: Stores) -> None:
    document = document_of("a.md", "No pages here.")
    (citation,) = places_of(stores, document, cited(document, Span(start=0, end=2), paged=False))
    assert citation.places == ()
    assert citation.page is None


def test_a_document_that_was_removed_meanwhile_leaves_the_chunks_page(stores: Stores) -> None:
    kept, gone = document_of("a.pdf", "kept"), document_of("b.pdf", "gone")
    (citation,) = places_of(stores, kept, cited(gone, Span(start=0, end=4)))
    assert citation.places == ()
    assert citation.page == 1
