"""Title, author and the like of Office files of before 2007, for the meta.

Read here and not by olefile, which believes a damaged count of four billion values and is busy for
hours. Source: [MS-OLEPS] 2.15–2.21; [MS-OSHARED] 2.3.3.2.1 for the numbers.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wenqu.readers.office.codepages import codec

if TYPE_CHECKING:
    from olefile import OleFileIO

    from wenqu.readers.builder import DocumentBuilder

__all__ = ["note_old_properties"]

_STREAM = "\x05SummaryInformation"
_NAMES = {2: "title", 3: "subject", 4: "author", 5: "keywords", 6: "description"}
_CODE_PAGE, _CREATED, _SAVED = 1, 12, 13
_SHORT, _TEXT, _WIDE_TEXT, _TIME = 0x02, 0x1E, 0x1F, 0x40
_MAX_PROPERTIES = 200
_MAX_TEXT = 4000
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICKS_A_SECOND = 10_000_000
# 1980 and 2100: what lies outside counts how long a text was edited, or nothing.
_FIRST, _LAST = 11_960_000_000, 15_747_000_000


def note_old_properties(ole: OleFileIO[str], builder: DocumentBuilder) -> str | None:
    """Keep what an open OLE file says of itself in the meta; return its title.

    What cannot be read is left out.
    """
    try:
        data = ole.openstream(_STREAM).read()
    except (OSError, ValueError, LookupError, TypeError):
        return None
    values = _values(data)
    for key in ("author", "keywords", "subject", "description"):
        builder.note(key, values.get(key))
    builder.note("date", values.get("saved") or values.get("created"))
    return values.get("title")


def _values(data: bytes) -> dict[str, str]:
    begin = int.from_bytes(data[44:48], "little")
    count = min(int.from_bytes(data[begin + 4 : begin + 8], "little"), _MAX_PROPERTIES)
    places: dict[int, int] = {}
    for at in range(begin + 8, min(begin + 8 + 8 * count, len(data) - 7), 8):
        number, offset = struct.unpack_from("<II", data, at)
        # The first holds: what comes after the true count is no list any more.
        places.setdefault(number, begin + offset)
    encoding = _encoding(data, places.get(_CODE_PAGE))
    found: dict[str, str] = {}
    for number, name in _NAMES.items():
        if number in places and (text := _text(data, places[number], encoding)):
            found[name] = text
    for number, name in ((_CREATED, "created"), (_SAVED, "saved")):
        if number in places and (moment := _moment(data, places[number])):
            found[name] = moment
    return found


def _encoding(data: bytes, at: int | None) -> str:
    if at is None or data[at : at + 4] != struct.pack("<I", _SHORT):
        return "cp1252"
    return codec(int.from_bytes(data[at + 4 : at + 6], "little"))


def _text(data: bytes, at: int, encoding: str) -> str:
    kind, size = (int.from_bytes(data[place : place + 4], "little") for place in (at, at + 4))
    if kind == _WIDE_TEXT:
        size, encoding = size * 2, "utf-16-le"
    elif kind != _TEXT:
        return ""
    text = data[at + 8 : at + 8 + min(size, _MAX_TEXT)].decode(encoding, "replace")
    return text.partition("\0")[0].strip()


def _moment(data: bytes, at: int) -> str:
    kind = int.from_bytes(data[at : at + 4], "little")
    ticks = int.from_bytes(data[at + 4 : at + 12], "little")
    seconds = ticks // _TICKS_A_SECOND
    if kind != _TIME or not _FIRST <= seconds < _LAST:
        return ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
