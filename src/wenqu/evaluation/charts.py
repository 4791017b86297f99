"""Charts of a report beside line charts: means with their intervals, and histograms, as SVG.

Colours are classes (``s0`` … ``s5``, ``ink``, ``soft``, ``grid``), so that the page's style decides
them, in the light and in the dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.evaluation.statistics import Interval

__all__ = ["Row", "histogram", "interval_chart"]

_WIDTH = 720
_LABELS = 190  # room for the names of rows
_RIGHT = 24
_TOP, _BOTTOM = 44, 30
_LINE = 15  # height of one interval
_GAP = 12  # between rows
_BINS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A named row of intervals: one a series, in the same order in every row; None leaves it out.

    All lie between 0 and 1.
    """

    name: str
    intervals: Sequence[Interval | None]


def interval_chart(rows: Sequence[Row], series: Sequence[str], title: str) -> str:
    """Return dots with whiskers, a group a row, as an ``<svg>`` element.

    The axis begins at the tenth below the lowest whisker: differences are what is looked for.
    """
    lows = [one.low for row in rows for one in row.intervals if one is not None]
    first = max(0.0, int(min(lows, default=0.0) * 10) / 10)
    heights = [len(row.intervals) * _LINE + _GAP for row in rows]
    height = _TOP + sum(heights) + _BOTTOM + 20
    shapes = [*_axis(first, height), *_legend(series)]
    y = _TOP + 20.0
    for row, tall in zip(rows, heights, strict=True):
        shapes.extend(_row(row, y, first))
        y += tall
    return _svg(height, title, shapes)


def histogram(values: Sequence[float], title: str, unit: str) -> str:
    """Return how often values of each size come, up to the 99th percentile, as ``<svg>``."""
    ordered = sorted(values)
    most = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] or 1.0
    counts = [0] * _BINS
    for value in ordered:
        counts[min(_BINS - 1, int(value / most * _BINS))] += 1
    height = 220
    left, bottom, wide = 48, height - 40, (_WIDTH - 48 - _RIGHT) / _BINS
    scale = (bottom - _TOP) / (max(counts) or 1)
    shapes = [
        f'<rect class="s0" x="{left + at * wide:.1f}" y="{bottom - count * scale:.1f}"'
        f' width="{wide - 1:.1f}" height="{count * scale:.1f}"><title>'
        f"{most * at / _BINS:.0f}–{most * (at + 1) / _BINS:.0f} {escape(unit)}: {count}"
        "</title></rect>"
        for at, count in enumerate(counts)
    ]
    for part in range(5):
        x = left + (_WIDTH - left - _RIGHT) * part / 4
        shapes.append(_text(x, bottom + 18, f"{most * part / 4:.0f}", "soft", "middle"))
    shapes.append(_text(_WIDTH - _RIGHT, height - 6, unit, "soft", "end"))
    return _svg(height, title, shapes)


def _svg(height: float, title: str, shapes: Sequence[str]) -> str:
    body = "\n".join(shapes)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" width="{_WIDTH}"'
        f' height="{height:.0f}"><title>{escape(title)}</title>\n'
        f"{_text(0, 20, title, 'ink head', 'start')}\n{body}\n</svg>"
    )


def _place(value: float, first: float) -> float:
    return _LABELS + (value - first) / (1 - first or 1) * (_WIDTH - _LABELS - _RIGHT)


def _axis(first: float, height: float) -> Iterator[str]:
    steps = round((1 - first) * 10)
    every = 1 if steps <= 5 else 2  # noqa: PLR2004  # at most some five numbers
    for step in range(0, steps + 1, every):
        value = first + step / 10
        x = _place(value, first)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        yield _text(x, height - 10, f"{value:.1f}", "soft", "middle")


def _legend(series: Sequence[str]) -> Iterator[str]:
    x = float(_LABELS)
    for at, name in enumerate(series):
        yield f'<circle class="s{at % 6}" cx="{x + 6:.1f}" cy="{_TOP - 8}" r="4"/>'
        yield _text(x + 16, _TOP - 4, name, "soft", "start")
        x += 36 + 8.0 * sum(1 if character.isascii() else 1.8 for character in name)


def _row(row: Row, y: float, first: float) -> Iterator[str]:
    middle = y + (len(row.intervals) - 1) * _LINE / 2
    yield _text(_LABELS - 12, middle + 4, row.name, "ink", "end")
    for at, one in enumerate(row.intervals):
        if one is None:
            continue
        here = y + at * _LINE
        low, high = _place(one.low, first), _place(one.high, first)
        yield (
            f'<line class="s{at % 6}" x1="{low:.1f}" x2="{high:.1f}" y1="{here:.1f}"'
            f' y2="{here:.1f}" stroke-width="2"/>'
        )
        yield (
            f'<circle class="s{at % 6}" cx="{_place(one.mean, first):.1f}" cy="{here:.1f}" r="4">'
            f"<title>{one.mean:.4f} [{one.low:.4f}, {one.high:.4f}]</title></circle>"
        )


def _text(x: float, y: float, said: str, kind: str, anchor: str) -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
    )
