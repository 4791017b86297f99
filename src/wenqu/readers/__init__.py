"""Readers: one file a format family, bytes → Document. ``worker`` runs them in another process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.protocols import Reader
    from wenqu.types import Document

__all__ = ["HEAD_BYTES", "choose", "default_readers", "identify", "read_file"]

HEAD_BYTES = 4096

_SIGNATURES = (
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office 97–2003 (doc, xls, ppt, msg)"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"{\\rtf", "RTF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"SQLite format 3\0", "SQLite"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"\0asm", "WebAssembly"),
)
_OFFICE = {
    "docx": "Word (docx)",
    "xlsx": "Excel (xlsx)",
    "xlsm": "Excel (xlsm)",
    "pptx": "PowerPoint (pptx)",
    "odt": "OpenDocument (odt)",
    "ods": "OpenDocument (ods)",
    "odp": "OpenDocument (odp)",
    "epub": "EPUB",
}
_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,8})\Z")
# BM and MZ are also how a text may begin; the other signatures cannot open a text.
_WORD_LIKE = (b"BM", b"MZ", b"ID3", b"GIF8", b"Rar!", b"OggS")


def default_readers() -> tuple[Reader, ...]:
    """Return a reader for each format that wenqu reads, the surest first."""
    from wenqu.readers.csv import CsvReader
    from wenqu.readers.html import HtmlReader
    from wenqu.readers.markdown import MarkdownReader
    from wenqu.readers.pdf import PdfReader
    from wenqu.readers.text import TextReader

    return (PdfReader(), HtmlReader(), MarkdownReader(), CsvReader(), TextReader())


def choose(readers: Sequence[Reader], name: str, head: bytes) -> Reader | None:
    """Return the first reader that takes a file of that name with that head, or None."""
    return next((reader for reader in readers if reader.accepts(name, head)), None)


def identify(name: str, head: bytes) -> str:
    """Return what a file that no reader takes seems to be, for a message."""
    suffix = found[1].lower() if (found := _SUFFIX.search(name)) else ""
    if head.startswith(b"PK\x03\x04"):
        return _OFFICE.get(suffix, "ZIP")
    for signature, kind in _SIGNATURES:
        if head.startswith(signature) and (signature not in _WORD_LIKE or b"\0" in head):
            return kind
    if head[:4] == b"RIFF":
        return "WebP" if head[8:12] == b"WEBP" else "RIFF"
    return f".{suffix}" if suffix else "?"


def read_file(path: Path, source: str, readers: Sequence[Reader]) -> Document:
    """Read one file in this process, with no limits: ``worker.ReadingPool`` sets them.

    Raises:
        ReadError: It cannot be opened, no reader takes it, or its reader refuses it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            reader = choose(readers, path.name, head)
            if reader is None:
                raise ReadError("read.unsupported", source=source, kind=identify(path.name, head))
            data = head + file.read()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReadError("read.access", source=source, reason=reason) from error
    if not data.strip():
        raise ReadError("read.empty", source=source)
    return reader.read(data, source)
