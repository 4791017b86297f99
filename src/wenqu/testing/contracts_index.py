"""What every index must do: subclass ``IndexContract`` in a test and implement ``open``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wenqu.testing.samples import DIMENSION, change_of, chunks_of, document_of, vector_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from wenqu.protocols import Change, Index, Scored
    from wenqu.types import Document

__all__ = ["IndexContract"]

_BRIDGES = document_of("one", "赵州桥在河北省赵县。", "The old bridge has one arch.")
_RIVERS = document_of("two", "长江是中国最长的河流。", "A river flows under the bridge.")
_CODES = document_of("three", "GB/T 7714-2015 规定参考文献著录规则。")
_DOCUMENTS = (_BRIDGES, _RIVERS, _CODES)
_GONE = document_of("one")
_TEXTS = {chunk.id: chunk.text for one in _DOCUMENTS for chunk in chunks_of(one)}
# float16 keeps 11 bits of each of the numbers.
_NEAR = 2e-3


class _InterruptedError(Exception):
    """Stands for whatever breaks a stream of changes."""


class IndexContract:
    """Contract suite of ``protocols.Index``."""

    def open(self) -> Index:
        """Open the index of the running test: empty at first, then whatever was applied to it.

        Its vectors have ``samples.DIMENSION`` numbers.
        """
        raise NotImplementedError

    def test_a_new_index_is_empty(self) -> None:
        async def check(index: Index) -> None:
            assert index.state.applied == 0
            assert not index.state.worn
            assert list((await index.lexical("bridge", 5)).hits) == []
            assert list(await index.dense(vector_of("bridge"), 5)) == []

        self._run(check)

    def test_chunks_are_found_by_their_words_in_both_languages(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            assert await self._lexical(index, "赵州桥") == [_id(_BRIDGES, 0)]
            assert set(await self._lexical(index, "bridges")) == {
                _id(_BRIDGES, 1),
                _id(_RIVERS, 1),
            }
            assert (await self._lexical(index, "GB/T 7714-2015"))[0] == _id(_CODES, 0)
            assert await self._lexical(index, "volcano") == []

        self._run(check)

    def test_words_of_another_language_are_found_by_any_of_their_senses(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            wanted = ((("长江",), ("河流",)), (("bridg",), ("volcano",)))
            found = await index.lexical(wanted, 5)
            assert {hit.chunk_id for hit in found.hits} == {
                _id(_BRIDGES, 1),
                _id(_RIVERS, 0),
                _id(_RIVERS, 1),
            }
            assert 0 < found.hits[0].score < found.limit
            last = found.hits[-1]
            again = await index.lexical(wanted, 0, also=[last.chunk_id, _id(_CODES, 0)])
            assert list(again.hits) == [last]
            assert list((await index.lexical((), 5)).hits) == []

        self._run(check)

    def test_lexical_hits_are_best_first_below_their_limit(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            found = await index.lexical("old bridge", 5)
            scores = [hit.score for hit in found.hits]
            assert found.hits[0].chunk_id == _id(_BRIDGES, 1)
            assert scores == sorted(scores, reverse=True)
            assert 0 < scores[0] < found.limit
            assert len((await index.lexical("old bridge", 1)).hits) == 1

        self._run(check)

    def test_dense_scores_are_inner_products_best_first(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            query = vector_of("a question")
            found = await index.dense(query, 10)
            expected = {chunk: float(vector_of(text) @ query) for chunk, text in _TEXTS.items()}
            assert {one.chunk_id for one in found} == set(expected)
            assert [one.score for one in found] == sorted(
                (one.score for one in found), reverse=True
            )
            for one in found:
                assert one.score == pytest.approx(expected[one.chunk_id], abs=_NEAR)
            assert len(await index.dense(query, 2)) == 2

        self._run(check)

    def test_levelled_scores_are_beside_the_mean_of_the_language(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            query = vector_of("a question")
            plain = {one.chunk_id: one for one in await index.dense(query, 10)}
            level = {one.chunk_id: one for one in await index.dense(query, 10, level=True)}
            assert {one.language for one in plain.values()} == {"zh", "en"}
            taken: dict[str | None, set[float]] = {"zh": set(), "en": set()}
            for chunk, one in level.items():
                assert one.language == plain[chunk].language
                taken[one.language].add(round(plain[chunk].score - one.score, 4))
            assert [len(some) for some in taken.values()] == [1, 1]
            assert taken["zh"] != taken["en"]

        self._run(check)

    def test_it_gives_the_vectors_of_the_chunks_that_it_holds(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            found = await index.vectors([_id(_RIVERS, 1), "0123456789abcdef", _id(_BRIDGES, 0)])
            rows = dict(zip(found.chunk_ids, found.vectors, strict=True))
            assert rows.keys() == {_id(_RIVERS, 1), _id(_BRIDGES, 0)}
            for chunk, row in rows.items():
                assert row == pytest.approx(vector_of(_TEXTS[chunk]), abs=_NEAR)
            languages = dict(zip(found.chunk_ids, found.languages, strict=True))
            assert languages == {_id(_RIVERS, 1): "en", _id(_BRIDGES, 0): "zh"}
            nothing = await index.vectors([])
            assert not nothing.chunk_ids
            assert len(nothing.vectors) == 0

        self._run(check)

    def test_its_vectors_come_with_the_means_that_level_scores(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            query = vector_of("a question")
            level = {one.chunk_id: one.score for one in await index.dense(query, 10, level=True)}
            found = await index.vectors(level)
            rows = zip(found.chunk_ids, found.languages, found.vectors, strict=True)
            scores = {one: float((row - found.means[own]) @ query) for one, own, row in rows}
            assert scores == pytest.approx(level, abs=_NEAR)

        self._run(check)

    def test_only_the_documents_asked_for_are_searched(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            only = {_RIVERS.id}
            unfiltered = {
                hit.chunk_id: hit.score for hit in (await index.lexical("bridge", 9)).hits
            }
            by_words = (await index.lexical("bridge", 9, only)).hits
            assert [hit.chunk_id for hit in by_words] == [_id(_RIVERS, 1)]
            assert by_words[0].score == pytest.approx(unfiltered[_id(_RIVERS, 1)])
            by_meaning = await index.dense(vector_of("any"), 9, only)
            assert {one.chunk_id for one in by_meaning} == {c.id for c in chunks_of(_RIVERS)}
            assert list((await index.lexical("bridge", 9, set())).hits) == []
            assert list(await index.dense(vector_of("any"), 9, set())) == []

        self._run(check)

    def test_what_was_applied_is_there_when_opened_again(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            before = await self._everything(index)
            await index.close()
            again = self.open()
            assert again.state.applied == len(_DOCUMENTS)
            assert await self._everything(again) == before
            await again.close()

        self._run(check)

    def test_applying_twice_changes_nothing(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            before = await self._everything(index)
            await index.apply(_batches(*_DOCUMENTS))
            assert await self._everything(index) == before

        self._run(check)

    def test_a_changed_document_replaces_its_old_chunks(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            changed = document_of("one", "A tunnel has no arch.")
            await index.apply(_batches(changed, first=4))
            assert index.state.applied == 4
            assert await self._lexical(index, "赵州桥") == []
            assert await self._lexical(index, "tunnel") == [_id(changed, 0)]
            found = {one.chunk_id for one in await index.dense(vector_of("any"), 9)}
            assert found == {
                chunk.id for one in (changed, _RIVERS, _CODES) for chunk in chunks_of(one)
            }

        self._run(check)

    def test_a_removed_document_is_found_no_more(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            await index.apply(_batches(_GONE, first=4))
            assert await self._lexical(index, "赵州桥") == []
            query = vector_of(_BRIDGES.text)
            assert _id(_BRIDGES, 0) not in {one.chunk_id for one in await index.dense(query, 9)}
            assert not (await index.vectors([_id(_BRIDGES, 0)])).chunk_ids

        self._run(check)

    def test_built_anew_it_scores_as_if_the_past_had_not_been(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(_RIVERS, _CODES))
            fresh = await self._everything(index)
            await index.apply(_batches(_BRIDGES, _GONE, first=3))
            live = _change(1, _RIVERS), _change(2, _CODES), _change(4, _GONE)
            await index.apply(_stream([live]), anew=True)
            assert not index.state.worn
            assert index.state.applied == 4
            assert await self._everything(index) == fresh

        self._run(check)

    def test_the_old_index_is_searched_while_a_new_one_is_built(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(*_DOCUMENTS))
            before = await self._everything(index)
            seen: list[object] = []

            async def batches() -> AsyncIterator[Sequence[Change]]:
                yield [_change(4, _RIVERS)]
                seen.append(await self._everything(index))

            await index.apply(batches(), anew=True)
            assert seen == [before]
            assert await self._lexical(index, "赵州桥") == []

        self._run(check)

    def test_an_interrupted_change_is_not_there_and_can_be_repeated(self) -> None:
        async def check(index: Index) -> None:
            await index.apply(_batches(_RIVERS))
            before = await self._everything(index)

            async def broken() -> AsyncIterator[Sequence[Change]]:
                yield [_change(2, _BRIDGES)]
                raise _InterruptedError

            for anew in (False, True):
                with pytest.raises(_InterruptedError):
                    await index.apply(broken(), anew=anew)
                assert index.state.applied == 1
                assert await self._everything(index) == before
            await index.apply(_batches(_BRIDGES, first=2))
            assert await self._lexical(index, "赵州桥") == [_id(_BRIDGES, 0)]

        self._run(check)

    def test_no_changes_at_all_may_be_applied(self) -> None:
        async def check(index: Index) -> None:
            for anew in (False, True):
                await index.apply(_stream([]), anew=anew)
                assert index.state.applied == 0
                assert await self._lexical(index, "bridge") == []

        self._run(check)

    def test_two_that_are_open_at_once_follow_each_other(self) -> None:
        async def check(index: Index) -> None:
            other = self.open()
            await index.apply(_batches(_BRIDGES))
            await other.apply(_batches(_BRIDGES, _RIVERS))
            await index.apply(_batches(_BRIDGES, _RIVERS, _CODES))
            await other.apply(_batches(*_DOCUMENTS))
            assert other.state == index.state
            assert await self._everything(other) == await self._everything(index)
            await other.close()

        self._run(check)

    async def _lexical(self, index: Index, text: str) -> list[str]:
        return [hit.chunk_id for hit in (await index.lexical(text, 9)).hits]

    async def _everything(self, index: Index) -> object:
        """Return hits and scores of some questions: equal answers, equal indexes."""
        answers: list[Sequence[Scored]] = []
        for question in ("bridge", "中国的河流", "GB/T 7714-2015", "arch"):
            found = await index.lexical(question, 9)
            answers.append(list(found.hits))
            vector = vector_of(question)
            assert vector.shape == (DIMENSION,)
            assert vector.dtype == np.float32
            answers.append(list(await index.dense(vector, 9)))
            answers.append(list(await index.dense(vector, 9, level=True)))
        return answers

    def _run(self, check: Callable[[Index], Coroutine[Any, Any, None]]) -> None:
        async def opened() -> None:
            index = self.open()
            try:
                await check(index)
            finally:
                await index.close()

        asyncio.run(opened())


def _id(document: Document, place: int) -> str:
    return chunks_of(document)[place].id


def _change(number: int, document: Document) -> Change:
    return change_of(number, document)


def _batches(*documents: Document, first: int = 1) -> AsyncIterator[Sequence[Change]]:
    """Stream the documents' changes, numbered from ``first``, one a batch."""
    return _stream([[_change(first + at, document)] for at, document in enumerate(documents)])


async def _stream(batches: Sequence[Sequence[Change]]) -> AsyncIterator[Sequence[Change]]:
    for batch in batches:
        yield batch
