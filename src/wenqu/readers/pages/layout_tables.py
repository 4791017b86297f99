"""Tables that have no rules: told from cells that stand below one another.

A false table is worse than none, so rows that do not agree on their columns stay lines of text.
"""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING

from wenqu.readers.builder import join_lines, table_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.readers.pages.layout_rows import Line, Stops

    Interval = tuple[float, float]

__all__ = ["aligned_table", "markdown"]

_LEAST_ROWS = 2
_FILLED = 0.6  # of all cells
_NEAR = 4.0  # in font sizes: between a head at the left of a column and its cells at the right
_LONG_CELL = 40  # characters; columns of running text are no table
_CONTENTS = re.compile(
    r"(?:[.·…．]\s*){4,}"
)  # what leads to the page number in a table of contents


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Write rows of equal length as a Markdown table whose head is the first."""
    head, *others = table
    return "\n".join((table_row(head), "|" + " --- |" * len(head), *map(table_row, others)))


def aligned_table(group: Sequence[Line]) -> tuple[str, Stops] | None:
    """Return the rows as a table in Markdown where their cells make columns without doubt.

    With it come the left and right ends of its columns.
    """
    gapped = [row for row in group if row.stops]
    if len(gapped) < _LEAST_ROWS or len(gapped) * 2 < len(group):
        return None
    if any(_CONTENTS.search(row.text) for row in gapped):
        return None
    spans = _columns(gapped)
    if len(spans) < 2:  # noqa: PLR2004
        return None
    table: list[list[str]] = []
    for at, row in enumerate(group):
        cells = _cells(row, spans)
        if cells is None:
            return None
        if at and not cells[0] and _goes_on(group[at - 1], row, cells):
            table[-1] = [
                join_lines(f"{above}\n{cell}") for above, cell in zip(table[-1], cells, strict=True)
            ]
        else:
            table.append(cells)
    return (markdown(table), tuple(spans)) if _sure(table) else None


def _columns(gapped: Sequence[Line]) -> list[Interval]:
    """Return the intervals that the cells of all rows cover together, from the left."""
    spans: list[Interval] = []
    for left, right in sorted(stop for row in gapped for stop in row.stops):
        if spans and left < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], right))
        else:
            spans.append((left, right))
    return _merged(spans, gapped)


def _merged(spans: list[Interval], gapped: Sequence[Line]) -> list[Interval]:
    """Put neighbours together that never have a cell each: a head at the left of its numbers."""
    at = 0
    while at + 1 < len(spans):
        one, other = spans[at : at + 2]
        near = other[0] - one[1] < _NEAR * gapped[0].size
        if near and not any(_has(row, one) and _has(row, other) for row in gapped):
            spans[at : at + 2] = [(one[0], other[1])]
        else:
            at += 1
    return spans


def _has(row: Line, span: Interval) -> bool:
    return any(left < span[1] and span[0] < right for left, right in row.stops)


def _cells(row: Line, spans: Sequence[Interval]) -> list[str] | None:
    """Return the row's text by columns; None where two cells are in one, or one is in two."""
    cells = [""] * len(spans)
    stops = row.stops or ((row.left, row.right),)
    for text, (left, right) in zip(row.text.split("\t"), stops, strict=False):
        found = [at for at, span in enumerate(spans) if left < span[1] and span[0] < right]
        if len(found) != 1 or cells[found[0]]:
            return None
        cells[found[0]] = text.strip()
    return cells


def _goes_on(above: Line, row: Line, cells: Sequence[str]) -> bool:
    """Say whether a row is the second line of cells above it: close, and its first cell empty."""
    return row.top - above.bottom < row.size * 0.5 and sum(map(bool, cells)) < len(cells)


def _sure(table: Sequence[Sequence[str]]) -> bool:
    filled = [cell for row in table for cell in row if cell]
    if len(table) < _LEAST_ROWS or len(filled) < _FILLED * len(table) * len(table[0]):
        return False
    return median(map(len, filled)) <= _LONG_CELL
