"""CSV and TSV: one Markdown table, its delimiter told from the rows themselves.

Rows are read twice, first to count columns, then to write each as a line of the table, so that a
file of many rows needs little more memory than its text.
"""

from __future__ import annotations

import csv
import io
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem, only_text
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.office.grid import is_head, table_line
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "CsvReader"]

SUFFIXES = frozenset({".csv", ".tsv", ".tab"})

_DELIMITERS = ",\t;|，"
_SNIFF_LINES = 50
_SNIFF_CHARACTERS = 65536
_COUNTED_COLUMNS = 8  # more columns make no delimiter likelier
_FIELD_LIMIT = 1 << 24
_MAX_COLUMNS = 16384
_SEPARATOR_LINE = "sep="


class CsvReader:
    """Reads delimited tables: comma, tab, semicolon or bar.

    Also takes what is called a workbook and is tab-delimited text, as many systems export it.
    """

    name = "csv/2"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, where the bytes may be text."""
        if sample.container or looks_binary(sample.head):
            return False
        suffix = PurePath(sample.name).suffix.lower()
        if suffix in {".xls", ".xlsx"}:
            first = sample.head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n")
            return not first.startswith(b"<") and b"\t" in first.partition(b"\n")[0]
        return suffix in SUFFIXES

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document: one table, or lines where there is one column only.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, too long, or broken beyond
                reading.
        """
        text, encoding = decode(data, source)
        builder = DocumentBuilder(source, "csv", options)
        builder.note("encoding", encoding)
        delimiter, text = _delimiter(text)
        try:
            columns = min(max(map(len, _rows(text, delimiter)), default=0), _MAX_COLUMNS)
            rows = _titled(builder, _rows(text, delimiter), columns)
            lines, count = _lines(rows, columns, source, options)
        except csv.Error as error:
            raise ReadError("read.damaged", source=source, reason=str(error)) from error
        builder.add("\n".join(lines), BlockKind.TABLE if columns > 1 else BlockKind.PARAGRAPH)
        builder.note("rows", str(count))
        return builder.build(title=file_stem(source))


def _titled(
    builder: DocumentBuilder, rows: Iterator[list[str]], columns: int
) -> Iterator[list[str]]:
    """Add the rows of one cell above a table, which are its title; return the others."""
    for row in rows:
        filled = [cell for cell in row if only_text(cell)]
        if columns < 2 or len(filled) > 1 or not only_text(row[0]):  # noqa: PLR2004
            return chain([row], rows)
        builder.add(collapse(row[0]))
    return rows


def _lines(
    rows: Iterator[list[str]], columns: int, source: str, options: ReadOptions
) -> tuple[list[str], int]:
    """Return the lines of the table, and how many rows of data there are.

    Where the first row names no columns, the header is empty.
    """
    lines: list[str] = []
    size = 0
    for row in rows:
        cells = [collapse(cell) for cell in row]
        if columns < 2:  # noqa: PLR2004  # no table
            lines.append(cells[0])
        else:
            if not lines and not is_head(cells):
                lines.append(table_line([""] * columns))
            lines.append(table_line(cells + [""] * (columns - len(cells))))
        size += len(lines[-1]) + 1
        # Before they are all there: the builder would say so too late for the memory.
        if size > options.max_characters:
            raise ReadError("read.too_long", source=source, limit=options.max_characters)
    if columns < 2 or not lines:  # noqa: PLR2004
        return lines, len(lines)
    lines.insert(1, table_line(["---"] * columns))
    return lines, len(lines) - 2


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(only_text(cell) for cell in row):
                yield row
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: str) -> tuple[str, str]:
    """Return the delimiter that cuts the first rows into the most equal columns, and the rows.

    A first line ``sep=;``, which Excel understands, settles it and is no row.
    """
    first, _, rest = text.partition("\n")
    told = first.strip().lower().removeprefix(_SEPARATOR_LINE)
    if first.lower().startswith(_SEPARATOR_LINE) and told in set(_DELIMITERS):
        return told, rest
    sample = text[:_SNIFF_CHARACTERS].splitlines()[:_SNIFF_LINES]
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=1)
        score = 0.0
        if widths and usual > 1:
            score = widths.count(usual) / len(widths) * min(usual, _COUNTED_COLUMNS)
        if score > best_score:
            best, best_score = delimiter, score
    return best, text
