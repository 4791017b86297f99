"""OpenDocument spreadsheets (ODS): each sheet a section, each of its tables one Markdown table.

The file holds what each cell shows, so nothing needs to be formatted; dates in digits are written
as ISO 8601, as in the other spreadsheets.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, file_stem
from wenqu.readers.office.grid import Grid
from wenqu.readers.office.odf import OpenPackage, lines, said
from wenqu.readers.office.ooxml import local, pieces
from wenqu.readers.office.package import attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.office.grid import Merge
    from wenqu.types import Document

__all__ = ["OpenSpreadsheetReader"]

_CONTENT = "content.xml"
_DIGITS = re.compile(r"[\d\s/.:,-]+")
_MAX_REPEATS = 2000  # of a row or a cell with text; without text they cost nothing
_ROWS_BETWEEN_SIGNS = 10_000


class OpenSpreadsheetReader:
    """Reads ODS."""

    name = "ods/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what says that it is a spreadsheet."""
        return sample.container == "ods"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the workbook, sheet by sheet.

        Raises:
            ReadError: It is damaged, encrypted, empty or too long.
        """
        package = OpenPackage(data, source, options)
        builder = DocumentBuilder(source, "ods", options)
        sheet = _Sheet(source, options)
        rows = 0
        for element, ends in _parts(package):
            kind = local(element)
            if kind == "table" and not ends:
                sheet.name = attribute(element, "name") or ""
            elif kind == "table":
                sheet.add_to(builder)
                sheet = _Sheet(source, options)
            elif kind == "table-row" and ends:
                sheet.row(element)
                rows += 1
                if rows % _ROWS_BETWEEN_SIGNS == 0:
                    options.alive()
            elif kind == "shapes" and ends:
                sheet.floating += lines(element)
        sheet.add_to(builder)  # what there is of a sheet that is cut off
        return package.finish(builder, source, file_stem(source))


class _Sheet:
    """One sheet as its rows come."""

    def __init__(self, source: str, options: ReadOptions) -> None:
        self.name = ""
        self.floating: list[str] = []
        self._grid = Grid(source, options)
        self._merges: list[Merge] = []
        self._comments: list[str] = []
        self._row = 0

    def row(self, element: _Element) -> None:
        """Put a row, as often as it is repeated."""
        cells: list[tuple[int, str]] = []
        column = 0
        for cell in element:
            if local(cell) not in {"table-cell", "covered-table-cell"}:
                continue
            repeats = _count(cell, "number-columns-repeated")
            text = _text(cell) if local(cell) == "table-cell" and len(cell) else ""
            if text:
                cells += [(at, text) for at in range(column, column + min(repeats, _MAX_REPEATS))]
                self._merge(cell, column)
            self._comments += [" ".join(lines_of) for lines_of in _annotations(cell)]
            column += repeats
        repeats = _count(element, "number-rows-repeated")
        for at in range(min(repeats, _MAX_REPEATS) if cells else 0):
            for place, text in cells:
                self._grid.put(self._row + at, place, text)
        self._row += repeats

    def add_to(self, builder: DocumentBuilder) -> None:
        """Add the sheet, if there is anything on it."""
        if self._grid.empty and not self._comments and not self.floating:
            return
        builder.heading(self.name, 1)
        self._grid.add_to(builder, self._merges)
        builder.add("\n".join(filter(None, self._comments)))
        for text in self.floating:
            builder.add(text)

    def _merge(self, cell: _Element, column: int) -> None:
        down = _count(cell, "number-rows-spanned")
        across = _count(cell, "number-columns-spanned")
        if down > 1 or across > 1:
            self._merges.append((self._row, self._row + down - 1, column, column + across - 1))


def _parts(package: OpenPackage) -> Iterator[tuple[_Element, bool]]:
    """Yield sheets, rows and drawings as they begin and end."""
    stream = package.stream(_CONTENT)
    if stream is None:
        package.lose(_CONTENT)
        return
    with stream:
        names = ("table", "table-row", "shapes")
        yield from pieces(stream, names, partial(package.lose, _CONTENT), begins=True)


def _text(cell: _Element) -> str:
    text = " ".join(filter(None, (said(part) for part in cell if local(part) in {"p", "h"})))
    value = attribute(cell, "date-value")
    if value and _DIGITS.fullmatch(text):
        return value.replace("T", " ").removesuffix(" 00:00:00")
    return text


def _annotations(cell: _Element) -> Iterator[list[str]]:
    for part in cell:
        if local(part) == "annotation":
            yield [said(line) for line in part if local(line) == "p"]


def _count(element: _Element, name: str) -> int:
    text = attribute(element, name) or "1"
    return max(int(text), 1) if text.isdecimal() and len(text) < 9 else 1  # noqa: PLR2004
