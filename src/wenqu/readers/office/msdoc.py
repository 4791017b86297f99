"""The binary format of Word 97–2003: text by pieces, properties by position, styles, lists.

Source: [MS-DOC], Microsoft's published specification. Positions in the text are CPs (characters of
the text, in order); positions in the file are FCs (bytes of the stream ``WordDocument``).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wenqu.readers.office.numbering import BULLET_FORMAT, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BROKEN",
    "PIECES",
    "BinaryStyle",
    "Fib",
    "Lists",
    "Properties",
    "Stretches",
    "Text",
    "styles",
]

BROKEN = (struct.error, IndexError, ValueError, KeyError, OverflowError)
"""What reading a damaged structure raises."""

PIECES = 33
"""Index of the piece table in ``FibRgFcLcb``."""

_PAGE = 512
_UNICODE_MARK = 0x40000000
_MAX_PIECES = 1_000_000
_MAX_INHERITANCE = 20
_NO_STYLE = 0xFFF
_LEVELS = 9
_FORMATS = {
    0: "decimal", 1: "upperRoman", 2: "lowerRoman", 3: "upperLetter", 4: "lowerLetter",
    10: "ideographDigital", 11: "japaneseCounting", 16: "japaneseLegal",
    18: "decimalEnclosedCircle", 22: "decimalZero", 23: BULLET_FORMAT,
    26: "decimalEnclosedFullstop", 27: "decimalEnclosedParen", 28: "decimalEnclosedCircleChinese",
    29: "ideographEnclosedCircle", 30: "ideographTraditional", 31: "ideographZodiac",
    33: "taiwaneseCounting", 34: "ideographLegalTraditional", 35: "taiwaneseCountingThousand",
    36: "taiwaneseDigital", 37: "chineseCounting", 38: "chineseLegalSimplified",
    39: "chineseCountingThousand", 255: "none",
}  # fmt: skip  # MSONFC → ST_NumberFormat
_OPERAND_BYTES = (1, 1, 2, 4, 2, 2, -1, 3)  # by the three high bits of an opcode; -1: it says so
_DEFINE_TABLE = 0xD608


class Part(NamedTuple):
    """Where a structure is in the table stream."""

    start: int
    size: int


class Fib:
    """The file information block: where everything is.

    Args:
        data: The stream ``WordDocument``.
    """

    def __init__(self, data: bytes) -> None:
        ident, self.version = struct.unpack_from("<HH", data)
        if ident not in {0xA5EC, 0xA5DC, 0xA5DB}:
            raise ValueError("no Word document")
        (self.language,) = struct.unpack_from("<H", data, 6)
        (flags,) = struct.unpack_from("<H", data, 10)
        self.complex = bool(flags & 0x0004)
        self.encrypted = bool(flags & 0x0100)
        self.table_name = "1Table" if flags & 0x0200 else "0Table"
        self.old = self.version < 0xC1  # Word 6 and 95  # noqa: PLR2004
        self._data = data
        self.text_start, self.text_end = struct.unpack_from("<II", data, 24)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Characters of the text, footnotes, headers, macros, comments, endnotes, text boxes.

        The last are the text boxes in headers.
        """
        at = 0x34 if self.old else 0x4C
        return tuple(max(0, size) for size in struct.unpack_from("<8i", self._data, at))

    def part(self, number: int) -> Part:
        """Return where the structure of that index in ``FibRgFcLcb`` is."""
        if self.old:  # of which nothing but the piece table is read
            here = struct.unpack_from("<II", self._data, 0x160) if number == PIECES else (0, 0)
            return Part(*here)
        return Part(*struct.unpack_from("<II", self._data, 0x9A + 8 * number))


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    offset: int
    width: int


class Text:
    """The characters of the document with their places in the file.

    Args:
        data: The stream ``WordDocument``.
        clx: The piece table; empty where the text lies in one piece.
        fib: Says where that piece is.
        encoding: Of pieces of one byte a character.
    """

    def __init__(self, data: bytes, clx: bytes, fib: Fib, encoding: str) -> None:
        self._data = data
        self._encoding = encoding
        # No text has more characters than its file has bytes, whatever a damaged table says.
        if clx:
            self._pieces = list(_pieces(clx, len(data), old=fib.old))
        else:
            size = min(fib.text_end - fib.text_start, len(data))
            self._pieces = [_Piece(0, size, fib.text_start, 1)]
        self._starts = [piece.start for piece in self._pieces]
        self.text = "".join(map(self._decoded, self._pieces))

    def place(self, position: int) -> int:
        """Return the FC of a CP."""
        piece = self._pieces[max(0, bisect_right(self._starts, position) - 1)]
        return piece.offset + (position - piece.start) * piece.width

    def stretches(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield CP from, CP to and the FC of the first, for each piece between two CPs."""
        at = max(0, bisect_right(self._starts, start) - 1)
        for piece in self._pieces[at:]:
            if piece.start >= end:
                return
            begin, stop = max(start, piece.start), min(end, piece.end)
            if begin < stop:
                yield begin, stop, piece.offset + (begin - piece.start) * piece.width

    def width(self, position: int) -> int:
        """Return the bytes of a character at a CP."""
        return self._pieces[max(0, bisect_right(self._starts, position) - 1)].width

    def _decoded(self, piece: _Piece) -> str:
        count = piece.end - piece.start
        raw = self._data[piece.offset : piece.offset + count * piece.width]
        if piece.width == 1:
            text = raw.decode(self._encoding, "replace")
        else:
            # One character a unit, so that a CP stays an index; the builder joins surrogates.
            text = "".join(map(chr, struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) & ~1])))
        return text.ljust(count, "\0")[:count] if len(text) != count else text


def _pieces(clx: bytes, most: int, *, old: bool) -> Iterator[_Piece]:
    at = last = 0
    while clx[at] == 1:
        at += 3 + int.from_bytes(clx[at + 1 : at + 3], "little")
    size = int.from_bytes(clx[at + 1 : at + 5], "little")
    table = clx[at + 5 : at + 5 + size]
    count = min((len(table) - 4) // 12, _MAX_PIECES)
    ends = struct.unpack_from(f"<{count + 1}I", table)
    for number in range(count):
        (place,) = struct.unpack_from("<I", table, 4 * (count + 1) + 8 * number + 2)
        start, end = max(ends[number], last), min(ends[number + 1], most)
        if end <= start:
            continue
        last = end
        if old:
            yield _Piece(start, end, place, 1)
        elif place & _UNICODE_MARK:
            yield _Piece(start, end, (place & ~_UNICODE_MARK) // 2, 1)
        else:
            yield _Piece(start, end, place, 2)


@dataclass(frozen=True, slots=True)
class Properties:
    """What a stretch of the file says of its text: single modifiers by opcode, and its style."""

    style: int | None = None
    values: Mapping[int, int] = field(default_factory=dict)
    table: bytes = b""

    def get(self, opcode: int) -> int | None:
        """Return the operand of a modifier, None where it is not there."""
        return self.values.get(opcode)


_NOTHING = Properties()


class Stretches:
    """Properties of paragraphs or characters by FC, in pages of 512 bytes.

    Args:
        data: The stream ``WordDocument``.
        index: ``PlcBtePapx`` or ``PlcBteChpx``.
        paragraphs: Which of both.
    """

    def __init__(self, data: bytes, index: bytes, *, paragraphs: bool) -> None:
        self._data = data
        self._paragraphs = paragraphs
        count = max(0, (len(index) - 4) // 8)
        self._starts = list(struct.unpack_from(f"<{count}I", index)) if count else []
        self._pages = [
            number & 0x3FFFFF
            for number in (
                struct.unpack_from(f"<{count}I", index, 4 * (count + 1)) if count else ()
            )
        ]
        self._read: dict[int, tuple[tuple[int, ...], list[Properties]]] = {}

    def at(self, place: int) -> tuple[Properties, int]:
        """Return the properties at an FC, and the FC up to which they hold."""
        if not self._starts:
            return _NOTHING, place + (1 << 30)
        page = max(0, bisect_right(self._starts, place) - 1)
        if page not in self._read:
            self._read[page] = self._page(self._pages[page])
        limits, found = self._read[page]
        at = bisect_right(limits, place) - 1
        if 0 <= at < len(found):
            return found[at], limits[at + 1]
        following = limits[0] if at < 0 and limits else place + 1
        return _NOTHING, max(following, place + 1)

    def _page(self, number: int) -> tuple[tuple[int, ...], list[Properties]]:
        page = self._data[number * _PAGE : (number + 1) * _PAGE]
        if len(page) < _PAGE:
            return (), []
        count = page[-1]
        step = 13 if self._paragraphs else 1
        if 4 * (count + 1) + step * count > _PAGE:
            return (), []
        limits = struct.unpack_from(f"<{count + 1}I", page)
        offsets = [page[4 * (count + 1) + step * at] * 2 for at in range(count)]
        return limits, [self._entry(page, offset) for offset in offsets]

    def _entry(self, page: bytes, offset: int) -> Properties:
        if not offset:
            return _NOTHING
        if not self._paragraphs:
            return modifiers(page[offset + 1 : offset + 1 + page[offset]])
        size, start = 2 * page[offset] - 1, offset + 1
        if size < 0:
            size, start = 2 * page[offset + 1], offset + 2
        entry = page[start : start + size]
        return modifiers(entry[2:], int.from_bytes(entry[:2], "little"))


def modifiers(data: bytes, style: int | None = None) -> Properties:
    """Read a list of property modifiers; what cannot be read ends it."""
    values: dict[int, int] = {}
    table = b""
    at = 0
    while at + 2 < len(data):
        opcode = int.from_bytes(data[at : at + 2], "little")
        at += 2
        size = _OPERAND_BYTES[opcode >> 13]
        if opcode == _DEFINE_TABLE:
            size = int.from_bytes(data[at : at + 2], "little") - 1
            at += 2
            table = data[at : at + size]
        elif size < 0:
            size = data[at]
            at += 1
        else:
            values[opcode] = int.from_bytes(data[at : at + size], "little")
        at += max(size, 0)
    return Properties(style, values, table)


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryStyle:
    """A style: its name, its number among the built-in ones, and what it says."""

    name: str
    built_in: int
    base: int
    paragraph: Properties = _NOTHING
    characters: Properties = _NOTHING


def styles(data: bytes) -> dict[int, BinaryStyle]:
    """Read the style sheet; what a style is based on is merged into it."""
    if not data:
        return {}
    size = int.from_bytes(data[:2], "little")
    count, base_size = struct.unpack_from("<HH", data, 2)
    at = 2 + size
    found: dict[int, BinaryStyle] = {}
    for number in range(count):
        length = int.from_bytes(data[at : at + 2], "little")
        entry = data[at + 2 : at + 2 + length]
        at += 2 + length + (length & 1)
        if len(entry) > base_size + 2:
            found[number] = _style(entry, base_size)
    return {number: _inherited(number, found) for number in found}


def _style(entry: bytes, base_size: int) -> BinaryStyle:
    first, second, third = struct.unpack_from("<HHH", entry)
    kind, base = second & 0xF, second >> 4
    at = base_size
    length = int.from_bytes(entry[at : at + 2], "little")
    name = entry[at + 2 : at + 2 + 2 * length].decode("utf-16-le", "replace")
    at += 2 + 2 * (length + 1)
    lists: list[bytes] = []
    for _ in range(third & 0xF):
        at += at & 1
        size = int.from_bytes(entry[at : at + 2], "little")
        lists.append(entry[at + 2 : at + 2 + size])
        at += 2 + size
    of_paragraph = kind == 1 and lists
    of_characters = lists[1:2] if kind == 1 else lists[:1]
    return BinaryStyle(
        name=name,
        built_in=first & 0xFFF,
        base=base,
        paragraph=modifiers(lists[0][2:]) if of_paragraph else _NOTHING,
        characters=modifiers(of_characters[0]) if of_characters else _NOTHING,
    )


def _inherited(number: int, found: Mapping[int, BinaryStyle]) -> BinaryStyle:
    own = found[number]
    paragraph: dict[int, int] = {}
    characters: dict[int, int] = {}
    at, steps = number, 0
    while at in found and at != _NO_STYLE and steps < _MAX_INHERITANCE:
        paragraph = {**found[at].paragraph.values, **paragraph}
        characters = {**found[at].characters.values, **characters}
        at, steps = found[at].base, steps + 1
    return BinaryStyle(
        name=own.name,
        built_in=own.built_in,
        base=own.base,
        paragraph=Properties(values=paragraph),
        characters=Properties(values=characters),
    )


class Lists:
    """Numbering: what each list override (``ilfo``) of a paragraph means.

    Args:
        table: The table stream.
        lists: Where ``PlfLst`` is; its levels follow it.
        overrides: Where ``PlfLfo`` is.
    """

    def __init__(self, table: bytes, lists: Part, overrides: Part) -> None:
        self.levels: dict[int, dict[int, Level]] = {}
        self.of: list[int] = []
        self.starts: dict[int, dict[int, int]] = {}
        self.own: dict[int, dict[int, Level]] = {}
        if lists.size:
            self._read_lists(table, lists)
        if overrides.size:
            self._read_overrides(table, overrides)

    def _read_lists(self, table: bytes, lists: Part) -> None:
        (count,) = struct.unpack_from("<h", table, lists.start)
        at = lists.start + 2 + 28 * count
        for number in range(count):
            entry = lists.start + 2 + 28 * number
            (key,) = struct.unpack_from("<i", table, entry)
            simple = table[entry + 26] & 1
            levels: dict[int, Level] = {}
            for depth in range(1 if simple else _LEVELS):
                levels[depth], at = _level(table, at)
            self.levels[key] = levels

    def _read_overrides(self, table: bytes, overrides: Part) -> None:
        (count,) = struct.unpack_from("<I", table, overrides.start)
        entries = [
            struct.unpack_from("<i8xB", table, overrides.start + 4 + 16 * number)
            for number in range(count)
        ]
        self.of = [key for key, _ in entries]
        at = overrides.start + 4 + 16 * count
        for number, (_, changed) in enumerate(entries):
            at += 4
            for _ in range(changed):
                start, flags = struct.unpack_from("<iI", table, at)
                at += 8
                depth = flags & 0xF
                if flags & 0x20:
                    level, at = _level(table, at)
                    self.own.setdefault(number, {})[depth] = level
                    start = level.start
                if flags & 0x10:
                    self.starts.setdefault(number, {})[depth] = start


def _level(table: bytes, at: int) -> tuple[Level, int]:
    start, form, flags = struct.unpack_from("<iBB", table, at)
    characters, paragraph = table[at + 24], table[at + 25]
    at += 28 + paragraph + characters
    (length,) = struct.unpack_from("<H", table, at)
    text = table[at + 2 : at + 2 + 2 * length].decode("utf-16-le", "replace")
    text = "".join(f"%{ord(sign) + 1}" if ord(sign) < _LEVELS else sign for sign in text)
    level = Level(
        format=_FORMATS.get(form, "decimal"),
        text=text,
        start=start,
        legal=bool(flags & 4),
        restarts=not flags & 8,
    )
    return level, at + 2 + 2 * length
