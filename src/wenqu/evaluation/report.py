"""What a run comes to: means with intervals, refusals, answers, citations, times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wenqu.evaluation.answers import ANSWER_METRICS, CITATION_METRICS
from wenqu.evaluation.metrics import METRICS, MORE_METRICS
from wenqu.evaluation.refusal import best_threshold, refusal_metrics
from wenqu.evaluation.statistics import dealt, interval, intervals, intervals_of, quantile
from wenqu.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.evaluation.record import EvalRecord, GateRecord, MeasuredAnswer, QueryRecord
    from wenqu.evaluation.statistics import Interval
    from wenqu.types import Origin

__all__ = ["AnswerSummary", "EvalReport", "recall_curve"]

RECALL_CURVE = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
_FOLDS = 5
_REFUSAL_METRICS = (
    "answer_precision",
    "answer_recall",
    "answer_f1",
    "refusal_precision",
    "refusal_recall",
    "refusal_f1",
    "accuracy",
    "auc",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSummary:
    """What the answers of a run come to.

    ``values`` and ``citations`` are over the questions that were answered and have a gold answer
    or passage; ``right`` is ``contains`` over all answerable ones, a refusal being wrong.
    ``outcomes`` counts outcomes of answerable questions, ``false_outcomes`` those of the others.
    """

    asked: int
    values: Mapping[str, Interval]
    citations: Mapping[str, Interval]
    right: Interval | None
    grounded: Interval | None
    outcomes: Mapping[Outcome, int]
    false_outcomes: Mapping[Outcome, int]
    ms_p50: float
    ms_p95: float


class EvalReport:
    """The figures of one run, made from its questions when they are asked for."""

    def __init__(self, record: EvalRecord) -> None:
        self.record = record

    def retrieval(self) -> dict[Origin, dict[str, Interval]]:
        """Return origin → metric → mean with its interval, over the judged questions."""
        record = self.record
        return {
            origin: intervals(
                {
                    name: [query.values[origin][name] for query in record.judged]
                    for name in (*METRICS, *MORE_METRICS)
                }
            )
            for origin in record.origins
        }

    def ms(self, origin: Origin) -> list[float]:
        """Return the milliseconds of each judged question."""
        return [query.ms[origin] for query in self.record.judged]

    def gated(self) -> list[tuple[bool, GateRecord]]:
        """Return for each question that the gate saw whether it is answerable, and its decision.

        Empty where all are of one kind, which tells nothing.
        """
        seen = [(one.answerable, one.gate) for one in self.record.queries if one.gate is not None]
        return seen if len({answerable for answerable, _ in seen}) > 1 else []

    def refusal(self) -> dict[str, Interval]:
        """Return how well the gate told questions apart, by metric; {} where it was not measured.

        The names are those of ``evaluation.refusal``.
        """
        said = self.gated()
        return _refusal(
            [answerable for answerable, _ in said],
            [gate.answered for _, gate in said],
            [gate.probability for _, gate in said],
        )

    def plain_refusal(self) -> dict[str, Interval]:
        """Return the same of a plain threshold on likeness, the way of many peers.

        For each fold of the questions the threshold is the one of the best F1 of answering on the
        others.
        """
        said = self.gated()
        answerable = np.array([one for one, _ in said], bool)
        likeness = np.array([gate.likeness for _, gate in said], np.float64)
        if not likeness.any():  # a run from before it was kept
            return {}
        folds = dealt(len(said), _FOLDS)
        answered = np.zeros(len(said), bool)
        for fold in range(_FOLDS):
            others, here = folds != fold, folds == fold
            if answerable[others].all() or not answerable[others].any():
                return {}
            threshold = best_threshold(likeness[others], answerable[others].tolist())
            answered[here] = likeness[here] >= threshold
        return _refusal(answerable.tolist(), answered.tolist(), likeness.tolist())

    def answers(self) -> AnswerSummary | None:
        """Return what the answers come to, or None where none were measured."""
        answered = [(query, query.answer) for query in self.record.queries if query.answer]
        if not answered:
            return None
        records = [answer for _, answer in answered]
        times = [answer.ms for answer in records]
        meant = [answer for query, answer in answered if query.answerable]
        known = [answer for answer in meant if answer.right]
        grounded = [answer.grounded for answer in records if answer.grounded is not None]
        return AnswerSummary(
            asked=len(answered),
            values=_means(known, "values", ANSWER_METRICS),
            citations=_means(meant, "citations", CITATION_METRICS),
            right=(
                interval([answer.values.get("contains", 0.0) for answer in known])
                if known
                else None
            ),
            grounded=interval(grounded) if grounded else None,
            outcomes=_outcomes(answered, answerable=True),
            false_outcomes=_outcomes(answered, answerable=False),
            ms_p50=quantile(times, 0.5),
            ms_p95=quantile(times, 0.95),
        )

    def flat(self) -> dict[str, float]:
        """Return every figure by one name: what ``--fail-under`` and a caller's script use.

        ``recall@1`` is the served ranking's, ``lexical.recall@1`` that of words alone;
        ``refusal.answer_f1``, ``answers.f1``, ``citations.recall``, ``answers.grounded``.
        """
        figures: dict[str, float] = {}
        for origin in self.record.origins:
            for name in (*METRICS, *MORE_METRICS):
                value = _mean([query.values[origin][name] for query in self.record.judged])
                figures[f"{origin.value}.{name}"] = value
                if origin is self.record.served:
                    figures[name] = value
        if said := self.gated():
            found = refusal_metrics(
                [gate.answered for _, gate in said],
                [answerable for answerable, _ in said],
                [gate.probability for _, gate in said],
            )
            figures |= {f"refusal.{name}": getattr(found, name) for name in _REFUSAL_METRICS}
        if (answers := self.answers()) is not None:
            figures |= {f"answers.{name}": one.mean for name, one in answers.values.items()}
            figures |= {f"citations.{name}": one.mean for name, one in answers.citations.items()}
            if answers.right is not None:
                figures["answers.right"] = answers.right.mean
            if answers.grounded is not None:
                figures["answers.grounded"] = answers.grounded.mean
        return figures

    def to_json(self) -> dict[str, object]:
        """Return what ``wenqu eval --json`` prints: figures to 4 decimals, milliseconds to 2."""
        record, retrieval = self.record, self.retrieval()
        payload: dict[str, object] = {
            "dataset": record.dataset,
            "documents": record.documents,
            "queries": len(record.judged),
            "runs": {
                origin.value: {
                    **{name: round(metrics[name].mean, 4) for name in METRICS},
                    "ms_per_query": round(_mean(self.ms(origin)), 2),
                }
                for origin, metrics in retrieval.items()
            },
            "success": {
                origin.value: {name: round(metrics[name].mean, 4) for name in MORE_METRICS}
                for origin, metrics in retrieval.items()
            },
            "intervals": {
                origin.value: {name: _ends(one) for name, one in metrics.items()}
                for origin, metrics in retrieval.items()
            },
            "latency_ms": {
                origin.value: {
                    f"p{share}": round(quantile(self.ms(origin), share / 100), 2)
                    for share in (50, 95, 99)
                }
                for origin in retrieval
            },
            "served": record.served.value,
            "name": record.name,
        }
        if refusal := self.refusal():
            payload["refusal"] = {name: _shown(one) for name, one in refusal.items()}
            plain = self.plain_refusal()
            payload["refusal_by_likeness"] = {name: _shown(one) for name, one in plain.items()}
        if (answers := self.answers()) is not None:
            payload["answers"] = _answers_payload(answers, record.answers_by)
            payload["citations"] = {name: _shown(one) for name, one in answers.citations.items()}
        return payload

    def worst(self, most: int = 20) -> list[QueryRecord]:
        """Return the judged questions that were served worst, worst first, by nDCG@10."""
        served = self.record.served
        missed = [query for query in self.record.judged if query.values[served]["nDCG@10"] < 1]
        missed.sort(key=lambda query: (query.values[served]["nDCG@10"], query.id))
        return missed[:most]


def recall_curve(record: EvalRecord, origin: Origin) -> list[tuple[float, float]]:
    """Return recall@k by k, as far as documents were kept."""
    points = []
    for k in RECALL_CURVE:
        shares = [
            sum(rank <= k for rank in query.ranks[origin]) / query.relevant
            for query in record.judged
        ]
        points.append((float(k), _mean(shares)))
    return points


def _refusal(
    answerable: Sequence[bool], answered: Sequence[bool], scores: Sequence[float]
) -> dict[str, Interval]:
    kinds = [[at for at, one in enumerate(answerable) if one is kind] for kind in (True, False)]
    if not all(kinds):
        return {}

    def figures(places: NDArray[np.intp]) -> dict[str, float]:
        found = refusal_metrics(
            [answered[at] for at in places],
            [answerable[at] for at in places],
            [scores[at] for at in places],
        )
        return {name: float(getattr(found, name) or 0.0) for name in _REFUSAL_METRICS}

    return intervals_of(figures, kinds)


def _means(
    answers: Sequence[MeasuredAnswer], field: str, names: Sequence[str]
) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for name in names:
        values = [getattr(one, field)[name] for one in answers if name in getattr(one, field)]
        if values:
            found[name] = interval(values)
    return found


def _outcomes(
    answered: Sequence[tuple[QueryRecord, MeasuredAnswer]], *, answerable: bool
) -> dict[Outcome, int]:
    counted = Counter(
        answer.outcome for query, answer in answered if query.answerable is answerable
    )
    return {outcome: counted[outcome] for outcome in Outcome if counted[outcome]}


def _answers_payload(answers: AnswerSummary, by: str | None) -> dict[str, object]:
    payload: dict[str, object] = {"by": by, "asked": answers.asked}
    payload |= {name: _shown(one) for name, one in answers.values.items()}
    for name, one in (("right", answers.right), ("grounded", answers.grounded)):
        if one is not None:
            payload[name] = _shown(one)
    payload["outcomes"] = {one.value: count for one, count in answers.outcomes.items()}
    payload["outcomes_unanswerable"] = {
        one.value: count for one, count in answers.false_outcomes.items()
    }
    payload["ms_p50"], payload["ms_p95"] = round(answers.ms_p50, 2), round(answers.ms_p95, 2)
    return payload


def _shown(one: Interval) -> dict[str, object]:
    return {"mean": round(one.mean, 4), "interval": _ends(one), "n": one.n}


def _ends(one: Interval) -> list[float]:
    return [round(one.low, 4), round(one.high, 4)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
