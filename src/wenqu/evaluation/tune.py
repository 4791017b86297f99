"""Picks settings of retrieval on a user's own questions, and says what that gains.

The gain is measured on questions that had no say in the choice: the questions are dealt into
folds, the best setting of all other folds is asked the questions of each one, and the values so
held out are compared with those of the present setting, pair by pair. What is recommended is then
picked on all questions. A setting is left only for one that is better by more than a standard
error of the paired differences, so that chance alone changes little.

Sources: Stone 1974 for cross-validatory choice; Breiman et al. 1984 for the one-standard-error
rule; Cawley and Talbot 2010 for why the choice must not see the questions that judge it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wenqu.errors import InputError
from wenqu.evaluation.statistics import dealt, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.evaluation.statistics import Difference

    Values = Mapping["Setting", NDArray[np.float64]]

__all__ = ["FEWEST", "Setting", "Tuning", "grid", "tuned"]

FEWEST = 20
"""Questions below which a choice would be made by chance."""
WEIGHTS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
CHUNK_TOKENS = (128, 256, 400)
CANDIDATES = (50, 100, 200)
_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Setting:
    """What is tried; ``rerank`` is whether the configured reranker runs."""

    chunk_tokens: int
    lexical_weight: float
    candidates: int
    rerank: bool

    def changes(self, present: Setting) -> dict[str, object]:
        """Return what is otherwise than in ``present``, by name."""
        names = ("chunk_tokens", "lexical_weight", "candidates", "rerank")
        return {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) != getattr(present, name)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What tuning came to.

    ``gain`` compares the present setting with those that other folds chose, on held-out questions.
    ``chosen`` is picked on all questions, and ``seen`` what it has there over the present one,
    which flatters it. ``picks`` counts the folds that picked each setting.
    """

    metric: str
    present: Setting
    chosen: Setting
    gain: Difference
    seen: Difference
    picks: Mapping[Setting, int]
    means: Mapping[Setting, float]

    @property
    def is_worthwhile(self) -> bool:
        """Whether the gain is above chance, so that the choice can be recommended."""
        return self.chosen != self.present and self.gain.low > 0

    def to_json(self) -> dict[str, object]:
        """Return what ``wenqu tune --json`` prints."""
        return {
            "metric": self.metric,
            "questions": self.gain.n,
            "present": _payload(self.present),
            "chosen": _payload(self.chosen),
            "worthwhile": self.is_worthwhile,
            "gain": _gain(self.gain),
            "gain_on_the_same_questions": _gain(self.seen),
            "picks": [{**_payload(one), "folds": count} for one, count in self.picks.items()],
            "tried": [{**_payload(one), "mean": round(v, 4)} for one, v in self.means.items()],
        }


def grid(present: Setting, chunk_tokens: Sequence[int], *, reranker: bool) -> list[Setting]:
    """Return the settings to try, the present one first.

    Chunk sizes and weights are tried with one another; other numbers of candidates, and turning
    the reranker on or off, with the present chunk size only, as they depend on it little.

    Args:
        present: What is in force.
        chunk_tokens: Chunk sizes to try beside the present one.
        reranker: Whether there is one that could be turned on or off.
    """
    found = [present]
    for tokens in (present.chunk_tokens, *chunk_tokens):
        for weight in (present.lexical_weight, *WEIGHTS):
            found.append(_with(present, chunk_tokens=tokens, lexical_weight=weight))
            if tokens == present.chunk_tokens:
                found += [
                    _with(present, lexical_weight=weight, candidates=number)
                    for number in CANDIDATES
                ]
                if reranker:
                    found.append(_with(present, lexical_weight=weight, rerank=not present.rerank))
    return list(dict.fromkeys(found))


def tuned(values: Mapping[Setting, Sequence[float]], present: Setting, metric: str) -> Tuning:
    """Choose among settings.

    Args:
        values: Setting → value of each question, the same questions in the same order.
        present: The setting in force, one of them.
        metric: What the values are.

    Raises:
        InputError: There are fewer than ``FEWEST`` questions.
    """
    table = {setting: np.asarray(one, np.float64) for setting, one in values.items()}
    count = table[present].size
    if count < FEWEST:
        raise InputError("error.tune_few", number=count, fewest=FEWEST)
    held_out = np.empty(count)
    picks: Counter[Setting] = Counter()
    folds = dealt(count, _FOLDS)
    for fold in range(_FOLDS):
        choice = _best({one: scores[folds != fold] for one, scores in table.items()}, present)
        picks[choice] += 1
        held_out[folds == fold] = table[choice][folds == fold]
    chosen = _best(table, present)
    return Tuning(
        metric=metric,
        present=present,
        chosen=chosen,
        gain=paired(table[present].tolist(), held_out.tolist()),
        seen=paired(table[present].tolist(), table[chosen].tolist()),
        picks=dict(picks.most_common()),
        means={one: float(scores.mean()) for one, scores in table.items()},
    )


def _best(table: Values, present: Setting) -> Setting:
    """Return the best setting, or the present one where it is not beaten by a standard error.

    Of equals, the one that changes least, then the first in order.
    """

    def rank(one: Setting) -> tuple[float, int, Setting]:
        return -round(float(table[one].mean()), 9), len(one.changes(present)), one

    best = min(table, key=rank)
    change = table[best] - table[present]
    error = float(change.std(ddof=1)) / change.size**0.5
    return best if change.mean() > error else present


def _with(
    setting: Setting,
    *,
    chunk_tokens: int | None = None,
    lexical_weight: float | None = None,
    candidates: int | None = None,
    rerank: bool | None = None,
) -> Setting:
    return Setting(
        chunk_tokens=setting.chunk_tokens if chunk_tokens is None else chunk_tokens,
        lexical_weight=setting.lexical_weight if lexical_weight is None else lexical_weight,
        candidates=setting.candidates if candidates is None else candidates,
        rerank=setting.rerank if rerank is None else rerank,
    )


def _payload(setting: Setting) -> dict[str, object]:
    return {
        "chunk_tokens": setting.chunk_tokens,
        "lexical_weight": setting.lexical_weight,
        "candidates": setting.candidates,
        "rerank": setting.rerank,
    }


def _gain(one: Difference) -> dict[str, object]:
    return {
        "before": round(one.first, 4),
        "after": round(one.second, 4),
        "difference": round(one.difference, 4),
        "interval": [round(one.low, 4), round(one.high, 4)],
        "p": round(one.p, 5),
        "better": one.better,
        "worse": one.worse,
    }
