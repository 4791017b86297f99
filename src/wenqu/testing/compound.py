"""Writes OLE compound files, so that tests can make what Office 97 and Outlook save.

Source: [MS-CFB] 2. One sector of header, then the mini stream, large streams, and the tables.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compound"]

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MAX_FAT_SECTORS = 109


@dataclass(slots=True)
class _Entry:
    """A line of the directory."""

    name: str
    kind: int
    data: bytes = b""
    children: dict[str, _Entry] = field(default_factory=dict)
    child: int = _NONE
    right: int = _NONE
    start: int = _END


def compound(streams: Mapping[str, bytes]) -> bytes:
    """Return an OLE file with these streams; a name's slashes part the storages it is in."""
    root = _Entry("Root Entry", _ROOT)
    for path, data in streams.items():
        *folders, name = path.split("/")
        place = root
        for folder in folders:
            place = place.children.setdefault(folder, _Entry(folder, _STORAGE))
        place.children[name] = _Entry(name, _STREAM, data)
    entries = _linked(root)
    mini, mini_table = bytearray(), list[int]()
    sectors, table = bytearray(), list[int]()
    for entry in entries:
        if entry.kind == _STREAM and 0 < len(entry.data) < _CUTOFF:
            entry.start = _append(mini, mini_table, entry.data, _MINI)
        elif entry.kind == _STREAM and entry.data:
            entry.start = _append(sectors, table, entry.data, _SECTOR)
    root.data = bytes(mini)
    root.start = _append(sectors, table, root.data, _SECTOR) if mini else _END
    mini_start = _append(sectors, table, _numbers(mini_table), _SECTOR) if mini_table else _END
    directory = _append(sectors, table, b"".join(map(_line, entries)), _SECTOR)
    count = 1
    while (len(table) + count) * 4 > count * _SECTOR:
        count += 1
    assert count <= _MAX_FAT_SECTORS
    fat_start = len(table)
    fat = _numbers([*table, *[_FAT] * count])
    mini_count = -(-len(mini_table) * 4 // _SECTOR)
    head = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(0x3E, 3, 0xFFFE, 9, 6, 0, count, directory, 0, _CUTOFF, mini_start, mini_count, _END, 0),
    )
    places = [fat_start + at if at < count else _FREE for at in range(_MAX_FAT_SECTORS)]
    return head + struct.pack(f"<{_MAX_FAT_SECTORS}I", *places) + bytes(sectors) + fat


def _linked(root: _Entry) -> list[_Entry]:
    """Return all entries in directory order, each chained to the next one beside it."""
    entries = [root]
    for entry in entries:
        first = len(entries)
        entries.extend(sorted(entry.children.values(), key=lambda one: (len(one.name), one.name)))
        if len(entries) > first:
            entry.child = first
        for at in range(first, len(entries) - 1):
            entries[at].right = at + 1
    return entries


def _append(area: bytearray, table: list[int], data: bytes, size: int) -> int:
    """Add data in sectors of ``size``, chained in ``table``; return its first sector."""
    start = len(table)
    count = -(-len(data) // size)
    area.extend(data.ljust(count * size, b"\0"))
    table.extend(range(start + 1, start + count))
    table.append(_END)
    return start


def _numbers(table: list[int]) -> bytes:
    padded = [*table, *[_FREE] * (-len(table) % (_SECTOR // 4))]
    return struct.pack(f"<{len(padded)}I", *padded)


def _line(entry: _Entry) -> bytes:
    name = entry.name.encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16xIQQIQ",
        *(name, len(name) + 2, entry.kind, 1, _NONE, entry.right, entry.child, 0, 0, 0),
        *(entry.start, len(entry.data)),
    )
