"""Pages that were drawn, or recognised, row by row across their columns.

Such a page shows by its rows: many of them have a wide gap at the same place, with running text on
both sides. Its rows are cut there, and read band by band: what crosses the gap parts the bands, and
in a band the columns are read one after the other. A table has such gaps too, but short cells.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.readers.pages.layout_rows import Line

__all__ = ["columns"]

_LEAST_ROWS = 4
_LEAST_SHARE = 0.4  # of the rows in the band that a gap runs through
_PROSE = 10  # in font sizes: half of the pieces in a column of text are at least so wide
_FILLED = 0.55  # of the column's width
_DEPTH = 4


def columns(rows: Sequence[Line]) -> list[Line]:
    """Return the rows, cut and ordered by columns where they run across such."""
    gapped = [row for row in rows if row.stops]
    if len(gapped) < _LEAST_ROWS:
        return list(rows)
    gap = _gap(gapped)
    if gap is None:
        return list(rows)
    return _ordered([part for row in rows for part in _parts(row)], _DEPTH)


def _gap(gapped: Sequence[Line]) -> float | None:
    """Return the place of a gap between two columns of running text, or None."""
    spaces = [
        (one[1], other[0], row)
        for row in gapped
        for one, other in zip(row.stops, row.stops[1:], strict=False)
        if one[1] < other[0]
    ]
    if not spaces:
        return None
    best = max(((right + left) / 2 for right, left, _ in spaces), key=lambda at: _votes(spaces, at))
    voters = [row for right, left, row in spaces if right < best < left]
    top, bottom = min(row.top for row in voters), max(row.bottom for row in voters)
    through = [row for row in gapped if row.bottom > top and row.top < bottom]
    enough = len(voters) >= max(_LEAST_ROWS, len(through) * _LEAST_SHARE)
    return best if enough and _both_prose(voters, best) else None


def _votes(spaces: Sequence[tuple[float, float, Line]], at: float) -> int:
    return sum(right < at < left for right, left, _ in spaces)


def _both_prose(voters: Sequence[Line], at: float) -> bool:
    lefts = [part for row in voters for part in row.stops if part[1] <= at]
    rights = [part for row in voters for part in row.stops if part[0] >= at]
    size = median(row.size for row in voters)
    for side in (lefts, rights):
        width = max(right for _, right in side) - min(left for left, _ in side)
        middle = median(right - left for left, right in side)
        if middle < max(_PROSE * size, _FILLED * width):
            # Three columns: each side of the gap may be two of them.
            narrow = len(side) > len(voters) and middle >= _PROSE * size * 0.8
            if not narrow:
                return False
    return True


def _parts(row: Line) -> list[Line]:
    if not row.stops:
        return [row]
    return [
        row._replace(text=text, left=left, right=right, stops=())
        for text, (left, right) in zip(row.text.split("\t"), row.stops, strict=False)
    ]


def _ordered(parts: list[Line], depth: int) -> list[Line]:
    """Order the pieces of a region: band by band, and column by column in a band."""
    at = _gutter(parts) if depth else None
    if at is None:
        return sorted(parts, key=lambda part: (part.top + part.bottom, part.left))
    ordered: list[Line] = []
    band: list[Line] = []
    for part in sorted(parts, key=lambda part: part.top):
        if part.left < at < part.right:
            ordered += _band(band, at, depth)
            ordered.append(part)
            band = []
        else:
            band.append(part)
    return ordered + _band(band, at, depth)


def _band(band: list[Line], at: float, depth: int) -> list[Line]:
    left = [part for part in band if part.right <= at]
    right = [part for part in band if part.right > at]
    return _ordered(left, depth - 1) + _ordered(right, depth - 1)


def _gutter(parts: Sequence[Line]) -> float | None:
    """Return the place that the fewest pieces cross, with enough of them on either side."""
    if len(parts) < 2 * _LEAST_ROWS:
        return None
    begin, end = min(part.left for part in parts), max(part.right for part in parts)
    places = sorted({part.left for part in parts if part.left > begin + (end - begin) * 0.15})
    best: tuple[int, float] | None = None
    for place in places:
        at = place - 0.5
        left = sum(part.right <= at for part in parts)
        crossing = sum(part.left < at < part.right for part in parts)
        right = len(parts) - left - crossing
        if min(left, right) < _LEAST_ROWS or crossing * 3 > left + right:
            continue
        if best is None or crossing < best[0]:
            best = (crossing, at)
    return best[1] if best else None
