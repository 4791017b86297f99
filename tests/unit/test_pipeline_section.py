from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wenqu.pipeline.evidence import select
from wenqu.pipeline.section import with_sections
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import Chunk, DocumentInfo, Hit, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = DocumentInfo(id="d", source="d", title="Guide", language="en")


def chunks(*texts: str, headings: Sequence[str] = ()) -> list[Chunk]:
    found, start = [], 0
    for at, text in enumerate(texts):
        heading = (headings[at],) if headings else ("Setup",)
        found.append(
            Chunk(
                id=f"c{at}",
                document_id="d",
                text=text,
                start=start,
                end=start + len(text),
                heading=heading,
            )
        )
        start += len(text) + 1
    return found


def hit(chunk: Chunk) -> Hit:
    return Hit(chunk=chunk, document=DOCUMENT, score=1.0, origin=Origin.FUSED)


def expanded(every: list[Chunk], *found: int) -> list[str]:
    async def chunks_of(document: str) -> Sequence[Chunk]:
        return every if document == "d" else []

    hits = asyncio.run(with_sections([hit(every[at]) for at in found], chunks_of))
    return [one.chunk.id for one in hits]


def test_a_chunk_that_ends_in_a_lead_in_brings_what_it_announces() -> None:
    every = chunks("Before.", "To start the server, run this:", "`serve --port 80`", "After.")
    assert expanded(every, 1) == ["c1", "c2"]


@pytest.mark.parametrize(
    "text", ["- bind a token", "2. 绑定令牌", "该令牌有效期一年。", "It lasts a year."]
)
def test_a_chunk_that_points_back_brings_the_one_before(text: str) -> None:
    assert expanded(chunks("First steps:", text, "After."), 1) == ["c1", "c0"]


def test_a_chunk_that_stands_alone_brings_nothing() -> None:
    assert expanded(chunks("Before:", "The server listens on port 80.", "- x"), 1) == ["c1"]


def test_no_chunk_of_another_section_comes_along() -> None:
    every = chunks("Run this:", "`serve`", headings=("Setup", "Use"))
    assert expanded(every, 0) == ["c0"]


def test_what_is_a_hit_already_stays_where_it_is() -> None:
    every = chunks("Run this:", "`serve`")
    assert expanded(every, 0, 1) == ["c0", "c1"]


def test_a_chunk_that_is_gone_brings_nothing() -> None:
    every = chunks("Run this:", "`serve`")
    gone = chunks("Other text that was replaced since:")[0]

    async def chunks_of(document: str) -> Sequence[Chunk]:
        return [one for one in every if one.document_id == document and one.id != "c0"]

    assert asyncio.run(with_sections([hit(gone)], chunks_of)) == (hit(gone),)


def test_the_evidence_has_the_announced_text_of_the_next_chunk_at_its_exact_place() -> None:
    dull = "Some long and winding words about nothing that matters to anybody anywhere. "
    every = chunks(dull * 3 + "To start the server run this:", "serve --port 80\n" + dull * 3)

    async def chunks_of(document: str) -> Sequence[Chunk]:
        return every if document == "d" else []

    async def run() -> list[tuple[str, int]]:
        hits = await with_sections([hit(every[0])], chunks_of)
        chosen = await select("How do I start the server?", hits, FakeEmbedder(), 60)
        return [(sentence.text, sentence.span.start) for sentence in chosen.sentences]

    found = asyncio.run(run())
    assert ("To start the server run this:", len(dull) * 3) in found
    assert ("serve --port 80", every[1].start) in found
