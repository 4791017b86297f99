"""The tables of reStructuredText as Markdown: grid, simple, and those that directives make."""

from __future__ import annotations

import csv
import re
import unicodedata
from typing import TYPE_CHECKING

from wenqu.readers.builder import join_lines, only_text, table_row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["csv_table", "grid_table", "is_simple_table", "list_table", "simple_table"]

_RULE = re.compile(r"=+(?:[ ]+=+)+\s*\Z")
_SUBSTITUTION = re.compile(r"(?<=\s)\|[\w-]+\|(?=\s)")
_ITEM = re.compile(r"(?:\*\s+)?-(?:\s+|\Z)")
_FILLER = "\0"  # the second column of a wide character


def grid_table(lines: Sequence[str]) -> str:
    """Return a table drawn with ``+---+``; a cell may have several lines."""
    rows: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("+"):
            if rows[-1]:
                rows.append([])
            continue
        cells = _SUBSTITUTION.sub("", line).strip().removeprefix("|").removesuffix("|").split("|")
        _extend(rows[-1], cells)
    return _markdown(rows)


def is_simple_table(lines: Sequence[str]) -> bool:
    """Say whether lines are a table between rules of ``===  ===``."""
    return len(lines) > 2 and bool(_RULE.match(lines[0]) and _RULE.match(lines[-1]))  # noqa: PLR2004


def simple_table(lines: Sequence[str]) -> str:
    """Return a table whose columns stand below its rules; a row without its first goes on."""
    starts = [found.start() for found in re.finditer(r"=+", lines[0])]
    ends = [*starts[1:], None]
    rows: list[list[str]] = []
    for line in lines:
        if _RULE.match(line) or not line.strip():
            continue
        wide = "".join(
            character + _FILLER * (unicodedata.east_asian_width(character) in "WF")
            for character in line
        )
        cells = [
            wide[start:end].replace(_FILLER, "").strip()
            for start, end in zip(starts, ends, strict=True)
        ]
        if rows and not cells[0]:
            _extend(rows[-1], cells)
        else:
            rows.append(cells)
    return _markdown(rows)


def csv_table(lines: Sequence[str], header: str) -> str:
    """Return the table of a ``csv-table`` directive; ``header`` is its option, or empty."""
    text = [header, *lines] if header else list(lines)
    return _markdown(
        [[cell.strip() for cell in row] for row in csv.reader(text, skipinitialspace=True)]
    )


def list_table(lines: Sequence[str]) -> str:
    """Return the table of a ``list-table`` directive: lists of cells in a list of rows."""
    rows: list[list[str]] = []
    for line in lines:
        text = line.strip()
        found = _ITEM.match(text)
        if found and text.startswith("*"):
            rows.append([text[found.end() :]])
        elif found and rows:
            rows[-1].append(text[found.end() :])
        elif text and rows:
            rows[-1][-1] = join_lines(f"{rows[-1][-1]}\n{text}")
    return _markdown(rows)


def _extend(row: list[str], cells: Sequence[str]) -> None:
    row.extend([""] * (len(cells) - len(row)))
    for at, cell in enumerate(cells):
        row[at] = join_lines(f"{row[at]}\n{cell.strip()}")


def _markdown(rows: Sequence[list[str]]) -> str:
    filled = [row for row in rows if any(map(only_text, row))] or [[""]]
    width = max(map(len, filled))
    head, *body = [row + [""] * (width - len(row)) for row in filled]
    return "\n".join([table_row(head), table_row(["---"] * width), *map(table_row, body)])
