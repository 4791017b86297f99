"""Whether one run is better than another: a paired test on the questions that both answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.errors import InputError
from wenqu.evaluation.answers import ANSWER_METRICS, CITATION_METRICS
from wenqu.evaluation.metrics import METRICS
from wenqu.evaluation.statistics import paired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.evaluation.record import EvalRecord, QueryRecord
    from wenqu.evaluation.statistics import Difference
    from wenqu.types import Origin

__all__ = ["Change", "Comparison", "compare"]

_MOVED_BY = "nDCG@10"
_MOVED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A question that one run served better than the other, by nDCG@10."""

    id: str
    text: str
    first: float
    second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second run against the first, by metric; ``better`` and ``worse`` are the most moved."""

    first: str
    second: str
    metrics: Mapping[str, Difference]
    better: tuple[Change, ...]
    worse: tuple[Change, ...]

    def to_json(self) -> dict[str, object]:
        """Return what ``wenqu eval compare --json`` prints."""
        return {
            "first": self.first,
            "second": self.second,
            "metrics": {
                name: {
                    "first": round(one.first, 4),
                    "second": round(one.second, 4),
                    "difference": round(one.difference, 4),
                    "interval": [round(one.low, 4), round(one.high, 4)],
                    "p": round(one.p, 5),
                    "n": one.n,
                    "better": one.better,
                    "worse": one.worse,
                }
                for name, one in self.metrics.items()
            },
            "better": [_change(one) for one in self.better],
            "worse": [_change(one) for one in self.worse],
        }


def compare(
    first: EvalRecord,
    second: EvalRecord,
    origins: tuple[Origin | None, Origin | None] = (None, None),
) -> Comparison:
    """Compare two runs, or two rankings of one.

    Args:
        first: The run to begin with.
        second: The run that is or is not better.
        origins: Whose ranking of each; None takes what was served.

    Raises:
        InputError: They have no measured question in common.
    """
    before, after = (
        origin or run.served for origin, run in zip(origins, (first, second), strict=True)
    )
    values = _values(first, before), _values(second, after)
    metrics: dict[str, Difference] = {}
    # Two rankings of one run have the same answers.
    for name in [one for one in values[0] if first != second or one in METRICS]:
        common = [one for one in values[0][name] if one in values[1].get(name, {})]
        if common:
            metrics[name] = paired(
                [values[0][name][one] for one in common], [values[1][name][one] for one in common]
            )
    if not metrics:
        raise InputError("error.runs_differ", first=first.name, second=second.name)
    changes = _changes(first, values[0].get(_MOVED_BY, {}), values[1].get(_MOVED_BY, {}))
    return Comparison(
        first=_called(first, before),
        second=_called(second, after),
        metrics=metrics,
        better=tuple(one for one in changes[:_MOVED] if one.second > one.first),
        worse=tuple(one for one in changes[::-1][:_MOVED] if one.second < one.first),
    )


def _values(run: EvalRecord, origin: Origin) -> dict[str, dict[str, float]]:
    """Return metric → question → value.

    A question counts as the same where id and words are.
    """
    names = [*METRICS, "answers.right"]
    names += [f"answers.{name}" for name in ANSWER_METRICS]
    names += [f"citations.{name}" for name in CITATION_METRICS] + ["answers.grounded", "refusal"]
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for query in run.queries:
        for name, value in _figures(query, origin).items():
            found[name][f"{query.id}\0{query.text}"] = value
    return {name: values for name, values in found.items() if values}


def _figures(query: QueryRecord, origin: Origin) -> dict[str, float]:
    figures = {name: query.values[origin][name] for name in METRICS if origin in query.values}
    if query.gate is not None:
        figures["refusal"] = float(query.gate.answered == query.answerable)
    answer = query.answer
    if answer is not None and query.answerable:
        if answer.right:
            figures["answers.right"] = answer.values.get("contains", 0.0)
        figures |= {f"answers.{name}": value for name, value in answer.values.items()}
        figures |= {f"citations.{name}": value for name, value in answer.citations.items()}
        if answer.grounded is not None:
            figures["answers.grounded"] = answer.grounded
    return figures


def _changes(
    run: EvalRecord, before: Mapping[str, float], after: Mapping[str, float]
) -> list[Change]:
    """Return the questions by how much better they became, most first."""
    changes = [
        Change(
            id=query.id,
            text=query.text,
            first=before[key],
            second=after[key],
        )
        for query in run.queries
        if (key := f"{query.id}\0{query.text}") in before and key in after
    ]
    return sorted(changes, key=lambda one: (one.first - one.second, one.id))


def _change(one: Change) -> dict[str, object]:
    return {
        "id": one.id,
        "question": one.text,
        "first": round(one.first, 4),
        "second": round(one.second, 4),
    }


def _called(run: EvalRecord, origin: Origin) -> str:
    return run.name if origin is run.served else f"{run.name}:{origin.value}"
