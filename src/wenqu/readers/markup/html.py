"""HTML: the main content as headings, paragraphs, lists, tables and code.

What is hidden, scripted, or there to get about the site is dropped, so that a page's own words are
what is found and quoted. The same walk serves the HTML inside Markdown.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from selectolax.lexbor import LexborHTMLParser, LexborNode

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, collapse, join_lines, only_text, table_row
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.hidden import drop_unseen
from wenqu.readers.markup.text import chinese_heading_level
from wenqu.text.markup import shallow
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "Collector", "HtmlReader", "Sink", "list_item", "walk_fragment"]

SUFFIXES = frozenset({".html", ".htm", ".xhtml"})

_HTML_HEAD = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|(?:html|head|body|table|meta)[\s>])",
    re.IGNORECASE | re.DOTALL,
)

_SILENT = (
    "script", "style", "template", "svg", "math annotation", "iframe", "object",
    "canvas", "audio", "video", "button", "select", "textarea", "nav", "menu", "dialog",
    "[hidden]", "[role=navigation]", "[role=search]", "[role=banner]", "[role=contentinfo]",
    "[role=dialog]", "[role=alertdialog]",
)  # fmt: skip
# Names that sites, generators and wikis agree on for what is not content.
_CHROME = frozenset(
    {"breadcrumb", "breadcrumbs", "cookie-banner", "cookie-notice", "footer", "header-links",
     "headerlink", "mw-editsection", "mw-jump-link", "nav", "navbar", "navbox", "navigation",
     "noprint", "pagination", "share", "sidebar", "site-footer", "site-header", "site-nav",
     "skip-link", "social", "toc", "topbar", "mw-panel", "mw-head", "catlinks", "printfooter",
     "sphinxsidebar", "wy-nav-side", "related", "related-posts", "advertisement", "newsletter",
     "subscribe", "sr-only", "visually-hidden", "backlinks", "feedback"}
)  # fmt: skip
_BANNER = re.compile(
    r"(?:\A|[\s_-])(?:cookie|consent|gdpr|privacy)s?[\w-]*?[_-]?(?:banner|bar|notice|popup|modal|"
    r"overlay|dialog|wrapper|message|prompt)",
    re.IGNORECASE,
)
_MAX_NAMES = 300
_MAIN = ("main", "[role=main]", "#mw-content-text", "article", "#content", ".markdown-body")
# A part that holds less of the page than this is not the main one (a teaser, an empty shell).
_MAIN_SHARE = 0.4
_BESIDE_SHARE = 0.1  # of the page: a second part of the same kind that holds more is content too
_KEPT_SHARE = 0.3
_MENU_LINKS = 6
_MENU_WORDS = 12  # mean characters of a link that is a menu entry

_FACTS = {
    "author": "meta[name=author], meta[property='article:author'], meta[name='dc.creator' i]",
    "date": "meta[property='article:published_time'], meta[name=date], meta[name=pubdate],"
    " meta[name='dc.date' i], meta[name=publishdate i]",
    "description": "meta[name=description i], meta[property='og:description']",
    "keywords": "meta[name=keywords i]",
}

_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
     "font", "i", "img", "ins", "kbd", "label", "mark", "nobr", "q", "rp", "rt", "ruby", "s",
     "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
     "wbr", "input"}
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_DULL_ALT = frozenset({"image", "img", "logo", "icon", "picture", "figure", "screenshot", "alt"})
_MAX_DEPTH = 150
_MAX_SPAN = 60
_MAX_CELL = 300  # characters of a cell with a table in it; a longer one is a part of the page
_HARD_BREAK = "\v"


class Sink(Protocol):
    """What a walk writes to: a document builder, or a collector of texts."""

    def heading(self, text: str, level: int) -> None:
        """Add a heading."""

    def add(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> None:
        """Add a block."""


class Collector:
    """Keeps block texts for the inside of a list item or a table cell."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def heading(self, text: str, level: int) -> None:
        """Keep a heading as a line of its own."""
        del level
        self.add(text)

    def add(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> None:
        """Keep a block's text."""
        del kind
        if text.strip():
            self.texts.append(text.strip("\n"))


class HtmlReader:
    """Reads HTML, also under another name when its first bytes say that it is."""

    name = "html/3"

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as HTML does, or has the suffix and may be text."""
        head, name = sample.head, sample.name
        if _HTML_HEAD.match(head) or _HTML_HEAD.match(head[:2048].replace(b"\0", b"")[2:]):
            return not name.lower().endswith((".md", ".markdown", ".txt", ".csv"))
        return PurePath(sample.name).suffix.lower() in SUFFIXES and not looks_binary(sample.head)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the page's main content.

        Raises:
            ReadError: It is binary, in an unknown encoding, or shows no text.
        """
        text, encoding = decode(data, source, declared=True)
        tree = LexborHTMLParser(shallow(text))
        builder = DocumentBuilder(source, "html", options)
        builder.note("encoding", encoding)
        for key, value in page_facts(tree).items():
            builder.note(key, value)
        titled = tree.css_first("head > title") or tree.css_first("title")
        title = (titled.text() if titled else None) or _content(tree, "meta[property='og:title']")
        if (body := tree.body or tree.root) is not None:
            _Walk(builder).block(_main(body), 0)
        return builder.build(title=title)


def page_facts(tree: LexborHTMLParser) -> dict[str, str]:
    """Return what the head of a page says of it: author, date, description, keywords, lang."""
    facts = _linked_data(tree)
    for key, selector in _FACTS.items():
        if value := _content(tree, selector):
            facts[key] = value
    if tree.root is not None and (lang := tree.root.attributes.get("lang")):
        facts["lang"] = lang
    return facts


def _content(tree: LexborHTMLParser, selector: str) -> str | None:
    found = (node.attributes.get("content") for node in tree.css(selector))
    return next(filter(None, found), None)


def _linked_data(tree: LexborHTMLParser) -> dict[str, str]:
    """Return author and date from JSON-LD, where most news sites keep them."""
    facts: dict[str, str] = {}
    for node in tree.css("script[type='application/ld+json']"):
        try:
            data = json.loads(node.text(), strict=False)
        except (ValueError, RecursionError):
            continue
        graph = data.get("@graph") if isinstance(data, dict) else data
        for part in graph if isinstance(graph, list) else [data]:
            if not isinstance(part, dict):
                continue
            author, date = part.get("author"), part.get("datePublished")
            author = author[0] if isinstance(author, list) and author else author
            author = author.get("name") if isinstance(author, dict) else author
            for key, value in (("author", author), ("date", date)):
                if isinstance(value, str) and value:
                    facts.setdefault(key, value)
    return facts


def walk_fragment(html: str, sink: Sink) -> None:
    """Add the blocks of a piece of HTML; tags that are open at its ends do no harm."""
    if (body := LexborHTMLParser(shallow(html)).body) is not None:
        _drop_silent(body)
        _Walk(sink).block(body, 0)


def list_item(marker: str, texts: list[str]) -> str:
    """Return one list item: its first text after the marker, the others indented below."""
    indent = " " * len(marker)
    lines = "\n".join(texts).split("\n")
    return "\n".join(
        [marker + lines[0], *((indent + line if line.strip() else "") for line in lines[1:])]
    )


def _main(body: LexborNode) -> LexborNode:
    """Drop what is not content, then return the element that holds what is left of the page."""
    _drop_silent(body)
    whole = _size(body)
    for selector in _MAIN:
        largest, *others = sorted(body.css(selector), key=_size, reverse=True) or [body]
        beside = [node for node in others if not _is_within(node, largest)]
        alone = not beside or _size(beside[0]) <= whole * _BESIDE_SHARE
        if largest.mem_id != body.mem_id and alone and _size(largest) >= whole * _MAIN_SHARE:
            _drop_chrome(largest)
            return largest
    _drop_chrome(body)
    return body


def _is_within(node: LexborNode, outer: LexborNode) -> bool:
    above = node.parent
    while above is not None and above.mem_id != outer.mem_id:
        above = above.parent
    return above is not None


def _drop_silent(body: LexborNode) -> None:
    drop_unseen(body)
    for selector in _SILENT:
        for node in body.css(selector):
            node.decompose()
    # What stands in for scripts repeats the page, unless the page is nothing without them.
    stands_in = body.css("noscript")
    if _size(body) > 2 * sum(map(_size, stands_in)):
        for node in stands_in:
            node.decompose()


def _drop_chrome(main: LexborNode) -> None:
    """Drop footers, sidebars and the like, unless that would take most of the page with them."""
    budget = _size(main) * (1 - _KEPT_SHARE)
    for node in filter(_is_menu, main.css("ul, ol")):
        budget -= _size(node)
        if budget > 0:
            node.decompose()
    for node in main.css("header, footer, aside, [class], [id]"):
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
        named = not _CHROME.isdisjoint(names.lower().split()) or _BANNER.search(names[:_MAX_NAMES])
        outer = node.tag in {"footer", "aside"} or (
            node.tag == "header" and not node.css_first("h1")
        )
        if (named or outer) and node.mem_id != main.mem_id:
            budget -= _size(node)
            if budget < 0:
                return
            node.decompose()


def _is_menu(node: LexborNode) -> bool:
    """Say whether a list is only short links: of a site, of other languages, of other years."""
    links = node.css("a")
    linked = sum(len(link.text().strip()) for link in links)
    every = len("".join(node.text().split()))
    return len(links) >= _MENU_LINKS and linked >= every and linked < len(links) * _MENU_WORDS


def _size(node: LexborNode) -> int:
    return len(node.text(deep=True) or "")


class _Walk:
    """One walk over a tree, in reading order."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._run: list[str] = []

    def block(self, node: LexborNode, depth: int) -> None:
        """Add the blocks inside ``node``."""
        self._children(node, depth)
        self._flush()

    def _children(self, node: LexborNode, depth: int) -> None:
        if depth > _MAX_DEPTH:
            self._run.append(node.text(deep=True, separator=" "))
            return
        for child in node.iter(include_text=True):
            tag = child.tag or ""
            if child.is_text_node:
                self._run.append(_spaced(child.text(deep=False)))
            elif tag == "br":
                self._run.append(_HARD_BREAK)
            elif tag in _INLINE:
                self._inline(child, tag, depth)
            elif child.is_element_node:
                self._flush()
                self._element(child, tag, depth)

    def _inline(self, node: LexborNode, tag: str, depth: int) -> None:
        if tag == "img":
            self._run.append(_alt(node))
        elif tag in {"code", "kbd", "tt", "samp"} and not node.css_first("code *, kbd *"):
            text = collapse(node.text())
            self._run.append(f"`{text}`" if text else "")
        elif tag == "a" and _is_permalink(node):
            return
        else:
            self._children(node, depth + 1)

    def _element(self, node: LexborNode, tag: str, depth: int) -> None:
        if tag in _HEADINGS:
            self._sink.heading(" ".join(_texts(node, depth)), _HEADINGS[tag])
        elif tag in {"ul", "ol", "dir"}:
            self._sink.add("\n".join(_items(node, tag, depth)), BlockKind.LIST)
        elif tag == "dl":
            self._sink.add("\n".join(_definitions(node, depth)), BlockKind.LIST)
        elif tag in {"pre", "listing", "xmp"}:
            self._sink.add(_code(node), BlockKind.CODE)
        elif tag == "table" and (rows := _rows(node, depth)):
            if (caption := _child(node, "caption")) is not None:
                self._sink.add(" ".join(_texts(caption, depth)))
            self._sink.add(_table(rows), BlockKind.TABLE)
        else:
            self.block(node, depth + 1)

    def _flush(self) -> None:
        text = _lines("".join(self._run))
        self._run.clear()
        if (level := chinese_heading_level(text)) is not None and "\n" not in text:
            self._sink.heading(text, level)
        elif text:
            self._sink.add(text)


def _spaced(text: str) -> str:
    return text.replace(_HARD_BREAK, " ")


def _lines(run: str) -> str:
    return "\n".join(filter(None, (join_lines(line) for line in run.split(_HARD_BREAK))))


def _texts(node: LexborNode, depth: int) -> list[str]:
    collector = Collector()
    _Walk(collector).block(node, depth + 1)
    return collector.texts


def _items(node: LexborNode, tag: str, depth: int) -> Iterator[str]:
    start = node.attributes.get("start") or "1"
    number = int(start) if start.isdecimal() else 1
    for child in node.iter():
        # A list straight inside a list is wrong HTML, and common.
        texts = _texts(child, depth) if child.tag == "li" else _items_of_stray(child, depth)
        if not any(map(only_text, texts)):
            continue
        if child.tag == "li":
            yield list_item(f"{number}. " if tag == "ol" else "- ", texts)
            number += 1
        else:
            yield list_item("  ", texts)


def _items_of_stray(node: LexborNode, depth: int) -> list[str]:
    if node.tag in {"ul", "ol"} and depth < _MAX_DEPTH:
        return list(_items(node, node.tag, depth + 1))
    return _texts(node, depth)


def _definitions(node: LexborNode, depth: int) -> Iterator[str]:
    for child in node.iter():
        texts = _texts(child, depth)
        if texts and child.tag == "dd":
            yield list_item("  ", texts)
        elif texts:
            yield "\n".join(texts)


def _code(node: LexborNode) -> str:
    for line_break in node.css("br"):
        line_break.replace_with("\n")
    lines = node.text(deep=True).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _rows(table: LexborNode, depth: int) -> list[list[str]]:
    """Return the cells of a table of data; none for one that only lays out a page."""
    if depth > _MAX_DEPTH or _lays_out(table):
        return []
    carried: dict[int, tuple[int, str]] = {}
    rows: list[list[str]] = []
    for row in _own_rows(table):
        cells: list[str] = []
        for cell in row.iter():
            if cell.tag not in {"td", "th"}:
                continue
            _carry(carried, cells)
            inner = cell.css_first("table") is not None
            text = cell.text(separator=" ") if inner else " ".join(_texts(cell, depth))
            for _ in range(_span(cell, "colspan")):
                if (below := _span(cell, "rowspan") - 1) > 0:
                    carried[len(cells)] = (below, text)
                cells.append(text)
        _carry(carried, cells)
        if any(map(only_text, cells)):
            rows.append(cells)
    return rows if len(rows) > 1 and max(map(len, rows)) > 1 else []


def _lays_out(table: LexborNode) -> bool:
    """Say whether a table holds parts of a page, and not a value a cell."""
    if table.css_first("td h1, td h2, td h3, td pre") is not None:
        return True
    if table.css_first("table table") is None:
        return False
    return max(map(_size, table.css("td")), default=0) > _MAX_CELL


def _own_rows(table: LexborNode) -> Iterator[LexborNode]:
    """Yield the rows of a table, and not those of tables inside its cells."""
    for part in table.iter():
        if part.tag == "tr":
            yield part
        elif part.tag in {"thead", "tbody", "tfoot"}:
            yield from (row for row in part.iter() if row.tag == "tr")


def _child(node: LexborNode, tag: str) -> LexborNode | None:
    return next((child for child in node.iter() if child.tag == tag), None)


def _carry(carried: dict[int, tuple[int, str]], cells: list[str]) -> None:
    """Repeat in this row the cells from above that reach down into it."""
    while (found := carried.get(len(cells))) is not None:
        below, text = found
        if below > 1:
            carried[len(cells)] = (below - 1, text)
        else:
            del carried[len(cells)]
        cells.append(text)


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or "1"
    return min(int(value), _MAX_SPAN) if value.isdecimal() and value != "0" else 1


def _table(rows: list[list[str]]) -> str:
    width = max(map(len, rows))
    padded = [row + [""] * (width - len(row)) for row in rows]
    head, *body = padded
    return "\n".join([table_row(head), table_row(["---"] * width), *map(table_row, body)])


def _alt(node: LexborNode) -> str:
    alt = collapse(node.attributes.get("alt") or "")
    source = (node.attributes.get("src") or "").lower()
    parent = node.parent
    linked = parent is not None and parent.tag == "a"
    if linked or "badge" in source or "shields.io" in source or alt.lower() in _DULL_ALT:
        return ""
    return f" {alt} " if only_text(alt) else ""


def _is_permalink(node: LexborNode) -> bool:
    """Say whether a link only repeats a heading's address (the ¶ or # beside it)."""
    return node.text().strip() in {"¶", "#", "§", "\uf0c1", "🔗"}
