"""ZIP packages of XML parts: what OOXML and OpenDocument files are made of.

XML comes from strangers: no entity is resolved, nothing is fetched, and neither depth nor length of
a part is without limit.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wenqu.errors import ReadError
from wenqu.readers.archive import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.etree import _Element as Element

    from wenqu.readers.builder import DocumentBuilder

__all__ = ["Package", "Relation", "attribute", "note_core_properties", "tag"]

_MAX_PART_BYTES = 512 << 20  # a bomb's; the worker's memory limit is the finer one
_BROKEN_ZIP = (
    zipfile.BadZipFile, OSError, ValueError, LookupError, NotImplementedError, RuntimeError,
    zlib.error, EOFError,
)  # fmt: skip
# Namespaces of both conformance classes of ISO/IEC 29500, of OpenDocument, and of drawings.
_PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.microsoft.com/office/word/2003/wordml": "w",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "c",
    "http://purl.oclc.org/ooxml/drawingml/chart": "c",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm",
    "http://purl.oclc.org/ooxml/drawingml/diagram": "dgm",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing": "wp",
    "http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing": "wp",
    "urn:schemas-microsoft-com:vml": "v",
    "urn:schemas-microsoft-com:office:office": "o",
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0": "office",
    "urn:oasis:names:tc:opendocument:xmlns:text:1.0": "text",
    "urn:oasis:names:tc:opendocument:xmlns:table:1.0": "table",
    "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0": "draw",
    "urn:oasis:names:tc:opendocument:xmlns:style:1.0": "style",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0": "meta",
    "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0": "manifest",
    "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0": "presentation",
    "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0": "svg",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://schemas.openxmlformats.org/package/2006/metadata/core-properties": "cp",
}
# Titles that programs write and nobody reads.
_NO_TITLE = re.compile(
    r"(?:microsoft (?:word|powerpoint|office)\b.*|powerpoint (?:演示文稿|presentation)"
    r"|(?:untitled|未命名|无标题|文档|document|slide|title)\s*\d*)",
    re.IGNORECASE,
)


def tag(element: Element) -> str:
    """Return an element's name with its namespace's usual prefix, ``w:p``; "" for a comment."""
    name = element.tag
    return _prefixed(name) if isinstance(name, str) else ""


@lru_cache(maxsize=4096)
def _prefixed(name: str) -> str:
    space, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    return f"{_PREFIXES[space]}:{local}" if space in _PREFIXES else local


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute by its local name, in whatever namespace."""
    if (value := element.get(name)) is not None:
        return value
    for key, value in element.items():
        if key.rpartition("}")[2] == name:
            return value
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What one part of an OOXML package says of another, or of a place outside."""

    kind: str
    target: str
    external: bool = False


class Package:
    """A ZIP package, open for reading; names are compared as the programs do, without case.

    Args:
        data: The whole file.
        source: Named by errors.

    Raises:
        ReadError: It is not a ZIP file, or its directory is damaged.
    """

    def __init__(self, data: bytes, source: str) -> None:
        self._source = source
        try:
            self._archive = zipfile.ZipFile(BytesIO(data))
        except _BROKEN_ZIP as error:
            raise self._damaged(str(error)) from error
        self._members = {_plain(info.filename): info for info in self._archive.infolist()}

    @property
    def names(self) -> Iterator[str]:
        """The names of all parts, as they are written."""
        return (info.filename.replace("\\", "/") for info in self._members.values())

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a part."""
        return _plain(name) in self._members

    def read(self, name: str) -> bytes:
        """Return a part's bytes.

        Raises:
            ReadError: It is not there, damaged, encrypted, or longer than any document's.
        """
        info = self._members.get(_plain(name))
        if info is None:
            raise self._damaged(f"{name} is missing")
        if info.file_size > _MAX_PART_BYTES:
            raise self._damaged(f"{name} unpacks to {info.file_size >> 20} MB")
        try:
            with self._archive.open(info) as part:
                data = part.read(_MAX_PART_BYTES + 1)
        except _BROKEN_ZIP as error:
            raise self._damaged(f"{name}: {error}") from error
        if len(data) > _MAX_PART_BYTES:
            raise self._damaged(f"{name} unpacks to more than it says")
        return data

    def xml(self, name: str) -> Element:
        """Return the root of an XML part.

        Raises:
            ReadError: The part cannot be read or parsed.
        """
        return parse_xml(self.read(name), self._source, name)

    def optional_xml(self, name: str) -> Element | None:
        """Return the root of a part that the text can do without, None if it cannot be had."""
        if name not in self:
            return None
        try:
            return self.xml(name)
        except ReadError:
            return None

    def relations(self, part: str = "") -> Mapping[str, Relation]:
        """Return what an OOXML part refers to, by id; names are from the package's root."""
        folder, name = posixpath.split(part)
        root = self.optional_xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        found: dict[str, Relation] = {}
        for entry in root if root is not None else ():
            target = attribute(entry, "Target") or ""
            external = attribute(entry, "TargetMode") == "External"
            if not external:
                target = _joined(folder, target)
            kind = (attribute(entry, "Type") or "").rpartition("/")[2]
            key = attribute(entry, "Id") or f"#{len(found)}"
            found[key] = Relation(kind=kind, target=target, external=external)
        return found

    def _damaged(self, reason: str) -> ReadError:
        return ReadError("read.damaged", source=self._source, reason=reason)


def note_core_properties(package: Package, builder: DocumentBuilder) -> str | None:
    """Keep author, date and the like of an OOXML package in the meta; return its title."""
    relations = package.relations().values()
    parts = [relation.target for relation in relations if relation.kind == "core-properties"]
    root = package.optional_xml(parts[0] if parts else "docProps/core.xml")
    values: dict[str, str] = {}
    for entry in root if root is not None else ():
        if isinstance(entry.tag, str) and entry.text:
            values.setdefault(entry.tag.rpartition("}")[2], entry.text)
    for key, name in (
        ("author", "creator"),
        ("date", "modified" if "modified" in values else "created"),
        ("keywords", "keywords"),
        ("subject", "subject"),
        ("description", "description"),
    ):
        builder.note(key, values.get(name))
    title = values.get("title", "").strip()
    return None if _NO_TITLE.fullmatch(title) else title or None


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").casefold()


def _joined(folder: str, target: str) -> str:
    target = unquote(target.partition("#")[0].replace("\\", "/"))
    path = target if target.startswith("/") else posixpath.join(folder, target)
    return posixpath.normpath(path).lstrip("/")
