"""Tables of formats that are streams of paragraphs: cells and rows end at marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wenqu.readers.office.prose import Cell, Table, grid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.readers.office.prose import Part

__all__ = ["TableStack", "merged"]

_MAX_DEPTH = 20


@dataclass(slots=True)
class _Open:
    rows: list[list[Cell]] = field(default_factory=list)
    row: list[Cell] = field(default_factory=list)
    cell: list[Part] = field(default_factory=list)
    heads: int = 0


def _as_it_is(row: list[Cell]) -> list[Cell]:
    return row


class TableStack:
    """The tables that are open, each in a cell of the one before.

    Args:
        parts: Where parts outside of tables go, and tables when they end.
    """

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._open: list[_Open] = []

    def at(self, depth: int) -> list[Part]:
        """Return where parts at that depth go; deeper tables end, missing ones begin."""
        depth = min(max(depth, 0), _MAX_DEPTH)
        while len(self._open) > depth:
            self._end_table()
        while len(self._open) < depth:
            self._open.append(_Open())
        return self._open[-1].cell if self._open else self._parts

    def end_cell(self) -> None:
        """End the cell of the innermost table."""
        if self._open:
            table = self._open[-1]
            table.row.append(Cell(parts=table.cell))
            table.cell = []

    def end_row(
        self, finish: Callable[[list[Cell]], list[Cell]] = _as_it_is, *, head: bool = False
    ) -> None:
        """End the row of the innermost table.

        Args:
            finish: Applies merged cells.
            head: The row is repeated on each page.
        """
        if not self._open:
            return
        table = self._open[-1]
        if table.cell:  # a row whose last cell has no mark
            self.end_cell()
        if head and table.heads == len(table.rows):
            table.heads += 1
        table.rows.append(finish(table.row))
        table.row = []

    def close(self) -> None:
        """End all tables."""
        self.at(0)

    def _end_table(self) -> None:
        table = self._open[-1]
        if table.cell or table.row:
            self.end_row()
        self._open.pop()
        home = self._open[-1].cell if self._open else self._parts
        if all(len(row) <= 1 for row in table.rows):
            home.extend(part for row in table.rows for cell in row for part in cell.parts)
        else:
            home.append(Table(rows=grid(table.rows), heads=table.heads))


def merged(
    row: list[Cell], *, across: Sequence[bool], begins: Sequence[bool], goes_on: Sequence[bool]
) -> list[Cell]:
    """Return a row with its merged cells: ``across`` marks those that belong to the one before."""
    kept: list[Cell] = []
    for number, cell in enumerate(row):
        if number < len(across) and across[number] and kept:
            kept[-1].span += 1
            kept[-1].parts.extend(cell.parts)
            continue
        if number < len(begins):
            cell.begins, cell.goes_on = begins[number], goes_on[number]
        kept.append(cell)
    return kept
