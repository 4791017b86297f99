from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.errors import InputError
from wenqu.indexes.local import LocalIndex, discard
from wenqu.options import SearchFilter, SearchOptions
from wenqu.pipeline.candidates import Finder
from wenqu.pipeline.ingest import Ingester
from wenqu.pipeline.project import Projector
from wenqu.pipeline.rerank import Reranking
from wenqu.pipeline.retrieve import MAX_QUESTION, Retriever
from wenqu.testing.embedder import FakeEmbedder
from wenqu.testing.reranker import FakeReranker
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
    def __init__(
        self,
        stores: Stores,
        kb: int,
        folder: Path,
        reranking: Reranking | None = None,
        **settings: Any,
    ) -> None:
        self.stores = stores
        self.kb = kb
        self.embedder = FakeEmbedder()
        options = {"per_side": 100, "lexical_weight": 0.5, **settings}
        self.retriever = Retriever(
            changes=stores.changes,
            documents=stores.documents,
            projector=Projector(stores.changes, Folders(folder), self.embedder.fingerprint),
            finder=Finder(embedder=self.embedder, **options),
            reranking=reranking,
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
    first, second = (search("identical words", collapse=False) for _ in range(2))
    assert first.hits == second.hits
    # Equal scores: by chunk id, so that no order depends on chance.
    twins = [hit for hit in first.hits if hit.document.title == "Twin"]
    assert len(twins) == 2
    assert twins[0].score == twins[1].score
    assert twins[0].chunk.id < twins[1].chunk.id


def test_no_more_hits_come_than_are_asked_for(search: Search) -> None:
    everything = search("年假", top=100, collapse=False).hits
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
    before = sources(search("XK-2000", collapse=False))
    assert before[0] == "codes.md"
    codes = next(document for document in DOCUMENTS if document.source == "codes.md")
    asyncio.run(search.stores.documents.remove(search.kb, [codes.id]))
    others = [document for document in DOCUMENTS if document is not codes]
    search.add(*others, document_of("new.md", "XK-2000 已停用。"))
    after = sources(search("XK-2000", collapse=False))
    assert after[0] == "new.md"
    assert set(after) == {"new.md", *(document.source for document in others)}


def test_the_trace_says_what_each_stage_took(search: Search) -> None:
    found = search("年假")
    names = [stage.name for stage in found.trace.stages]
    assert set(names) == {"index", "embed", "lexical", "dense", "fuse", "fetch", "collapse"}
    assert (names[0], names[-2:]) == ("index", ["fetch", "collapse"])
    assert found.trace.timings_ms["total"] >= max(stage.ms for stage in found.trace.stages) - 0.01


def reranking(reranker: FakeReranker, **limits: Any) -> Reranking:
    return Reranking(**{"reranker": reranker, "budget_s": 5.0, "candidates": 3, **limits})


def skipped(found: SearchHits) -> dict[str, str]:
    return {stage.name: stage.skipped for stage in found.trace.stages if stage.skipped}


MARKET = [
    document_of("a.md", "apples apples apples apples and pears", title="A"),
    document_of("b.md", "apples pears plums", title="B"),
    document_of("c.md", "plums alone", title="C"),
    document_of("d.md", "apples", title="D"),
]
SHOPPING = "apples pears plums"


def test_reranked_hits_come_first_and_the_others_behind_them_in_their_order(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    search = Search(stores, kb, tmp_path / "indexes", reranking(FakeReranker()))
    search.add(*MARKET)
    plain = search(SHOPPING, rerank=False)
    found = search(SHOPPING)
    origins = [hit.origin for hit in found.hits]
    assert origins == [Origin.RERANKED] * 3 + [Origin.FUSED]
    scores = [hit.score for hit in found.hits[:3]]
    assert scores == sorted(scores, reverse=True)
    assert {hit.chunk.id for hit in found.hits[:3]} == {hit.chunk.id for hit in plain.hits[:3]}
    assert found.hits[3] == plain.hits[3]
    for hit in found.hits[:3]:
        assert hit.score == hit.scores[Origin.RERANKED]
        assert {Origin.DENSE, Origin.FUSED} <= set(hit.scores)


def test_equal_scores_of_a_reranker_are_in_the_order_of_chunk_ids(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    search = Search(stores, kb, tmp_path / "indexes", reranking(FakeReranker(), candidates=9))
    search.add(*(document_of(f"{letter}.md", f"{letter} apples") for letter in "pqrstu"))
    ids = [hit.chunk.id for hit in search("apples").hits]
    assert len(ids) == 6
    assert ids == sorted(ids)


def test_a_reranker_sees_as_many_hits_as_it_should_whatever_is_asked_for(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    reranker = FakeReranker()
    search = Search(stores, kb, tmp_path / "indexes", reranking(reranker, candidates=4))
    search.add(*MARKET)
    found = search(SHOPPING, top=1, collapse=False)
    assert len(found.hits) == 1
    assert [len(texts) for _, texts in reranker.asked] == [4]
    assert reranker.asked[0][0] == SHOPPING


def test_a_reranker_that_takes_too_long_is_skipped_and_the_trace_says_so(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    reranker = FakeReranker(delay_s=30)
    limits = reranking(reranker, budget_s=0.05)
    search = Search(stores, kb, tmp_path / "indexes", limits)
    search.add(*MARKET)
    found = search(SHOPPING)
    assert found.hits == search(SHOPPING, rerank=False).hits
    assert skipped(found) == {"rerank": "> 0.05 s"}
    assert reranker.asked
    assert not reranker.finished


def test_a_reranker_that_fails_is_skipped_and_the_trace_says_why(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    search = Search(stores, kb, tmp_path / "indexes", reranking(FakeReranker(fails=True)))
    search.add(*MARKET)
    found = search(SHOPPING)
    assert found.hits == search(SHOPPING, rerank=False).hits
    assert "made to fail" in skipped(found)["rerank"]


def test_a_reranker_is_not_asked_in_a_language_that_it_does_not_understand(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    reranker = FakeReranker()
    search = Search(stores, kb, tmp_path / "indexes", reranking(reranker, language="en"))
    search.add(*DOCUMENTS)
    found = search("年假有几天")
    assert not reranker.asked
    assert skipped(found) == {"rerank": "fake understands en only"}
    assert not skipped(search("travel costs"))
    assert len(reranker.asked) == 1


@pytest.mark.parametrize("order", [Origin.LEXICAL, Origin.DENSE, Origin.FUSED])
def test_the_ranking_of_one_origin_is_left_as_it_is(
    stores: Stores, kb: int, tmp_path: Path, order: Origin
) -> None:
    reranker = FakeReranker()
    search = Search(stores, kb, tmp_path / "indexes", reranking(reranker))
    search.add(*DOCUMENTS)
    found = search("identical words", order=order, diversity=0.9, top=100)
    assert not reranker.asked
    names = {stage.name for stage in found.trace.stages}
    assert names == {"index", "embed", "lexical", "dense", "fuse", "fetch"}
    assert sum(hit.document.title == "Twin" for hit in found.hits) == 2


def test_of_chunks_that_say_the_same_the_better_one_is_kept_and_the_trace_counts_the_others(
    search: Search,
) -> None:
    everything = search("identical words", collapse=False)
    found = search("identical words")
    twins = [hit for hit in everything.hits if hit.document.title == "Twin"]
    assert [hit for hit in found.hits if hit.document.title == "Twin"] == twins[:1]
    (stage,) = (stage for stage in found.trace.stages if stage.name == "collapse")
    assert stage.detail == {"left_out": 1}
    assert len(search("identical words", top=2).hits) == 2


def test_a_filter_is_met_by_every_hit(search: Search) -> None:
    where = SearchFilter(titles=("trav", "设备"))
    found = search("年假 travel", where=where)
    assert set(sources(found)) == {"travel.md", "codes.md"}
    assert found.trace.stages[0].name == "filter"
    assert found.trace.stages[0].detail == {"documents": 2}


def test_a_filter_narrows_the_documents_asked_for(search: Search) -> None:
    only = [document.id for document in DOCUMENTS[:2]]
    where = SearchFilter(sources=("travel.md", "codes.md"))
    assert sources(search("travel", documents=only, where=where)) == ["travel.md"]


def test_a_filter_that_no_document_meets_gives_no_hits_and_says_so(search: Search) -> None:
    found = search("年假", where=SearchFilter(titles=("nowhere",)))
    assert found.hits == ()
    assert skipped(found) == {"search": "no document meets the filter"}


def test_a_date_that_is_none_is_refused(search: Search) -> None:
    with pytest.raises(InputError) as caught:
        search("年假", where=SearchFilter(since="last week"))
    assert caught.value.key == "error.filter_date"


def test_variety_brings_up_what_is_unlike_the_best_hit(
    stores: Stores, kb: int, tmp_path: Path
) -> None:
    search = Search(stores, kb, tmp_path / "indexes")
    search.add(
        document_of("a.md", "leave leave rules of the office"),
        document_of("b.md", "leave rules of the office here"),
        document_of("c.md", "leave rules of the office there"),
        document_of("d.md", "leave abroad: ask an embassy"),
    )
    plain = sources(search("leave rules office", top=4))
    varied = sources(search("leave rules office", top=2, diversity=0.7))
    assert varied == [plain[0], "d.md"]
    assert plain.index("d.md") > 1
    assert sources(search("leave rules office", top=4, diversity=0.0)) == plain
