"""Workbooks as one XML file (SpreadsheetML 2003), which many systems export with the name ``.xls``.

Source: Microsoft, XML Spreadsheet Reference (2001).
"""

from __future__ import annotations

import io
import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem
from wenqu.readers.office.grid import Grid
from wenqu.readers.office.numberformat import display
from wenqu.readers.office.ooxml import local, pieces
from wenqu.readers.office.package import attribute

if TYPE_CHECKING:
    from lxml.etree import _Element

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.office.grid import Merge
    from wenqu.types import Document

__all__ = ["SpreadsheetXmlReader"]

_NAMESPACE = b"urn:schemas-microsoft-com:office:spreadsheet"
_ROOT = re.compile(rb"<(?:\w+:)?Workbook[\s>]")
_PARTS = ("Worksheet", "Row", "Style", "Title", "Author", "Created")
# Formats that are named and not written out.
_NAMED = {
    "Fixed": "0.00", "Standard": "#,##0.00", "Percent": "0.00%", "Scientific": "0.00E+00",
    "Currency": "#,##0.00", "Euro Currency": "€#,##0.00",
}  # fmt: skip
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # dates in cells have no zone
_FURTHEST = 1 << 20


class SpreadsheetXmlReader:
    """Reads workbooks in XML."""

    name = "xls-xml/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as such a workbook, whatever it is called."""
        head = sample.head.replace(b"\0", b"")
        return not sample.container and _NAMESPACE in head and bool(_ROOT.search(head))

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the workbook, sheet by sheet.

        Raises:
            ReadError: It is damaged, empty or too long.
        """
        builder = DocumentBuilder(source, "xls-xml", options)
        facts: dict[str, str] = {}
        formats: dict[str, str] = {}
        lost: list[None] = []
        sheet = _Sheet(Grid(source, options), formats)
        name = ""
        damaged = partial(lost.append, None)
        for element, ends in pieces(io.BytesIO(data), _PARTS, damaged, begins=True):
            kind = local(element)
            if kind == "Worksheet" and not ends:
                name = attribute(element, "Name") or ""
            elif kind == "Worksheet":
                sheet.add_to(builder, name)
                sheet = _Sheet(Grid(source, options), formats)
            elif kind == "Row" and ends:
                sheet.row(element)
            elif kind == "Style" and ends:
                formats[attribute(element, "ID") or ""] = _format(element)
            elif ends:
                facts[kind] = element.text or ""
        sheet.add_to(builder, name)  # what there is of a sheet that is cut off
        builder.note("author", facts.get("Author"))
        builder.note("date", facts.get("Created"))
        if lost:
            builder.leave_out(name)
        try:
            return builder.build(title=facts.get("Title") or file_stem(source))
        except ReadError as error:
            if error.key == "read.empty" and lost:
                raise ReadError("read.damaged", source=source, reason="broken XML") from error
            raise


class _Sheet:
    """One sheet as its rows come."""

    def __init__(self, grid: Grid, formats: dict[str, str]) -> None:
        self._grid = grid
        self._formats = formats
        self._merges: list[Merge] = []
        self._comments: list[str] = []
        self._row = 0

    def row(self, element: _Element) -> None:
        """Put a row where it says, or below the last."""
        self._row = _number(element, "Index", self._row + 1)
        column = 0
        for cell in element.iterchildren("{*}Cell"):
            column = _number(cell, "Index", column + 1)
            self._grid.put(self._row, column, self._text(cell))
            address = attribute(cell, "HRef") or ""
            if address.startswith("http"):
                self._grid.append(self._row, column, address)
            down, across = (_number(cell, name, 0) for name in ("MergeDown", "MergeAcross"))
            if down or across:
                self._merges.append((self._row, self._row + down, column, column + across))
            for comment in cell.iterchildren("{*}Comment"):
                self._comments.append(collapse("".join(comment.itertext())))
            column += across

    def add_to(self, builder: DocumentBuilder, name: str) -> None:
        """Add the sheet, if there is anything on it."""
        if not self._grid.empty:
            builder.heading(name, 1)
            self._grid.add_to(builder, self._merges)
            builder.add("\n".join(self._comments))

    def _text(self, cell: _Element) -> str:
        data = next(cell.iterchildren("{*}Data"), None)
        if data is None:
            return ""
        text = "".join(data.itertext())
        code = self._formats.get(attribute(cell, "StyleID") or "", "General")
        kind = attribute(data, "Type")
        try:
            if kind == "Number":
                return display(float(text), code)
            if kind == "DateTime":
                since = datetime.fromisoformat(text.strip()).replace(tzinfo=None) - _EPOCH
                dated = "yyyy-mm-dd" if code == "General" else code
                return display(since.total_seconds() / 86400, dated)
        except ValueError:
            return text
        if kind == "Boolean":
            return "TRUE" if text.strip() == "1" else "FALSE"
        return text


def _format(style: _Element) -> str:
    for element in style.iterchildren("{*}NumberFormat"):
        code = attribute(element, "Format") or "General"
        if "Date" in code:
            return "yyyy-mm-dd hh:mm" if code == "General Date" else "yyyy-mm-dd"
        if "Time" in code:
            return "h:mm:ss"
        return _NAMED.get(code, code)
    return "General"


def _number(element: _Element, name: str, otherwise: int) -> int:
    text = attribute(element, name) or ""
    return min(int(text), _FURTHEST) if text.isdecimal() and len(text) < 9 else otherwise  # noqa: PLR2004
