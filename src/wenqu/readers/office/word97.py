"""Word documents before 2007 (DOC): paragraphs, tables and notes out of the binary format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import olefile

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse
from wenqu.readers.office.embedded import ole_storages
from wenqu.readers.office.encrypted import decrypt
from wenqu.readers.office.msdoc import (
    BROKEN,
    PIECES,
    BinaryStyle,
    Fib,
    Lists,
    Part,
    Properties,
    Stretches,
    Text,
    styles,
)
from wenqu.readers.office.numbering import Counters
from wenqu.readers.office.oleproperties import note_old_properties
from wenqu.readers.office.prose import Looks, Paragraph, cell_text, margins, style_level, write
from wenqu.readers.office.symbols import raised, symbol, unprivate
from wenqu.readers.office.tables import TableStack, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.prose import Cell
    from wenqu.readers.office.prose import Part as Piece
    from wenqu.types import Document

__all__ = ["Word97Reader"]

# Indexes into FibRgFcLcb.
_STYLES, _FOOTNOTE_MARKS, _FOOTNOTES, _COMMENT_MARKS, _COMMENTS = 1, 2, 3, 4, 5
_HEADERS, _CHARACTERS, _PARAGRAPHS, _AUTHORS = 11, 12, 13, 36
_ENDNOTE_MARKS, _ENDNOTES, _LISTS, _OVERRIDES = 46, 47, 73, 74

# Property modifiers, [MS-DOC] 2.6.
_DELETED, _HIDDEN, _BOLD, _SIZE, _CHARACTER_STYLE = 0x0800, 0x083C, 0x0835, 0x4A43, 0x4A30
_SYMBOL, _RAISED, _SPECIAL = 0x6A09, 0x2A48, 0x0855
_STYLE, _OUTLINE, _DEPTH, _LIST = 0x4600, 0x2640, 0x260A, 0x460B
_IN_TABLE, _ROW_END, _TABLE_DEPTH, _INNER_CELL, _INNER_ROW = 0x2416, 0x2417, 0x6649, 0x244B, 0x244C
_HEADER_ROW = 0x3404

_PARAGRAPH_END = re.compile("[\r\x07\x0c]")
_CELL_MARK = "\x07"
_HEADINGS = range(1, 10)  # built-in styles of headings
_CONTENTS = range(19, 28)
_TITLE = 62
_BODY_LEVEL = 9
_DEFAULT_SIZE = 10.0
_OPPOSITE, _AS_STYLE = 0x81, 0x80
_PLAIN = {"\x0b": "\n", "\x1e": "\u2011", "\x1f": "", "\xa0": " ", "\x0e": "\n"}
_LINK = re.compile(r"\s*(?:HYPERLINK|INCLUDETEXT|LINK)\b[^\"]*\"((?:https?|ftps?)://[^\"\s]+)\"")
_PAGE_NUMBER = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_CODE_PAGES = {
    0x0404: "cp950", 0x0C04: "cp950", 0x0804: "gb18030", 0x1004: "gb18030", 0x0411: "cp932",
    0x0412: "cp949", 0x0419: "cp1251", 0x0422: "cp1251", 0x0408: "cp1253", 0x041F: "cp1254",
    0x040D: "cp1255", 0x0401: "cp1256", 0x0405: "cp1250", 0x040E: "cp1250", 0x0415: "cp1250",
}  # fmt: skip


class Word97Reader:
    """Reads Word documents of 1997 to 2003, and the text of those of Word 6 and 95.

    Args:
        readers: Returns the readers to choose from for files inside the document.
    """

    name = "word97/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take an OLE file with the stream of a Word document."""
        return sample.container == "doc"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document with its notes, comments, text boxes and embedded files.

        Raises:
            ReadError: It is damaged, empty, longer than allowed, or asks for a password.
        """
        builder = DocumentBuilder(source, "doc", options)
        try:
            data = _plain(data, source, options)
            with olefile.OleFileIO(BytesIO(data)) as ole:
                title = note_old_properties(ole, builder)
                written = write(builder, _Reading(ole).parts())
                attachments = Attachments(self._readers)
                for name, inner in ole_storages(ole, "ObjectPool"):
                    attachments.add(builder, name, inner, options)
        except (*BROKEN, OSError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ReadError("read.damaged", source=source, reason=reason) from error
        return builder.build(title=written or title)


def _plain(data: bytes, source: str, options: ReadOptions) -> bytes:
    with olefile.OleFileIO(BytesIO(data)) as ole, ole.openstream("WordDocument") as stream:
        encrypted = Fib(stream.read()).encrypted
    return decrypt(data, source, options) if encrypted else data


@dataclass(slots=True)
class _Mark:
    """Where a note hangs on the text, and where its own text is."""

    start: int
    end: int
    author: str | None = None


class _Reading:
    """The reading of one document."""

    def __init__(self, ole: olefile.OleFileIO[str]) -> None:
        with ole.openstream("WordDocument") as stream:
            self._data = stream.read()
        self._fib = Fib(self._data)
        self._tables = self._data
        if not self._fib.old:
            name = self._fib.table_name if ole.exists(self._fib.table_name) else "0Table"
            if ole.exists(name):
                with ole.openstream(name) as stream:
                    self._tables = stream.read()
        encoding = _CODE_PAGES.get(self._fib.language, "cp1252") if self._fib.old else "cp1252"
        old_simple = self._fib.old and not self._fib.complex
        clx = b"" if old_simple else self._part(PIECES)
        self._text = Text(self._data, clx, self._fib, encoding)
        self._characters = Stretches(self._data, self._part(_CHARACTERS), paragraphs=False)
        self._paragraphs = Stretches(self._data, self._part(_PARAGRAPHS), paragraphs=True)
        self._styles = self._optional_styles()
        self._lists = self._optional_lists()
        self._counters = Counters()
        self._started: set[int] = set()
        self._fields: list[list[str]] = []
        self._results: list[bool] = []
        self._noted = 0
        self._notes = self._marks()
        self._starts = self._begins()

    def parts(self) -> list[Piece]:
        """Return the text with its notes, then what stands in boxes; headers at both ends."""
        main = self._story(*self._starts[0])
        boxes = self._story(*self._starts[6])
        headers, footers = self._margins()
        headers += [cell_text([part]) for part in self._story(*self._starts[7])]
        texts = [part.text for part in (*main, *boxes) if isinstance(part, Paragraph)]
        above = margins(headers, texts)
        below = margins(footers, [*texts, *headers])
        return [*above, *main, *boxes, *below]

    def _part(self, number: int) -> bytes:
        start, size = self._fib.part(number)
        return self._tables[start : start + size]

    def _optional_styles(self) -> Mapping[int, BinaryStyle]:
        try:
            return styles(self._part(_STYLES))
        except BROKEN:
            return {}

    def _optional_lists(self) -> Lists:
        try:
            return Lists(self._tables, self._fib.part(_LISTS), self._fib.part(_OVERRIDES))
        except BROKEN:
            return Lists(b"", Part(0, 0), Part(0, 0))

    def _begins(self) -> list[tuple[int, int]]:
        """Return where each of the stories is whose ``lengths`` the file says."""
        at = 0
        spans: list[tuple[int, int]] = []
        for size in self._fib.lengths:
            end = min(at + size, len(self._text.text))
            spans.append((at, end))
            at = end
        return spans

    def _marks(self) -> dict[int, _Mark]:
        """Return footnotes, endnotes and comments by the position that they hang on."""
        found: dict[int, _Mark] = {}
        spans = self._begins()
        authors = self._authors()
        for story, marks, texts, extra in (
            (1, _FOOTNOTE_MARKS, _FOOTNOTES, 2),
            (5, _ENDNOTE_MARKS, _ENDNOTES, 2),
            (4, _COMMENT_MARKS, _COMMENTS, 30),
        ):
            table, limits = self._part(marks), self._part(texts)
            count = max(0, (len(table) - 4) // (4 + extra))
            for number in range(min(count, len(limits) // 4 - 1)):
                position, start, end = (
                    int.from_bytes(part[4 * at : 4 * at + 4], "little")
                    for part, at in ((table, number), (limits, number), (limits, number + 1))
                )
                mark = _Mark(spans[story][0] + start, spans[story][0] + end)
                if extra > 2:  # noqa: PLR2004  # a comment
                    at = 4 * (count + 1) + extra * number + 20
                    author = int.from_bytes(table[at : at + 2], "little")
                    mark.author = authors[author] if author < len(authors) else ""
                found[position] = mark
        return found

    def _authors(self) -> list[str]:
        data = self._part(_AUTHORS)
        names: list[str] = []
        at = 0
        while at + 2 <= len(data):
            size = 2 * int.from_bytes(data[at : at + 2], "little")
            names.append(data[at + 2 : at + 2 + size].decode("utf-16-le", "replace"))
            at += 2 + size
        return names

    def _margins(self) -> tuple[list[str], list[str]]:
        """Return the texts of headers and of footers; the first six stories are rules for notes."""
        limits = self._part(_HEADERS)
        positions = [
            int.from_bytes(limits[at : at + 4], "little") for at in range(0, len(limits) - 3, 4)
        ]
        sides: tuple[list[str], list[str]] = ([], [])
        begin, end = self._starts[2]
        for number, (start, stop) in enumerate(pairwise(positions[6:])):
            if start < stop and begin + stop <= end:
                footer = number % 6 in {2, 3, 5}
                sides[footer].append(cell_text(self._story(begin + start, begin + stop)))
        return sides

    def _story(self, start: int, end: int) -> list[Piece]:
        """Return the parts of one stretch of the text."""
        parts: list[Piece] = []
        tables = TableStack(parts)
        outer_fields, self._fields = self._fields, []
        outer_results, self._results = self._results, []
        while start < end:
            found = _PARAGRAPH_END.search(self._text.text, start, end)
            stop = found.start() if found else end
            self._paragraph(start, stop, found[0] if found else "", tables)
            start = stop + 1
        tables.close()
        self._fields, self._results = outer_fields, outer_results
        return parts

    def _paragraph(self, start: int, stop: int, ended: str, tables: TableStack) -> None:
        place = self._text.place(min(stop, max(len(self._text.text) - 1, 0)))
        own, _ = self._paragraphs.at(place)
        style = self._styles.get(own.style or 0)
        depth = own.get(_TABLE_DEPTH) or int(bool(own.get(_IN_TABLE)))
        home = tables.at(depth)
        if depth and (own.get(_INNER_ROW) if depth > 1 else own.get(_ROW_END)):
            tables.end_row(partial(_merged, definition=own.table), head=bool(own.get(_HEADER_ROW)))
            return
        home.extend(self._content(start, stop, own, style))
        if depth and (ended == _CELL_MARK or own.get(_INNER_CELL)):
            tables.end_cell()

    def _content(
        self, start: int, stop: int, own: Properties, style: BinaryStyle | None
    ) -> Iterator[Piece]:
        looks = Looks()
        pieces: list[str] = []
        notes: list[Piece] = []
        links: list[tuple[int, str]] = []
        for begin, end, character in self._runs(start, stop):
            if self._hidden(character, style):
                self._field_marks(begin, end)
                continue
            shown = self._shown(begin, end, character, pieces, notes, links)
            if shown:
                size = (self._says(_SIZE, character, style) or 2 * _DEFAULT_SIZE) / 2
                looks.add(shown, size, bold=self._switch(_BOLD, character, style))
        text = unprivate("".join(pieces))
        label, depth = self._label(own, style)
        contents = style is not None and style.built_in in _CONTENTS
        yield Paragraph(
            text=text,
            level=None if contents or not text.strip() else _level(own, style),
            label=label,
            depth=depth,
            size=looks.size,
            bold=looks.bold,
            contents=contents,
        )
        yield from notes

    def _runs(self, start: int, stop: int) -> Iterator[tuple[int, int, Properties]]:
        """Yield stretches of equal character properties."""
        for first, last, place in self._text.stretches(start, stop):
            width = self._text.width(first)
            at = first
            while at < last:
                here = place + (at - first) * width
                character, limit = self._characters.at(here)
                end = min(last, at + max(1, -((here - limit) // width)))
                yield at, end, character
                at = end

    def _shown(
        self, begin: int, end: int, character: Properties,
        pieces: list[str], notes: list[Piece], links: list[tuple[int, str]],
    ) -> int:  # fmt: skip
        """Add what a run shows; return how many letters that are."""
        first = len(pieces)
        for at in range(begin, end):
            sign = self._text.text[at]
            if sign in "\x13\x14\x15":
                self._field_mark(sign, pieces, links)
            elif self._fields and not self._results[-1]:
                self._fields[-1].append(sign)
            elif at in self._notes and sign in "\x02\x05":
                self._note(self._notes.pop(at), pieces, notes)
            elif (coded := character.get(_SYMBOL)) is not None and sign == "(":
                pieces.append(symbol("wingdings", coded >> 16))
            elif sign in _PLAIN:
                pieces.append(_PLAIN[sign])
            elif sign >= " " or sign == "\t":
                pieces.append(sign)
        if (position := character.get(_RAISED)) in {1, 2}:
            pieces[first:] = [raised("".join(pieces[first:]), below=position == 2)]  # noqa: PLR2004
        return sum(not piece.isspace() for piece in pieces[first:])

    def _field_marks(self, begin: int, end: int) -> None:
        """Follow the fields in a hidden run, whose marks count all the same."""
        for at in range(begin, end):
            sign = self._text.text[at]
            if sign in "\x13\x14\x15":
                self._field_mark(sign, [], [])
            elif self._fields and not self._results[-1]:
                self._fields[-1].append(sign)

    def _field_mark(self, sign: str, pieces: list[str], links: list[tuple[int, str]]) -> None:
        if sign == "\x13":
            self._fields.append([])
            self._results.append(False)
        elif sign == "\x14" and self._fields:
            self._results[-1] = True
            links.append((len(pieces), "".join(self._fields[-1])))
        elif sign == "\x15" and self._fields:
            self._fields.pop()
            self._results.pop()
            if links:
                start, instruction = links.pop()
                found = _LINK.match(instruction)
                if _PAGE_NUMBER.match(instruction):
                    del pieces[start:]
                elif (
                    found and found[1].rstrip("/") not in (text := "".join(pieces[start:])) and text
                ):
                    pieces.append(f" ({found[1]})")

    def _note(self, mark: _Mark, pieces: list[str], notes: list[Piece]) -> None:
        text = cell_text(self._story(mark.start, min(mark.end, len(self._text.text))))
        if mark.author is not None:
            author = collapse(mark.author)
            notes.append(Paragraph(text=f"{author}: {text}" if author else text))
        elif text:
            self._noted += 1
            pieces.append(f"[^{self._noted}]")
            notes.append(Paragraph(text=f"[^{self._noted}]: {text}"))

    def _hidden(self, character: Properties, style: BinaryStyle | None) -> bool:
        return bool(character.get(_DELETED)) or self._switch(_HIDDEN, character, style)

    def _says(self, opcode: int, character: Properties, style: BinaryStyle | None) -> int | None:
        """Return what run, character style or paragraph style says of its characters."""
        if (value := character.get(opcode)) is not None:
            return value
        named = self._styles.get(character.get(_CHARACTER_STYLE) or -1)
        if named is not None and (value := named.characters.get(opcode)) is not None:
            return value
        return style.characters.get(opcode) if style is not None else None

    def _switch(self, opcode: int, character: Properties, style: BinaryStyle | None) -> bool:
        value = character.get(opcode)
        if value not in {None, _AS_STYLE, _OPPOSITE}:
            return value == 1
        of_style = self._says(opcode, Properties(), style) == 1
        return not of_style if value == _OPPOSITE else of_style

    def _label(self, own: Properties, style: BinaryStyle | None) -> tuple[str, int]:
        of_style = style.paragraph if style is not None else Properties()
        override = own.get(_LIST) if own.get(_LIST) is not None else of_style.get(_LIST)
        if not override or override > len(self._lists.of):
            return "", 0
        depth = own.get(_DEPTH) if own.get(_DEPTH) is not None else of_style.get(_DEPTH)
        number, key = override - 1, self._lists.of[override - 1]
        if number not in self._started:
            self._started.add(number)
            for at, start in self._lists.starts.get(number, {}).items():
                self._counters.restart(key, at, start)
        levels = self._lists.levels.get(key, {}) | self._lists.own.get(number, {})
        return self._counters.label(key, depth or 0, levels), depth or 0


def _level(own: Properties, style: BinaryStyle | None) -> int | None:
    outline = own.get(_OUTLINE)
    if outline is not None:
        return outline + 1 if outline < _BODY_LEVEL else None
    if style is None:
        return None
    if style.built_in in _HEADINGS:
        return style.built_in
    if style.built_in == _TITLE:
        return 0
    inherited = style.paragraph.get(_OUTLINE)
    if inherited is not None and inherited < _BODY_LEVEL:
        return inherited + 1
    return style_level(style.name)


def _merged(row: list[Cell], definition: bytes) -> list[Cell]:
    """Apply the merged cells of a row's definition: edges, then twenty bytes a cell."""
    count = definition[0] if definition else 0
    at = 1 + 2 * (count + 1)
    flags = [
        int.from_bytes(definition[at + 20 * number : at + 20 * number + 2], "little")
        for number in range(min(count, len(row)))
    ]
    return merged(
        row,
        across=[bool(flag & 2) for flag in flags],
        begins=[bool(flag & 0x40) for flag in flags],
        goes_on=[bool(flag & 0x20) and not flag & 0x40 for flag in flags],
    )
