"""Saved runs, and comparing them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ConflictError, InputError, NotFoundError
from wenqu.evaluation.compare import compare
from wenqu.evaluation.record import EvalRecord, GateRecord, QueryRecord
from wenqu.evaluation.saved import SavedRuns
from wenqu.types import Origin

if TYPE_CHECKING:
    from pathlib import Path

METRICS = ("recall@1", "recall@5", "recall@10", "MRR@10", "nDCG@10")


def _query(name: str, value: float, lexical: float = 0.0) -> QueryRecord:
    return QueryRecord(
        id=name,
        text=f"what is {name}",
        relevant=1,
        ranks={Origin.FUSED: (1,)},
        values={
            Origin.LEXICAL: dict.fromkeys(METRICS, lexical),
            Origin.FUSED: dict.fromkeys(METRICS, value),
        },
        ms={Origin.FUSED: 3.0},
        gate=GateRecord(answered=True, probability=0.75, reason="gate.answered"),
    )


def _run(*values: float, name: str = "") -> EvalRecord:
    return EvalRecord(
        name=name,
        date=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        version="1",
        dataset="桥 梁",
        knowledge_base="eval-桥梁",
        documents=3,
        settings={"retrieval": {"lexical_weight": 0.5}},
        queries=tuple(_query(str(at), value) for at, value in enumerate(values)),
    )


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    runs = SavedRuns(tmp_path / "evaluations")
    assert runs.names() == []
    saved = runs.save(_run(0.5, 1.0))
    assert saved.name == "桥-梁-20260304-050607"
    assert runs.load(saved.name) == saved
    assert runs.load("桥") == saved
    assert runs.load(str(tmp_path / "evaluations" / f"{saved.name}.json")) == saved


def test_the_run_that_was_saved_last_needs_no_name(tmp_path: Path) -> None:
    runs = SavedRuns(tmp_path / "evaluations")
    with pytest.raises(NotFoundError):
        runs.load("last")
    for at, name in enumerate(("b", "a")):
        runs.save(_run(0.5, name=name))
        os.utime(tmp_path / "evaluations" / f"{name}.json", (at, at))
    assert runs.load("last").name == "a"


def test_a_name_is_not_taken_twice(tmp_path: Path) -> None:
    runs = SavedRuns(tmp_path)
    names = [runs.save(_run(1.0)).name for _ in range(3)]
    assert len(set(names)) == 3
    runs.save(_run(0.0, name="mine"))
    with pytest.raises(ConflictError):
        runs.save(_run(1.0, name="mine"))
    assert runs.save(_run(1.0, name="mine"), replace=True) == runs.load("mine")
    with pytest.raises(NotFoundError) as several:
        runs.load("桥")
    assert names[1] in several.value.message("en")


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    runs = SavedRuns(tmp_path / "evaluations")
    saved = runs.save(_run(1.0, name="../../elsewhere/名字"))
    assert [path.name for path in (tmp_path / "evaluations").iterdir()] == [f"{saved.name}.json"]
    assert runs.load("../../elsewhere/名字") == saved


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        SavedRuns(tmp_path / "file").save(_run(1.0))
    assert caught.value.key == "error.cannot_write"


def test_a_damaged_run_is_named_and_costs_the_others_nothing(tmp_path: Path) -> None:
    runs = SavedRuns(tmp_path)
    good = runs.save(_run(1.0, name="good"))
    (tmp_path / "bad.json").write_text('{"format": 1', "utf-8")
    with pytest.raises(InputError) as caught:
        runs.load("bad")
    assert "bad.json" in caught.value.message("en")
    assert list(runs.all()) == [good]


def test_two_runs_are_compared_question_by_question() -> None:
    found = compare(_run(0.0, 0.5, 1.0, name="before"), _run(1.0, 0.5, 0.5, name="after"))
    change = found.metrics["nDCG@10"]
    assert (change.first, change.second) == (0.5, pytest.approx(2 / 3))
    assert (change.better, change.worse, change.n) == (1, 1, 3)
    assert [(one.id, one.first, one.second) for one in found.better] == [("0", 0.0, 1.0)]
    assert [one.id for one in found.worse] == ["2"]
    assert found.metrics["refusal"].difference == 0


def test_only_questions_that_both_asked_in_the_same_words_are_compared() -> None:
    other = _run(1.0, 1.0, name="after")
    changed = other.queries[0].model_copy(update={"text": "something else"})
    other = other.model_copy(update={"queries": (changed, other.queries[1])})
    assert compare(_run(0.0, 0.0, 0.0), other).metrics["nDCG@10"].n == 1
    with pytest.raises(InputError):
        compare(_run(0.0), other.model_copy(update={"queries": ()}))


def test_two_rankings_of_one_run_can_be_compared() -> None:
    run = _run(1.0, 1.0, name="mine")
    found = compare(run, run, (Origin.LEXICAL, None))
    assert (found.first, found.second) == ("mine:lexical", "mine")
    assert found.metrics["recall@1"].difference == 1
