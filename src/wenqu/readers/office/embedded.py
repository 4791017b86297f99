"""Files that an Office document carries in an OLE wrapper: found, named, and taken out."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import olefile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ole1_payload", "ole_payload", "ole_storages"]

_NATIVE = "\x01Ole10Native"
_PLAIN = ("Package", "CONTENTS")  # an OOXML file; what Acrobat and others put in
_MAX_NAME = 260
_EMBEDDED = 2
_BROKEN = (OSError, ValueError, IndexError, TypeError, LookupError)
_TEXT = re.compile(rb"[^\0]{0,260}\0")


def ole_payload(data: bytes, name: str) -> tuple[str, bytes]:
    """Return name and bytes of the file inside an OLE object; the object itself where none is."""
    if not data.startswith(olefile.MAGIC):
        return name, data
    try:
        with olefile.OleFileIO(BytesIO(data)) as ole:
            return _payload(ole, (), name) or (name, data)
    except _BROKEN:
        return name, data


def ole_storages(ole: olefile.OleFileIO[str], folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files inside the OLE objects of an old document, which are storages in ``folder``.

    Only objects that hold a file as one stream are yielded: packages and modern documents.
    """
    inner = sorted({tuple(path[:2]) for path in ole.listdir() if path[0] == folder and path[1:]})
    for storage in inner:
        try:
            found = _payload(ole, storage, storage[-1].lstrip("_"))
        except _BROKEN:
            continue
        if found is not None:
            yield found


def ole1_payload(data: bytes) -> tuple[str, bytes] | None:
    """Return name and bytes of the file in an OLE 1.0 object, as RTF has them; None for a link."""
    kind, at = int.from_bytes(data[4:8], "little"), 8
    if kind != _EMBEDDED:
        return None
    texts: list[str] = []
    for _ in range(3):  # class, topic, item
        size = int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : at + 4 + size].rstrip(b"\0").decode("latin-1"))
        at += 4 + size
    size = int.from_bytes(data[at : at + 4], "little")
    content = data[at + 4 : at + 4 + size]
    if texts[0] == "Package":
        return _native(b"\0\0\0\0" + content)
    name, inner = ole_payload(content, texts[0] or "embedded")
    return (name, inner) if inner else None


def _payload(ole: olefile.OleFileIO[str], at: Sequence[str], name: str) -> tuple[str, bytes] | None:
    if ole.exists([*at, _NATIVE]):
        with ole.openstream([*at, _NATIVE]) as stream:
            return _native(stream.read())
    for stream_name in _PLAIN:
        if ole.exists([*at, stream_name]):
            with ole.openstream([*at, stream_name]) as stream:
                return name, stream.read()
    return None


def _native(data: bytes) -> tuple[str, bytes] | None:
    """Read a package: size, flags, label, path, kind, temporary path, size, content."""
    at = 6
    texts: list[bytes] = []
    for _ in range(2):
        found = _TEXT.match(data, at)
        if found is None:
            return None
        texts.append(found[0][:-1])
        at = found.end()
    if data[at : at + 4] != b"\0\0\x03\0":  # a linked file, not an embedded one
        return None
    at += 4
    at += 4 + int.from_bytes(data[at : at + 4], "little")
    size = int.from_bytes(data[at : at + 4], "little")
    content = data[at + 4 : at + 4 + size]
    label = next(filter(None, texts), b"").decode("gb18030", "replace")
    name = PurePosixPath(label.replace("\\", "/")).name[:_MAX_NAME]
    return (name or "embedded", content) if content else None
