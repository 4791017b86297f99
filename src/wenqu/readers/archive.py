"""ZIP files that are one document (EPUB, OOXML, OpenDocument), opened without trusting them.

A few kilobytes can unpack to terabytes, a directory can lie about what follows, and XML can ask for
files and for itself. Here members are read up to a limit, and no entity is ever resolved.
"""

from __future__ import annotations

import lzma
import posixpath
import struct
import zipfile
import zlib
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wenqu.errors import ReadError

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["MEMBER_LIMIT", "TOTAL_LIMIT", "SafeZip", "parse_xml"]

MEMBER_LIMIT = 200 << 20
TOTAL_LIMIT = 400 << 20

_MB = 1 << 20
_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
# What zipfile raises on broken input, beyond its own error; RuntimeError also says "password".
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    IndexError,
    OverflowError,
)


class SafeZip:
    """The members of a ZIP file in memory, read one by one up to a limit.

    Args:
        data: The whole file.
        source: Named by errors.
        member_limit: Bytes that one member may unpack to.
        total_limit: Bytes that all members read may unpack to.

    Raises:
        ReadError: ``read.damaged``: it is no ZIP file, or cut off.
    """

    def __init__(
        self,
        data: bytes,
        source: str,
        *,
        member_limit: int = MEMBER_LIMIT,
        total_limit: int = TOTAL_LIMIT,
    ) -> None:
        self._source = source
        self._member_limit = member_limit
        self._total_limit = total_limit
        self._unpacked: dict[str, int] = {}
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except _BROKEN as error:
            raise self._damaged(error) from error
        self._members = {member.filename: member for member in self._zip.infolist()}
        self._folded: dict[str, str] | None = None

    def names(self) -> list[str]:
        """Return the names of all files in it, in the order of its directory."""
        return [name for name, member in self._members.items() if not member.is_dir()]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def find(self, name: str) -> str | None:
        """Return the member that ``name`` means, or None.

        Writers disagree on case, on slashes, on leading ones and on the encoding of names, and
        references are percent-encoded or not.
        """
        if name in self._members:
            return name
        if self._folded is None:
            self._folded = {}
            for member in self._members.values():
                for spelling in _spellings(member):
                    self._folded.setdefault(_fold(spelling), member.filename)
        return self._folded.get(_fold(name)) or self._folded.get(_fold(unquote(name)))

    def read(self, name: str) -> bytes:
        """Return what a member unpacks to; ``name`` as in ``names``.

        Raises:
            ReadError: ``read.damaged``: it is not there or broken; ``read.bomb``: it is larger than
                allowed; ``read.encrypted``.
        """
        member = self._members.get(name)
        if member is None:
            raise ReadError("read.damaged", source=self._source, reason=f"{name} is missing")
        if member.flag_bits & _ENCRYPTED_FLAG:
            raise ReadError("read.encrypted", source=self._source)
        others = sum(self._unpacked.values()) - self._unpacked.get(name, 0)
        limit = min(self._member_limit, self._total_limit - others)
        if member.file_size > limit:
            raise self._bomb(limit)
        try:
            with self._zip.open(member) as file:
                data = file.read(limit + 1)
        except _BROKEN as error:
            raise self._damaged(error) from error
        if len(data) > limit:
            raise self._bomb(limit)
        self._unpacked[name] = len(data)
        return data

    def xml(self, name: str, *, recover: bool = False) -> _Element:
        """Return the root of a member that is XML; see ``parse_xml``."""
        return parse_xml(self.read(name), self._source, recover=recover)

    def _damaged(self, error: Exception) -> ReadError:
        reason = str(error) or type(error).__name__
        return ReadError("read.damaged", source=self._source, reason=reason)

    def _bomb(self, limit: int) -> ReadError:
        whole = limit < self._member_limit
        megabytes = (self._total_limit if whole else self._member_limit) // _MB
        return ReadError("read.bomb", source=self._source, limit_mb=megabytes)


def parse_xml(data: bytes, source: str, part: str = "XML", *, recover: bool = False) -> _Element:
    """Return the root element; entities stay unresolved and nothing is fetched.

    Args:
        data: XML with or without a declaration.
        source: Named by the error.
        part: What of it this is, likewise.
        recover: Whether to go on after an error, with what could be understood.

    Raises:
        ReadError: ``read.damaged``: it is not well-formed, or deeper than 256 elements.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: _Element | None = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if not recover and len(parser.error_log) and not parser.error_log.filter_from_fatals():
            # Well-formed, but for an id or a prefix that breaks a rule of another standard.
            return parse_xml(data, source, part, recover=True)
        raise ReadError("read.damaged", source=source, reason=f"{part}: {error}") from error
    if root is None:
        raise ReadError("read.damaged", source=source, reason=f"{part}: nothing in it")
    return root


def _spellings(member: zipfile.ZipInfo) -> list[str]:
    """Return a member's name, and what its bytes mean in other encodings where it is not said."""
    names = [member.filename]
    if not member.flag_bits & _UTF8_FLAG and not member.filename.isascii():
        for encoding in ("utf-8", "gb18030"):
            try:
                names.append(member.filename.encode("cp437").decode(encoding))
            except UnicodeError:
                continue
    return names


def _fold(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/")).lstrip("/").casefold()
