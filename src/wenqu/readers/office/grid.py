"""Rows of a sheet to blocks: titles as paragraphs, each table as one Markdown table.

A sheet is a plane on which people put several things. An empty row parts them, unless what comes
after it goes on below the same header; rows of one cell above a table are its title, long ones
below it are notes. A cell that is merged over rows, or below a header over columns, repeats its
text in each, so that each row says all by itself; a header of several rows becomes one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import collapse
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wenqu.protocols import ReadOptions
    from wenqu.readers.builder import DocumentBuilder

__all__ = ["Grid", "Merge", "add_table", "is_head", "table_line"]

Merge = tuple[int, int, int, int]
"""First row, last row, first column, last column: all count from 0, the last ones included."""

_Rows = list[list[str]]

_NUMBER = re.compile(
    r"\A[-+(]?[\d.,:/%¥￥$€£ ()-]*\d[\d.,:/%¥￥$€£ ()年月日时分秒元-]*(?:[eE][-+]?\d+)?\Z"
)
_PERIOD = re.compile(r"\A(?:(?:19|20)\d\d年?|(?:0?[1-9]|1[0-2])月|Q[1-4])\Z")
_MAX_NAME = 80
_REPEATED = 80  # characters of a merged cell that is said again in each of its rows
_NOTE = 20  # characters of a lone cell below a table that is a note, not a row
_HEADER_ROWS = 4
_MAX_BESIDE = 8
_MAX_MERGES = 20_000
_MAX_REPEATED_ROWS = 5000
_CELL_COST = 3  # a bar and two spaces
_LARGE, _SPARSE = 1_000_000, 0.05  # cells of a table, and the share of them with text


@dataclass(slots=True)
class _Table:
    columns: tuple[int, ...]
    rows: _Rows


class Grid:
    """Collects the cells of one sheet, then adds them as blocks.

    Args:
        source: Named by the error.
        options: Says how many characters are allowed. They are counted as cells come, so that a
            sheet with too many ends early.
    """

    def __init__(self, source: str = "", options: ReadOptions = DEFAULT_OPTIONS) -> None:
        self._source = source
        self._limit = options.max_characters
        self._size = 0
        self._rows: dict[int, dict[int, str]] = {}
        self._across: dict[int, list[tuple[int, int, str]]] = {}

    def put(self, row: int, column: int, text: str) -> None:
        """Put the text of a cell; rows and columns count from 0.

        Raises:
            ReadError: There is more text than allowed.
        """
        text = " ".join(text.split())
        if not text:
            return
        self._size += len(text) + _CELL_COST
        if self._size > self._limit:
            raise ReadError("read.too_long", source=self._source, limit=self._limit)
        self._rows.setdefault(row, {})[column] = text

    def append(self, row: int, column: int, text: str) -> None:
        """Put more into a cell, unless it says so already."""
        before = self._rows.get(row, {}).get(column, "")
        if text not in before:
            self.put(row, column, f"{before} {text}")

    @property
    def empty(self) -> bool:
        """Whether no cell has text."""
        return not self._rows

    def add_to(
        self, builder: DocumentBuilder, merges: Sequence[Merge] = (), *, page: int | None = None
    ) -> None:
        """Add what was put, in reading order."""
        several = [(a, b, c, d) for a, b, c, d in merges[:_MAX_MERGES] if (a, c) != (b, d)]
        self._repeat_down(several)
        self._note_across(several)
        table: _Table | None = None
        for region, columns, joins in self._parts(several):
            cells = self._cells(region, columns)
            if joins and table is not None and _continues(table, columns, cells):
                table.rows += self._below(table.rows[0], region, table.columns)
                continue
            _add(builder, table, page)
            titles = _title_rows(cells)
            for row in cells[:titles]:
                builder.add(" ".join(filter(None, row)), page=page)
            table = _Table(columns, self._headed(region[titles:], columns, several))
        _add(builder, table, page)

    def _parts(self, merges: Sequence[Merge]) -> Iterator[tuple[list[int], tuple[int, ...], bool]]:
        """Yield the rows and columns of each part of the sheet, and whether it may join others."""
        for rows in _regions(sorted(self._rows), merges):
            if self._is_sparse(rows):
                for columns, alike in groupby(rows, lambda row: tuple(sorted(self._rows[row]))):
                    yield list(alike), columns, False
                continue
            beside = self._beside(rows, merges)
            for run in beside:
                own = [row for row in rows if not run.isdisjoint(self._rows[row])]
                yield (own if len(beside) > 1 else rows), tuple(sorted(run)), True

    def _is_sparse(self, rows: Sequence[int]) -> bool:
        """Say whether a table of these rows would be large, and hardly anything but bars.

        One row may reach to the last column and one column to the last row.
        """
        cells = len(rows) * len({column for row in rows for column in self._rows[row]})
        return cells > _LARGE and sum(len(self._rows[row]) for row in rows) < cells * _SPARSE

    def _beside(self, rows: Sequence[int], merges: Sequence[Merge]) -> list[set[int]]:
        """Return the columns of tables that stand side by side: each has a header of its own."""
        runs: list[set[int]] = []
        for column in sorted({column for row in rows for column in self._rows[row]}):
            if runs and column - 1 in runs[-1]:
                runs[-1].add(column)
            else:
                runs.append({column})
        whole: set[int] = set().union(*runs)
        heads: list[tuple[int, list[str]]] = []
        for run in runs if len(runs) <= _MAX_BESIDE else []:
            top = next(row for row in rows if not run.isdisjoint(self._rows[row]))
            covered = {
                column
                for first, last, left, right in merges
                if first <= top <= last
                for column in range(left + 1, min(right, max(run)) + 1)
            }
            names = [self._rows[top].get(column, "") for column in sorted(run - covered)]
            if len(names) < 2 or not all(names) or not is_head(names):  # noqa: PLR2004  # no table
                return [whole]
            heads.append((top, names))
        tops = {top for top, _ in heads}
        named = [name for _, names in heads for name in names]
        return runs if len(tops) > 1 or len(set(named)) < len(named) else [whole]

    def _headed(
        self, rows: Sequence[int], columns: Sequence[int], merges: Sequence[Merge]
    ) -> _Rows:
        own = [merge for merge in merges if columns[0] <= merge[2] <= columns[-1]]
        cells = self._cells(rows, columns)
        depth = _header_depth(rows, cells, own)
        # A header of one row stands as it is.
        head = cells[0] if depth < 2 else self._joined(rows[0], depth, columns, own)  # noqa: PLR2004
        return [head, *self._below(head, rows[depth:], columns)]

    def _below(self, head: Sequence[str], rows: Sequence[int], columns: Sequence[int]) -> _Rows:
        """Return the rows below a header; what is merged there holds for each of its columns.

        Not what begins in the first column: that names the row, or a part of the table. Without a
        header columns mean nothing.
        """
        cells = self._cells(rows, columns)
        if not is_head(head):
            return cells
        for row, line in zip(rows, cells, strict=True):
            for left, right, text in self._across.get(row, ()):
                if left > columns[0] and len(self._rows[row]) > 1:
                    for at in range(bisect_right(columns, left), bisect_right(columns, right)):
                        line[at] = line[at] or text
        return cells

    def _cells(self, rows: Sequence[int], columns: Sequence[int]) -> _Rows:
        return [[self._rows[row].get(column, "") for column in columns] for row in rows]

    def _repeat_down(self, merges: Sequence[Merge]) -> None:
        for top, bottom, left, _ in merges:
            text = self._rows.get(top, {}).get(left, "")
            if not text or len(text) > _REPEATED:
                continue
            for row in range(top + 1, min(bottom, top + _MAX_REPEATED_ROWS) + 1):
                # A row that holds nothing else is no row.
                if row in self._rows and left not in self._rows[row]:
                    self.put(row, left, text)

    def _note_across(self, merges: Sequence[Merge]) -> None:
        for top, bottom, left, right in merges:
            text = self._rows.get(top, {}).get(left, "")
            if left < right and 0 < len(text) <= _REPEATED:
                for row in range(top, min(bottom, top + _MAX_REPEATED_ROWS) + 1):
                    if row in self._rows:
                        self._across.setdefault(row, []).append((left, right, text))

    def _joined(
        self, top: int, depth: int, columns: Sequence[int], merges: Sequence[Merge]
    ) -> list[str]:
        """Return one row that names each column by all the header rows above it."""
        names: dict[int, list[str]] = {column: [] for column in columns}
        for row in range(top, top + depth):
            cells = self._rows.get(row, {})
            texts = dict(cells)
            for first_row, last_row, left, right in merges:
                if first_row <= row <= last_row and left in cells:
                    texts |= dict.fromkeys(range(left, min(right, columns[-1]) + 1), cells[left])
            for column in columns:
                text = texts.get(column, "")
                if text and text not in names[column]:
                    names[column].append(text)
        return [" ".join(names[column]) for column in columns]


def add_table(
    builder: DocumentBuilder,
    rows: Sequence[Sequence[str]],
    *,
    page: int | None = None,
    header: bool = False,
) -> None:
    """Add rows as one Markdown table; a single row or a single column as lines of text.

    Columns without text are dropped. Where the first row names no columns, and is not said to be
    the ``header``, the header is empty.
    """
    tidy = [list(map(collapse, row)) for row in rows]
    width = max(map(len, tidy), default=0)
    _add_cells(
        builder, [row + [""] * (width - len(row)) for row in tidy if any(row)], page, header=header
    )


def table_line(cells: Iterable[str]) -> str:
    """Write cells without line ends as a row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _add_cells(
    builder: DocumentBuilder, rows: _Rows, page: int | None, *, header: bool = False
) -> None:
    used = [at for at in range(len(rows[0])) if any(row[at] for row in rows)] if rows else []
    if len(used) < 2 or len(rows) < 2:  # noqa: PLR2004  # no table
        builder.add("\n".join(" | ".join(filter(None, row)) for row in rows), page=page)
        return
    if not header and not is_head([rows[0][at] for at in used]):
        rows = [[""] * len(rows[0]), *rows]
    take = itemgetter(*used)
    lines = [table_line(take(row)) for row in rows]
    lines.insert(1, table_line(["---"] * len(used)))
    builder.add("\n".join(lines), BlockKind.TABLE, page=page)


def is_head(names: Sequence[str]) -> bool:
    """Say whether a row names columns: short, distinct, for most columns, and no numbers.

    Years, months and quarters may name columns to the right of a name in words.
    """
    filled = [name for name in names if name]
    if not filled or len(filled) * 2 < len(names) or len(set(filled)) < len(filled):
        return False
    words = [name for name in filled if not _NUMBER.match(name)]
    periods = sum(1 for name in filled if _PERIOD.match(name) and name not in words)
    if max(map(len, filled)) > _MAX_NAME or len(words) + periods < len(filled):
        return False
    return bool(words) or (not names[0] and periods > 1)


def _regions(rows: Sequence[int], merges: Sequence[Merge]) -> list[list[int]]:
    """Part rows where there is an empty row that no merged cell reaches over."""
    bridged = {
        row
        for top, bottom, _, _ in merges
        for row in range(top + 1, min(bottom, top + _MAX_REPEATED_ROWS) + 1)
    }
    regions: list[list[int]] = []
    for row in rows:
        before = regions[-1][-1] if regions else row
        if regions and all(between in bridged for between in range(before + 1, row)):
            regions[-1].append(row)
        else:
            regions.append([row])
    return regions


def _continues(table: _Table, columns: tuple[int, ...], cells: _Rows) -> bool:
    """Say whether rows below an empty row belong to the table above it.

    They do when they keep to its columns and begin neither with a title nor with a header.
    """
    if len(table.columns) < 2:  # noqa: PLR2004  # no table
        return False
    if len(table.rows) == 1 and not is_head(table.rows[0]):
        return False
    if not set(columns) <= set(table.columns):
        return False
    return len(columns) > 1 and not _title_rows(cells) and not is_head(cells[0])


def _title_rows(cells: _Rows) -> int:
    """Return how many rows of one cell stand above a table."""
    count = 0
    while count < len(cells) - 1 and len(cells[0]) > 1 and sum(map(bool, cells[count])) == 1:
        count += 1
    return count


def _header_depth(rows: Sequence[int], cells: _Rows, merges: Sequence[Merge]) -> int:
    """Return how many rows the header has: several where cells in its first are merged across."""
    across = [merge for merge in merges if rows and merge[0] == rows[0] and merge[2] < merge[3]]
    if not across:
        return 1
    deepest = max(bottom - top + 1 for top, bottom, _, _ in merges if top == rows[0])
    depth = max(deepest, 2)
    if depth > _HEADER_ROWS or depth >= len(cells):
        return 1
    below = [cell for row in cells[1:depth] for cell in row if cell and not _PERIOD.match(cell)]
    return 1 if any(map(_NUMBER.match, below)) else depth


def _add(builder: DocumentBuilder, table: _Table | None, page: int | None) -> None:
    if table is None:
        return
    end = len(table.rows)
    while end > 2 and _is_note(table.rows[end - 1]):  # noqa: PLR2004  # header and a row
        end -= 1
    _add_cells(builder, table.rows[:end], page)
    for row in table.rows[end:]:
        builder.add(" ".join(filter(None, row)), page=page)


def _is_note(row: Sequence[str]) -> bool:
    filled = [cell for cell in row if cell]
    return len(row) > 1 and len(filled) == 1 and len(filled[0]) > _NOTE
