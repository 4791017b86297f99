from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.errors import InputError
from wenqu.indexes.local import LocalIndex, discard
from wenqu.options import SearchOptions
from wenqu.pipeline.candidates import Finder
from wenqu.pipeline.ingest import Ingester
from wenqu.pipeline.project import Projector
from wenqu.pipeline.retrieve import MAX_QUESTION, Retriever
from wenqu.testing.embedder import FakeEmbedder
from wenqu.testing.samples import document_of
from wenqu.types import Chunking, Origin, Query

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from wenqu.protocols import Index
    from wenqu.testing.contracts_store import Stores
    from wenqu.types import Document, SearchHits

DOCUMENTS = [
    document_of("leave.md", "员工每年享有十五天年假。", "病假需要医院证明。", title="请假制度"),
    document_of("travel.md", "Travel costs are paid within ten days.", title="Travel"),
    document_of("codes.md", "设备型号 XK-2000 每年检修。", title="设备"),
    document_of("twin-a.md", "Identical words here.", title="Twin"),
    document_of("twin-b.md", "Identical words here.", title="Twin"),
]


class Folders:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, kb: int) -> Index:
        return LocalIndex(self.folder / str(kb), "made:1", FakeEmbedder().dimension)

    def discard(self, kb: int) -> None:
        discard(self.folder / str(kb))


class Search:
    def __init__(self, stores: Stores, kb: int, folder: Path, **settings: Any) -> None:
        self.stores = stores
        self.kb = kb
        self.embedder = FakeEmbedder()
        options = {"per_side": 100, "lexical_weight": 0.5, **settings}
        self.retriever = Retriever(
            changes=stores.changes,
            projector=Projector(stores.changes, Folders(folder), self.embedder.fingerprint),
            finder=Finder(embedder=self.embedder, **options),
        )

    def add(self, *documents: Document) -> None:
        ingester = Ingester(
            documents=self.stores.documents,
            embedder=self.embedder,
            read=None,  # type: ignore[arg-type]
            unpack=None,  # type: ignore[arg-type]
            keep=lambda *_: None,
            chunking=Chunking(max_tokens=12),
            recipe="recipe:1",
        )
        asyncio.run(ingester.replace_all(self.kb, documents))

    def __call__(
        self, text: str, *, documents: Collection[str] | None = None, **options: Any
    ) -> SearchHits:
        how = SearchOptions(**options)
        return asyncio.run(
            self.retriever.search(self.kb, Query(text=text), how, documents=documents)
        )


@pytest.fixture
def search(stores: Stores, kb: int, tmp_path: Path) -> Search:
    made = Search(stores, kb, tmp_path / "indexes")
    made.add(*DOCUMENTS)
    return made


def sources(found: SearchHits) -> list[str]:
    return [hit.document.source for hit in found.hits]


def test_hits_carry_the_scores_of_every_origin(search: Search) -> None:
    found = search("年假有几天")
    assert sources(found)[0] == "leave.md"
    by_words = {hit.chunk.id for hit in found.hits if Origin.LEXICAL in hit.scores}
    assert found.hits[0].chunk.id in by_words
    # A small base: the dense side offers every chunk, so nothing is without a dense score.
    for hit in found.hits:
        assert {Origin.DENSE, Origin.FUSED} <= set(hit.scores)
        assert hit.origin is Origin.FUSED
        assert hit.score == hit.scores[Origin.FUSED]
    assert len(by_words) < len(found.hits)


def test_a_chunk_found_by_words_alone_is_scored_by_meaning_too(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    search = Search(stores, kb, tmp_path / "indexes", per_side=1)
    # Many common words draw the one dense candidate; the code is found by its letters.
    search.add(document_of("a", "the the the the of of of"), document_of("b", "the of XK-2000"))
    found = search("the the the of of of XK-2000")
    assert {hit.document.source for hit in found.hits} == {"a", "b"}
    by_source = {hit.document.source: hit for hit in found.hits}
    assert Origin.LEXICAL in by_source["b"].scores
    question = asyncio.run(search.embedder.embed(["the the the of of of XK-2000"], "query"))[0]
    text = next(one for one in search.embedder.embedded if "XK-2000" in one)
    passage = asyncio.run(search.embedder.embed([text], "passage"))[0]
    expected = float(passage.astype(np.float16).astype(np.float32) @ question)
    assert by_source["b"].scores[Origin.DENSE] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("order", [Origin.LEXICAL, Origin.DENSE, Origin.FUSED])
def test_hits_are_in_the_order_that_is_asked_for(search: Search, order: Origin) -> None:
    found = search("病假 Travel XK-2000", order=order)
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(hit.origin is order and hit.score == hit.scores[order] for hit in found.hits)


def test_the_same_question_has_the_same_hits_in_the_same_order(search: Search) -> None:
    first, second = search("identical words"), search("identical words")
    assert first.hits == second.hits
    # Equal scores: by chunk id, so that no order depends on chance.
    twins = [hit for hit in first.hits if hit.document.title == "Twin"]
    assert len(twins) == 2
    assert twins[0].score == twins[1].score
    assert twins[0].chunk.id < twins[1].chunk.id


def test_no_more_hits_come_than_are_asked_for(search: Search) -> None:
    everything = search("年假", top=100).hits
    assert len(everything) == 6
    assert search("年假", top=2).hits == everything[:2]


def test_only_the_documents_asked_for_are_searched(search: Search) -> None:
    only = [document.id for document in DOCUMENTS if document.source in {"travel.md", "codes.md"}]
    assert set(sources(search("年假 travel", documents=only))) == {"travel.md", "codes.md"}
    assert search("年假", documents=[]).hits == ()


def test_a_hit_is_an_exact_span_of_its_document(search: Search) -> None:
    texts = {document.id: document.text for document in DOCUMENTS}
    for hit in search("病假需要什么", top=100).hits:
        chunk = hit.chunk
        assert texts[hit.document.id][chunk.start : chunk.end] == chunk.text


def test_a_question_of_signs_alone_is_searched_by_meaning(search: Search) -> None:
    found = search("？！")
    assert found.hits
    assert all(Origin.LEXICAL not in hit.scores for hit in found.hits)


def test_an_empty_knowledge_base_has_no_hits(stores: Stores, kb: int, tmp_path: Path) -> None:
    assert Search(stores, kb, tmp_path / "indexes")("年假").hits == ()


@pytest.mark.parametrize("question", ["", " \n\t　"])
def test_an_empty_question_is_refused(search: Search, question: str) -> None:
    with pytest.raises(InputError) as caught:
        search(question)
    assert caught.value.key == "error.question_empty"


def test_a_question_is_not_a_book(search: Search) -> None:
    assert search("年" * MAX_QUESTION).hits
    with pytest.raises(InputError) as caught:
        search("年" * (MAX_QUESTION + 1))
    assert caught.value.key == "error.question_long"


def test_documents_that_came_or_went_since_are_seen_at_the_next_question(search: Search) -> None:
    before = sources(search("XK-2000"))
    assert before[0] == "codes.md"
    codes = next(document for document in DOCUMENTS if document.source == "codes.md")
    asyncio.run(search.stores.documents.remove(search.kb, [codes.id]))
    others = [document for document in DOCUMENTS if document is not codes]
    search.add(*others, document_of("new.md", "XK-2000 已停用。"))
    after = sources(search("XK-2000"))
    assert after[0] == "new.md"
    assert set(after) == {"new.md", *(document.source for document in others)}


def test_the_trace_says_what_each_stage_took(search: Search) -> None:
    found = search("年假")
    names = [stage.name for stage in found.trace.stages]
    assert set(names) == {"index", "embed", "lexical", "dense", "fuse", "fetch"}
    assert (names[0], names[-1]) == ("index", "fetch")
    assert found.trace.timings_ms["total"] >= max(stage.ms for stage in found.trace.stages) - 0.01
