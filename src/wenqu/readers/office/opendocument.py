"""OpenDocument texts (ODT, templates, flat XML): what the pages show, in reading order."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.archive import parse_xml
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse, only_text
from wenqu.readers.office.embedded import ole_payload
from wenqu.readers.office.encrypted import decrypt
from wenqu.readers.office.numbering import Counters
from wenqu.readers.office.odf import note_open_properties, running
from wenqu.readers.office.opendocument_styles import OUTLINE, OpenStyle, OpenStyles, levels_of
from wenqu.readers.office.package import Package, attribute, tag
from wenqu.readers.office.prose import (
    Cell,
    Looks,
    Paragraph,
    Table,
    cell_text,
    grid,
    margins,
    write,
)
from wenqu.readers.office.symbols import raised, unprivate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lxml.etree import _Element as Element

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.prose import Part
    from wenqu.types import Document

__all__ = ["OpenDocumentReader"]

_FLAT = b"application/vnd.oasis.opendocument.text"
_MAX_DEPTH = 40
_MAX_SPAN = 60
_MAX_REPEATED = 100
_OUTSIDE = re.compile(r"(?:https?|ftps?)://", re.IGNORECASE)
# What says nothing in running text, or is told elsewhere.
_SILENT = frozenset(
    {"text:tracked-changes", "text:page-number", "text:page-count", "text:hidden-text",
     "text:hidden-paragraph", "text:sequence-decls", "text:variable-decls",
     "text:user-field-decls", "office:forms", "text:note-citation", "text:ruby-text",
     "text:soft-page-break", "text:change", "text:change-start", "text:change-end", "dc:creator",
     "dc:date", "meta:creator-initials", "svg:title", "svg:desc", "office:event-listeners",
     "text:index-title-template", "text:table-of-content-source"}
)  # fmt: skip
_CONTENTS = frozenset({"text:table-of-content", "text:illustration-index", "text:table-index"})


class OpenDocumentReader:
    """Reads the texts of LibreOffice and its relatives.

    Args:
        readers: Returns the readers to choose from for files inside the document.
    """

    name = "odt/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take a package that says so, and its flat form, which is one XML file."""
        flat = sample.head.lstrip().startswith(b"<") and _FLAT in sample.head
        return sample.container == "odt" or (not sample.container and flat)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document with its notes, comments, frames and embedded files.

        Raises:
            ReadError: It is damaged, empty, longer than allowed, or asks for a password.
        """
        builder = DocumentBuilder(source, "odt", options)
        package: Package | None = None
        if data.lstrip().startswith(b"<"):
            root = parse_xml(data, source, "office:document")
            styles: Element | None = root
            meta: Element | None = root
        else:
            package = Package(decrypt(data, source, options), source)
            root = package.xml("content.xml")
            styles, meta = package.optional_xml("styles.xml"), package.optional_xml("meta.xml")
        title = note_open_properties(meta, builder)
        reading = _Reading(root, styles, package)
        written = write(builder, reading.parts())
        attachments = Attachments(self._readers)
        for name, inner in reading.files():
            attachments.add(builder, name, inner, options)
        return builder.build(title=written or title)


@dataclass(slots=True)
class _Line:
    """The paragraph under construction."""

    style: OpenStyle
    pieces: list[str] = field(default_factory=list)
    beside: list[Part] = field(default_factory=list)
    looks: Looks = field(default_factory=Looks)

    def put(self, text: str, style: OpenStyle) -> None:
        """Add text, and weigh how it looks."""
        # White space of the file is a space; a document's own has elements.
        letters = len(text.strip())
        text = re.sub(r"\s+", " ", text)
        if style.position in {"super", "sub"}:
            text = raised(text, below=style.position == "sub")
        self.pieces.append(text)
        self.looks.add(letters, style.size, bold=style.bold)


@dataclass(slots=True)
class _List:
    """A list that is open: what counts its items, and how deep it is."""

    counted: str
    style: str | None
    depth: int = 0
    label: str = ""


class _Reading:
    """One walk over a document."""

    def __init__(self, root: Element, styles: Element | None, package: Package | None) -> None:
        self._root = root
        self._style_root = styles
        self._package = package
        self._styles = OpenStyles(styles, root if root is not styles else None)
        self._counters = Counters()
        self._lists: list[_List] = []
        self._last_of_style: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._pending: list[Part] = []
        self._depth = self._inside = self._in_contents = self._count = self._noted = 0
        self._inline: dict[str, Callable[[Element, _Line, OpenStyle], None]] = {
            "text:a": self._link,
            "draw:a": self._link,
            "text:note": self._note,
            "office:annotation": self._annotation,
            "draw:frame": self._frame,
            "draw:object": self._object,
            "draw:object-ole": self._object,
            "text:span": self._span,
        }

    def parts(self) -> list[Part]:
        """Return the text, with what headers and footers say at its ends."""
        parts: list[Part] = []
        for body in _named(self._root, "office:text"):
            self._blocks(body, parts)
        texts = [part.text for part in parts if isinstance(part, Paragraph)]
        tops, bottoms = list(self._margins("header")), list(self._margins("footer"))
        return [*margins(tops, texts), *parts, *margins(bottoms, [*texts, *tops])]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the files that objects of the document hold."""
        for part, name in self._files.items():
            if self._package is not None and part in self._package:
                try:
                    yield ole_payload(self._package.read(part), name)
                except ReadError:
                    continue

    def _margins(self, name: str) -> Iterator[str]:
        """Yield what is written in headers, or in footers, with those of first and left pages."""
        for page in _named(self._style_root, "style:master-page"):
            for margin in running(page, name):
                parts: list[Part] = []
                self._blocks(margin, parts)
                yield cell_text(parts)

    def _blocks(self, node: Element, parts: list[Part]) -> None:
        if self._depth > _MAX_DEPTH:
            parts.append(Paragraph(text=collapse(" ".join(map(str, node.itertext())))))
            return
        self._depth += 1
        for entry in node:
            if isinstance(entry.tag, str):
                self._block(entry, tag(entry), parts)
                if not self._inside:
                    parts.extend(self._pending)
                    self._pending = []
        self._depth -= 1

    def _block(self, entry: Element, name: str, parts: list[Part]) -> None:
        if name in _SILENT or attribute(entry, "display") == "none":
            return
        if name in {"text:p", "text:h"}:
            self._paragraph(entry, parts, heading=name == "text:h")
        elif name == "text:list":
            self._list(entry, parts)
        elif name == "table:table":
            self._table(entry, parts)
        elif name.startswith("draw:") or name == "office:annotation":
            line = _Line(OpenStyle())
            self._piece(entry, name, line, OpenStyle())
            parts.extend(line.beside)
        else:
            contents = name in _CONTENTS
            self._in_contents += contents
            self._blocks(entry, parts)
            self._in_contents -= contents

    def _paragraph(self, node: Element, parts: list[Part], *, heading: bool) -> None:
        style = self._styles.get("paragraph", attribute(node, "style-name"))
        if style.hidden:
            return
        line = _Line(style)
        self._content(node, line, style)
        text = unprivate("".join(line.pieces))
        level = style.level
        if heading:
            level = _whole(attribute(node, "outline-level"), 1)
        label, depth = self._label(node, style, level if heading else None)
        parts.append(
            Paragraph(
                text=text,
                level=None if self._in_contents or not only_text(text) else level,
                label=label,
                depth=depth,
                size=line.looks.size,
                bold=line.looks.bold,
                contents=bool(self._in_contents),
            )
        )
        parts.extend(line.beside)

    def _label(self, node: Element, style: OpenStyle, heading: int | None) -> tuple[str, int]:
        if self._lists:
            current = self._lists[-1]
            label, current.label = current.label, ""
            return label, current.depth
        if (
            heading
            and attribute(node, "is-list-header") != "true"
            and self._styles.lists.get(OUTLINE)
        ):
            restart = attribute(node, "start-value")
            if restart is not None and restart.isdecimal():
                self._counters.restart(OUTLINE, heading - 1, int(restart))
            return self._counters.label(OUTLINE, heading - 1, self._styles.lists[OUTLINE]), 0
        del style
        return "", 0

    def _list(self, node: Element, parts: list[Part]) -> None:
        if self._lists:
            outer = self._lists[-1]
            name = attribute(node, "style-name") or outer.style
            current = _List(outer.counted, name, outer.depth + 1)
        else:
            name = attribute(node, "style-name")
            current = _List(self._counted(node, name), name)
        self._lists.append(current)
        for item in node:
            if not isinstance(item.tag, str):
                continue
            if tag(item) == "text:list-item" and not _only_list(item):
                levels = levels_of(self._styles.lists, current.style)
                start = attribute(item, "start-value")
                if start is not None and start.isdecimal():
                    self._counters.restart(current.counted, current.depth, int(start))
                current.label = self._counters.label(current.counted, current.depth, levels)
            self._blocks(item, parts)
        self._lists.pop()

    def _counted(self, node: Element, style: str | None) -> str:
        """Return what counts a list's items: its own, or that of the list that it goes on with."""
        self._count += 1
        own = attribute(node, "id") or f"#{self._count}"
        goes_on = attribute(node, "continue-list")
        if goes_on is None and attribute(node, "continue-numbering") == "true":
            goes_on = self._last_of_style.get(style or "")
        counted = self._last_of_style.get(f"={goes_on}", goes_on) if goes_on else own
        self._last_of_style[style or ""] = self._last_of_style[f"={own}"] = counted
        return counted

    def _content(self, node: Element, line: _Line, style: OpenStyle) -> None:
        if self._depth > _MAX_DEPTH:
            line.pieces.append(collapse(" ".join(map(str, node.itertext()))))
            return
        self._depth += 1
        line.put(node.text or "", style)
        for entry in node:
            if isinstance(entry.tag, str):
                self._piece(entry, tag(entry), line, style)
            line.put(entry.tail or "", style)
        self._depth -= 1

    def _piece(self, entry: Element, name: str, line: _Line, style: OpenStyle) -> None:
        if name in self._inline:
            self._inline[name](entry, line, style)
        elif name == "text:s":
            line.pieces.append(" ")
        elif name == "text:tab":
            line.pieces.append("\t")
        elif name == "text:line-break":
            line.pieces.append("\n")
        elif name in {"draw:text-box", "table:table"} or name.startswith("draw:"):
            self._box(entry, line)
        elif name not in _SILENT:
            self._content(entry, line, style)

    def _span(self, node: Element, line: _Line, style: OpenStyle) -> None:
        own = attribute(node, "style-name")
        inner = self._styles.get("text", own) if own else style
        if not inner.hidden:
            self._content(node, line, inner)

    def _link(self, node: Element, line: _Line, style: OpenStyle) -> None:
        start = len(line.pieces)
        self._content(node, line, style)
        address = attribute(node, "href") or ""
        text = collapse("".join(line.pieces[start:]))
        shown = address.partition("://")[2].rstrip("/")
        if _OUTSIDE.match(address) and shown not in text:
            line.pieces.append(f" ({address})")

    def _note(self, node: Element, line: _Line, style: OpenStyle) -> None:
        del style
        if text := self._apart(node):
            self._noted += 1
            line.pieces.append(f"[^{self._noted}]")
            self._pending.append(Paragraph(text=f"[^{self._noted}]: {text}"))

    def _annotation(self, node: Element, line: _Line, style: OpenStyle) -> None:
        del line, style
        author = next((entry.text or "" for entry in _named(node, "dc:creator")), "")
        if text := self._apart(node):
            self._pending.append(Paragraph(text=f"{author}: {text}" if author else text))

    def _apart(self, node: Element) -> str:
        """Return the text of a note, which is in none of the lists around it."""
        parts: list[Part] = []
        outer, self._lists = self._lists, []
        self._inside += 1
        self._blocks(node, parts)
        self._inside -= 1
        self._lists = outer
        return cell_text(parts)

    def _frame(self, node: Element, line: _Line, style: OpenStyle) -> None:
        """Read a frame: what its author says of it, and the first content that can be read."""
        del style
        line.beside.extend(_described(node))
        for entry in node:
            name = tag(entry)
            if name in {"draw:object", "draw:object-ole", "draw:text-box", "table:table"}:
                self._piece(entry, name, line, OpenStyle())
                return

    def _box(self, node: Element, line: _Line) -> None:
        outer, self._lists = self._lists, []
        self._inside += 1
        if tag(node) == "table:table":
            self._table(node, line.beside)
        else:
            line.beside.extend(_described(node))
            self._blocks(node, line.beside)
        self._inside -= 1
        self._lists = outer

    def _object(self, node: Element, line: _Line, style: OpenStyle) -> None:
        """Read an embedded object: OpenDocument ones here, others later as files."""
        del style
        href = attribute(node, "href") or ""
        part = posixpath.normpath(href).lstrip("/")
        inner = None
        if self._package is not None and href:
            inner = self._package.optional_xml(f"{part}/content.xml")
            if inner is None and part in self._package:
                self._files[part] = posixpath.basename(part)
        for root in node if inner is None else [inner]:
            if isinstance(root.tag, str):
                line.beside.extend(self._inner(root))

    def _inner(self, root: Element) -> Iterator[Part]:
        if tag(root).endswith("math"):
            notes = [entry.text or "" for entry in root.iter("{*}annotation")]
            yield Paragraph(
                text=next(filter(None, notes), collapse("".join(map(str, root.itertext()))))
            )
            return
        outer, self._lists = self._lists, []
        self._inside += 1
        for body in _named(root, "office:body"):
            parts: list[Part] = []
            self._blocks(body, parts)
            yield from parts
        self._inside -= 1
        self._lists = outer

    def _table(self, node: Element, parts: list[Part]) -> None:
        rows: list[list[Cell]] = []
        heads = 0
        outer, self._lists = self._lists, []
        self._inside += 1
        for row, header in _rows(node, header=False):
            heads += header
            rows.append(list(self._cells(row)))
        self._inside -= 1
        self._lists = outer
        if all(len(row) <= 1 for row in rows):
            parts.extend(part for row in rows for cell in row for part in cell.parts)
        else:
            parts.append(Table(rows=grid(rows), heads=heads))

    def _cells(self, row: Element) -> Iterator[Cell]:
        covered = 0  # cells to the right that belong to the last one
        for cell in row:
            name = tag(cell)
            repeated = min(_whole(attribute(cell, "number-columns-repeated"), 1), _MAX_SPAN)
            if name == "table:covered-table-cell":
                hidden = min(covered, repeated)
                covered -= hidden
                yield from (Cell(goes_on=True) for _ in range(repeated - hidden))
            elif name == "table:table-cell":
                span = min(max(_whole(attribute(cell, "number-columns-spanned"), 1), 1), _MAX_SPAN)
                below = _whole(attribute(cell, "number-rows-spanned"), 1) > 1
                inner: list[Part] = []
                self._blocks(cell, inner)
                yield from (Cell(parts=inner, span=span, begins=below) for _ in range(repeated))
                covered = span - 1


def _rows(node: Element, *, header: bool) -> Iterator[tuple[Element, bool]]:
    """Yield the rows of a table and whether they name its columns; repeated ones some times."""
    for entry in node:
        name = tag(entry)
        if name == "table:table-row":
            repeated = _whole(attribute(entry, "number-rows-repeated"), 1)
            for _ in range(min(repeated, _MAX_REPEATED)):
                yield entry, header
        elif name in {"table:table-header-rows", "table:table-rows", "table:table-row-group"}:
            yield from _rows(entry, header=header or name == "table:table-header-rows")


def _named(root: Element | None, name: str) -> Iterator[Element]:
    """Yield the elements of that name, however deep."""
    for entry in root.iter() if root is not None else ():
        if tag(entry) == name:
            yield entry


def _only_list(item: Element) -> bool:
    """Say whether an item only holds the list below it: it is not counted then."""
    inner = [tag(entry) for entry in item if isinstance(entry.tag, str)]
    return bool(inner) and all(name == "text:list" for name in inner)


def _described(shape: Element) -> Iterator[Part]:
    """Yield title and description that the author gave a picture or a shape."""
    says = (entry.text or "" for entry in shape if tag(entry) in {"svg:title", "svg:desc"})
    for text in dict.fromkeys(map(collapse, says)):
        if only_text(text) and not _is_file_name(text):
            yield Paragraph(text=text)


def _is_file_name(text: str) -> bool:
    return (
        re.fullmatch(r"\S+\.(?:png|jpe?g|gif|bmp|emf|wmf|svg|tiff?)", text, re.IGNORECASE)
        is not None
    )


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() else otherwise
