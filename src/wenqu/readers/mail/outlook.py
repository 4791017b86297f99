"""Outlook's own message files (``.msg``): an OLE file with one stream a property.

Source: [MS-OXMSG] 2 (streams and storages), [MS-OXPROPS] (what the numbers mean).
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import olefile

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.mail import mime
from wenqu.readers.mail.mail import mail_of
from wenqu.readers.mail.message import Attached, Body, Mail, document
from wenqu.readers.mail.outlook_rtf import decompress, html_of
from wenqu.readers.mail.smime import signed_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["OutlookReader"]

_PROPERTIES = "__properties_version1.0"
_STREAM = "__substg1.0_{:04X}{:04X}"
_RECIPIENT = "__recip_version1.0_"
_ATTACHMENT = "__attach_version1.0_"
_ENTRY = struct.Struct("<HHI8s")
# The fixed properties come after a header whose length depends on what they are of.
_TOP_HEADER, _INNER_HEADER, _OTHER_HEADER = 32, 24, 8
_MAX_DEPTH = 10
_MAX_PARTS = 5000

_OBJECT, _STRING8, _UNICODE, _BINARY = 0x000D, 0x001E, 0x001F, 0x0102

_CLASS, _SUBJECT, _HEADERS = 0x001A, 0x0037, 0x007D
_SUBMITTED, _DELIVERED, _CREATED = 0x0039, 0x0E06, 0x3007
_BODY, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_SENDER, _FOR_WHOM = (0x0C1A, 0x5D01, 0x0C1F), (0x0042, 0x5D02, 0x0065)
_RECIPIENT_NAME, _RECIPIENT_KIND = (0x3001, 0x39FE, 0x3003), 0x0C15
_DISPLAYED = ((0x0E04, "To"), (0x0E03, "Cc"), (0x0E02, "Bcc"))
_KINDS = {1: "To", 2: "Cc", 3: "Bcc"}
_MESSAGE_PAGE, _LOCALE, _INTERNET_PAGE = 0x3FFD, 0x3FF1, 0x3FDE
# Code pages of the locales whose text is not Latin. Source: [MS-LCID] 2.2, [MS-UCODEREF] 2.2.1.
_LOCALE_PAGES = {
    0x0804: 936, 0x1004: 936, 0x0404: 950, 0x0C04: 950, 0x1404: 950, 0x0411: 932, 0x0412: 949,
    0x0419: 1251, 0x0422: 1251, 0x0408: 1253, 0x040D: 1255, 0x0401: 1256, 0x041E: 874,
    0x0405: 1250, 0x040E: 1250, 0x0415: 1250, 0x041F: 1254,
}  # fmt: skip
_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _CONTENT_ID = 0x3707, 0x3704, 0x3001, 0x3712
_DATA, _MIME_TYPE = 0x3701, 0x370E

_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# What olefile raises on broken files, beyond its own errors (which are OSError).
_BROKEN = (OSError, ValueError, IndexError, TypeError, struct.error, AttributeError, KeyError)


class OutlookReader:
    """Reads ``.msg`` files: mail, and what else Outlook keeps (notes, appointments, contacts).

    Args:
        readers: Returns the readers to choose from for attachments.
    """

    name = "outlook/2"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take an OLE file whose streams are a message's."""
        return sample.container == "msg"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the message.

        Raises:
            ReadError: It is damaged, encrypted, or says nothing.
        """
        try:
            with olefile.OleFileIO(BytesIO(data)) as ole:
                mail = _Message(_Storage(ole, ()), source, _TOP_HEADER).mail(0)
        except _BROKEN as error:
            reason = str(error) or type(error).__name__
            raise ReadError("read.damaged", source=source, reason=reason) from error
        return document([mail], source, "msg", self._readers, options)


class _Storage:
    """A folder of an OLE file. A stream that cannot be read is as good as not there."""

    def __init__(self, ole: olefile.OleFileIO[str], path: tuple[str, ...]) -> None:
        self._ole = ole
        self._path = path

    def below(self, name: str) -> _Storage:
        """Return a folder in it."""
        return _Storage(self._ole, (*self._path, name))

    def folders(self, prefix: str) -> Iterator[_Storage]:
        """Yield the folders in it whose names begin so, in the order of their numbers."""
        depth = len(self._path)
        names = {
            path[depth]
            for path in self._ole.listdir()
            if len(path) > depth + 1
            and tuple(path[:depth]) == self._path
            and path[depth].lower().startswith(prefix)
        }
        for name in sorted(names)[:_MAX_PARTS]:
            yield self.below(name)

    def stream(self, name: str) -> bytes | None:
        """Return a stream's bytes, or None."""
        path = [*self._path, name]
        if not self._ole.exists(path) or self._ole.get_type(path) != olefile.STGTY_STREAM:
            return None
        try:
            with self._ole.openstream(path) as stream:
                data: bytes = stream.read()
        except _BROKEN:
            return None
        return data

    def holds(self, name: str) -> bool:
        """Say whether it has a folder of that name."""
        path = [*self._path, name]
        return bool(self._ole.exists(path)) and self._ole.get_type(path) == olefile.STGTY_STORAGE


class _Properties:
    """The properties of a message, a recipient or an attachment."""

    def __init__(self, storage: _Storage, header: int, pages: Sequence[str] = ()) -> None:
        self._storage = storage
        self.pages = pages
        self._fixed: dict[int, bytes] = {}
        entries = (storage.stream(_PROPERTIES) or b"")[header:]
        for kind, tag, _, value in _ENTRY.iter_unpack(entries[: len(entries) // 16 * 16]):
            if kind not in {_OBJECT, _STRING8, _UNICODE, _BINARY}:
                self._fixed[tag] = value

    def binary(self, tag: int) -> bytes | None:
        """Return a property of bytes, or None."""
        return self._storage.stream(_STREAM.format(tag, _BINARY))

    def text(self, tag: int) -> str:
        """Return a property of text, "" where there is none."""
        wide = self._storage.stream(_STREAM.format(tag, _UNICODE))
        if wide is not None:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self._storage.stream(_STREAM.format(tag, _STRING8)) or b""
        return mime.to_text(narrow.rstrip(b"\0"), *self.pages[:2])

    def number(self, tag: int) -> int:
        """Return a property that is a number of 32 bits, 0 where there is none."""
        return int.from_bytes(self._fixed.get(tag, b"")[:4], "little")

    def time(self, tag: int) -> datetime | None:
        """Return a property that is a time, or None."""
        ticks = int.from_bytes(self._fixed.get(tag, b""), "little")
        try:
            return _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
        except OverflowError:
            return None

    def person(self, tags: tuple[int, ...]) -> str:
        """Return ``Name <address>`` of a name and of addresses, of which the first real one."""
        name, *addresses = (self.text(tag).strip().strip("'\"") for tag in tags)
        address = next((one for one in addresses if "@" in one), "")
        if not name or name == address or address in name:
            return name or address
        return f"{name} <{address}>" if address else name


class _Message:
    """One message: the file's own, or one attached to another."""

    def __init__(self, storage: _Storage, source: str, header: int) -> None:
        self._storage = storage
        self._source = source
        self._is = _Properties(storage, header)
        pages = (
            self._is.number(_MESSAGE_PAGE),
            _LOCALE_PAGES.get(self._is.number(_LOCALE), 0),
            self._is.number(_INTERNET_PAGE),
        )
        self._pages = [name for page in pages if page and (name := mime.codec(page))]
        self._is.pages = self._pages

    def mail(self, depth: int) -> Mail:
        """Return what it says."""
        attached, lost, sealed = self._attached(depth)
        smime = "SMIME" in self._is.text(_CLASS).upper()
        inner = self._signed(attached) if smime else None
        if inner is not None:
            attached, sealed = list(inner.attached), inner.sealed
        headers = self._is.text(_HEADERS)
        sent = next(filter(None, map(self._is.time, (_SUBMITTED, _DELIVERED, _CREATED))), None)
        if headers and not sent:
            sent = mime.date(mime.parse(headers.encode(), self._source))
        return Mail(
            subject=self._is.text(_SUBJECT),
            head=tuple(self._head()),
            date=sent,
            bodies=inner.bodies if inner is not None else (self._body(),),
            attached=tuple(attached),
            lost=tuple(lost),
            sealed=sealed,
        )

    def _head(self) -> Iterator[tuple[str, str]]:
        sender, for_whom = self._is.person(_SENDER), self._is.person(_FOR_WHOM)
        if sender or for_whom:
            yield "From", sender or for_whom
        names = self._is.text(_SENDER[0]), self._is.text(_FOR_WHOM[0])
        if all(names) and names[0] not in names[1]:
            yield "On behalf of", for_whom
        found: dict[str, list[str]] = {}
        for storage in self._storage.folders(_RECIPIENT):
            recipient = _Properties(storage, _OTHER_HEADER, self._pages)
            kind = _KINDS.get(recipient.number(_RECIPIENT_KIND) & 0xF)
            if kind and (person := recipient.person(_RECIPIENT_NAME)):
                found.setdefault(kind, []).append(person)
        for tag, kind in _DISPLAYED:
            if people := ", ".join(found.get(kind, ())) or self._is.text(tag).strip():
                yield kind, people

    def _body(self) -> Body:
        rtf = decompress(self._is.binary(_RTF) or b"")
        page = mime.codec(self._is.number(_INTERNET_PAGE))
        raw = self._is.binary(_HTML)
        html = mime.html_text(raw, page) if raw else self._is.text(_HTML)
        return Body(plain=self._is.text(_BODY), html=html or html_of(rtf), rtf=rtf)

    def _attached(self, depth: int) -> tuple[list[Attached], list[str], bool]:
        """Return what hangs on the message, what of it cannot be had, and if it is encrypted."""
        attached: list[Attached] = []
        lost: list[str] = []
        sealed = False
        for storage in self._storage.folders(_ATTACHMENT):
            one = _Properties(storage, _OTHER_HEADER, self._pages)
            names = (one.text(tag).strip() for tag in (_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME))
            name = next(filter(None, names), "attachment")
            data = one.binary(_DATA)
            folder = _STREAM.format(_DATA, _OBJECT)
            if data is not None and one.text(_MIME_TYPE).lower() in _SEALED:
                signed = signed_content(data)
                sealed = sealed or signed is None
                if signed is not None:
                    attached.append(Attached(name=name, content=signed))
            elif data is not None:
                inline = bool(one.text(_CONTENT_ID))
                attached.append(Attached(name=name, content=data, inline=inline))
            elif storage.holds(folder) and depth < _MAX_DEPTH:
                inner = storage.below(folder)
                if inner.stream(_PROPERTIES) is None:
                    lost.append(name)  # an OLE object, such as a chart
                    continue
                mail = _Message(inner, self._source, _INNER_HEADER).mail(depth + 1)
                attached.append(Attached(name=name, content=mail))
        return attached, lost, sealed

    def _signed(self, attached: Sequence[Attached]) -> Mail | None:
        """Return the message that a signed one keeps whole as its only attachment, or None."""
        data = attached[0].content if len(attached) == 1 else None
        if not isinstance(data, bytes) or "content-type" not in mime.field_names(data):
            return None
        return mail_of(mime.parse(data, self._source), self._source)
