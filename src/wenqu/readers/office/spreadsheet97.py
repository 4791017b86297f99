"""Excel workbooks of the binary kinds: XLS (97–2003, and before) and XLSB.

XLS is read with its number formats, notes and links. Where that fails, and for XLSB, a second
library reads the values alone: dates are still dates, but a percentage is then a fraction.
"""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import io
import struct
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, file_stem, only_text
from wenqu.readers.office.codepages import codec
from wenqu.readers.office.encrypted import decrypt
from wenqu.readers.office.grid import Grid
from wenqu.readers.office.numberformat import BUILT_IN, display
from wenqu.readers.office.oleproperties import note_old_properties
from wenqu.readers.office.ooxml import SalvagedPackage
from wenqu.readers.office.package import note_core_properties
from wenqu.readers.office.sheetmargins import SheetMargins, sections
from wenqu.readers.office.spreadsheet import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xlrd.book import Book
    from xlrd.sheet import Cell, Sheet

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["BinarySpreadsheetReader", "OldSpreadsheetReader"]

# Workbooks before Excel 5 are a bare stream. Source: [MS-XLS] 2.4.21 (BOF) and its forerunners.
_BARE = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08\x08\x00",
         b"\x09\x08\x10\x00")  # fmt: skip
_BROKEN = (
    struct.error, AssertionError, LookupError, ValueError, TypeError, AttributeError, OSError,
    EOFError, OverflowError, NotImplementedError, NameError, ZeroDivisionError, RecursionError,
)  # fmt: skip
_CODE_PAGE, _FIRST_RECORDS = 0x0042, 100
_EMBEDDED, _CONTENTS = "MBD", (["CONTENTS"], ["Package"])
_BOF, _EOF, _CONTINUE, _TEXT_BOX, _SERIES_TEXT = 0x0809, 0x000A, 0x003C, 0x01B6, 0x100D
_GLOBALS, _HEADER, _FOOTER = 0x0005, 0x0014, 0x0015
_FILE_PASS, _FILE_PASS_WITHIN = 0x002F, 4096
_STREAMS = ("Workbook", "Book")


class OldSpreadsheetReader:
    """Reads XLS, also under a password.

    Args:
        readers: Returns the readers of files that are embedded in a workbook.
    """

    name = "xls/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]] = tuple) -> None:
        self._attachments = Attachments(readers)

    def accepts(self, sample: Sample) -> bool:
        """Take what holds an old workbook, or is one without a container."""
        return sample.container == "xls" or (
            not sample.container
            and sample.head.startswith(_BARE)
            and sample.name.lower().endswith((".xls", ".xlt", ".xlw"))
        )

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the workbook, sheet by sheet.

        Raises:
            ReadError: It is damaged, empty, too long, or asks for a password.
        """
        if not data.strip():
            raise ReadError("read.empty", source=source)
        if _is_encrypted(data):
            data = decrypt(data, source, options)
        builder = DocumentBuilder(source, "xls", options)
        # Known before the sheets are read: a damaged workbook may still have them.
        title, files = _around(data, builder)
        stream = _stream(data)
        if (book := _open(stream)) is None:
            _add_values(builder, data, source, options)
        else:
            builder.note("author", book.user_name)
            around, margins = _around_cells(stream, _codec(book.encoding)), SheetMargins()
            for at, sheet in enumerate(book.sheets()):
                section = Section(builder, sheet.name)
                beside = around.get(at, _Beside())
                section.add(margins.new(beside.header))
                _add_sheet(section, book, sheet, Grid(source, options))
                section.add(margins.new(beside.footer))
                _add_beside(section, sheet, beside.texts)
        for name, content in files:
            self._attachments.add(builder, name, content, options, 2)
        return builder.build(title=title or file_stem(source))


class BinarySpreadsheetReader:
    """Reads XLSB."""

    name = "xlsb/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what holds a workbook in binary parts."""
        return sample.container == "xlsb"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the workbook, sheet by sheet.

        Raises:
            ReadError: It is damaged, empty or too long.
        """
        package = SalvagedPackage(data, source)
        builder = DocumentBuilder(source, "xlsb", options)
        _add_values(builder, data, source, options)
        title = note_core_properties(package, builder)
        return package.build(builder, source, title or file_stem(source))


def _stream(data: bytes) -> bytes:
    """Return the stream of records; of a file without a container that is the file.

    The container is opened here, since xlrd follows chains of sectors that go in circles.
    """
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            name = next((name for name in _STREAMS if ole.exists(name)), _STREAMS[0])
            return ole.openstream(name).read()
    except _BROKEN:
        return b"" if data.startswith(olefile.MAGIC) else data


def _is_encrypted(data: bytes) -> bool:
    """Say whether a workbook's stream says, before its first cell, that the rest is encrypted."""
    stream = _stream(data)
    at = 0
    while at + 4 <= min(len(stream), _FILE_PASS_WITHIN):
        kind, size = struct.unpack_from("<HH", stream, at)
        if kind == _FILE_PASS:
            return True
        at += 4 + size
    return False


def _around(data: bytes, builder: DocumentBuilder) -> tuple[str | None, list[tuple[str, bytes]]]:
    """Note the properties; return the title, and names and bytes of embedded files."""
    import olefile

    if not data.startswith(olefile.MAGIC):
        return None, []
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            title = note_old_properties(ole, builder)
            files = [
                (path[0], ole.openstream(path).read())
                for path in ole.listdir()
                if path[0].startswith(_EMBEDDED) and path[1:] in _CONTENTS
            ]
    except _BROKEN:
        return None, []
    return title, files


def _open(stream: bytes) -> Book | None:
    """Return the workbook in a stream; None where xlrd cannot make it out."""
    import xlrd
    from xlrd.biffh import XLRDError

    open_in = partial(
        xlrd.open_workbook,
        file_contents=stream,
        formatting_info=True,
        logfile=io.StringIO(),
        ragged_rows=True,
    )
    with contextlib.suppress(XLRDError, *_BROKEN):
        return open_in()
    # It may be in a code page that xlrd does not know, as of a Chinese Macintosh.
    if page := _code_page(stream):
        with contextlib.suppress(XLRDError, *_BROKEN):
            return open_in(encoding_override=codec(page))
    return None


def _code_page(stream: bytes) -> int | None:
    """Return the number of the workbook's code page, which stands among its first records."""
    at = 0
    for _ in range(_FIRST_RECORDS):
        kind, size = struct.unpack("<HH", stream[at : at + 4].ljust(4, b"\0"))
        if kind == _CODE_PAGE:
            return int.from_bytes(stream[at + 4 : at + 6], "little")
        at += 4 + size
    return None


def _add_sheet(section: Section, book: Book, sheet: Sheet, grid: Grid) -> None:
    for row in range(sheet.nrows):
        for column, cell in enumerate(sheet.row(row)):
            grid.put(row, column, _shown(book, cell))
    for link in sheet.hyperlink_list:
        address = link.url_or_path
        if isinstance(address, str) and address.startswith("http"):
            grid.append(link.frowx or 0, link.fcolx or 0, address)
    if not grid.empty:
        merged = [(top, end - 1, left, right - 1) for top, end, left, right in sheet.merged_cells]
        grid.add_to(section.begin(), merged)


def _add_beside(section: Section, sheet: Sheet, texts: Sequence[str]) -> None:
    """Add the notes, and the texts of boxes: those of notes are among them."""
    notes = [
        f"{_column_name(column)}{row + 1}: {' '.join(note.text.split())}"
        for (row, column), note in sorted(sheet.cell_note_map.items())
        if note.text
    ]
    said = " ".join(notes)
    section.add("\n".join(notes))
    for text in texts:
        if text not in said:
            section.add(text)


def _shown(book: Book, cell: Cell) -> str:
    import xlrd

    value = cell.value
    if isinstance(value, str):
        return value
    if cell.ctype in {xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE}:
        style = cell.xf_index if cell.xf_index is not None else -1
        known = 0 <= style < len(book.xf_list)
        number = book.xf_list[style].format_key if known else 0
        found = book.format_map.get(number)
        code = found.format_str if found is not None else BUILT_IN.get(number, "General")
        return display(value, code, since_1904=bool(book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if value else "FALSE"
    return xlrd.error_text_from_code.get(int(value), "#ERR!")


def _column_name(column: int) -> str:
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


@dataclass(slots=True)
class _Beside:
    """What a sheet has beside its cells: texts of boxes and charts, header and footer."""

    texts: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    footer: list[str] = field(default_factory=list)


def _around_cells(stream: bytes, encoding: str) -> dict[int, _Beside]:
    """Return what is beside the cells, by sheet in the order that the sheets come."""
    found: dict[int, _Beside] = {}
    sheet, depth, expecting = -1, 0, 0
    for kind, body in _records(stream):
        text = ""
        if kind == _BOF:
            depth += 1
            sheet += depth == 1 and int.from_bytes(body[2:4], "little") != _GLOBALS
        elif kind == _EOF:
            depth -= 1
        elif kind == _TEXT_BOX:
            expecting = int.from_bytes(body[10:12], "little")
            continue
        elif kind == _CONTINUE and expecting and body:
            text = _characters(body, expecting)
        elif kind == _SERIES_TEXT and len(body) > 4:  # noqa: PLR2004
            text = _characters(body[3:], body[2])
        elif kind in {_HEADER, _FOOTER} and depth == 1:
            beside = found.setdefault(sheet, _Beside())
            said = beside.header if kind == _HEADER else beside.footer
            said += sections(_margin(body, encoding))
        expecting = 0
        if only_text(text):
            found.setdefault(sheet, _Beside()).texts.append(text)
    return found


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + size]
        at += 4 + size


def _codec(name: str | None) -> str:
    """Return the codec of a workbook's code page, which may be none that there is."""
    try:
        return codecs.lookup(name or "").name
    except LookupError:
        return "cp1252"


def _margin(body: bytes, encoding: str) -> str:
    """Return a header or footer: counted in two bytes and flagged, before Excel 97 in one."""
    count = int.from_bytes(body[:2], "little")
    if len(body) > 3 and len(body) == 3 + count * (1 + (body[2] & 1)):  # noqa: PLR2004
        return _characters(body[2:], count)
    return body[1 : 1 + body[0]].decode(encoding, "replace") if body else ""


def _characters(body: bytes, count: int) -> str:
    """Read characters after their flag: one byte each, or two."""
    if body[0] & 1:
        return body[1 : 1 + 2 * count].decode("utf-16-le", "replace")
    return body[1 : 1 + count].decode("latin-1")


def _add_values(builder: DocumentBuilder, data: bytes, source: str, options: ReadOptions) -> None:
    """Add the sheets of a workbook by their values alone."""
    import python_calamine

    try:
        with python_calamine.load_workbook(io.BytesIO(data)) as book:
            for name in book.sheet_names:
                sheet = book.get_sheet_by_name(name)
                grid = Grid(source, options)
                top, left = sheet.start or (0, 0)
                for row, cells in enumerate(sheet.iter_rows(), top):
                    for column, value in enumerate(cells, left):
                        grid.put(row, column, _text(value))
                if not grid.empty:
                    builder.heading(name, 1)
                    spans = sheet.merged_cell_ranges or []
                    grid.add_to(builder, [(a, c, b, d) for (a, b), (c, d) in spans])
                options.alive()
    except (python_calamine.CalamineError, *_BROKEN) as error:
        raise ReadError("read.damaged", source=source, reason=str(error)) from error
    except BaseException as error:
        # A panic of the Rust library is no Exception, has no name that can be imported, and means
        # that the file led it astray.
        if type(error).__name__ != "PanicException":
            raise
        raise ReadError("read.damaged", source=source, reason=str(error)) from error


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return display(value, "General")
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    return str(value)
