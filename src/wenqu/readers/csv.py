"""CSV and TSV: each row becomes one line that can be understood alone.

A row of a Markdown table means nothing without its head, which is in another chunk for all but the
first rows. So a row is written with its column names, ``name: value; name: value``.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem, only_text
from wenqu.readers.encoding import decode, looks_binary
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.types import Document

__all__ = ["SUFFIXES", "CsvReader", "row_lines"]

SUFFIXES = frozenset({".csv", ".tsv", ".tab"})

_DELIMITERS = ",\t;|，"
_SNIFF_LINES = 50
_ROWS_A_BLOCK = 20
_FIELD_LIMIT = 1 << 24
_NUMBER = re.compile(r"\A[-+]?[\d.,:/%¥$€ -]*\d[\d.,:/%¥$€ -]*\Z")


class CsvReader:
    """Reads delimited tables: comma, tab, semicolon or bar, told from the rows themselves."""

    name = "csv/1"

    def accepts(self, name: str, head: bytes) -> bool:
        """Take known suffixes, where the bytes may be text."""
        return PurePath(name).suffix.lower() in SUFFIXES and not looks_binary(head)

    def read(self, data: bytes, source: str) -> Document:
        """Return the document: twenty rows a block, one line a row.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, or broken beyond reading.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "csv")
        builder.note("encoding", encoding)
        batch: list[str] = []
        rows = 0
        try:
            for line in row_lines(_rows(text)):
                batch.append(line)
                rows += 1
                if len(batch) == _ROWS_A_BLOCK:
                    builder.add("\n".join(batch), BlockKind.TABLE)
                    batch.clear()
        except csv.Error as error:
            raise ReadError("read.damaged", source=source, reason=str(error)) from error
        builder.add("\n".join(batch), BlockKind.TABLE)
        builder.note("rows", str(rows))
        return builder.build(title=file_stem(source))


def row_lines(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Yield one line a row, named by the head where there is one; empty cells are left out."""
    first = next(rows, None)
    second = next(rows, None)
    if first is None:
        return
    names = [collapse(cell) for cell in first]
    if second is None or not _is_head(names, second):
        yield _bare(first)
        if second is not None:
            yield _bare(second)
        yield from map(_bare, rows)
        return
    yield _named(names, second)
    for row in rows:
        yield _named(names, row)


def _rows(text: str) -> Iterator[list[str]]:
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        for row in reader:
            if any(only_text(cell) for cell in row):
                yield row
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first rows into the most equal columns."""
    sample = (
        text.splitlines()[:_SNIFF_LINES] if len(text) < _FIELD_LIMIT else text[:65536].splitlines()
    )
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=1)
        score = widths.count(usual) / len(widths) * min(usual, 8) if widths and usual > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _is_head(names: Sequence[str], second: Sequence[str]) -> bool:
    """Say whether ``names`` names columns: short, distinct, no numbers, and more than one."""
    filled = [name for name in names if name]
    if len(names) < 2 or len(filled) * 2 <= len(names) or len(set(filled)) < len(filled):  # noqa: PLR2004
        return False
    return not any(_NUMBER.match(name) or len(name) > 80 for name in filled) and len(second) > 1  # noqa: PLR2004


def _named(names: Sequence[str], row: Sequence[str]) -> str:
    pairs = []
    for at, cell in enumerate(row):
        value = collapse(cell)
        name = names[at] if at < len(names) else ""
        if value:
            pairs.append(f"{name}: {value}" if name else value)
    return "; ".join(pairs)


def _bare(row: Sequence[str]) -> str:
    return " | ".join(filter(None, map(collapse, row)))
