"""Metrics against values worked out by hand."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.evaluation.metrics import METRICS, documents_of, measure, run_of


def test_the_metrics_agree_with_a_hand_calculation() -> None:
    qrels = {"one": {"a": 1}, "two": {"a": 1, "b": 1}}
    found = measure(qrels, run_of({"one": ["x", "a"], "two": ["b", "x", "a"]}))
    ideal = 1 + 1 / log2(3)
    assert found == pytest.approx(
        {
            "recall@1": (0 + 1 / 2) / 2,
            "recall@5": 1.0,
            "recall@10": 1.0,
            "MRR@10": (1 / 2 + 1) / 2,
            "nDCG@10": (1 / log2(3) + (1 + 1 / log2(4)) / ideal) / 2,
        }
    )


def test_a_query_that_found_nothing_counts_as_nothing() -> None:
    qrels = {"found": {"a": 1}, "lost": {"b": 1}, "empty": {"c": 1}}
    found = measure(qrels, run_of({"found": ["a"], "empty": []}))
    assert found == pytest.approx(dict.fromkeys(METRICS, 1 / 3))


def test_no_ranking_at_all_is_zero_everywhere() -> None:
    assert measure({"q": {"a": 1}}, run_of({})) == dict.fromkeys(METRICS, 0.0)


def test_a_document_beyond_the_tenth_place_does_not_count() -> None:
    ranking = [f"x{number}" for number in range(10)] + ["a"]
    assert measure({"q": {"a": 1}}, run_of({"q": ranking})) == dict.fromkeys(METRICS, 0.0)


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_that_was_served_is_the_order_that_is_measured(ranking: list[str]) -> None:
    found = measure({"q": {"a": 1}}, run_of({"q": ranking}))
    assert found["MRR@10"] == pytest.approx(1 / (ranking.index("a") + 1))


def test_a_document_has_the_score_of_its_best_chunk() -> None:
    chunks = [("a", 0.9), ("b", 0.8), ("a", 0.7), ("c", 0.6)]
    assert documents_of(chunks) == [("a", 0.9), ("b", 0.8), ("c", 0.6)]


def test_among_equal_scores_the_first_given_stays_first() -> None:
    assert documents_of([("b", 0.5), ("a", 0.5), ("c", 0.7)]) == [
        ("c", 0.7),
        ("b", 0.5),
        ("a", 0.5),
    ]
