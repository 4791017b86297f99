"""Metrics of refusing, on cases worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.errors import InputError
from wenqu.evaluation.refusal import auc, best_threshold, curve, refusal_metrics

# Of four answerable questions three are answered, of two others one.
ANSWERED = [True, True, True, False, True, False]
ANSWERABLE = [True, True, True, True, False, False]

labelled = st.lists(
    st.tuples(st.floats(0, 1, allow_nan=False, width=16), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: 0 < sum(could for _, could in rows) < len(rows))


def test_a_case_worked_out_by_hand() -> None:
    found = refusal_metrics(ANSWERED, ANSWERABLE)
    assert found.answer_precision == pytest.approx(3 / 4)
    assert found.answer_recall == pytest.approx(3 / 4)
    assert found.answer_f1 == pytest.approx(3 / 4)
    assert found.refusal_precision == pytest.approx(1 / 2)
    assert found.refusal_recall == pytest.approx(1 / 2)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.wrongly_refused == pytest.approx(1 / 4)
    assert found.wrongly_answered == pytest.approx(1 / 2)
    assert found.auc is None


def test_answering_everything_has_no_refusal_to_its_credit() -> None:
    found = refusal_metrics([True, True], [True, False])
    assert found.refusal_precision == found.refusal_f1 == 0.0
    assert found.answer_f1 == pytest.approx(2 / 3)


def test_json_has_every_share_to_four_decimals() -> None:
    values = refusal_metrics(ANSWERED, ANSWERABLE, [0.9, 0.8, 0.7, 0.2, 0.6, 0.1]).to_json()
    assert values["accuracy"] == 0.6667
    assert values["answerable"] == 4
    assert values["auc"] == 0.875


def test_equal_scores_count_half() -> None:
    assert auc([0.5, 0.5], [True, False]) == 0.5
    assert auc([0.9, 0.5, 0.5, 0.1], [True, True, False, False]) == pytest.approx(3.5 / 4)


@given(labelled)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, bool]]) -> None:
    scores, could = zip(*rows, strict=True)
    yes = [score for score, one in rows if one]
    no = [score for score, one in rows if not one]
    pairs = [(a > b) + (a == b) / 2 for a in yes for b in no]
    assert auc(scores, could) == pytest.approx(sum(pairs) / len(pairs))


@given(labelled)
def test_every_point_of_the_curve_is_what_its_threshold_gives(
    rows: list[tuple[float, bool]],
) -> None:
    scores, could = zip(*rows, strict=True)
    points = curve(scores, could)
    assert [point.threshold for point in points] == sorted(set(scores))
    for point in points:
        found = refusal_metrics([score >= point.threshold for score in scores], could)
        assert point.precision == pytest.approx(found.answer_precision)
        assert point.recall == pytest.approx(found.answer_recall)
        assert point.f1 == pytest.approx(found.answer_f1)
        assert point.refusal_recall == pytest.approx(found.refusal_recall)


def test_the_best_threshold_parts_what_can_be_parted() -> None:
    assert best_threshold([0.1, 0.2, 0.7, 0.9], [False, False, True, True]) == 0.7


@pytest.mark.parametrize("could", [[True, True], [False, False], [True]])
def test_one_kind_alone_measures_nothing(could: list[bool]) -> None:
    with pytest.raises(InputError):
        refusal_metrics([True, False], could)
