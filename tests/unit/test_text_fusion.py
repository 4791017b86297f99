"""Joining lexical and dense scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.fusion import FULL_COVERAGE, Translated, fuse, merge, rrf

IDS = st.text("abcdef", min_size=1, max_size=2)
DENSE = st.dictionaries(IDS, st.floats(-1, 1), max_size=12)
LEXICAL = st.dictionaries(IDS, st.floats(0.01, 60), max_size=12)
SHARE = st.floats(0, 1)


def test_with_nothing_lexical_the_dense_order_stands() -> None:
    fused = fuse({}, {"a": 0.80, "b": 0.84, "c": 0.79}, lexical_weight=0.5)
    assert list(fused) == ["b", "a", "c"]


def test_with_nothing_dense_the_lexical_order_stands() -> None:
    fused = fuse({"a": 3.0, "b": 9.0}, {}, lexical_weight=0.5)
    assert list(fused) == ["b", "a"]


def test_nothing_found_is_nothing_fused() -> None:
    assert fuse({}, {}, lexical_weight=0.5) == {}


def test_dense_scores_that_are_all_alike_leave_the_choice_to_the_words() -> None:
    fused = fuse({"b": 2.0}, {"a": 0.8, "b": 0.8, "c": 0.8}, lexical_weight=0.5)
    assert next(iter(fused)) == "b"


def test_a_few_common_words_do_not_outweigh_the_meaning() -> None:
    lexical = {"spurious": 2.0, "other": 1.0}
    dense = {"right": 0.90, "near": 0.85, "spurious": 0.84, "other": 0.80}
    trusted = fuse(lexical, dense, lexical_weight=0.6)
    doubted = fuse(lexical, dense, lexical_weight=0.6, lexical_limit=60.0)
    assert next(iter(trusted)) == "spurious"
    assert next(iter(doubted)) == "right"


def test_a_question_that_is_covered_counts_in_full() -> None:
    lexical, dense = {"a": 30.0, "b": 10.0}, {"a": 0.8, "b": 0.9}
    covered = fuse(lexical, dense, lexical_weight=0.5, lexical_limit=30.0 / FULL_COVERAGE)
    assert covered == pytest.approx(fuse(lexical, dense, lexical_weight=0.5))


@given(LEXICAL, DENSE, SHARE, st.none() | st.floats(0, 200))
def test_every_candidate_is_scored_between_nothing_and_one_best_first(
    lexical: dict[str, float], dense: dict[str, float], weight: float, limit: float | None
) -> None:
    fused = fuse(lexical, dense, lexical_weight=weight, lexical_limit=limit)
    assert fused.keys() == lexical.keys() | dense.keys()
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in fused.values())
    assert list(fused.values()) == sorted(fused.values(), reverse=True)


@given(LEXICAL, DENSE, SHARE, st.floats(1.0, 200.0))
def test_being_better_on_both_sides_is_never_worse_in_all(
    lexical: dict[str, float], dense: dict[str, float], weight: float, limit: float
) -> None:
    lexical |= {"worse": 1.0, "better": 2.0}
    dense |= {"worse": 0.1, "better": 0.2}
    fused = fuse(lexical, dense, lexical_weight=weight, lexical_limit=limit)
    assert fused["better"] >= fused["worse"]


@given(LEXICAL, DENSE, st.floats(0.1, 10), st.floats(-5, 5))
def test_the_scale_of_either_side_does_not_matter(
    lexical: dict[str, float], dense: dict[str, float], scale: float, shift: float
) -> None:
    # Rounded, so that shifting does not make differences too small for a float vanish.
    dense = {key: round(score, 3) for key, score in dense.items()}
    fused = fuse(lexical, dense, lexical_weight=0.5)
    moved = fuse(
        {key: score * scale for key, score in lexical.items()},
        {key: score * scale + shift for key, score in dense.items()},
        lexical_weight=0.5,
    )
    assert moved == pytest.approx(fused, abs=1e-6)


def test_words_that_another_language_cannot_have_are_guessed_from_the_meaning() -> None:
    lexical = {"year": 6.0}
    dense = {"translated": 0.10, "year": 0.05, "far": -0.05}
    plain = fuse(lexical, dense, lexical_weight=0.5)
    guessed = fuse(lexical, dense, lexical_weight=0.5, foreign={"translated"})
    assert next(iter(plain)) == "year"
    assert next(iter(guessed)) == "translated"


def test_nothing_is_guessed_of_names_for_another_language_may_have_them() -> None:
    lexical, dense = {"named": 6.0}, {"named": 0.08, "near": 0.10, "far": -0.05}

    def first(named: float) -> str:
        return next(iter(fuse(lexical, dense, lexical_weight=0.2, foreign=dense, named=named)))

    assert first(0.0) == "near"
    assert first(1.0) == "named"


def test_of_two_as_near_the_one_that_has_the_words_comes_first() -> None:
    fused = fuse(
        {"own": 6.0}, {"own": 0.9, "other": 0.9, "far": 0.1}, lexical_weight=0.5, foreign={"other"}
    )
    assert list(fused) == ["own", "other", "far"]


def test_ranks_alone_decide_in_rrf() -> None:
    fused = rrf({"a": 100.0, "b": 1.0}, {"b": 0.81, "a": 0.8, "c": 0.1})
    assert fused["a"] == fused["b"] == pytest.approx(0.5 / 61 + 0.5 / 62)
    assert list(fused)[-1] == "c"
    assert rrf({"a": 1.0}, {"b": 1.0}, lexical_weight=1.0) == {"a": 1 / 61, "b": 0.0}


@given(st.dictionaries(IDS, SHARE), st.lists(st.dictionaries(IDS, SHARE), max_size=3))
def test_nothing_loses_by_variants_and_their_best_come_after_an_equal_of_the_text(
    text: dict[str, float], variants: list[dict[str, float]]
) -> None:
    merged = merge(text, variants)
    assert merged.keys() == set(text).union(*variants)
    assert all(merged[one] >= score for one, score in text.items())
    assert max((merged[one] for one in merged if one not in text), default=0.0) <= 0.8
    assert list(merged.values()) == sorted(merged.values(), reverse=True)


def test_words_in_their_language_bring_up_a_candidate_in_another_one() -> None:
    dense = {"near": 0.90, "right": 0.89, "far": 0.80}
    without = fuse({}, dense, lexical_weight=0.5, foreign=dense)
    words = Translated({"right": 9.0}, limit=20.0)
    translated = fuse({}, dense, lexical_weight=0.5, foreign=dense, translated=words)
    assert next(iter(without)) == "near"
    assert next(iter(translated)) == "right"


def test_words_that_cover_little_of_a_question_in_their_language_count_little() -> None:
    dense = {"near": 0.90, "right": 0.86, "far": 0.80}
    covered, spurious = (
        fuse(
            {},
            dense,
            lexical_weight=0.5,
            foreign=dense,
            translated=Translated({"right": 2.0}, limit),
        )
        for limit in (4.0, 80.0)
    )
    assert next(iter(covered)) == "right"
    assert next(iter(spurious)) == "near"


def test_less_is_guessed_of_candidates_in_another_language_whose_words_are_looked_up() -> None:
    lexical, dense = {"own": 10.0}, {"own": 0.84, "other": 0.90, "third": 0.80}
    options = {"lexical_weight": 0.5, "lexical_limit": 20.0, "foreign": {"other", "third"}}
    guessed = fuse(lexical, dense, **options)
    missed = fuse(lexical, dense, **options, translated=Translated({"third": 1.0}, 20.0))
    found = fuse(lexical, dense, **options, translated=Translated({"other": 10.0}, 20.0))
    assert missed["other"] < guessed["other"] < found["other"]
    assert missed["own"] == guessed["own"] == found["own"]
