"""Writes workbooks of Excel in a few lines of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from wenqu.testing.packages import KINDS, relations, zipped
from wenqu.testing.reading import texts
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from wenqu.protocols import Reader
    from wenqu.types import Document

__all__ = [
    "MAIN",
    "STRICT",
    "Cell",
    "paragraphs",
    "read_sheet",
    "sheet_xml",
    "tables",
    "workbook",
]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
Cell = str | float | bool | None | tuple[float, int]
"""What a cell holds; a number may have the number of its style beside it."""


def _cell(place: str, value: Cell) -> str:
    style = 0
    if isinstance(value, tuple):
        value, style = value
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        kind = "e" if value.startswith("#") else "str"
        return f'<c r="{place}" t="{kind}"><v>{escape(value)}</v></c>'
    return f'<c r="{place}" s="{style}"><v>{value!r}</v></c>'


def sheet_xml(rows: list[list[Cell]], after: str = "", namespace: str = MAIN) -> str:
    """Write a sheet; a row without cells, or a cell that is None, is not in the file."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell(f"{chr(65 + at)}{number}", value)
            for at, value in enumerate(row)
            if value is not None
        )
        if cells:
            lines.append(f'<row r="{number}">{cells}</row>')
    return (
        f'<worksheet xmlns="{namespace}" xmlns:r="{KINDS}"><sheetData>{"".join(lines)}</sheetData>'
        f"{after}</worksheet>"
    )


def workbook(
    sheets: dict[str, str],
    *,
    formats: tuple[str, ...] = (),
    since_1904: bool = False,
    extra: dict[str, str | bytes] | None = None,
    namespace: str = MAIN,
    state: str = "visible",
) -> bytes:
    """Return a workbook.

    Args:
        sheets: XML by name, as of ``sheet_xml``.
        formats: Codes of numbers; style 1 has the first.
        since_1904: Whether days are counted from 1904.
        extra: More parts of the package.
        namespace: ``MAIN`` or ``STRICT``.
        state: Of all sheets: visible, hidden or veryHidden.
    """
    names = "".join(
        f'<sheet name="{name}" sheetId="{at}" state="{state}" r:id="r{at}"/>'
        for at, name in enumerate(sheets, 1)
    )
    codes = "".join(
        f'<numFmt numFmtId="{164 + at}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for at, code in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(formats)))
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="{KINDS}">'
        f'<workbookPr date1904="{int(since_1904)}"/><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            *(
                (f"r{at}", "worksheet", f"worksheets/sheet{at}.xml")
                for at in range(1, 1 + len(sheets))
            )
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{namespace}"><numFmts>{codes}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
    }
    for at, content in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{at}.xml"] = content
    return zipped(parts | (extra or {}))


def read_sheet(
    reader: Reader,
    rows: list[list[Cell]],
    after: str = "",
    *,
    formats: tuple[str, ...] = (),
    since_1904: bool = False,
    extra: dict[str, str | bytes] | None = None,
) -> Document:
    """Have a workbook of one sheet read; for the arguments see ``sheet_xml`` and ``workbook``."""
    sheets = {"Sheet1": sheet_xml(rows, after)}
    data = workbook(sheets, formats=formats, since_1904=since_1904, extra=extra)
    return reader.read(data, "book.xlsx")


def tables(document: Document) -> list[list[str]]:
    """Return the lines of each table."""
    return [text.split("\n") for text in texts(document, BlockKind.TABLE)]


def paragraphs(document: Document) -> list[str]:
    """Return the paragraphs."""
    return texts(document, BlockKind.PARAGRAPH)
