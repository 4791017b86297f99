from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.indexes.vectors import VectorBatch, VectorIndex
from wenqu.protocols import Change, Scored
from wenqu.testing.samples import DIMENSION, change_of, document_of, vector_of
from wenqu.types import Chunk

if TYPE_CHECKING:
    from random import Random

# Sums of 16 products of float16 numbers, in another order: about 2^-20 apart.
NEAR = 1e-4


def index_of(*changes: Change) -> VectorIndex:
    return VectorIndex.empty(DIMENSION).apply([VectorBatch.of(changes, DIMENSION)])


def documents(words: st.SearchStrategy[list[list[str]]]) -> st.SearchStrategy[list[Change]]:
    """Some documents of a few texts each; texts may repeat, so scores may be equal."""
    return words.map(
        lambda texts: [
            change_of(number, document_of(f"source {number}", *some))
            for number, some in enumerate(texts, start=1)
        ]
    )


changes = documents(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4, unique=True), max_size=6)
)


def brute_force(
    found_in: list[Change], query: np.ndarray, wanted: set[str] | None
) -> dict[str, float]:
    return {
        chunk.id: float(row.astype(np.float32) @ query)
        for change in found_in
        for chunk, row in zip(change.chunks, change.vectors, strict=True)
        if wanted is None or chunk.document_id in wanted
    }


def search(
    index: VectorIndex, query: np.ndarray, top: int, wanted: set[str] | None = None
) -> list[Scored]:
    return index.search(query, top, wanted)


@settings(deadline=None, max_examples=60)
@given(changes, st.integers(0, 8), st.none() | st.sets(st.integers(1, 7)))
def test_search_gives_what_comparing_with_every_vector_gives(
    some: list[Change], top: int, only: set[int] | None
) -> None:
    index = index_of(*some)
    query = vector_of("question")
    wanted = None if only is None else {one.document_id for one in some if one.number in only}
    expected = brute_force(some, query, wanted)
    found = search(index, query, top, wanted)
    assert len(found) == min(top, len(expected))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.score == pytest.approx(expected[one.chunk_id], abs=NEAR)
    if found:
        missed = set(expected) - {one.chunk_id for one in found}
        assert all(expected[chunk] <= found[-1].score + NEAR for chunk in missed)


@settings(deadline=None, max_examples=40)
@given(changes, changes)
def test_applying_changes_replaces_and_removes_whole_documents(
    first: list[Change], second: list[Change]
) -> None:
    index = index_of(*first).apply([VectorBatch.of(second, DIMENSION)])
    touched = {change.document_id for change in second}
    kept = [change for change in first if change.document_id not in touched]
    query = vector_of("question")
    expected = brute_force([*kept, *second], query, None)
    found = {one.chunk_id: one.score for one in search(index, query, 100)}
    assert found == pytest.approx(expected, abs=NEAR)


@settings(deadline=None, max_examples=25)
@given(changes)
def test_a_saved_index_comes_back_bit_for_bit(some: list[Change]) -> None:
    index = index_of(*some)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npz"
        index.save(path)
        loaded = VectorIndex.load(path)
        assert [file.name for file in Path(folder).iterdir()] == ["vectors.npz"]
    query = vector_of("question")
    assert search(loaded, query, 100) == search(index, query, 100)
    np.testing.assert_array_equal(loaded.chunks, index.chunks)
    np.testing.assert_array_equal(loaded.documents, index.documents)


def test_ids_use_all_64_bits() -> None:
    chunk = Chunk(id="7fffffffffffffff", document_id="f" * 16, text="a", start=0, end=1)
    change = Change(
        number=1,
        document_id="f" * 16,
        title="",
        chunks=[chunk],
        vectors=vector_of("a").astype(np.float16)[None],
    )
    index = index_of(change)
    assert [one.chunk_id for one in search(index, vector_of("a"), 1, {"f" * 16})] == [chunk.id]
    assert search(index, vector_of("a"), 1, {"0" * 16}) == []


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vectors.npz").write_bytes(b"anything else")
    with pytest.raises(ValueError):  # noqa: PT011  # numpy's own wording
        VectorIndex.load(tmp_path / "vectors.npz")
    with pytest.raises(OSError):  # noqa: PT011  # the system's own wording
        VectorIndex.load(tmp_path / "nowhere.npz")


@given(changes, st.randoms(use_true_random=False))
def test_means_are_the_same_in_whatever_order_changes_come(
    found_in: list[Change], random: Random
) -> None:
    shuffled = list(found_in)
    random.shuffle(shuffled)
    halves = shuffled[::2], shuffled[1::2]
    one = index_of(*found_in)
    other = VectorIndex.empty(DIMENSION).apply([VectorBatch.of(half, DIMENSION) for half in halves])
    assert np.array_equal(one.sums, other.sums)


def test_what_was_removed_is_no_longer_in_the_means() -> None:
    kept = change_of(1, document_of("kept", "一座桥", "a bridge"))
    gone = change_of(2, document_of("gone", "一条河", "a river"))
    again = index_of(kept, gone).apply(
        [VectorBatch.of([change_of(3, document_of("gone"))], DIMENSION)]
    )
    assert np.array_equal(again.sums, index_of(kept).sums)


def test_the_rows_of_a_language_are_a_range_of_their_own() -> None:
    index = index_of(
        change_of(1, document_of("one", "一座桥", "a bridge")),
        change_of(2, document_of("two", "一条河", "a river")),
    )
    assert index.languages.tolist() == sorted(index.languages.tolist())
    assert len(set(index.languages.tolist())) == 2


def test_a_mean_of_few_chunks_is_mostly_that_of_all() -> None:
    few = document_of("few", "一座桥")
    many = document_of("many", *(f"text {number}" for number in range(200)))
    index = index_of(change_of(1, few), change_of(2, many))
    query = vector_of("a question")
    (chunk,) = (c.id for c in change_of(1, few).chunks)
    (plain,) = (one for one in index.search(query, 300) if one.chunk_id == chunk)
    (level,) = (one for one in index.search(query, 300, level=True) if one.chunk_id == chunk)
    overall = np.mean([vector_of(c.text) for c in change_of(2, many).chunks], axis=0) @ query
    own = vector_of("一座桥") @ query
    assert abs((plain.score - level.score) - overall) < 0.1 * abs(own - overall)
