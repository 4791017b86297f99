"""What a container file holds, told from its members: names and suffixes lie.

A Word file is a ZIP with ``word/document.xml`` in it, whatever it is called; an old one is an OLE
file with a stream ``WordDocument``. Only the directory of the container is read here.
"""

from __future__ import annotations

import zipfile
from typing import IO, TYPE_CHECKING

import olefile

from wenqu.protocols import Sample

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["HEAD_BYTES", "sample"]

HEAD_BYTES = 4096

_ZIP = b"PK\x03\x04"
_OPEN_DOCUMENT = {
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/epub+zip": "epub",
}
_MIMETYPE_BYTES = 100
# First match wins: a Word file may hold a whole workbook, below word/embeddings.
_PARTS = (
    ("word/document", "docx"),
    ("xl/workbook.bin", "xlsb"),
    ("xl/workbook", "xlsx"),
    ("ppt/presentation", "pptx"),
    ("META-INF/container.xml", "epub"),
)
_PACKAGE = frozenset({"[Content_Types].xml", "META-INF/manifest.xml", "mimetype"})
# Likewise: a message may hold a document, and an encrypted package is none of the others.
_STREAMS = (
    ("EncryptedPackage", "encrypted"),
    ("__properties_version1.0", "msg"),
    ("WordDocument", "doc"),
    ("PowerPoint Document", "ppt"),
    ("Workbook", "xls"),
    ("Book", "xls"),
)


def sample(name: str, file: IO[bytes]) -> Sample:
    """Return what tells the format of an open file, which is left where it was found.

    ``container`` is one of docx, xlsx, xlsb, pptx, odt, ods, odp, epub, doc, xls, ppt, msg; or
    "encrypted" for an Office file under a password, "package" for a document of another kind,
    "zip" and "ole" for anything else in these wrappers, "damaged" where its directory cannot be
    read; or "".
    """
    begin = file.tell()
    head = file.read(HEAD_BYTES)
    container = ""
    if head.startswith(_ZIP):
        container = _zip(file)
    elif head.startswith(olefile.MAGIC):
        container = _ole(file)
    file.seek(begin)
    return Sample(name=name, head=head, container=container)


def _zip(file: IO[bytes]) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    kind = member.read(_MIMETYPE_BYTES).decode("ascii", "replace").strip()
                kind = kind.removesuffix("-template")
                if kind in _OPEN_DOCUMENT:
                    return _OPEN_DOCUMENT[kind]
            return _office(names)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return "damaged"


def _office(names: Collection[str]) -> str:
    plain = [name.replace("\\", "/").lstrip("/") for name in names]
    for part, kind in _PARTS:
        if any(name.startswith(part) for name in plain):
            return kind
    # One document of another kind, or one without its main part; no folder of files.
    return "package" if _PACKAGE.intersection(plain) else "zip"


def _ole(file: IO[bytes]) -> str:
    try:
        with olefile.OleFileIO(file) as ole:
            # Names in an OLE directory are compared without case, and some writers use capitals.
            top = {path[0].lower() for path in ole.listdir()}
    except (OSError, ValueError, IndexError, TypeError):
        return "damaged"
    return next((kind for stream, kind in _STREAMS if stream.lower() in top), "ole")
