"""Readers: one file a format family, bytes → Document. ``worker`` runs them in another process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["choose", "default_readers", "identify", "read_file"]

_SIGNATURES = (
    (b"%PDF-", "PDF"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
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
_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,8})\Z")
# BM and MZ are also how a text may begin; the other signatures cannot open a text.
_WORD_LIKE = (b"BM", b"MZ", b"ID3", b"GIF8", b"Rar!", b"OggS")


def default_readers() -> tuple[Reader, ...]:
    """Return a reader for each format that wenqu reads, the surest first."""
    from wenqu.readers.mail.mail import MailReader
    from wenqu.readers.mail.mhtml import MhtmlReader
    from wenqu.readers.mail.outlook import OutlookReader
    from wenqu.readers.mail.tnef import WrappedMailReader
    from wenqu.readers.markup.code import CodeReader
    from wenqu.readers.markup.csv import CsvReader
    from wenqu.readers.markup.epub import EpubReader
    from wenqu.readers.markup.html import HtmlReader
    from wenqu.readers.markup.latex import LatexReader
    from wenqu.readers.markup.markdown import MarkdownReader
    from wenqu.readers.markup.notebook import NotebookReader
    from wenqu.readers.markup.structured import JsonReader
    from wenqu.readers.markup.subtitles import SubtitleReader
    from wenqu.readers.markup.text import TextReader
    from wenqu.readers.markup.xml import XmlReader
    from wenqu.readers.office.encrypted import EncryptedReader
    from wenqu.readers.office.opendocument import OpenDocumentReader
    from wenqu.readers.office.opensheet import OpenSpreadsheetReader
    from wenqu.readers.office.openslides import OpenSlidesReader
    from wenqu.readers.office.rtf import RtfReader
    from wenqu.readers.office.slides import SlidesReader
    from wenqu.readers.office.slides97 import OldSlidesReader
    from wenqu.readers.office.spreadsheet import SpreadsheetReader
    from wenqu.readers.office.spreadsheet97 import BinarySpreadsheetReader, OldSpreadsheetReader
    from wenqu.readers.office.spreadsheetxml import SpreadsheetXmlReader
    from wenqu.readers.office.word import WordReader
    from wenqu.readers.office.word97 import Word97Reader
    from wenqu.readers.pages.image import ImageReader
    from wenqu.readers.pages.pdf import PdfReader

    return (
        PdfReader(),
        EncryptedReader(default_readers),
        WordReader(default_readers),
        Word97Reader(default_readers),
        OpenDocumentReader(default_readers),
        RtfReader(default_readers),
        ImageReader(),
        OutlookReader(default_readers),
        WrappedMailReader(default_readers),
        SpreadsheetReader(default_readers),
        OldSpreadsheetReader(default_readers),
        BinarySpreadsheetReader(),
        SpreadsheetXmlReader(),
        OpenSpreadsheetReader(),
        SlidesReader(default_readers),
        OldSlidesReader(default_readers),
        OpenSlidesReader(),
        EpubReader(),
        MhtmlReader(),
        MailReader(default_readers),
        HtmlReader(),
        XmlReader(),
        NotebookReader(),
        JsonReader(),
        SubtitleReader(),
        LatexReader(),
        MarkdownReader(),
        CsvReader(),
        CodeReader(),
        TextReader(),
    )


_TOLD_BY_CONTENT = frozenset(
    f".{suffix}"
    for suffixes in (
        ("pdf", "rtf", "epub", "msg", "zip"),
        ("docx", "pptx", "xlsx", "doc", "ppt", "xls", "odt", "odp", "ods"),
        ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif"),
    )
    for suffix in suffixes
)
"""Kinds that wenqu reads, whatever their name: a file that has only the name is none of them."""


def choose(readers: Sequence[Reader], sample: Sample) -> Reader | None:
    """Return the first reader that takes such a file, or None."""
    return next((reader for reader in readers if reader.accepts(sample)), None)


def identify(sample: Sample) -> str:
    """Return what a file that no reader takes seems to be, for a message."""
    if sample.container:
        return sample.container.upper()
    head = sample.head
    for signature, kind in _SIGNATURES:
        if head.startswith(signature) and (signature not in _WORD_LIKE or b"\0" in head):
            return kind
    if head[:4] == b"RIFF":
        return "WebP" if head[8:12] == b"WEBP" else "RIFF"
    suffix = found[1].lower() if (found := _SUFFIX.search(sample.name)) else ""
    return f".{suffix}" if suffix else "?"


def read_file(
    path: Path,
    source: str,
    readers: Sequence[Reader],
    options: ReadOptions = DEFAULT_OPTIONS,
) -> Document:
    """Read one file in this process, with no limits: ``worker.ReadingPool`` sets them.

    Raises:
        ReadError: It cannot be opened, no reader takes it, or its reader refuses it;
            ``read.archive`` where it is an archive, for ``unpack``.
    """
    from wenqu.readers.detect import sample
    from wenqu.readers.unpack import is_archive

    try:
        with path.open("rb") as file:
            known = sample(path.name, file)
            reader = choose(readers, known)
            if reader is None and known.container == "damaged":
                raise ReadError("read.damaged", source=source, reason="its directory is unreadable")
            if reader is None and is_archive(known):
                raise ReadError("read.archive", source=source)
            if reader is None:
                kind = identify(known)
                key = "read.misnamed" if kind in _TOLD_BY_CONTENT else "read.unsupported"
                raise ReadError(key, source=source, kind=kind)
            data = file.read()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ReadError("read.access", source=source, reason=reason) from error
    if not data.strip():
        raise ReadError("read.empty", source=source)
    return reader.read(data, source, options)
