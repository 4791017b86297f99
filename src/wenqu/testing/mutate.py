"""Damages files as disks, networks and attackers do: what readers must survive.

``damaged(files, seed, number)`` is the same bytes at each call, so that a failure is named by two
numbers. Half of what is done to a ZIP (a Word file, a workbook, an e-book) is done to its members,
which are packed anew: damage that unpacking notices never reaches a parser.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Damage = Callable[[bytes, bytes, Random], bytes]

__all__ = ["damaged", "mutate"]

_MOST_BYTES = 4 << 20
_MEMBER_BYTES = 8 << 20
_NUMBER = re.compile(rb"(?<![\w.])\d{1,9}(?![\w.])")
_TAG = re.compile(rb"<(?![/?!])[A-Za-z][^<>]{0,80}(?<!/)>|[\[{(](?=[^\n]{3})")
_HUGE = (b"0", b"-1", b"65536", b"999999999", b"4294967295", b"99999999999999999999", b"1e999")
_LENGTHS = (0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_ZIP = b"PK\x03\x04"


def damaged(files: Sequence[Path], seed: int, number: int) -> tuple[Path, bytes]:
    """Return the file that case ``number`` begins with, and its content after the damage."""
    random = Random(f"{seed}:{number}")  # noqa: S311  # to be repeated, not to be secret
    first, second = random.choice(files), random.choice(files)
    return first, mutate(first.read_bytes(), second.read_bytes(), random)


def mutate(data: bytes, other: bytes, random: Random) -> bytes:
    """Return ``data`` with one to three kinds of damage; ``other`` is what it may be mixed with."""
    if data.startswith(_ZIP) and random.random() < 0.5:
        return _members(data, other, random)
    return _bytes(data, other, random)


def _bytes(data: bytes, other: bytes, random: Random) -> bytes:
    for _ in range(random.choice((1, 1, 2, 3))):
        data = random.choice(_DAMAGES)(data, other, random)[:_MOST_BYTES]
    return data


def _members(data: bytes, other: bytes, random: Random) -> bytes:
    """Damage some members and pack them again, whole in form."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [
                (info.filename, archive.read(info))
                for info in archive.infolist()
                if info.file_size <= _MEMBER_BYTES
            ]
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError):
        return _bytes(data, other, random)
    # The members that matter are XML and few; pictures are many.
    weights = [5 if name.endswith((".xml", ".rels", "html")) else 1 for name, _ in parts]
    for _ in range(random.choice((1, 1, 2, 4)) if parts else 0):
        at = random.choices(range(len(parts)), weights)[0]
        name, content = parts[at]
        way = random.random()
        if way < 0.8:
            parts[at] = (name, _bytes(content, random.choice(parts)[1], random))
        elif way < 0.9:
            parts[at] = (name, b"")
        else:
            parts[at] = (f"{name}.gone", content)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def _span(data: bytes, random: Random) -> tuple[int, int]:
    """Return where a part begins and ends: most often short, at times most of the file."""
    begin = random.randrange(len(data) + 1)
    longest = random.choice((4, 64, 1024, len(data) + 1))
    return begin, min(len(data), begin + random.randrange(longest))


def _flip(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    changed = bytearray(data)
    for _ in range(random.choice((1, 4, 32, len(data) // 500)) if data else 0):
        changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut_off(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    return data[: random.randrange(len(data) + 1)]


def _splice(data: bytes, other: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _repeat(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    begin, end = _span(data, random)
    times = random.choice((1, 2, 50, 2000))
    return data[:end] + (data[begin:end] * times)[:_MOST_BYTES] + data[end:]


def _zero(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    begin, end = _span(data, random)
    return data[:begin] + bytes(end - begin) + data[end:]


def _remove(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    begin, end = _span(data, random)
    return data[:begin] + data[end:]


def _strew(data: bytes, other: bytes, random: Random) -> bytes:
    del other
    begin, end = _span(data, random)
    return data[:begin] + random.randbytes(min(end - begin, 4096)) + data[begin:]


def _inflate(data: bytes, other: bytes, random: Random) -> bytes:
    """Set fields of two or four bytes, where binary formats keep lengths and offsets, too high."""
    del other
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 8))):
        size = random.choice((2, 4))
        at = random.randrange(max(1, len(data) - size)) & ~1
        value = random.choice(_LENGTHS) & ((1 << 8 * size) - 1)
        changed[at : at + size] = value.to_bytes(size, random.choice(("little", "big")))
    return bytes(changed)


def _overstate(data: bytes, other: bytes, random: Random) -> bytes:
    """Do the same to formats that write their numbers in digits."""
    del other
    numbers = list(_NUMBER.finditer(data[:_MOST_BYTES]))
    if not numbers:
        return data
    for found in sorted(random.sample(numbers, min(len(numbers), 4)), key=lambda m: -m.start()):
        data = data[: found.start()] + random.choice(_HUGE) + data[found.end() :]
    return data


def _deepen(data: bytes, other: bytes, random: Random) -> bytes:
    """Open an element, a list or a bracket again and again."""
    del other
    opened = list(_TAG.finditer(data[:_MOST_BYTES]))
    if not opened:
        return data
    found = random.choice(opened)
    times = random.choice((2, 300, 5000, 100_000))
    return data[: found.end()] + (found[0] * times)[:_MOST_BYTES] + data[found.end() :]


_DAMAGES: tuple[Damage, ...] = (
    _flip,
    _cut_off,
    _splice,
    _repeat,
    _zero,
    _remove,
    _strew,
    _inflate,
    _overstate,
    _deepen,
)
