"""E-books (EPUB 2 and 3): the chapters in reading order, with the headings of the contents."""

from __future__ import annotations

import posixpath
import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.archive import SafeZip, parse_xml
from wenqu.readers.builder import DocumentBuilder, collapse, only_text
from wenqu.readers.encoding import decode
from wenqu.readers.markup.html import walk_fragment
from wenqu.text.markup import shallow
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.etree import _Element

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["EpubReader"]

_MARK = b"mimetypeapplication/epub+zip"
_MARK_AT = slice(30, 30 + len(_MARK))  # the first member, uncompressed (OCF 3.3 §4.3)
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGE_TYPES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xml")
# Fonts are obfuscated in free books too; the pages of such a book are not.
_OBFUSCATION = frozenset(
    {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
)  # fmt: skip
_META = (
    ("author", "creator"), ("date", "date"), ("language", "language"), ("keywords", "subject"),
    ("description", "description"), ("publisher", "publisher"),
)  # fmt: skip
_MANY = frozenset({"author", "keywords"})
_DAY = re.compile(r"\A\d{4}(?:-\d\d(?:-\d\d)?)?")
_NCX = "application/x-dtbncx+xml"
_MAX_TITLE = 200
_MIN_LINKS = 4
_LINKED_SHARE = 0.8
_PICTURE = re.compile(r"<(?:img|image|svg)\b", re.IGNORECASE)
_PICTURE_WORDS = 20
_TAG = re.compile(r"<[^<>]{1,200}>")
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"<([A-Za-z][\w:-]*)((?:\s[^<>]*?)?)\s*/>")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
     "track", "wbr"}
)  # fmt: skip


class EpubReader:
    """Reads EPUB. What is protected by a shop is said to be so."""

    name = "epub/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what its members or its first bytes say is one, also cut off."""
        return sample.container == "epub" or sample.head[_MARK_AT] == _MARK

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the book.

        Raises:
            ReadError: It is damaged, protected by a shop, or holds no text.
        """
        return _Book(SafeZip(data, source), source, options).document()


class _Entry(NamedTuple):
    """A line of the table of contents: its level counts from 1, its fragment may be empty."""

    title: str
    level: int
    fragment: str


class _Book:
    """One book: its package document, its pages, and the titles that its contents give them."""

    def __init__(self, archive: SafeZip, source: str, options: ReadOptions) -> None:
        self._zip = archive
        self._source = source
        self._options = options
        self._builder = DocumentBuilder(source, "epub", options)
        self._package_path = self._find_package()
        self._package = archive.xml(self._package_path, recover=True)
        self._folder = posixpath.dirname(self._package_path)
        self._items = {
            item.get("id", ""): item for item in _all(self._package, "item") if item.get("href")
        }
        self._sealed = self._protected()

    def document(self) -> Document:
        """Read the book."""
        titles = self._contents()
        pages = list(self._pages())
        unread = 0
        for path in pages:
            if path in self._sealed:
                unread += 1
                continue
            self._page(path, titles.get(path, []))
            self._options.alive()
        if unread and unread * 2 >= len(pages):
            raise ReadError("read.encrypted", source=self._source)
        for key, tag in _META:
            found = [_text(node) for node in _all(self._package, tag) if _text(node)]
            value = ", ".join(found) if key in _MANY else next(iter(found), "")
            self._builder.note(key, _day(value) if key == "date" else value)
        title = next((_text(node) for node in _all(self._package, "title")), "")
        try:
            return self._builder.build(title=title)
        except ReadError as error:
            if not pages or error.key != "read.empty":
                raise
            raise ReadError("read.no_text", source=self._source, pages=len(pages)) from error

    def _find_package(self) -> str:
        if (container := self._zip.find(_CONTAINER)) is not None:
            for root in _all(self._zip.xml(container, recover=True), "rootfile"):
                if found := self._zip.find(root.get("full-path", "")):
                    return found
        found = next((name for name in self._zip.names() if name.lower().endswith(".opf")), None)
        if found is None:
            raise ReadError("read.damaged", source=self._source, reason="no package document")
        return found

    def _protected(self) -> frozenset[str]:
        """Return the members that are encrypted so that only a shop's program opens them."""
        name = self._zip.find(_ENCRYPTION)
        if name is None:
            return frozenset()
        sealed: set[str] = set()
        for entry in _all(self._zip.xml(name, recover=True), "EncryptedData"):
            method = next(_all(entry, "EncryptionMethod"), None)
            if method is not None and method.get("Algorithm") in _OBFUSCATION:
                continue
            for reference in _all(entry, "CipherReference"):
                if found := self._zip.find(reference.get("URI", "")):
                    sealed.add(found)
        return frozenset(sealed)

    def _resolve(self, href: str, folder: str) -> str | None:
        """Return the member that a reference names; its fragment is dropped."""
        path = href.split("#", 1)[0]
        return self._zip.find(posixpath.join(folder, path)) if path else None

    def _pages(self) -> Iterator[str]:
        """Yield the pages in reading order: the spine, else the manifest, else all there are."""
        spine = [self._items.get(ref.get("idref", "")) for ref in _all(self._package, "itemref")]
        chosen = [item for item in spine if item is not None] or list(self._items.values())
        seen: set[str] = set()
        for item in chosen:
            path = self._resolve(item.get("href", ""), self._folder)
            if path is None or path in seen or not _is_page(item, path):
                continue
            if "nav" in item.get("properties", "").split():
                continue
            seen.add(path)
            yield path
        if not seen:
            yield from (name for name in self._zip.names() if name.endswith(_PAGE_SUFFIXES[:3]))

    def _contents(self) -> dict[str, list[_Entry]]:
        """Return what the table of contents says of each page, from EPUB 3's or EPUB 2's form."""
        found: dict[str, list[_Entry]] = {}
        for item in self._items.values():
            kind = item.get("media-type", "")
            navigates = "nav" in item.get("properties", "").split()
            path = self._resolve(item.get("href", ""), self._folder)
            if path is None or not (navigates or kind == _NCX):
                continue
            try:
                root = parse_xml(self._zip.read(path), self._source, recover=True)
            except ReadError as error:
                if error.key != "read.damaged":
                    raise
                continue  # it costs some headings
            entries: dict[str, list[_Entry]] = {}
            for title, href, level in _nav_points(root) if kind == _NCX else _nav_items(root):
                target = self._resolve(href, posixpath.dirname(path))
                if target and only_text(title):
                    fragment = unquote(href.partition("#")[2])
                    entries.setdefault(target, []).append(_Entry(title, level, fragment))
            if navigates or not found:
                found = entries or found
        return found

    def _page(self, path: str, entries: Sequence[_Entry]) -> None:
        """Add a page; it costs itself only if it cannot be read."""
        try:
            html, _ = decode(self._zip.read(path), self._source, declared=True)
        except ReadError as error:
            if error.key in {"read.bomb", "read.too_long"}:
                raise
            self._builder.leave_out(path)
            return
        html = _SELF_CLOSED.sub(_closed, html)
        if _only_links(html):
            return
        blocks = _Blocks()
        walk_fragment(html, blocks)
        if entries and not any(kind is BlockKind.HEADING for _, kind, _ in blocks.found):
            blocks = _Blocks()
            walk_fragment(_with_headings(html, entries), blocks)
        if _only_a_picture(html, blocks.found):
            return
        self._write(blocks.found, {_plain(entry.title): entry.level for entry in entries})

    def _write(self, blocks: Sequence[tuple[str, BlockKind, int]], levels: dict[str, int]) -> None:
        """Add a page's blocks; a heading that the contents list is as deep as they say."""
        above: tuple[int, int] | None = None  # the last such heading: its depth, and the page's own
        last = ""
        for text, kind, own in blocks:
            plain = _plain(text) if len(text) < _MAX_TITLE else ""
            if plain and plain == last:
                continue  # the title again, as the book prints it
            last = plain if kind is BlockKind.HEADING else ""
            if kind is not BlockKind.HEADING:
                self._builder.add(text, kind)
                continue
            if plain in levels:
                above = (levels[plain], own)
                self._builder.heading(text, levels[plain])
            else:
                self._builder.heading(text, above[0] + max(1, own - above[1]) if above else own)


class _Blocks:
    """Keeps a page's blocks, so that it is known first whether it has headings."""

    def __init__(self) -> None:
        self.found: list[tuple[str, BlockKind, int]] = []

    def heading(self, text: str, level: int) -> None:
        """Keep a heading."""
        if only_text(text):
            self.found.append((text, BlockKind.HEADING, level))

    def add(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> None:
        """Keep a block."""
        self.found.append((text, kind, 0))


def _all(root: _Element, name: str) -> Iterator[_Element]:
    """Yield the elements of that name, whatever their namespace, declared or not."""
    for element in root.iter():
        if isinstance(element.tag, str) and _local(element.tag) == name:
            yield element


def _local(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2]


def _text(element: _Element | None) -> str:
    if element is None:
        return ""
    return collapse(_TAG.sub(" ", "".join(map(str, element.itertext()))))


def _depth(element: _Element) -> int:
    """Return how many elements of its own name an element is in."""
    return sum(1 for above in element.iterancestors() if above.tag == element.tag)


def _nav_points(root: _Element) -> Iterator[tuple[str, str, int]]:
    """Yield title, target and level of each entry of an NCX file."""
    for point in _all(root, "navPoint"):
        label = next((child for child in point if _local(str(child.tag)) == "navLabel"), None)
        target = next((child for child in point if _local(str(child.tag)) == "content"), None)
        if target is not None:
            yield _text(label), target.get("src", ""), _depth(point) + 1


def _nav_items(root: _Element) -> Iterator[tuple[str, str, int]]:
    """Yield title, target and level of each entry of an EPUB 3 navigation page."""
    navs = list(_all(root, "nav"))
    of_contents = (
        nav for nav in navs if "toc" in [v for k, v in nav.items() if _local(k) == "type"]
    )
    nav = next(of_contents, navs[0] if navs else root)
    for link in _all(nav, "a"):
        item = next(
            (above for above in link.iterancestors() if _local(str(above.tag)) == "li"), None
        )
        yield _text(link), link.get("href", ""), (_depth(item) if item is not None else 0) + 1


def _is_page(item: _Element, path: str) -> bool:
    kind = item.get("media-type", "")
    return kind in _PAGE_TYPES or (not kind and path.lower().endswith(_PAGE_SUFFIXES))


def _closed(found: re.Match[str]) -> str:
    """Return an element that XML closes in one as HTML would: ``<title/>`` opens it for good."""
    name = found[1]
    return found[0] if name.lower() in _VOID else f"<{name}{found[2]}></{name}>"


def _only_links(html: str) -> bool:
    """Say whether a page is a table of contents: nearly all its words lead to other pages."""
    if html.count("<a") < _MIN_LINKS:
        return False  # parsing is what costs
    body = LexborHTMLParser(shallow(html)).body
    links = body.css("a[href]") if body is not None else []
    if body is None or len(links) < _MIN_LINKS:
        return False
    linked = sum(len(link.text().strip()) for link in links)
    return linked >= len("".join(body.text().split())) * _LINKED_SHARE


def _only_a_picture(html: str, blocks: Sequence[tuple[str, BlockKind, int]]) -> bool:
    """Say whether a page's only words are a picture's name: "Cover"."""
    if any(kind is BlockKind.HEADING for _, kind, _ in blocks):
        return False
    words = sum(len(_plain(text)) for text, _, _ in blocks)
    return words < _PICTURE_WORDS and _PICTURE.search(html) is not None


def _with_headings(html: str, entries: Sequence[_Entry]) -> str:
    """Put the titles of the contents where they point to in a page that has no heading."""
    places: list[tuple[int, str]] = []
    opens = found.end() if (found := _BODY.search(html)) else 0
    for entry in entries:
        at = opens
        if entry.fragment:
            anchor = re.search(
                rf"<[A-Za-z][^<>]*\s(?:id|name)\s*=\s*[\"']{re.escape(entry.fragment)}[\"']", html
            )
            at = max(opens, anchor.start()) if anchor else opens
        level = min(entry.level, 6)
        places.append((at, f"<h{level}>{escape(entry.title)}</h{level}>"))
    for at, heading in reversed(sorted(places, key=lambda place: place[0])):  # noqa: C413
        html = html[:at] + heading + html[at:]
    return html


def _plain(title: str) -> str:
    return "".join(filter(str.isalnum, title.casefold()))


def _day(value: str) -> str:
    found = _DAY.match(value)
    return found[0] if found else value
