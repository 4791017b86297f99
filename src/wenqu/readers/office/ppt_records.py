"""The records of a PPT stream: finding them, and the paragraphs in those that hold text.

Source: [MS-PPT] v20240416, 2.3.1 (RecordHeader), 2.9 (text); [MS-ODRAW] 2.2.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse, only_text
from wenqu.readers.office.drawing import Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CHARACTERS",
    "HEADER",
    "OUTLINE_REF",
    "STRING",
    "Record",
    "Text",
    "read_texts",
    "records",
]

HEADER, CHARACTERS, OUTLINE_REF, STRING = 0x0F9F, (0x0FA0, 0x0FA8), 0x0F9E, 0x0FBA

_WIDE, _STYLE = 0x0FA0, 0x0FA1
# Stand for an asterisk in the text: slide number, date, footer, header.
_MOVING = frozenset({0x0FD8, 0x0FF7, 0x0FF8, 0x0FF9, 0x0FFA, 0x1015})
_CONTAINER = 0xF
_MAX_DEPTH = 40
_OTHER = 4
_BULLET_FLAGS = 0xF
# Paragraph properties by the bits that say they are there, in their order, with their sizes.
_PROPERTIES = (
    (_BULLET_FLAGS, 2), (0x80, 2), (0x10, 2), (0x40, 2), (0x20, 4), (0x800, 2), (0x1000, 2),
    (0x2000, 2), (0x4000, 2), (0x100, 2), (0x400, 2), (0x8000, 2), (0x100000, -1), (0x10000, 2),
    (0xE0000, 2),
    (0x200000, 2),
)  # fmt: skip
_MAX_LEVEL = 8


@dataclass(frozen=True, slots=True)
class Record:
    """A record, with its content cut out of the stream."""

    kind: int
    instance: int
    container: bool
    data: memoryview

    def number(self, at: int) -> int:
        """Return the unsigned 32-bit number at an offset; 0 past the end."""
        return int.from_bytes(self.data[at : at + 4], "little")

    def children(self) -> Iterator[Record]:
        """Yield the records inside."""
        return records(self.data) if self.container else iter(())

    def child(self, kind: int, instance: int | None = None) -> Record | None:
        """Return the first record of a kind inside."""
        return next(
            (
                inner
                for inner in self.children()
                if inner.kind == kind and instance in {None, inner.instance}
            ),
            None,
        )

    def find(self, kind: int, *, through: int = 0, depth: int = 0) -> Iterator[Record]:
        """Yield the records of a kind at any depth, also in records of the kind ``through``."""
        if depth > _MAX_DEPTH:
            return
        for inner in records(self.data):
            if inner.kind == kind:
                yield inner
            elif inner.container or inner.kind == through:
                yield from inner.find(kind, through=through, depth=depth + 1)

    def text(self) -> str:
        """Return the characters of a text record."""
        if self.kind in {_WIDE, STRING}:
            return bytes(self.data).decode("utf-16-le", "replace")
        return bytes(self.data).decode("latin-1")


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a frame: ``role`` is what its header says, such as title (0) or body (1)."""

    role: int
    paragraphs: tuple[Paragraph, ...]


def records(data: memoryview, at: int = 0) -> Iterator[Record]:
    """Yield the records one after the other from an offset; what is cut off ends them."""
    while at + 8 <= len(data):
        first, kind, size = struct.unpack_from("<HHI", data, at)
        if at + 8 + size > len(data):
            size = len(data) - at - 8
        body = data[at + 8 : at + 8 + size]
        yield Record(kind, first >> 4, first & 0xF == _CONTAINER, body)
        at += 8 + size


def read_texts(found: Iterator[Record], role: int = _OTHER) -> list[Text]:
    """Return the texts in a run of records: each has a header, characters, then styles."""
    texts: list[Text] = []
    text, styles, moving = "", None, list[int]()
    for record in found:
        if record.kind == HEADER:
            _close(texts, role, text, styles, moving)
            role, text, styles, moving = record.number(0), "", None, []
        elif record.kind in CHARACTERS:
            text = record.text()
        elif record.kind == _STYLE:
            styles = record
        elif record.kind in _MOVING:
            moving.append(record.number(0))
    _close(texts, role, text, styles, moving)
    return texts


def _close(
    texts: list[Text], role: int, text: str, styles: Record | None, moving: list[int]
) -> None:
    if not text:
        return
    characters = list(text)
    for at in moving:
        if at < len(characters) and characters[at] == "*":
            characters[at] = "\0"
    styled = _styles(styles, len(text)) if styles is not None else []
    lines: list[Paragraph] = []
    begin = 0
    for line in "".join(characters).split("\r"):
        level, bullet = next((run[1:] for run in styled if begin < run[0]), (0, None))
        plain = "\n".join(filter(None, map(collapse, line.replace("\0", "").split("\v"))))
        if only_text(plain):
            lines.append(Paragraph(plain, level, bullet))
        begin += len(line) + 1
    texts.append(Text(role, tuple(lines)))


def _styles(record: Record, length: int) -> list[tuple[int, int, bool | None]]:
    """Return end, level and bullet of each run of paragraphs; as far as they can be read."""
    runs: list[tuple[int, int, bool | None]] = []
    data, at, end = record.data, 0, 0
    while end <= length and at + 10 <= len(data):
        count, level, mask = struct.unpack_from("<IHI", data, at)
        at += 10
        bullet: bool | None = None
        for bits, size in _PROPERTIES:
            if not mask & bits:
                continue
            if bits == _BULLET_FLAGS and mask & 1:
                bullet = bool(int.from_bytes(data[at : at + 2], "little") & 1)
            stops = int.from_bytes(data[at : at + 2], "little") if size < 0 else 0
            at += size if size > 0 else 2 + 4 * stops
        end += count
        runs.append((end, min(level, _MAX_LEVEL), bullet))
    return runs
