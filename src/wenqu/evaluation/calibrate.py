"""Fits a gate to a knowledge base from questions that it should accept and reject.

Nothing is reported on what it was learned from: every probability in a ``Calibration`` comes from a
fold that held the question back, threshold included. What is kept in the end was fitted on all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from wenqu.errors import InputError
from wenqu.evaluation.refusal import RefusalMetrics, best_threshold, curve, refusal_metrics
from wenqu.pipeline.gate import DEFAULT_MODEL, decide
from wenqu.pipeline.gate_model import OWN_FEATURES, GateModel, Logistic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.evaluation.refusal import CurvePoint
    from wenqu.pipeline.gate import GateDecision
    from wenqu.types import Hit

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = [
    "MIN_EXAMPLES",
    "Calibration",
    "GateExample",
    "calibrate",
    "example_of",
    "fit_logistic",
]

MIN_EXAMPLES = 8
"""Questions of each kind that a fit needs: fewer say less than the constants that ship."""

_FOLDS = 5
_RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
_STEPS = 60
_SMALL_STEP = 1e-9
_ROUNDED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class GateExample:
    """A question asked of the knowledge base; ``features`` is empty where words alone decide."""

    question: str
    accept: bool
    features: Mapping[str, float]
    decision: GateDecision


def example_of(question: str, hits: Sequence[Hit], *, accept: bool) -> GateExample:
    """Return the example that a question and its hits are, with what the shipped gate says."""
    decision = decide(question, hits)
    return GateExample(
        question=question, accept=accept, features=decision.features, decision=decision
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fitted gate, and how it does on questions it was not fitted to.

    ``fitted`` and ``similarity`` are of held-out folds, each with a threshold from the other folds;
    ``shipped`` is the gate that ships, as it is. ``points`` is the held-out curve, and
    ``similar_points`` the one of the largest dense score. ``threshold`` is the chosen operating
    point on ``points``; ``keep`` is the share of accepted questions that was asked for.
    ``by_words`` and ``across_languages`` count what no fold has, and ``ridge`` says how strongly
    the shipped weights were held on to. ``mistakes`` have their held-out probability.
    """

    model: GateModel
    accepted: int
    rejected: int
    by_words: int
    across_languages: int
    ridge: float
    threshold: float
    keep: float | None
    fitted: RefusalMetrics
    shipped: RefusalMetrics
    similarity: RefusalMetrics
    points: Sequence[CurvePoint]
    similar_points: Sequence[CurvePoint]
    mistakes: Sequence[tuple[GateExample, float]]

    def about(self) -> dict[str, object]:
        """Return what is to be remembered of the fit."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "by_words": self.by_words,
            "across_languages": self.across_languages,
            "ridge": self.ridge,
            "threshold": round(self.threshold, _ROUNDED),
            "keep": self.keep,
            "f1": round(self.fitted.answer_f1, 4),
            "auc": round(self.fitted.auc or 0.0, 4),
        }

    def shown_points(self, count: int) -> list[CurvePoint]:
        """Return up to ``count`` points of the curve, evenly over it, and the operating point."""
        at = {round(one) for one in np.linspace(0, len(self.points) - 1, count)}
        at.add(next(i for i, one in enumerate(self.points) if one.threshold >= self.threshold))
        return [self.points[one] for one in sorted(at)]

    def to_json(self) -> dict[str, object]:
        """Return what ``wenqu gate fit --json`` prints."""
        return {
            **self.about(),
            "fitted": self.fitted.to_json(),
            "shipped": self.shipped.to_json(),
            "similarity": self.similarity.to_json(),
            "curve": [
                {
                    "threshold": round(point.threshold, _ROUNDED),
                    "precision": round(point.precision, 4),
                    "recall": round(point.recall, 4),
                    "f1": round(point.f1, 4),
                    "refusal_recall": round(point.refusal_recall, 4),
                }
                for point in self.points
            ],
            "mistakes": [
                {
                    "question": example.question,
                    "accept": example.accept,
                    "probability": round(probability, 4),
                }
                for example, probability in self.mistakes
            ],
            "model": self.model.to_data(),
        }


def calibrate(examples: Sequence[GateExample], *, keep: float | None = None) -> Calibration:
    """Fit a gate and measure it by stratified cross-validation, always with the same folds.

    The weights are held near those that ship, as strongly as the examples themselves prefer (by
    log-likelihood of held-out folds), so that few examples move them little. Questions whose best
    hit is of another language are decided by the shipped model for these and only measured.

    Args:
        examples: At least ``MIN_EXAMPLES`` to be accepted and to be rejected, beside those that
            words alone decide.
        keep: Share of the accepted questions to be answered; None takes the best F1.

    Raises:
        InputError: There are too few examples of a kind, or one question is of both.
    """
    weighed = [one for one in examples if one.features and not one.features["foreign"]]
    _check(examples, weighed)
    could = np.array([one.accept for one in weighed])
    rows = _table(weighed, OWN_FEATURES)
    folds = _folds(could)
    ridge = max(_RIDGES, key=lambda one: _likelihood(rows, could, folds, one))

    chances, answered = _held_out(
        rows, could, folds, lambda rows, could: _scorer(rows, could, ridge), keep
    )
    threshold = _operating_point(chances, could, keep)
    model = replace(DEFAULT_MODEL, own=_logistic(fit_logistic(rows, could, ridge=ridge), threshold))
    likeness = rows[:, [OWN_FEATURES.index("likeness")]]
    near, similar = _held_out(likeness, could, folds, lambda *_: lambda rows: rows[:, 0], None)
    mistakes = _mistakes(weighed, chances, answered)
    return Calibration(
        model=model,
        accepted=sum(one.accept for one in examples),
        rejected=sum(not one.accept for one in examples),
        by_words=sum(not one.features for one in examples),
        across_languages=len(examples) - len(weighed) - sum(not one.features for one in examples),
        ridge=ridge,
        threshold=threshold,
        keep=keep,
        fitted=refusal_metrics(answered, could, chances),
        shipped=refusal_metrics(
            [one.decision.outcome is None for one in weighed],
            could,
            [one.decision.probability for one in weighed],
        ),
        similarity=refusal_metrics(similar, could, near),
        points=curve(chances, could),
        similar_points=curve(near, could),
        mistakes=mistakes,
    )


def _check(examples: Sequence[GateExample], weighed: Sequence[GateExample]) -> None:
    both = {one.question for one in examples if one.accept} & {
        one.question for one in examples if not one.accept
    }
    if both:
        raise InputError("error.gate_both", question=min(both))
    accepted = sum(one.accept for one in weighed)
    rejected = len(weighed) - accepted
    if min(accepted, rejected) < MIN_EXAMPLES:
        raise InputError(
            "error.gate_few", accepted=accepted, rejected=rejected, needed=MIN_EXAMPLES
        )


def _table(examples: Sequence[GateExample], names: Sequence[str]) -> Floats:
    return np.array([[one.features[name] for name in names] for one in examples], np.float64)


def _folds(could: Bools) -> NDArray[np.int64]:
    """Return a fold for each example: each kind is dealt out evenly, in a fixed random order."""
    count = min(_FOLDS, int(could.sum()), int((~could).sum()))
    folds = np.zeros(len(could), np.int64)
    shuffler = np.random.default_rng(0)
    for kind in (True, False):
        own = np.flatnonzero(could == kind)
        shuffler.shuffle(own)
        folds[own] = np.arange(len(own)) % count
    return folds


def _scorer(rows: Floats, could: Bools, ridge: float) -> Callable[[Floats], Floats]:
    found = fit_logistic(rows, could, ridge=ridge)
    return lambda rows: _chances(rows, found)


def _chances(rows: Floats, coefficients: Floats) -> Floats:
    total = rows @ coefficients[:-1] + coefficients[-1]
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -60, 60))))


def _held_out(
    rows: Floats,
    could: Bools,
    folds: NDArray[np.int64],
    learn: Callable[[Floats, Bools], Callable[[Floats], Floats]],
    keep: float | None,
) -> tuple[Floats, Bools]:
    """Return a score for each example and whether it is answered, both learned without its fold."""
    scores, answered = np.zeros(len(could)), np.zeros(len(could), bool)
    for fold in np.unique(folds):
        known, held = folds != fold, folds == fold
        score = learn(rows[known], could[known])
        threshold = _operating_point(score(rows[known]), could[known], keep)
        scores[held] = score(rows[held])
        answered[held] = scores[held] >= threshold
    return scores, answered


def _operating_point(scores: Floats, could: Bools, keep: float | None) -> float:
    """Return the threshold that was asked for, half-way down to the next lower score."""
    if keep is None:
        threshold = best_threshold(scores, could)
    else:
        # Of those that keep enough, the last: a higher threshold refuses more of the others.
        enough = [point for point in curve(scores, could) if point.recall >= keep]
        threshold = enough[-1].threshold
    below = scores[scores < threshold]
    return float((threshold + below.max()) / 2) if len(below) else float(threshold)


def _likelihood(rows: Floats, could: Bools, folds: NDArray[np.int64], ridge: float) -> float:
    total = 0.0
    for fold in np.unique(folds):
        known, held = folds != fold, folds == fold
        chances = _scorer(rows[known], could[known], ridge)(rows[held])
        right = np.where(could[held], chances, 1 - chances)
        total += float(np.log(np.maximum(right, 1e-12)).sum())
    return total


def fit_logistic(rows: Floats, could: Bools, *, ridge: float) -> Floats:
    """Return the coefficients of a logistic regression, the bias last, by Newton's method.

    Both kinds weigh the same, however many there are of each. Weights, counted in standard
    deviations of their feature, are drawn towards those that ship, the bias is free.

    Args:
        rows: One row an example, a column each of ``OWN_FEATURES``.
        could: Whether each is to be accepted.
        ridge: Weight of the pull.
    """
    mean, spread = rows.mean(0), rows.std(0)
    spread[spread == 0] = 1.0
    scaled = np.c_[(rows - mean) / spread, np.ones(len(rows))]
    shipped = np.array([DEFAULT_MODEL.own.weights.get(name, 0.0) for name in OWN_FEATURES])
    prior = np.append(shipped * spread, 0.0)
    pull = np.append(np.full(rows.shape[1], ridge), _SMALL_STEP)
    weights = np.where(could, 0.5 / could.sum(), 0.5 / (~could).sum()) * len(could)
    found = prior.copy()
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(scaled @ found, -60, 60)))
        gradient = scaled.T @ (weights * (chances - could)) + pull * (found - prior)
        curvature = (scaled.T * (weights * chances * (1 - chances))) @ scaled + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        # A long step would overshoot where nearly all chances are 0 or 1.
        found -= step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < _SMALL_STEP:
            break
    coefficients = found[:-1] / spread
    return np.append(coefficients, found[-1] - (coefficients * mean).sum())


def _logistic(coefficients: Floats, threshold: float) -> Logistic:
    typical = DEFAULT_MODEL.own.typical
    weights = dict(zip(OWN_FEATURES, (float(one) for one in coefficients[:-1]), strict=True))
    bias = float(coefficients[-1]) + sum(
        weight * typical.get(name, 0.0) for name, weight in weights.items()
    )
    return Logistic(
        bias=bias, weights=MappingProxyType(weights), typical=typical, threshold=threshold
    )


def _mistakes(
    examples: Sequence[GateExample], chances: Floats, answered: Bools
) -> list[tuple[GateExample, float]]:
    """Return what is held out and decided wrongly, the worst first."""
    wrong = [
        (example, float(chance))
        for example, chance, said in zip(examples, chances, answered, strict=True)
        if said != example.accept
    ]
    return sorted(wrong, key=lambda one: one[1] if one[0].accept else 1 - one[1])
