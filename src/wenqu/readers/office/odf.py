"""What OpenDocument files share: properties, macros, encryption, headers, paragraphs.

Source: OASIS OpenDocument 1.3, parts 2 (packages) and 3 (schema).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.readers.builder import collapse, only_text
from wenqu.readers.office.encrypted import decrypt
from wenqu.readers.office.ooxml import SalvagedPackage, local
from wenqu.readers.office.package import attribute, tag
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from wenqu.protocols import ReadOptions
    from wenqu.readers.builder import DocumentBuilder
    from wenqu.types import Document

__all__ = [
    "OpenPackage",
    "lines",
    "note_open_properties",
    "objects",
    "running",
    "said",
    "table_rows",
]

_SILENT = frozenset(
    {"annotation", "annotation-end", "tracked-changes", "note-citation", "ruby-text"}
)
_MAX_DEPTH = 120
_MAX_REPEATS = 200
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_CHART = "{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}"
_TITLES = (f"{_CHART}title", f"{_CHART}subtitle")


class OpenPackage(SalvagedPackage):
    """An OpenDocument package.

    Args:
        data: The whole file.
        source: Named by errors.
        options: Has the passwords.

    Raises:
        ReadError: It is no ZIP archive, or encrypted in a way or with a password that is not known.
    """

    def __init__(self, data: bytes, source: str, options: ReadOptions) -> None:
        super().__init__(decrypt(data, source, options), source)
        manifest = self.salvage("META-INF/manifest.xml")
        if manifest is not None and next(manifest.iter("{*}encryption-data"), None) is not None:
            raise ReadError("read.encrypted", source=source)

    def finish(self, builder: DocumentBuilder, source: str, title: str | None) -> Document:
        """Add macros, then return the document with its properties.

        Raises:
            ReadError: There is no text, or none is left.
        """
        for part in self.parts("basic/"):
            root = self.salvage(part) if part.endswith(".xml") else None
            if root is not None and local(root) == "module" and only_text(root.text or ""):
                builder.add(root.text or "", BlockKind.CODE)
        named = note_open_properties(self.salvage("meta.xml"), builder)
        return self.build(builder, source, named or title)


def note_open_properties(meta: _Element | None, builder: DocumentBuilder) -> str | None:
    """Keep author, date and the like of an OpenDocument file in the meta; return its title."""
    found: dict[str, list[str]] = {}
    for entry in meta.iter() if meta is not None else ():
        name = tag(entry)
        if name.startswith(("dc:", "meta:")) and entry.text:
            found.setdefault(name, []).append(entry.text)

    def first(*names: str) -> str | None:
        return next((found[name][0] for name in names if name in found), None)

    builder.note("author", first("meta:initial-creator", "dc:creator"))
    builder.note("date", first("dc:date", "meta:creation-date"))
    builder.note("keywords", ", ".join(found.get("meta:keyword", [])))
    builder.note("subject", first("dc:subject"))
    builder.note("description", first("dc:description"))
    return first("dc:title")


def running(master: _Element, name: str) -> Iterator[_Element]:
    """Yield the headers, or the footers, of a master page that are shown.

    Those of first and left pages are among them, also where a program has spaces of its own for
    the names.

    Args:
        master: A ``style:master-page``.
        name: ``header`` or ``footer``.
    """
    kinds = {name, f"{name}-first", f"{name}-left"}
    for part in master:
        if local(part) in kinds and attribute(part, "display") != "false":
            yield part


def objects(package: OpenPackage, shape: _Element) -> Iterator[tuple[list[str], list[_Element]]]:
    """Yield the texts and the tables of the objects in a shape.

    Texts are titles and axes of a chart, the source of a formula, the paragraphs of a document.
    """
    for element in shape.iter("{*}object"):
        folder = (attribute(element, "href") or "").removeprefix("./")
        root = package.salvage(f"{folder}/content.xml") if folder else None
        if root is None:
            continue
        titles = (said(line) for part in root.iter(*_TITLES) for line in part.iterchildren("{*}p"))
        texts = list(dict.fromkeys(filter(only_text, titles)))
        if local(root) == "math":
            notes = (note.text or "" for note in root.iter("{*}annotation"))
            texts.append(next(filter(None, notes), collapse("".join(map(str, root.itertext())))))
        for part in root.iterfind(f".//{_OFFICE}text//*"):
            if local(part) in {"p", "h"} and next(part.iterancestors("{*}table"), None) is None:
                texts += filter(only_text, [said(part)])
        yield texts, list(root.iter("{*}table"))


def table_rows(table: _Element) -> Iterator[list[str]]:
    """Yield the cells of a table's rows."""
    for row in table.iter("{*}table-row"):
        cells: list[str] = []
        for cell in row:
            if local(cell) in {"table-cell", "covered-table-cell"}:
                repeats = attribute(cell, "number-columns-repeated") or "1"
                times = min(int(repeats), _MAX_REPEATS) if repeats.isdecimal() else 1
                cells += [" ".join(lines(cell))] * times
        yield cells


def said(element: _Element) -> str:
    """Return the text of a paragraph; comments in it are left out."""
    pieces: list[str] = []
    _collect(element, pieces, 0)
    return "\n".join(filter(None, map(collapse, "".join(pieces).split("\n"))))


def lines(element: _Element) -> Iterator[str]:
    """Yield the paragraphs with text below an element, comments left out."""
    for part in element.iter("{*}p", "{*}h"):
        if any(local(above) in _SILENT for above in part.iterancestors()):
            continue
        if only_text(text := said(part)):
            yield text


def _collect(element: _Element, pieces: list[str], depth: int) -> None:
    pieces.append(element.text or "")
    for child in element:
        name = local(child)
        if name == "line-break":
            pieces.append("\n")
        elif name in {"tab", "s"}:
            pieces.append(" ")
        elif name and name not in _SILENT and name not in {"p", "h"} and depth < _MAX_DEPTH:
            _collect(child, pieces, depth + 1)
        pieces.append(child.tail or "")
