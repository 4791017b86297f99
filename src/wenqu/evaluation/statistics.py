"""How sure a figure is: bootstrap intervals, and paired tests of two runs on the same questions.

Seeds are fixed, so that the same values always have the same interval.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval;
Smucker, Allan and Carterette, CIKM 2007, the randomisation test for paired runs; Wilson (1927).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = [
    "Difference",
    "Interval",
    "dealt",
    "interval",
    "intervals",
    "intervals_of",
    "paired",
    "quantile",
]

RESAMPLES = 10_000
"""Of a comparison: enough that p repeats to two digits with another seed."""
DRAWS = 2_000
"""Of an interval, of which a report has many."""
LEVEL = 0.95
_SEED = 20_240_229
_CELLS = 4_000_000  # random numbers that are held at once
_Z = 1.959_963_985  # of a normal distribution, for LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over ``n`` questions, and where it would lie in 95 of 100 such samples of them."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The second of two runs less the first, over the ``n`` questions that both answered.

    ``p`` is the probability of so large a difference, either way, if it made no difference which
    run a value came from. ``better`` and ``worse`` count questions.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    better: int
    worse: int


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of at least one value with its interval; see ``intervals``."""
    return intervals({"": values})[""]


def intervals(columns: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return the mean of each column of values with its interval.

    Values that are all alike tell a bootstrap nothing, however few they are; between 0 and 1 their
    interval is Wilson's then: ten hits of ten leave room down to .72.

    Args:
        columns: Name → one value a question; all of the same questions, at least one.
    """
    names = list(columns)
    table = np.array([columns[name] for name in names], np.float64).T
    means = table.mean(axis=0)
    low, high = _ends(_resampled(table, DRAWS))
    found = {}
    for at, name in enumerate(names):
        mean, ends = float(means[at]), (float(low[at]), float(high[at]))
        if (table[:, at] == table[0, at]).all() and 0 <= mean <= 1:
            ends = _wilson(mean, len(table))
        found[name] = Interval(mean=mean, low=ends[0], high=ends[1], n=len(table))
    return found


def intervals_of(
    figures: Callable[[NDArray[np.intp]], Mapping[str, float]],
    groups: Sequence[Sequence[int]],
    resamples: int = 300,
) -> dict[str, Interval]:
    """Return the intervals of what are no means, such as an F1: name → interval.

    Args:
        figures: The figures of the questions at these places, of which some come repeatedly.
        groups: Places of questions of one kind each, which are drawn anew among themselves, so
            that no sample lacks a kind.
        resamples: How often to draw.
    """
    random = np.random.default_rng(_SEED)
    kinds = [np.asarray(group, np.intp) for group in groups]
    drawn: dict[str, list[float]] = {}
    for _ in range(resamples):
        places = np.concatenate([random.choice(kind, kind.size) for kind in kinds])
        for name, value in figures(places).items():
            drawn.setdefault(name, []).append(value)
    every = np.concatenate(kinds)
    found = {}
    for name, mean in figures(every).items():
        low, high = (float(end) for end in _ends(np.asarray(drawn[name])))
        if low == high and 0 <= mean <= 1:
            low, high = _wilson(mean, every.size)
        found[name] = Interval(mean=mean, low=low, high=high, n=every.size)
    return found


def paired(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare two runs, value by value of the same questions in the same order; at least one."""
    before, after = np.asarray(first, np.float64), np.asarray(second, np.float64)
    change = after - before
    low, high = _ends(_resampled(change[:, None], RESAMPLES))[:, 0]
    return Difference(
        first=float(before.mean()),
        second=float(after.mean()),
        difference=float(change.mean()),
        low=float(low),
        high=float(high),
        p=_randomised(change),
        n=change.size,
        better=int((change > 0).sum()),
        worse=int((change < 0).sum()),
    )


def dealt(count: int, folds: int) -> NDArray[np.intp]:
    """Return the fold of each of ``count`` questions: by chance but always the same, evenly."""

    def chance(at: int) -> bytes:
        return blake2b(f"fold\0{at}".encode(), digest_size=8).digest()

    found = np.empty(count, np.intp)
    found[sorted(range(count), key=chance)] = np.arange(count) % folds
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of at least one value are not above."""
    return float(np.quantile(np.asarray(values, np.float64), share))


def _resampled(table: Numbers, draws: int) -> Numbers:
    """Return the means of samples drawn anew from the rows, with repetition: (draws, columns)."""
    random = np.random.default_rng(_SEED)
    size = len(table)
    means = []
    for rows in _blocks(size, draws):
        drawn = random.integers(size, size=(rows, size)) + np.arange(rows)[:, None] * size
        times = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size)
        means.append(times.astype(np.float64) @ table / size)
    return np.concatenate(means)


def _randomised(change: Numbers) -> float:
    """Return p of a two-sided test that gives each difference a sign by chance."""
    moved = change[change != 0]
    if not moved.size:
        return 1.0
    random = np.random.default_rng(_SEED)
    seen = abs(moved.sum()) - 1e-12  # what is equal but for rounding counts as equal
    as_large = 0
    for rows in _blocks(moved.size, RESAMPLES):
        signs = random.integers(2, size=(rows, moved.size), dtype=np.int8) * 2 - 1
        as_large += int((np.abs(signs @ moved) >= seen).sum())
    # The assignment that was seen is one of those that may come: p is never 0.
    return (as_large + 1) / (RESAMPLES + 1)


def _blocks(width: int, rows: int) -> Iterator[int]:
    """Yield numbers of rows that make ``rows`` together, few enough to be held at once."""
    most = max(1, _CELLS // width)
    while rows:
        yield min(rows, most)
        rows -= min(rows, most)


def _ends(drawn: Numbers) -> Numbers:
    """Return the low and the high end of what was drawn, by column where there are some."""
    return np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def _wilson(share: float, n: int) -> tuple[float, float]:
    spread = _Z * (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5
    middle, scale = share + _Z**2 / (2 * n), 1 + _Z**2 / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
