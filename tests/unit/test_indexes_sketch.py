from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.indexes.sketch import Sketch
from wenqu.indexes.vectors import VectorBatch, VectorIndex

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DIMENSION = 32
ROWS = 6000


def normal(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the rows at length 1."""
    made: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return made


def vectors(seed: int, spread: float, count: int = ROWS) -> NDArray[np.float32]:
    """Return vectors that are all about as far from one another as ``spread``; some are equal."""
    random = np.random.default_rng(seed)
    made = normal(random.normal(size=DIMENSION) + spread * random.normal(size=(count, DIMENSION)))
    made[random.integers(0, count, count // 10)] = made[0]
    return made


def plain_index(rows: NDArray[np.float32]) -> VectorIndex:
    """Return an index of the vectors in two languages, four chunks a document, unsketched."""
    count = len(rows)
    batch = VectorBatch(
        touched=np.empty(0, np.uint64),
        codes=rows.astype("<f2").view(np.uint8),
        chunks=np.random.default_rng(1).permutation(count).astype(np.uint64),
        documents=np.arange(count, dtype=np.uint64) // 4,
        languages=(np.arange(count) % 3 == 0).astype(np.uint8),
    )
    return VectorIndex.empty(DIMENSION).apply([batch])


def sketched(index: VectorIndex) -> VectorIndex:
    return replace(index, sketch=Sketch.of(index.vectors))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1.0, 0.1, 0.001]),
    st.integers(0, 22),
    st.sampled_from([None, 1000, 3]),
)
def test_a_sketch_changes_no_hit_and_no_score(
    seed: int, spread: float, top: int, few: int | None
) -> None:
    index = plain_index(vectors(seed, spread))
    question = vectors(seed + 1, 1.0)[1]
    documents = None if few is None else {f"{one:016x}" for one in range(few)}
    for level in (False, True):
        found = sketched(index).search(question, top, documents, level=level)
        assert found == index.search(question, top, documents, level=level)


def assert_within_the_margin(rows: NDArray[np.float32], question: NDArray[np.float32]) -> None:
    index = plain_index(rows)
    sketch = Sketch.of(index.vectors)
    look = sketch.look(question)
    products, places = sketch.codes.search(look.code[None], len(rows))
    seen = look.offset + look.unit * products[0]
    true = index.vectors.reconstruct_n(0, len(rows))[places[0]] @ question
    assert np.abs(seen - true).max() <= look.margin


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.1, 0.001]))
def test_no_product_is_further_from_its_code_s_than_the_margin(seed: int, spread: float) -> None:
    assert_within_the_margin(vectors(seed, spread), vectors(seed + 1, 1.0, 10)[1])


@pytest.mark.parametrize("seed", range(5))
def test_the_margin_allows_for_what_the_question_s_own_code_leaves_out(seed: int) -> None:
    # Vectors of two numbers are just what their codes stand for.
    signs = np.random.default_rng(seed).choice([-0.125, 0.125], (ROWS, DIMENSION)).astype("f4")
    assert_within_the_margin(signs, vectors(seed, 1.0, 10)[1])


def test_what_the_first_look_may_have_missed_is_looked_up() -> None:
    # So near one another that codes tell little of their order.
    rows = vectors(5, 0.05)
    index = sketched(plain_index(rows))
    question = rows[7]
    sketch = index.sketch
    assert sketch is not None
    look = sketch.look(question)
    _, most = sketch.nearest(look, 10, None)
    least = index.search(question, 2)[-1].score
    assert most >= least
    assert index.search(question, 2) == replace(index, sketch=None).search(question, 2)


def test_a_question_of_zeros_finds_something() -> None:
    index = plain_index(vectors(3, 1.0))
    nothing = np.zeros(DIMENSION, np.float32)
    assert sketched(index).search(nothing, 3) == index.search(nothing, 3)


def test_equal_vectors_have_a_sketch_too() -> None:
    index = plain_index(np.repeat(vectors(3, 1.0)[:1], ROWS, axis=0))
    question = vectors(4, 1.0)[0]
    assert sketched(index).search(question, 3) == index.search(question, 3)


def test_many_vectors_have_a_sketch_that_is_saved_with_them(tmp_path: Path) -> None:
    index = plain_index(vectors(2, 0.5, 20_000))
    assert index.sketch is not None
    index.save(tmp_path / "vectors.npz")
    loaded = VectorIndex.load(tmp_path / "vectors.npz").sketch
    assert loaded is not None
    for name, array in index.sketch.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_an_index_that_was_saved_without_a_sketch_gets_the_same(tmp_path: Path) -> None:
    index = plain_index(vectors(2, 0.5, 20_000))
    replace(index, sketch=None).save(tmp_path / "vectors.npz")
    loaded = VectorIndex.load(tmp_path / "vectors.npz").sketch
    assert index.sketch is not None
    assert loaded is not None
    for name, array in index.sketch.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


@pytest.mark.parametrize("count", [1, 19_999])
def test_few_vectors_have_no_sketch(count: int, tmp_path: Path) -> None:
    index = plain_index(vectors(2, 0.5, count))
    assert index.sketch is None
    index.save(tmp_path / "vectors.npz")
    assert VectorIndex.load(tmp_path / "vectors.npz").sketch is None
