"""OpenDocument spreadsheets (ODS): each sheet a section, each of its tables one Markdown table.

The file holds what each cell shows, so nothing needs to be formatted; dates in digits are written
as ISO 8601, as in the other spreadsheets.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem
from wenqu.readers.office.connections import bare
from wenqu.readers.office.grid import Grid, add_table
from wenqu.readers.office.odf import OpenPackage, lines, objects, running, said, table_rows
from wenqu.readers.office.ooxml import local, pieces
from wenqu.readers.office.package import attribute
from wenqu.readers.office.sheetmargins import SheetMargins
from wenqu.types import BlockKind

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
# What data comes from outside by. Source: OASIS OpenDocument 1.3, part 3, 9.3, 9.4.
_SOURCES = (
    "table-source", "cell-range-source", "dde-source", "database-source-sql",
    "database-source-table", "database-source-query",
)  # fmt: skip
_FIELDS = [
    f"{{*}}{name}"
    for name in ("sheet-name", "title", "file-name", "date", "time", "page-number", "page-count")
]


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
        sheet = _Sheet(package, source, options)
        pages = _Pages(package)
        sources: dict[str, None] = {}
        rows = 0
        for element, ends in _parts(package):
            kind = local(element)
            if kind == "style" and ends:
                pages.note(element)
            elif kind == "table" and not ends:
                sheet.name = attribute(element, "name") or ""
                sheet.margins = pages.of(element)
            elif kind == "table":
                sheet.add_to(builder)
                sheet = _Sheet(package, source, options)
            elif kind == "table-row" and ends:
                sheet.row(element)
                rows += 1
                if rows % _ROWS_BETWEEN_SIGNS == 0:
                    options.alive()
            elif kind == "shapes" and ends:
                sheet.float(element)
            elif kind in _SOURCES and ends and (place := _place(element)):
                sources[place] = None
        sheet.add_to(builder)  # what there is of a sheet that is cut off
        if sources:
            builder.heading("Connections", 1)
            builder.add("\n".join(f"- {place}" for place in sources), BlockKind.LIST)
        return package.finish(builder, source, file_stem(source))


class _Pages:
    """What the pages of sheets are headed and footed with, by way of styles and masters."""

    def __init__(self, package: OpenPackage) -> None:
        self._styles = package.salvage("styles.xml")
        self._masters: dict[str, str] = {}
        self._margins = SheetMargins()

    def note(self, style: _Element) -> None:
        """Keep which master a style of sheets names."""
        if attribute(style, "family") == "table":
            master = attribute(style, "master-page-name") or ""
            self._masters[attribute(style, "name") or ""] = master

    def of(self, table: _Element) -> tuple[str, str]:
        """Return header and footer of a sheet, so far as they were not told before."""
        wanted = self._masters.get(attribute(table, "style-name") or "", "Default")
        for master in () if self._styles is None else self._styles.iter("{*}master-page"):
            if attribute(master, "name") == wanted:
                return self._said(master, "header"), self._said(master, "footer")
        return "", ""

    def _said(self, master: _Element, name: str) -> str:
        texts: list[str] = []
        for part in running(master, name):
            # A file keeps what its fields were when it was saved, which is not what is printed.
            for moving in list(part.iter(*_FIELDS)):
                moving.text = None
            texts += lines(part)
        return self._margins.new(texts)


class _Sheet:
    """One sheet as its rows come."""

    def __init__(self, package: OpenPackage, source: str, options: ReadOptions) -> None:
        self.name = ""
        self.margins = ("", "")
        self._package = package
        self._floating: list[str] = []
        self._charts: list[list[list[str]]] = []
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
            if len(cell):
                self._objects(cell)
            column += repeats
        repeats = _count(element, "number-rows-repeated")
        for at in range(min(repeats, _MAX_REPEATS) if cells else 0):
            for place, text in cells:
                self._grid.put(self._row + at, place, text)
        self._row += repeats

    def float(self, shapes: _Element) -> None:
        """Keep what floats above the cells."""
        self._floating += lines(shapes)
        self._objects(shapes)

    def _objects(self, shapes: _Element) -> None:
        for texts, tables in objects(self._package, shapes):
            self._floating += texts
            self._charts += [list(table_rows(table)) for table in tables]

    def add_to(self, builder: DocumentBuilder) -> None:
        """Add the sheet, if there is anything on it."""
        beside = [*self.margins, *self._comments, *self._floating, *self._charts]
        if self._grid.empty and not any(beside):
            return
        builder.heading(self.name, 1)
        builder.add(self.margins[0])
        self._grid.add_to(builder, self._merges)
        builder.add(self.margins[1])
        builder.add("\n".join(filter(None, self._comments)))
        for text in self._floating:
            builder.add(text)
        for rows in self._charts:
            add_table(builder, rows, header=True)

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
        names = ("style", "table", "table-row", "shapes", *_SOURCES)
        yield from pieces(stream, names, partial(package.lose, _CONTENT), begins=True)


def _place(source: _Element) -> str:
    """Return the file or database that cells are taken from."""
    if address := attribute(source, "href") or attribute(source, "database-name"):
        return collapse(bare(address))
    names = (attribute(source, name) or "" for name in ("dde-application", "dde-topic"))
    return collapse("|".join(filter(None, names)))


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
