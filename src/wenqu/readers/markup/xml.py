"""XML: feeds by their items, prose by its elements, and data as names and values.

The parser builds a light tree; it resolves no entity and opens nothing outside the file. A broken
file gives its text without structure.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING
from xml.parsers import expat  # entities are refused below; nothing external is ever opened

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import (
    DocumentBuilder,
    collapse,
    file_stem,
    join_lines,
    only_text,
    table_row,
)
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.html import walk_fragment
from wenqu.readers.markup.structured import write_value
from wenqu.readers.markup.text import add_plain
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.markup.structured import Value
    from wenqu.types import Document

__all__ = ["SUFFIXES", "Element", "XmlReader", "parse_xml"]

SUFFIXES = frozenset(
    {".xml", ".rss", ".atom", ".rdf", ".opml", ".docbook", ".dbk", ".dita", ".ditamap", ".tei",
     ".jats", ".nxml", ".xliff", ".xlf", ".resx", ".plist", ".svg", ".kml", ".gpx", ".xsd", ".wsdl",
     ".fodt", ".ttml", ".dfxp"}
)  # fmt: skip

_HEAD = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[\s>]")
_PROLOG = re.compile(r"\A\ufeff?\s*<\?xml[^>]*\?>")
_DOCTYPE = re.compile(
    r"<!DOCTYPE[^>\[]{0,2000}(?:\[(?:[^\]\"']|\"[^\"]*\"|'[^']*')*\]\s*)?>", re.IGNORECASE
)
_PROLOG_SIZE = 1 << 16
_CDATA = "<![CDATA["
_ENTITY = re.compile(
    r"&(?:(amp|lt|gt|quot|apos);|#\d{1,7};|#x[0-9A-Fa-f]{1,6};|[A-Za-z][\w.]{0,40};)?"
)
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_TAG = re.compile(r"<[^<>]*>")
_HTML_MARKS = re.compile(r"<(?:/?[a-zA-Z][\w-]*[\s/>])|&\w+;")
_MAX_DEPTH = 100  # what is nested deeper is read as one text
_MAX_LEVEL = 6

_ITEMS = frozenset({"item", "entry"})
_FEEDS = frozenset({"rss", "feed", "RDF", "channel"})
_TITLES = frozenset({"title", "heading", "head", "subject", "h", "bridgehead", "headline"})
_PROSE = frozenset(
    {"p", "para", "simpara", "paragraph", "formalpara", "ab", "l", "h", "li", "item", "listitem",
     "dt", "dd", "td", "th", "entry", "abstract", "caption", "note", "blockquote", "quote"}
)  # fmt: skip
_CODE = frozenset({"programlisting", "screen", "literallayout", "codeblock", "pre", "code-block"})
_ROWS = frozenset({"tr", "row", "table-row"})
_CELLS = frozenset({"td", "th", "entry", "tc", "table-cell", "Cell", "cell"})
_DATES = ("pubDate", "published", "updated", "date", "issued", "modified")
_BODIES = ("encoded", "content", "description", "summary", "body")
_AUTHORS = ("creator", "author", "managingEditor")


@dataclass(slots=True)
class Element:
    """An element: its name without the prefix, its attributes, texts and elements in order."""

    name: str
    attributes: dict[str, str]
    parts: list[str | Element] = field(default_factory=list)

    @property
    def elements(self) -> list[Element]:
        """The elements straight inside."""
        return [part for part in self.parts if isinstance(part, Element)]

    def first(self, *names: str) -> Element | None:
        """Return the first element straight inside by the first name that there is."""
        for name in names:
            for part in self.parts:
                if isinstance(part, Element) and part.name == name:
                    return part
        return None

    def text(self) -> str:
        """Return all text inside, however deep."""
        texts: list[str] = []
        waiting: list[str | Element] = [self]
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                texts.append(part)
            else:
                waiting.extend(reversed(part.parts))
        return "".join(texts)


class XmlReader:
    """Reads XML of any vocabulary."""

    name = "xml/1"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, and what begins with an XML declaration."""
        if sample.container or looks_binary(sample.head):
            return False
        head = sample.head
        if _HEAD.match(head) or _HEAD.match(head[:200].replace(b"\0", b"")[2:]):
            return True
        return PurePath(sample.name).suffix.lower() in SUFFIXES and b"<" in head

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document.

        Raises:
            ReadError: It is empty, binary, in an unknown encoding, or holds no text.
        """
        text, encoding = decode(data, source, declared=True)
        builder = DocumentBuilder(source, "xml", options)
        builder.note("encoding", encoding)
        try:
            root = parse_xml(text)
        except expat.ExpatError as error:
            builder.note("damaged", str(error))
            add_plain(builder, html.unescape(_TAG.sub("\n", _without_type(text))))
            return builder.build(title=file_stem(source))
        title = _feed(root, builder) if root.name in _FEEDS else _prose_or_data(root, builder)
        return builder.build(title=title or file_stem(source))


def parse_xml(text: str) -> Element:
    """Return the root element; a document type is skipped, so that it can define nothing.

    Raises:
        expat.ExpatError: It is not well-formed.
    """
    text = _INVALID.sub("", _plain_entities(_without_type(_PROLOG.sub("", text))))
    root = Element("", {})
    path = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        path[-1].parts.append(element)
        path.append(element)

    def end(name: str) -> None:
        del name
        path.pop()

    def data(part: str) -> None:
        path[-1].parts.append(part)

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.Parse(text.encode("utf-8", "replace"), True)  # noqa: FBT003  # its only spelling
    return root.elements[0]


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _without_type(text: str) -> str:
    """Drop the document type with what it defines; it stands before the first element."""
    at = text[:_PROLOG_SIZE].find("<!DOCTYPE")
    found = _DOCTYPE.match(text, at) if at >= 0 else None
    return text[:at] + text[found.end() :] if found else text


def _plain_entities(text: str) -> str:
    """Write each reference as the character it means, so that none is left to be resolved."""
    head, *sections = text.split(_CDATA)
    parts = [_ENTITY.sub(_plain_entity, head)]
    for section in sections:
        literal, end, rest = section.partition("]]>")
        parts += (_CDATA, literal, end, _ENTITY.sub(_plain_entity, rest))
    return "".join(parts)


def _plain_entity(found: re.Match[str]) -> str:
    # A name that HTML does not have is shown as it is written, and so is a bare ampersand.
    return found[0] if found[1] else html.escape(html.unescape(found[0]))


def _feed(root: Element, builder: DocumentBuilder) -> str | None:
    channel = root.first("channel") or root
    title = _text_of(channel, "title")
    builder.note("description", _text_of(channel, "description", "subtitle", "tagline"))
    builder.note("date", _text_of(channel, "lastBuildDate", *_DATES))
    builder.note("author", _text_of(channel, *_AUTHORS))
    if title:
        builder.heading(title, 1)
    builder.add(builder.meta.get("description", ""))
    # In RDF the items stand beside the channel, not in it.
    holders = (channel,) if channel is root else (channel, root)
    for holder in holders:
        for item in holder.elements:
            if item.name in _ITEMS:
                _item(item, builder)
    return title


def _item(item: Element, builder: DocumentBuilder) -> None:
    builder.heading(_text_of(item, "title") or "", 2)
    facts = (_text_of(item, *_DATES), _text_of(item, *_AUTHORS), _link(item))
    builder.add(" · ".join(filter(None, facts)))
    for name in _BODIES:
        body = item.first(name)
        if body is not None and only_text(text := body.text()):
            if body.elements:
                _Prose(builder).add(body, 3, 0)
            elif _HTML_MARKS.search(text):
                walk_fragment(text, builder)
            else:
                builder.add(text)
            return


def _link(item: Element) -> str:
    for part in item.elements:
        if part.name == "link" and part.attributes.get("rel", "alternate") == "alternate":
            return part.attributes.get("href") or collapse(part.text())
    return ""


def _text_of(element: Element, *names: str) -> str | None:
    """Return the text of the first element straight inside by one of the names."""
    found = element.first(*names)
    text = collapse(found.text()) if found is not None else ""
    # Titles of feeds hold HTML as text.
    return html.unescape(_TAG.sub("", text)) or None


def _prose_or_data(root: Element, builder: DocumentBuilder) -> str | None:
    title = _text_of(root, "title", "name") or _deep_title(root)
    if _is_prose(root):
        _Prose(builder).add(root, 1, 0)
    else:
        while len(root.parts) == 1 and isinstance(root.parts[0], Element) and not root.attributes:
            root = root.parts[0]
        value = _value(root, 0)
        write_value(value if isinstance(value, dict | list) else {root.name: value}, builder)
    return title


def _deep_title(root: Element) -> str | None:
    """Return the title that a head keeps: of TEI, JATS, DITA, DocBook's info."""
    for part in _walk(root):
        if part.name in {"title", "article-title", "doctitle"} and only_text(part.text()):
            return collapse(part.text())
        if part.name in _PROSE:
            return None
    return None


def _walk(root: Element) -> Iterator[Element]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        yield element
        waiting.extend(reversed(element.elements))


def _is_prose(root: Element) -> bool:
    """Say whether text stands beside elements somewhere, or an element is named as prose is."""
    for element in _walk(root):
        if element.name in _PROSE - _ITEMS:
            return True
        if any(isinstance(part, str) and only_text(part) for part in element.parts) and any(
            isinstance(part, Element) for part in element.parts
        ):
            return True
    return False


class _Prose:
    """Writes elements as the blocks that their names and their texts make them."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder

    def add(self, element: Element, level: int, depth: int) -> None:
        """Add the blocks of an element whose sections are headed from ``level`` on."""
        if element.name in _CODE:
            self._builder.add(element.text(), BlockKind.CODE)
        elif (rows := _rows(element)) is not None:
            self._builder.add(rows, BlockKind.TABLE)
        elif _is_leaf(element) or depth > _MAX_DEPTH:
            self._builder.add(join_lines(element.text()))
        elif _is_list(element):
            items = (join_lines(part.text()) for part in element.elements)
            self._builder.add("\n".join(f"- {item}" for item in items if item), BlockKind.LIST)
        else:
            self._section(element, level, depth)

    def _section(self, element: Element, level: int, depth: int) -> None:
        below = level
        for part in element.parts:
            if isinstance(part, str):
                self._builder.add(join_lines(part))
            elif part.name in _TITLES:
                self._builder.heading(part.text(), min(level, _MAX_LEVEL))
                below = level + 1
            elif (given := _level(part)) is not None:
                self._builder.heading(part.text(), given)
            else:
                self.add(part, below, depth + 1)


def _level(element: Element) -> int | None:
    """Return the level of ``h2``, or of a heading that has its level as an attribute."""
    if re.fullmatch(r"h[1-6]", element.name):
        return int(element.name[1])
    given = element.attributes.get("outline-level", "")
    return int(given) if element.name == "h" and given.isdecimal() else None


def _is_leaf(element: Element) -> bool:
    """Say whether an element is one run of text, with marks in it at most."""
    if not element.elements:
        return True
    if any(part.elements and part.name in _PROSE | _CODE for part in _walk_below(element)):
        return False
    beside = any(isinstance(part, str) and only_text(part) for part in element.parts)
    named = element.name in _PROSE and not any(
        part.name in _PROSE | _CODE | _ROWS | _TITLES for part in element.elements
    )
    return beside or named


def _walk_below(element: Element) -> Iterator[Element]:
    below = _walk(element)
    next(below)
    return below


def _is_list(element: Element) -> bool:
    """Say whether an element holds nothing but items that are one run of text each."""
    parts = element.elements
    names = {part.name for part in parts}
    return bool(parts) and names <= {"li", "item", "listitem", "list-item"} and len(names) == 1


def _rows(element: Element) -> str | None:
    """Return a table as Markdown, of HTML's or CALS' elements, or None for what is none."""
    if element.name not in {"table", "informaltable", "tbl", "tgroup", "Table"}:
        return None
    rows = [
        [join_lines(cell.text()) for cell in row.elements if cell.name in _CELLS]
        for row in _walk(element)
        if row.name in _ROWS
    ]
    rows = [row for row in rows if any(map(only_text, row))]
    width = max(map(len, rows), default=0)
    if len(rows) < 2 or width < 2:  # noqa: PLR2004
        return None
    head, *body = [row + [""] * (width - len(row)) for row in rows]
    return "\n".join([table_row(head), table_row(["---"] * width), *map(table_row, body)])


def _value(element: Element, depth: int) -> Value:
    """Return data as names and values: attributes and elements alike, repeated ones as a list."""
    if depth > _MAX_DEPTH:
        return collapse(element.text())
    fields: dict[str, list[Value]] = {}
    for name, value in element.attributes.items():
        if name not in {"xmlns", "schemaLocation", "space", "lang"}:
            fields.setdefault(name, []).append(collapse(value))
    for part in element.elements:
        fields.setdefault(part.name, []).append(_value(part, depth + 1))
    own = join_lines("".join(part for part in element.parts if isinstance(part, str)))
    if not fields:
        return own
    if only_text(own):
        fields.setdefault("text", []).append(own)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
