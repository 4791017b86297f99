"""Excel workbooks (XLSX, XLSM): each sheet a section, each of its tables one Markdown table.

Cells show what their reader sees: numbers through their formats, the last values of formulas,
dates as ISO 8601. Hidden sheets are read too: they are part of what the file says, and people keep
lists in them. Comments, text boxes, charts and diagrams follow the sheet that they are on; where
the workbook takes data from comes last.
Source: ECMA-376-1:2016, part 18 (SpreadsheetML).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse, file_stem
from wenqu.readers.office.connections import data_sources
from wenqu.readers.office.drawing import add_graphic, alt_text, elements, paragraphs
from wenqu.readers.office.embedded import ole_payload
from wenqu.readers.office.grid import Grid
from wenqu.readers.office.numberformat import BUILT_IN, display
from wenqu.readers.office.ooxml import SalvagedPackage, local, pieces
from wenqu.readers.office.package import attribute, note_core_properties
from wenqu.readers.office.sheetmargins import SheetMargins, sections
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lxml.etree import _Element

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.grid import Merge
    from wenqu.types import Document

__all__ = ["Section", "SpreadsheetReader", "add_drawings"]

_MAIN = "xl/workbook.xml"
_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MAX_KNOWN = 50_000  # numbers whose text is kept for when they come again
_PLAIN_DIGITS = 15
_ROWS_BETWEEN_SIGNS = 10_000
_SHADOW = "tc="  # "author" of the old form that a threaded comment has too


class SpreadsheetReader:
    """Reads workbooks of Excel 2007 and later.

    Args:
        readers: Returns the readers of files that are embedded in a workbook.
    """

    name = "xlsx/2"

    def __init__(self, readers: Callable[[], Sequence[Reader]] = tuple) -> None:
        self._attachments = Attachments(readers)

    def accepts(self, sample: Sample) -> bool:
        """Take what holds a workbook."""
        return sample.container == "xlsx"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the workbook, sheet by sheet.

        Raises:
            ReadError: It is damaged, empty or too long.
        """
        package = SalvagedPackage(data, source)
        builder = DocumentBuilder(source, "xlsx", options)
        book = _Workbook.of(package, source, options)
        margins = SheetMargins()
        for name, part in book.sheets:
            grid = Grid(source, options)
            cells = _Cells(package, book, grid, options.alive)
            merges = cells.read(part)
            section = Section(builder, name)
            section.add(margins.new(cells.header))
            if not grid.empty:
                grid.add_to(section.begin(), merges)
            section.add(margins.new(cells.footer))
            _add_comments(package, part, section)
            add_drawings(package, part, section)
            for inner in package.related(part, "package", "oleObject"):
                label, content = ole_payload(package.bytes_of(inner) or b"", _base(inner))
                self._attachments.add(section.begin(), label, content, options, 2)
        for name, part in book.chartsheets:
            add_drawings(package, part, Section(builder, name))
        if found := data_sources(package, package.main(_MAIN)):
            lines = "\n".join(f"- {place}" for place in found)
            Section(builder, "Connections").begin().add(lines, BlockKind.LIST)
        title = note_core_properties(package, builder)
        return package.build(builder, source, title or file_stem(source))


class Section:
    """The section of one sheet: its heading comes with the first thing that is in it."""

    def __init__(self, builder: DocumentBuilder, name: str) -> None:
        self._builder = builder
        self._name = name
        self._begun = False

    def begin(self) -> DocumentBuilder:
        """Return the builder, headed."""
        if not self._begun:
            self._builder.heading(self._name, 1)
            self._begun = True
        return self._builder

    def add(self, text: str) -> None:
        """Add a text, if there is one."""
        if text:
            self.begin().add(text)


@dataclass(slots=True)
class _Workbook:
    sheets: list[tuple[str, str]]
    chartsheets: list[tuple[str, str]]
    strings: list[str]
    formats: dict[str, str]
    since_1904: bool

    @classmethod
    def of(cls, package: SalvagedPackage, source: str, options: ReadOptions) -> _Workbook:
        part = package.main(_MAIN)
        root = package.salvage(part)
        relations = package.relations(part)
        sheets: dict[str, list[tuple[str, str]]] = {"worksheet": [], "chartsheet": []}
        since_1904 = False
        for element in () if root is None else root.iter("{*}sheet", "{*}workbookPr"):
            if local(element) == "workbookPr":
                since_1904 = element.get("date1904") in {"1", "true"}
                continue
            relation = relations.get(attribute(element, "id") or "")
            if relation is not None and relation.kind in sheets and relation.target in package:
                sheets[relation.kind].append((element.get("name") or "", relation.target))
        if not any(sheets.values()):
            found = [name for name in package.parts("xl/worksheets/") if name.endswith(".xml")]
            sheets["worksheet"] = [(_base(name).removesuffix(".xml"), name) for name in found]
        strings = next(package.related(part, "sharedStrings"), "xl/sharedStrings.xml")
        styles = next(package.related(part, "styles"), "xl/styles.xml")
        return cls(
            sheets["worksheet"],
            sheets["chartsheet"],
            _strings(package, strings, source, options),
            _formats(package, styles),
            since_1904,
        )


class _Cells:
    """Reads the cells of one sheet into a grid, row by row, so that a large one fits in memory."""

    def __init__(
        self, package: SalvagedPackage, book: _Workbook, grid: Grid, alive: Callable[[], None]
    ) -> None:
        self._alive = alive
        self._package = package
        self._book = book
        self._grid = grid
        self._shown: dict[tuple[str, str], str] = {}
        self._columns: dict[str, int] = {}
        self.header: list[str] = []
        self.footer: list[str] = []

    def read(self, part: str) -> list[Merge]:
        """Put all cells; return which are merged. Header and footer are known after it."""
        merges: list[Merge] = []
        addresses = self._package.relations(part)
        row = -1
        names = ("row", "mergeCell", "hyperlink", "headerFooter")
        for element in _each(self._package, part, *names):
            kind = local(element)
            if kind == "row":
                given = element.get("r") or ""
                row = int(given) - 1 if given.isdecimal() and len(given) < 8 else row + 1  # noqa: PLR2004
                self._row(element, row)
                if row % _ROWS_BETWEEN_SIGNS == 0:
                    self._alive()
            elif kind == "headerFooter":
                self._printed(element)
            elif (found := _range(element.get("ref") or "")) is None:
                continue
            elif kind == "mergeCell":
                merges.append(found)
            else:
                address = addresses.get(attribute(element, "id") or "")
                if address is not None and address.external and address.target.startswith("http"):
                    self._grid.append(found[0], found[2], address.target)
        return merges

    def _row(self, element: _Element, row: int) -> None:
        column = -1
        for cell in element:
            if len(cell) == 0:
                # Only a style: but a cell without a place of its own still takes one.
                column += 1
                continue
            reference = cell.get("r")
            column = self._column(reference, column) if reference else column + 1
            text = self._text(cell)
            if text:
                self._grid.put(row, column, text)

    def _printed(self, element: _Element) -> None:
        """Keep what stands above and below the cells on paper, on all kinds of pages in use."""
        pages = ["odd"]
        pages += ["even"] if element.get("differentOddEven") in {"1", "true"} else []
        pages += ["first"] if element.get("differentFirst") in {"1", "true"} else []
        for child in element:
            name = local(child)
            if name[: -len("Header")] in pages:
                said = self.header if name.endswith("Header") else self.footer
                said += sections(_unescaped(child.text or ""))

    def _column(self, reference: str, before: int) -> int:
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            place = _place(reference)
            column = self._columns[letters] = place[1] if place else before + 1
        return column

    def _text(self, cell: _Element) -> str:
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            return next((_string(inner) for inner in cell if local(inner) == "is"), "")
        # The value is last, after the formula.
        value = cell[-1].text
        if local(cell[-1]) != "v":
            value = next((inner.text for inner in cell if local(inner) == "v"), None)
        if value is None:
            return ""
        if kind == "s":
            at = int(value) if value.strip().isdecimal() else -1
            return self._book.strings[at] if 0 <= at < len(self._book.strings) else ""
        if kind == "n":
            return self._number(value, cell.get("s") or "0")
        if kind == "b":
            return "TRUE" if value.strip() == "1" else "FALSE"
        return _unescaped(value)

    def _number(self, value: str, style: str) -> str:
        code = self._book.formats.get(style, "General")
        if code == "General" and len(value) < _PLAIN_DIGITS and value.isdecimal():
            return value
        text = self._shown.get((value, style))
        if text is None:
            try:
                text = display(float(value), code, since_1904=self._book.since_1904)
            except ValueError:
                text = value
            if len(self._shown) < _MAX_KNOWN:
                self._shown[value, style] = text
        return text


def _strings(package: SalvagedPackage, part: str, source: str, options: ReadOptions) -> list[str]:
    """Return the strings that cells refer to by number.

    Raises:
        ReadError: They alone are more text than allowed; each is in some cell.
    """
    found: list[str] = []
    size = 0
    for element in _each(package, part, "si"):
        found.append(_string(element))
        size += len(found[-1]) + 1
        if size > options.max_characters:
            raise ReadError("read.too_long", source=source, limit=options.max_characters)
    return found


def _each(package: SalvagedPackage, part: str, *names: str) -> Iterator[_Element]:
    stream = package.stream(part)
    if stream is not None:
        with stream:
            for element, _ in pieces(stream, names, partial(package.lose, part)):
                yield element


def _add_comments(package: SalvagedPackage, part: str, section: Section) -> None:
    """Add the comments on a sheet, each with its cell and author."""
    lines = [*_threaded(package, part), *_plain_comments(package, part)]
    section.add("\n".join(lines))


def _threaded(package: SalvagedPackage, part: str) -> Iterator[str]:
    """Yield the comments that people answer one another in."""
    people: dict[str, str] = {}
    for name in package.parts("xl/persons/"):
        root = package.salvage(name)
        for person in () if root is None else root.iter("{*}person"):
            people[person.get("id") or ""] = person.get("displayName") or ""
    for name in package.related(part, "threadedComment"):
        root = package.salvage(name)
        for comment in () if root is None else root.iter("{*}threadedComment"):
            text = " ".join(inner.text or "" for inner in comment.iter("{*}text"))
            yield _comment(comment, people.get(comment.get("personId") or "", ""), text)


def _plain_comments(package: SalvagedPackage, part: str) -> Iterator[str]:
    """Yield the comments of old, but for the shadows that threaded ones have among them."""
    for name in package.related(part, "comments"):
        root = package.salvage(name)
        authors = [] if root is None else [one.text or "" for one in root.iter("{*}author")]
        for comment in () if root is None else root.iter("{*}comment"):
            at = comment.get("authorId") or ""
            author = authors[int(at)] if at.isdecimal() and int(at) < len(authors) else ""
            if not author.startswith(_SHADOW):
                text = "".join(map(_string, comment.iter("{*}text")))
                # Excel opens a comment with its author's name.
                yield _comment(comment, author, text.removeprefix(f"{author}:"))


def _comment(element: _Element, author: str, text: str) -> str:
    by = f" ({collapse(author)})" if author.strip() else ""
    return f"{element.get('ref') or ''}{by}: {collapse(text)}"


def add_drawings(package: SalvagedPackage, part: str, section: Section) -> None:
    """Add what floats above the cells of a sheet, from top to bottom."""
    for drawing in package.related(part, "drawing"):
        _add_drawing(package, drawing, section)


def _add_drawing(package: SalvagedPackage, part: str, section: Section) -> None:
    root = package.salvage(part)
    anchors = [] if root is None else [child for child in elements(root) if len(child)]
    for anchor in sorted(anchors, key=_anchored):
        for shape in anchor.iter("{*}txBody"):
            text = "\n".join(paragraph.text for paragraph in paragraphs(shape))
            section.add(text)
        for picture in anchor.iter("{*}pic"):
            section.add(alt_text(next(picture.iter("{*}cNvPr"), None)))
        for frame in anchor.iter("{*}graphicFrame"):
            add_graphic(section.begin(), package, part, frame)


def _anchored(anchor: _Element) -> tuple[int, ...]:
    begin = next((child for child in anchor if local(child) == "from"), None)
    values = {} if begin is None else {local(child): child.text or "" for child in begin}
    texts = (values.get(name, "") for name in ("row", "col"))
    return tuple(int(text) if text.isdecimal() else 0 for text in texts)


def _formats(package: SalvagedPackage, part: str) -> dict[str, str]:
    """Return the format code of each cell style, by the style's number."""
    root = package.salvage(part)
    codes = dict(BUILT_IN)
    styles: list[str] = []
    for element in () if root is None else root.iter("{*}numFmt"):
        number = element.get("numFmtId") or ""
        if number.isdecimal():
            codes[int(number)] = element.get("formatCode") or "General"
    for group in () if root is None else root.iter("{*}cellXfs"):
        for style in group:
            number = style.get("numFmtId") or "0"
            styles.append(codes.get(int(number) if number.isdecimal() else 0, "General"))
    return {str(at): code for at, code in enumerate(styles)}


def _string(element: _Element) -> str:
    """Return the text of a string with or without runs; how it is pronounced is left out."""
    pieces: list[str] = []
    for child in element:
        if local(child) == "t":
            pieces.append(child.text or "")
        elif local(child) == "r":
            pieces += [part.text or "" for part in child if local(part) == "t"]
    return _unescaped("".join(pieces))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _place(reference: str) -> tuple[int, int] | None:
    """Return row and column, from 0, of a reference such as ``B7``."""
    found = _CELL.fullmatch(reference)
    if found is None:
        return None
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - 64
    return int(found[2]) - 1, column - 1


def _range(reference: str) -> Merge | None:
    first, _, last = reference.partition(":")
    begin, end = _place(first), _place(last or first)
    return (begin[0], end[0], begin[1], end[1]) if begin and end else None


def _base(part: str) -> str:
    return posixpath.basename(part)
