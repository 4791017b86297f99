"""How sure a figure is."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wenqu.evaluation.statistics import interval, intervals, intervals_of, paired, quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_an_interval_holds_the_mean_and_is_near_that_of_theory() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400).tolist()
    found = interval(values)
    assert found.mean == pytest.approx(np.mean(values))
    half = 1.96 * np.std(values) / 20
    assert found.low == pytest.approx(found.mean - half, abs=half / 10)
    assert found.high == pytest.approx(found.mean + half, abs=half / 10)
    assert found.n == 400


def test_some_95_of_100_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(2)
    held = sum(
        one.low <= 0.7 <= one.high
        for one in (interval((random.random(80) < 0.7).astype(float).tolist()) for _ in range(200))
    )
    assert 0.90 <= held / 200 <= 0.99


def test_the_same_values_always_have_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 0.25] * 9
    assert interval(values) == interval(values)


def test_a_column_has_the_same_interval_alone_and_beside_others() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 0.25] * 9
    assert intervals({"a": values, "b": values[::-1]})["a"] == interval(values)


def test_ten_hits_of_ten_leave_room_for_doubt() -> None:
    found = interval([1.0] * 10)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.722, abs=0.001)  # Wilson's table
    assert interval([0.0] * 10).high == pytest.approx(0.278, abs=0.001)


def test_a_figure_that_is_no_mean_is_drawn_anew_within_each_kind() -> None:
    drawn: list[int] = []

    def figures(places: NDArray[np.intp]) -> dict[str, float]:
        drawn.append(int((places < 3).sum()))
        return {"share": float((places % 2).mean())}

    found = intervals_of(figures, [[0, 1, 2], [3, 4, 5, 6]])
    assert set(drawn) == {3}
    assert found["share"].low <= found["share"].mean == pytest.approx(3 / 7)
    assert found["share"].n == 7


def test_a_paired_test_agrees_with_trying_every_assignment_of_signs() -> None:
    before = [0.1, 0.2, 0.5, 0.4, 0.6, 0.3, 0.2, 0.9]
    after = [0.3, 0.25, 0.5, 0.7, 0.55, 0.6, 0.4, 0.95]
    change = np.subtract(after, before)
    sums = [abs(np.dot(signs, change)) for signs in product((-1, 1), repeat=8)]
    exact = np.mean([one >= abs(change.sum()) - 1e-12 for one in sums])
    found = paired(before, after)
    assert found.p == pytest.approx(exact, abs=0.01)
    assert (found.better, found.worse, found.n) == (6, 1, 8)
    assert found.difference == pytest.approx(change.mean())
    assert found.low < found.difference < found.high


def test_runs_that_are_alike_do_not_differ() -> None:
    found = paired([0.5, 1.0, 0.0], [0.5, 1.0, 0.0])
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_p_is_small_where_all_questions_gain_and_never_zero() -> None:
    found = paired([0.0] * 40, [0.1] * 40)
    assert 0 < found.p < 0.001


def test_a_quantile_is_a_value_that_so_many_are_not_above() -> None:
    assert quantile(range(101), 0.95) == 95
