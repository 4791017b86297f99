"""Gates fitted to made examples whose right answer is known."""

from __future__ import annotations

import json
import random
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wenqu.errors import InputError
from wenqu.evaluation.calibrate import (
    MIN_EXAMPLES,
    GateExample,
    calibrate,
    example_of,
    fit_logistic,
)
from wenqu.evaluation.gate_report import write_plot
from wenqu.pipeline.gate import DEFAULT_MODEL, GateDecision, GateModel
from wenqu.pipeline.gate_model import OWN_FEATURES
from wenqu.types import Outcome

if TYPE_CHECKING:
    from pathlib import Path

TYPICAL = DEFAULT_MODEL.own.typical


def example(name: str, *, accept: bool, foreign: bool = False, **moved: float) -> GateExample:
    values = {name: TYPICAL[name] + moved.get(name, 0.0) for name in TYPICAL}
    values["foreign"] = float(foreign)
    chance = DEFAULT_MODEL.own.probability(values)
    answered = chance >= DEFAULT_MODEL.own.threshold
    return GateExample(
        question=name,
        accept=accept,
        features=MappingProxyType(values),
        decision=GateDecision(
            outcome=None if answered else Outcome.OUT_OF_SCOPE,
            probability=chance,
            features=MappingProxyType(values),
            reason="gate.answered" if answered else "gate.out_of_scope",
        ),
    )


def examples(count: int, *, apart: float, of: str = "likeness", seed: int = 1) -> list[GateExample]:
    """Make questions of both kinds; ``apart`` is how far they differ in one feature on average."""
    draw = random.Random(seed)  # noqa: S311 - a draw that anybody can repeat
    made = []
    for number in range(2 * count):
        accept = number % 2 == 0
        noise = {name: draw.gauss(0, 0.02) for name in TYPICAL}
        noise[of] += apart / 2 if accept else -apart / 2
        made.append(example(f"question {number}", accept=accept, **noise))
    return made


def test_questions_that_differ_are_told_apart_on_folds_that_were_held_out() -> None:
    found = calibrate(examples(40, apart=0.2))
    assert found.fitted.auc == pytest.approx(1.0, abs=0.01)
    assert found.fitted.answer_f1 > 0.95


def test_a_fit_learns_what_similarity_cannot_see() -> None:
    found = calibrate(examples(60, apart=0.2, of="coverage"))
    assert (found.fitted.auc or 0) > 0.95
    assert 0.3 < (found.similarity.auc or 0) < 0.7


def test_questions_that_do_not_differ_stay_near_a_coin_on_held_out_folds() -> None:
    # A fit that were judged on what it has seen would look better than it is.
    areas = [calibrate(examples(30, apart=0.0, seed=seed)).fitted.auc or 0 for seed in range(6)]
    assert 0.4 < sum(areas) / len(areas) < 0.6


def test_the_same_examples_give_the_same_gate() -> None:
    made = examples(20, apart=0.05)
    assert calibrate(made).model == calibrate(list(made)).model


def test_a_strong_pull_leaves_the_weights_that_ship_and_a_weak_one_follows_the_examples() -> None:
    made = examples(20, apart=0.1, of="coverage")
    rows = np.array([[one.features[name] for name in OWN_FEATURES] for one in made])
    could = np.array([one.accept for one in made])
    shipped = [DEFAULT_MODEL.own.weights[name] for name in OWN_FEATURES]
    assert fit_logistic(rows, could, ridge=1e9)[:-1] == pytest.approx(shipped, rel=1e-3)
    free = dict(zip(OWN_FEATURES, fit_logistic(rows, could, ridge=1e-3), strict=False))
    assert free["coverage"] > 2 * DEFAULT_MODEL.own.weights["coverage"]


def test_the_fitted_gate_has_the_chosen_threshold_and_can_be_stored() -> None:
    found = calibrate(examples(20, apart=0.1))
    assert found.model.own.threshold == found.threshold
    stored = json.loads(json.dumps(found.to_json()["model"]))
    assert GateModel.from_data(stored) == found.model


def test_keep_answers_at_least_that_share_of_the_accepted_questions() -> None:
    made = examples(60, apart=0.03)
    kept = calibrate(made, keep=0.95)
    point = next(point for point in kept.points if point.threshold >= kept.threshold)
    assert point.recall >= 0.95
    assert kept.threshold <= calibrate(made, keep=0.6).threshold


def test_too_few_examples_of_a_kind_are_refused_with_how_many_it_takes() -> None:
    made = examples(MIN_EXAMPLES, apart=0.1)[:-1]
    with pytest.raises(InputError) as refused:
        calibrate(made)
    assert str(MIN_EXAMPLES) in refused.value.message("en")
    assert refused.value.hint("zh")


def test_one_question_cannot_be_of_both_kinds() -> None:
    made = examples(MIN_EXAMPLES, apart=0.1)
    twice = [*made, example(made[0].question, accept=not made[0].accept)]
    with pytest.raises(InputError, match="question 0"):
        calibrate(twice)


def test_small_talk_and_other_languages_are_counted_and_not_fitted() -> None:
    made = examples(MIN_EXAMPLES, apart=0.1)
    chatter = example_of("谢谢", [], accept=False)
    abroad = example("abroad", accept=True, foreign=True)
    found = calibrate([*made, chatter, abroad])
    assert (found.by_words, found.across_languages) == (1, 1)
    assert found.rejected == MIN_EXAMPLES + 1
    assert found.model == calibrate(made).model


def test_mistakes_are_the_questions_that_fell_on_the_wrong_side() -> None:
    made = examples(30, apart=0.3)
    odd = example("odd", accept=True, likeness=-0.15)
    found = calibrate([*made, odd])
    assert found.mistakes[0][0].question == "odd"


@pytest.mark.parametrize("kind", ["png", "svg", "html"])
def test_the_curve_can_be_written_to_a_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"gate.{kind}"
    write_plot(path, calibrate(examples(20, apart=0.05)), "laws <1>", "zh")
    written = path.read_bytes()
    assert written.startswith({"png": b"\x89PNG", "svg": b"<svg", "html": b"<!doctype"}[kind])
    if kind == "html":
        assert "laws &lt;1&gt;" in written.decode()
        assert written.count(b"<svg") == 2


def test_a_curve_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    found = calibrate(examples(20, apart=0.05))
    with pytest.raises(InputError) as refused:
        write_plot(tmp_path / "missing" / "gate.html", found, "laws", "en")
    assert refused.value.hint()
