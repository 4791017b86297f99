from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.pipeline.likeness import Likeness
from wenqu.protocols import ChunkVectors
from wenqu.testing.samples import DIMENSION, vector_of

NAMES = tuple("abcdef")


def candidates(names: tuple[str, ...] = NAMES) -> ChunkVectors:
    return ChunkVectors(
        names,
        ["zh" if one in "ab" else "en" for one in names],
        np.array([vector_of(one) for one in names]).reshape(-1, DIMENSION),
        {"zh": vector_of("zh"), "en": vector_of("en")},
    )


def test_scores_are_products_with_the_vectors_of_candidates() -> None:
    scores = Likeness(candidates()).to(vector_of("question"))
    expected = {one: float(vector_of(one) @ vector_of("question")) for one in NAMES}
    assert scores == pytest.approx(expected, abs=1e-6)


def test_levelled_scores_are_less_those_of_the_mean_of_a_candidates_language() -> None:
    likeness, asked = Likeness(candidates()), vector_of("question")
    plain, levelled = likeness.to(asked), likeness.levelled(asked)
    for one in NAMES:
        mean = vector_of("zh" if one in "ab" else "en")
        assert plain[one] - levelled[one] == pytest.approx(float(mean @ asked), abs=1e-6)


def test_a_language_that_nothing_is_taken_for_keeps_its_products() -> None:
    likeness, asked = Likeness(candidates()), vector_of("question")
    some = likeness.to(asked, {"en": vector_of("typical")})
    assert {one: some[one] for one in "ab"} == {one: likeness.to(asked)[one] for one in "ab"}
    assert some["c"] != likeness.to(asked)["c"]


@given(st.permutations(NAMES), st.integers(1, len(NAMES)))
def test_a_score_is_the_same_to_the_last_bit_whatever_is_beside_it(
    order: list[str], count: int
) -> None:
    everything = Likeness(candidates()).levelled(vector_of("question"))
    some = Likeness(candidates(tuple(order[:count]))).levelled(vector_of("question"))
    assert some == {one: everything[one] for one in order[:count]}


def test_candidates_in_another_language_are_told_apart() -> None:
    likeness = Likeness(candidates())
    assert likeness.foreign("en") == {"a", "b"}
    assert likeness.foreign("zh") == {"c", "d", "e", "f"}


def test_no_candidates_have_no_scores() -> None:
    likeness = Likeness(candidates(()))
    assert likeness.levelled(vector_of("question")) == {}
    assert likeness.foreign("en") == set()
