"""How well a gate tells the questions that the documents answer from those they do not.

Two classes, and both are reported: *answering* takes an answerable question that was answered as
right, *refusing* an unanswerable one that was refused. F1 of answering alone flatters a gate that
lets everything through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wenqu.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Flags = Sequence[bool] | NDArray[np.bool_]
    Scores = Sequence[float] | NDArray[np.float64]

__all__ = ["CurvePoint", "RefusalMetrics", "auc", "best_threshold", "curve", "refusal_metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalMetrics:
    """Shares from 0 to 1. A precision of nothing is 0, as is its F1.

    ``answered`` and ``wrongly_refused`` are shares of the answerable questions, ``refused`` and
    ``wrongly_answered`` of the unanswerable ones. ``auc`` is None where no probability is known.
    """

    answerable: int
    unanswerable: int
    answer_precision: float
    answer_recall: float
    answer_f1: float
    refusal_precision: float
    refusal_recall: float
    refusal_f1: float
    accuracy: float
    auc: float | None

    @property
    def wrongly_refused(self) -> float:
        """The share of answerable questions that were refused."""
        return 1 - self.answer_recall

    @property
    def wrongly_answered(self) -> float:
        """The share of unanswerable questions that were answered."""
        return 1 - self.refusal_recall

    def to_json(self) -> dict[str, float | int | None]:
        """Return everything to 4 decimals, ready for a report."""
        values = {
            "answerable": self.answerable,
            "unanswerable": self.unanswerable,
            "answer_precision": self.answer_precision,
            "answer_recall": self.answer_recall,
            "answer_f1": self.answer_f1,
            "refusal_precision": self.refusal_precision,
            "refusal_recall": self.refusal_recall,
            "refusal_f1": self.refusal_f1,
            "accuracy": self.accuracy,
            "wrongly_refused": self.wrongly_refused,
            "wrongly_answered": self.wrongly_answered,
            "auc": self.auc,
        }
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in values.items()
        }


def refusal_metrics(
    answered: Flags,
    answerable: Flags,
    probabilities: Scores | None = None,
) -> RefusalMetrics:
    """Compare what was answered with what could be.

    Args:
        answered: Whether each question was answered, by whatever refused: a gate, a model.
        answerable: Whether the documents answer it.
        probabilities: What the gate thought of each, for the AUC; any score that grows with it.

    Raises:
        InputError: There is no question of one of the two kinds, or the lengths differ.
    """
    said = np.asarray(answered, dtype=bool)
    could = _checked(answerable, len(said))
    right, wrong = int((said & could).sum()), int((said & ~could).sum())
    kept, missed = int((~said & ~could).sum()), int((~said & could).sum())
    scores = None if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    return RefusalMetrics(
        answerable=int(could.sum()),
        unanswerable=int((~could).sum()),
        answer_precision=_share(right, right + wrong),
        answer_recall=_share(right, right + missed),
        answer_f1=_share(2 * right, 2 * right + wrong + missed),
        refusal_precision=_share(kept, kept + missed),
        refusal_recall=_share(kept, kept + wrong),
        refusal_f1=_share(2 * kept, 2 * kept + wrong + missed),
        accuracy=_share(right + kept, len(said)),
        auc=None if scores is None else auc(scores, could),
    )


def auc(scores: Scores, answerable: Flags) -> float:
    """Return the chance that an answerable question scores above one that is not; ties count half.

    Raises:
        InputError: There is no question of one of the two kinds, or the lengths differ.
    """
    values = np.asarray(scores, dtype=np.float64)
    could = _checked(answerable, len(values))
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positive, negative = int(could.sum()), int((~could).sum())
    above = float(ranks[could].sum()) - positive * (positive + 1) / 2
    return above / (positive * negative)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What answering from ``threshold`` on gives; see ``RefusalMetrics``."""

    threshold: float
    precision: float
    recall: float
    f1: float
    refusal_recall: float


def curve(scores: Scores, answerable: Flags) -> list[CurvePoint]:
    """Return a point for each distinct score taken as the threshold, ascending.

    Raises:
        InputError: There is no question of one of the two kinds, or the lengths differ.
    """
    values = np.asarray(scores, dtype=np.float64)
    could = _checked(answerable, len(values))
    positive, negative = int(could.sum()), int((~could).sum())
    thresholds = np.unique(values)
    # Of each kind, those at or above each threshold.
    right = positive - np.searchsorted(np.sort(values[could]), thresholds)
    wrong = negative - np.searchsorted(np.sort(values[~could]), thresholds)
    return [
        CurvePoint(
            threshold=float(threshold),
            precision=_share(int(yes), int(yes + no)),
            recall=int(yes) / positive,
            f1=_share(2 * int(yes), int(yes + no) + positive),
            refusal_recall=1 - int(no) / negative,
        )
        for threshold, yes, no in zip(thresholds, right, wrong, strict=True)
    ]


def best_threshold(scores: Scores, answerable: Flags) -> float:
    """Return the threshold of the highest F1 of answering, the lowest of equal ones.

    Raises:
        InputError: There is no question of one of the two kinds, or the lengths differ.
    """
    return max(curve(scores, answerable), key=lambda point: point.f1).threshold


def _checked(answerable: Flags, length: int) -> NDArray[np.bool_]:
    could = np.asarray(answerable, dtype=bool)
    if len(could) != length or could.all() or not could.any():
        raise InputError("error.refusal_classes", answerable=int(could.sum()), of=length)
    return could


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
