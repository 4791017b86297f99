"""Tables that go on over the foot of a page: one table, with its head once.

What goes on stays a block of its own, so that its rows keep their page and box; it only has no head
and no gap before it. Lengths are in points, from the page's top left corner.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.readers.builder import table_row
from wenqu.readers.pages.layout_groups import SAME_SIZE
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.readers.pages.layout import PageBlock
    from wenqu.readers.pages.layout_rows import Stops

__all__ = ["with_tables_joined"]

_UPPER, _LOWER = 0.35, 0.65  # of a page's height: where a table may begin again, and break off
_COUNTED = 0.8  # of a column's cells have digits: its head has none
_RULE_ROWS = 2  # the head and the line of dashes below it
_DIGIT = re.compile(r"\d")
_CELL_END = re.compile(r"(?<!\\)\|")
_CONTINUED = re.compile(
    r"\s*(?:续表|(?:.{0,60}[(（【\[]\s*)?(?:续表?|接上[页表]|continued|cont\.?|cont[’']d)\s*[)）】\]]?)"
    r"[\s\d.:：-]*",
    re.IGNORECASE,
)


def with_tables_joined(
    pages: Sequence[Sequence[PageBlock]], heights: Sequence[float]
) -> list[list[PageBlock]]:
    """Return the blocks, those that go on with a table of the page before marked as such.

    Such a block stands first on its page, but for words like “continued”, which go; its columns are
    those of the last block before; and it repeats the head or begins with rows like the ones above.
    A single row, which is no table by itself, is one of that table where its cells stand in its
    columns.

    Args:
        pages: The blocks of each page, in reading order.
        heights: Of the pages.
    """
    joined: list[list[PageBlock]] = []
    table: list[PageBlock] = []  # that may go on: its parts so far
    for page, height in zip(pages, heights, strict=True):
        blocks = list(page)
        at = _first(blocks)
        if table and at is not None and blocks[at].box.top < _UPPER * height:
            rows = _further_rows(table, blocks[at])
            if rows:
                part = blocks[at]._replace(
                    text="\n".join(rows),
                    kind=BlockKind.TABLE,
                    columns=(table[-1] if blocks[at].cells else blocks[at]).columns,
                    continues=True,
                )
                blocks[: at + 1] = [part]
                table = [*table, part]
        joined.append(blocks)
        last = blocks[-1] if blocks else None
        if last is None or last.kind is not BlockKind.TABLE or last.box.bottom < _LOWER * height:
            table = []
        elif not (last.continues and table):
            table = [last]
    return joined


def _first(blocks: Sequence[PageBlock]) -> int | None:
    """Return which block may go on with a table: the first, or the one after “continued”."""
    at = int(len(blocks) > 1 and _CONTINUED.fullmatch(blocks[0].text) is not None)
    return at if at < len(blocks) and blocks[at].columns else None


def _further_rows(table: Sequence[PageBlock], block: PageBlock) -> list[str]:
    """Return the rows with which a block goes on with a table; none where it does not."""
    columns = table[-1].columns
    if block.kind is not BlockKind.TABLE:
        row = _lone_row(columns, block) if _same_size(table[-1], block) else None
        said = [row for part in table for row in part.text.split("\n")]
        return [] if row is None or row == said[0] or _is_head(row, said[_RULE_ROWS:]) else [row]
    if len(columns) == len(block.columns) and all(map(_same_column, columns, block.columns)):
        return _rows_below_head(table, block)
    return []


def _lone_row(columns: Stops, block: PageBlock) -> str | None:
    """Return a block of one row as a row of these columns, if it fills more than half of them."""
    row = [""] * len(columns)
    for text, place in zip(block.cells, block.columns, strict=False):
        found = [at for at, column in enumerate(columns) if _same_column(column, place)]
        if len(found) != 1 or row[found[0]]:
            return None
        row[found[0]] = text
    return table_row(row) if sum(map(bool, row)) * 2 > len(row) else None


def _same_size(one: PageBlock, other: PageBlock) -> bool:
    return abs(one.size - other.size) <= one.size * SAME_SIZE


def _same_column(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Say whether the middle of one stands in the other."""
    return one[0] <= sum(other) / 2 <= one[1] or other[0] <= sum(one) / 2 <= other[1]


def _rows_below_head(table: Sequence[PageBlock], block: PageBlock) -> list[str]:
    """Return the rows of a block without the head that it repeats; none if it has its own."""
    known = table[0].text.split("\n")
    head, _, *rows = block.text.split("\n")
    if head == known[0]:
        # Further rows of the head hold no figures.
        for above in known[_RULE_ROWS:]:
            if len(rows) < 2 or rows[0] != above or _DIGIT.search(above):  # noqa: PLR2004
                break
            del rows[0]
        return rows
    said = [row for part in table for row in part.text.split("\n")][_RULE_ROWS:]
    return [] if _is_head(head, [*said, *rows]) else [head, *rows]


def _is_head(row: str, others: Sequence[str]) -> bool:
    """Say whether a row has only words where the others have figures."""
    table = [_cells(other) for other in others]
    counted = []
    for at, cell in enumerate(_cells(row)):
        column = [cells[at] for cells in table if at < len(cells) and cells[at]]
        if cell and column and _with_digits(column) >= _COUNTED * len(column):
            counted.append(cell)
    return bool(counted) and not _with_digits(counted)


def _with_digits(cells: Sequence[str]) -> int:
    return sum(_DIGIT.search(cell) is not None for cell in cells)


def _cells(row: str) -> list[str]:
    """Return the cells of a row of a Markdown table."""
    return [cell.strip() for cell in _CELL_END.split(row)[1:-1]]
