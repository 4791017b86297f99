"""``winmail.dat``: what Outlook wraps a message's files in when it sends rich text.

Source: [MS-OXTNEF] 2.1 (attributes), 2.1.3.4 (properties).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.mail import mime
from wenqu.readers.mail.message import Attached, Body, Mail, document
from wenqu.readers.mail.outlook_rtf import decompress, html_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SIGNATURE", "WrappedMailReader", "unwrapped"]

SIGNATURE = b"\x78\x9f\x3e\x22"

_ATTRIBUTE = struct.Struct("<BII")
_PAGE, _SUBJECT, _BODY, _PROPERTIES = 0x69007, 0x18004, 0x2800C, 0x69003
_NEXT_FILE, _TITLE, _DATA, _FILE_PROPERTIES = 0x69002, 0x18010, 0x6800F, 0x69005

_STRING8, _UNICODE, _OBJECT, _BINARY = 0x1E, 0x1F, 0x0D, 0x102
_COUNTED = frozenset({_STRING8, _UNICODE, _OBJECT, _BINARY})
_MANY = 0x1000
_SIZES = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_NAMED = 0x8000
_PLAIN, _HTML, _RTF, _LONG_NAME, _OBJECT_DATA = 0x1000, 0x1013, 0x1009, 0x3707, 0x3701
_MAX_DEPTH = 5
_GUID = 16  # bytes before the data of an object: its interface


class WrappedMailReader:
    """Reads ``winmail.dat`` that was saved out of a message.

    Args:
        readers: Returns the readers to choose from for the files in it.
    """

    name = "tnef/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as such a file does."""
        return sample.head.startswith(SIGNATURE)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the message with its files.

        Raises:
            ReadError: It is no such file, or says nothing.
        """
        mail = unwrapped(data)
        if mail is None:
            raise ReadError("read.damaged", source=source, reason="no wrapped message")
        return document([mail], source, "tnef", self._readers, options)


class _Property(NamedTuple):
    """The first value of a property, with its type."""

    kind: int
    data: bytes


def unwrapped(data: bytes, depth: int = 0) -> Mail | None:
    """Return the message in ``winmail.dat``, or None where it is none; what is cut off is lost."""
    if not data.startswith(SIGNATURE):
        return None
    page, subject, plain = "", b"", b""
    properties: dict[int, _Property] = {}
    files: list[_File] = []
    for attribute, value in _attributes(data):
        if attribute == _PAGE and len(value) >= 4:  # noqa: PLR2004  # a number of 32 bits
            page = mime.codec(int.from_bytes(value[:4], "little"))
        elif attribute == _SUBJECT:
            subject = value
        elif attribute == _BODY:
            plain = value
        elif attribute == _PROPERTIES:
            properties = dict(_properties(value))
        elif attribute == _NEXT_FILE:
            files.append(_File())
        elif files:
            files[-1].take(attribute, value)
    rtf = decompress(properties[_RTF].data) if _RTF in properties else b""
    html = mime.html_text(properties[_HTML].data) if _HTML in properties else html_of(rtf)
    text = _text(properties.get(_PLAIN), page) or mime.to_text(plain.rstrip(b"\0"), page)
    return Mail(
        subject=mime.to_text(subject.rstrip(b"\0"), page),
        bodies=(Body(plain=text, html=html, rtf=rtf),) if text or html or rtf else (),
        attached=tuple(found for file in files if (found := file.attached(page, depth))),
    )


class _File:
    """One file in it, as its attributes come."""

    def __init__(self) -> None:
        self._title = b""
        self._data = b""
        self._properties: dict[int, _Property] = {}

    def take(self, attribute: int, value: bytes) -> None:
        """Keep what an attribute says."""
        if attribute == _TITLE:
            self._title = value
        elif attribute == _DATA:
            self._data = value
        elif attribute == _FILE_PROPERTIES:
            self._properties = dict(_properties(value))

    def attached(self, page: str, depth: int) -> Attached | None:
        """Return the file, or the message that it is; None where it holds nothing."""
        name = _text(self._properties.get(_LONG_NAME), page)
        name = name or mime.to_text(self._title.rstrip(b"\0"), page) or "attachment"
        inner = self._properties.get(_OBJECT_DATA)
        data = self._data or (inner.data[_GUID:] if inner is not None else b"")
        mail = unwrapped(data, depth + 1) if depth < _MAX_DEPTH else None
        return Attached(name=name, content=mail or data) if data else None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(SIGNATURE) + 2
    while at + _ATTRIBUTE.size <= len(data):
        _, attribute, size = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        yield attribute, data[at : at + size]
        at += size + 2


def _properties(data: bytes) -> Iterator[tuple[int, _Property]]:
    """Yield the properties of a message or a file until they end or make no sense."""
    at = 4
    try:
        for _ in range(int.from_bytes(data[:4], "little")):
            kind, tag = struct.unpack_from("<HH", data, at)
            at += 4
            if tag >= _NAMED:
                (named,) = struct.unpack_from("<I", data, at + 16)
                (size,) = struct.unpack_from("<I", data, at + 20)
                at += 24 + (_padded(size) if named else 0)
            base = kind & ~_MANY
            count = 1
            if base in _COUNTED or kind & _MANY:
                (count,) = struct.unpack_from("<I", data, at)
                at += 4
            values: list[bytes] = []
            for _ in range(count):
                size = _SIZES.get(base, 0)
                if base in _COUNTED:
                    (size,) = struct.unpack_from("<I", data, at)
                    at += 4
                elif not size:
                    return
                values.append(data[at : at + size])
                at += _padded(size)
            if values:
                yield tag, _Property(base, values[0])
    except struct.error:
        return


def _padded(size: int) -> int:
    return size + -size % 4


def _text(found: _Property | None, page: str) -> str:
    if found is None:
        return ""
    if found.kind == _UNICODE:
        return found.data.decode("utf-16-le", "replace").rstrip("\0")
    return mime.to_text(found.data.rstrip(b"\0"), page)
