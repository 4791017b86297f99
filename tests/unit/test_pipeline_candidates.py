"""What is asked of an index for a query, and how its answers become one ranking."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.indexes.local import LocalIndex
from wenqu.models.dictionary import Cedict
from wenqu.pipeline.candidates import Candidates, Finder
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.protocols import Change
from wenqu.testing.embedder import FakeEmbedder
from wenqu.testing.samples import chunks_of, document_of
from wenqu.types import Origin, Query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

TEXTS = {
    "arch": "The old bridge has one stone arch.",
    "river": "A river flows under the town.",
    "tower": "The tower of the town was built of brick.",
    "asking": "What is the fare? What is the way?",
    "zh-bridge": "赵州桥在河北省赵县,是隋代的石拱桥。",
    "zh-river": "长江是中国最长的河流。",
}


class Shelf:
    """An index of one chunk a text, with a finder on it."""

    def __init__(self, folder: Path, texts: Mapping[str, str] = TEXTS) -> None:
        self.embedder = FakeEmbedder()
        self.index = LocalIndex(folder, "made:1", self.embedder.dimension)
        self.names: dict[str, str] = {}
        asyncio.run(self._fill(texts))

    async def _fill(self, texts: Mapping[str, str]) -> None:
        changes = []
        for number, (name, text) in enumerate(texts.items(), start=1):
            document = document_of(name, text)
            chunks = chunks_of(document)
            vectors = await self.embedder.embed([text], "passage")
            self.names[chunks[0].id] = name
            changes.append(
                Change(
                    number=number,
                    document_id=document.id,
                    title="",
                    chunks=chunks,
                    vectors=vectors.astype(np.float16),
                )
            )

        async def batches() -> AsyncIterator[Sequence[Change]]:
            yield changes

        await self.index.apply(batches())

    def find(self, query: Query, watch: Stopwatch | None = None, **options: Any) -> Candidates:
        settings = {"per_side": 10, "lexical_weight": 0.5, **options}
        finder = Finder(embedder=self.embedder, **settings)
        return asyncio.run(finder.find(self.index, query, None, watch or Stopwatch()))

    def ranking(self, query: Query, **options: Any) -> list[str]:
        fused = self.find(query, **options).scores[Origin.FUSED]
        return [self.names[one] for one in fused]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "index")


def test_dense_scores_are_on_the_scale_of_the_embedder_whatever_the_ranking_rests_on(
    shelf: Shelf,
) -> None:
    typical = {"en": np.full(64, 0.1, np.float32)}
    found = shelf.find(Query(text="the stone arch"), typical=typical)
    vectors = asyncio.run(shelf.embedder.embed(["the stone arch", *TEXTS.values()], "query"))
    by_name = {shelf.names[one]: score for one, score in found.scores[Origin.DENSE].items()}
    expected = dict(zip(TEXTS, (vectors[1:] @ vectors[0]).tolist(), strict=True))
    assert by_name == pytest.approx(expected, abs=2e-3)
    assert found.vector == pytest.approx(vectors[0])


def test_a_chunk_that_only_resembles_a_question_loses_what_all_questions_share(
    shelf: Shelf,
) -> None:
    question = Query(text="what is the brick")
    typical = asyncio.run(shelf.embedder.embed(["what is the"], "query"))[0]
    plain = shelf.ranking(question, lexical_weight=0.0)
    shifted = shelf.ranking(question, lexical_weight=0.0, typical={"en": 2 * typical})
    assert plain[0] == "asking"
    assert shifted[0] == "tower"


def test_a_variant_finds_what_the_text_does_not_and_takes_nothing_from_it(shelf: Shelf) -> None:
    alone = shelf.find(Query(text="stone arch")).scores[Origin.FUSED]
    both = shelf.find(Query(text="stone arch", variants=("长江",))).scores[Origin.FUSED]
    assert all(both[one] >= score for one, score in alone.items())
    names = [shelf.names[one] for one in both]
    assert names[0] == "arch"
    assert "zh-river" in names[:2]


def test_a_variant_that_says_the_same_changes_nothing(shelf: Shelf) -> None:
    alone = shelf.find(Query(text="stone arch"))
    twice = shelf.find(Query(text="stone arch", variants=("stone arch",)))
    assert twice.scores == alone.scores


def test_an_imagined_passage_draws_its_like_nearer_but_adds_no_words(shelf: Shelf) -> None:
    plain = shelf.find(Query(text="赵县有什么"))
    imagined = shelf.find(Query(text="赵县有什么", passages=(TEXTS["tower"],)))
    tower = next(one for one, name in shelf.names.items() if name == "tower")
    assert imagined.scores[Origin.FUSED][tower] > plain.scores[Origin.FUSED][tower]
    assert imagined.scores[Origin.LEXICAL] == plain.scores[Origin.LEXICAL]


def test_fusion_by_ranks_gives_scores_of_ranks(shelf: Shelf) -> None:
    fused = shelf.find(Query(text="stone arch"), fusion="rrf").scores[Origin.FUSED]
    best = next(iter(fused))
    assert shelf.names[best] == "arch"
    assert fused[best] == pytest.approx(1 / 61)


def test_each_stage_is_in_the_trace_once_for_a_plain_question(shelf: Shelf) -> None:
    watch = Stopwatch()
    shelf.find(Query(text="stone arch"), watch)
    assert sorted(stage.name for stage in watch.trace().stages) == [
        "dense",
        "embed",
        "fuse",
        "lexical",
    ]


def test_what_resembles_the_best_candidate_gains_where_all_are_of_one_language(
    tmp_path: Path,
) -> None:
    texts = {
        "first": "stone arch bridge keystone voussoir",
        "alike": "keystone voussoir",
        "other": "tower brick",
    }
    one_language = Shelf(tmp_path / "one", texts)
    found = one_language.find(Query(text="stone arch")).scores[Origin.FUSED]
    scores = {one_language.names[one]: score for one, score in found.items()}
    assert scores["first"] > scores["alike"] > scores["other"] == 0
    mixed = Shelf(tmp_path / "mixed", {**texts, "zh": "长江是中国最长的河流。"})
    found = mixed.find(Query(text="stone arch")).scores[Origin.FUSED]
    scores = {mixed.names[one]: score for one, score in found.items()}
    assert scores["alike"] == pytest.approx(scores["other"], abs=1e-3)


def test_a_question_in_english_finds_a_chinese_text_by_a_name_as_it_sounds(tmp_path: Path) -> None:
    texts = {"river": TEXTS["zh-river"], "fief": "王的封地很大。", "named": "朱载圳封景王。"}
    names = Shelf(tmp_path / "names", texts)
    assert names.ranking(Query(text="the fief of Zhu Zaizhen"))[0] == "named"
    assert names.find(Query(text="the fief of Zhukov")).scores[Origin.LEXICAL] == {}


@pytest.fixture
def dictionary(tmp_path: Path) -> Cedict:
    path = tmp_path / "cc-cedict.txt.gz"
    lines = ("石拱橋 石拱桥 [shi2 gong3 qiao2] /stone arch/", "河 河 [he2] /river/")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return Cedict(path, "cc-cedict")


def test_a_text_in_the_other_language_is_found_by_words_of_the_dictionary(
    tmp_path: Path, dictionary: Cedict
) -> None:
    texts = {name: text for name, text in TEXTS.items() if name.startswith("zh-")}
    shelf = Shelf(tmp_path / "index", texts)
    question = Query(text="stone arch")
    watch = Stopwatch()
    plain = shelf.find(question, lexical_weight=0.8)
    found = shelf.find(question, watch, lexical_weight=0.8, dictionary=dictionary)
    bridge = next(one for one, name in shelf.names.items() if name == "zh-bridge")
    assert next(iter(found.scores[Origin.FUSED])) == bridge
    assert found.scores[Origin.FUSED][bridge] > plain.scores[Origin.FUSED][bridge]
    assert found.scores[Origin.LEXICAL] == plain.scores[Origin.LEXICAL]
    assert [one.name for one in watch.trace().stages].count("translated") == 1


def test_candidates_in_the_other_language_bring_what_compares_across_languages(
    shelf: Shelf, dictionary: Cedict
) -> None:
    question, flat = Query(text="stone arch"), np.full(shelf.embedder.dimension, 0.1, np.float32)
    found = shelf.find(question, dictionary=dictionary, typical={"en": flat, "zh": -flat}).scores
    assert found[Origin.LEVELLED].keys() == found[Origin.DENSE].keys()
    asked = asyncio.run(shelf.embedder.embed([question.text], "query"))[0] - 0.6 * flat
    for hit in asyncio.run(shelf.index.dense(asked, len(TEXTS))):
        typical = flat if hit.language == "en" else -flat
        expected = pytest.approx(hit.score - float(asked @ typical), abs=1e-5)
        assert found[Origin.LEVELLED][hit.chunk_id] == expected
    shares = {shelf.names[one]: share for one, share in found[Origin.TRANSLATED].items()}
    assert shares.keys() == {"zh-bridge", "zh-river"}
    assert 0 == shares["zh-river"] < shares["zh-bridge"] <= 1


def test_an_imagined_passage_leaves_levelled_scores_as_they_are(shelf: Shelf) -> None:
    plain = shelf.find(Query(text="how high")).scores
    imagined = shelf.find(Query(text="how high", passages=(TEXTS["tower"],))).scores
    assert imagined[Origin.LEVELLED] == plain[Origin.LEVELLED]


def test_only_of_words_that_a_dictionary_has_is_a_share_told(
    tmp_path: Path, dictionary: Cedict
) -> None:
    texts = {"fief": "王的封地很大。"}
    shelf = Shelf(tmp_path / "index", texts)
    [fief] = shelf.names
    for text, shares in (("stone arch", {fief: 0.0}), ("how high", {})):
        found = shelf.find(Query(text=text), dictionary=dictionary)
        assert found.scores[Origin.TRANSLATED] == shares
    assert shelf.find(Query(text="stone arch")).scores[Origin.TRANSLATED] == {}


def test_where_all_is_in_the_language_of_the_question_no_dictionary_is_asked(
    tmp_path: Path, dictionary: Cedict
) -> None:
    texts = {name: text for name, text in TEXTS.items() if not name.startswith("zh-")}
    shelf = Shelf(tmp_path / "index", texts)
    watch = Stopwatch()
    plain = shelf.find(Query(text="stone arch"))
    found = shelf.find(Query(text="stone arch"), watch, dictionary=dictionary)
    assert found.scores == plain.scores
    assert found.scores.keys() == {Origin.LEXICAL, Origin.DENSE, Origin.FUSED}
    assert "translated" not in [one.name for one in watch.trace().stages]


def test_a_dictionary_that_cannot_be_read_costs_nothing_but_itself(
    shelf: Shelf, tmp_path: Path
) -> None:
    path = tmp_path / "cc-cedict.txt.gz"
    path.write_bytes(b"no gzip")
    watch = Stopwatch()
    plain = shelf.find(Query(text="stone arch"))
    found = shelf.find(Query(text="stone arch"), watch, dictionary=Cedict(path, "cc-cedict"))
    assert found.scores == plain.scores
    skipped = {one.name: one.skipped for one in watch.trace().stages}
    assert "cc-cedict" in (skipped["translated"] or "")
