"""Markdown: the text as it reads, without the marks that only style it.

Code, tables and lists stay as they are written; emphasis, comments, badges and tags go; links and
pictures leave their text.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, join_lines, only_text, table_row
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.html import Collector, list_item, walk_fragment
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.markup.html import Sink
    from wenqu.types import Document

__all__ = ["SUFFIXES", "MarkdownReader", "write_markdown"]

SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"})

_FRONT_MATTER = re.compile(
    r"\A(?:---[ \t]*\n(.*?)\n(?:---|\.\.\.)|\+\+\+[ \t]*\n(.*?)\n\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL
)
_FRONT_FIELD = re.compile(
    r"^(title|author|date|tags|keywords|description|lang)[ \t]*[:=][ \t]*(.+?)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
# MyST and Pandoc: ::: fences, (labels)= and {roles}`…` are marks, what they hold is text.
_MARK_LINES = re.compile(r"^(?::{3,}.*|\([\w:. -]+\)=[ \t]*)$", re.MULTILINE)
_ROLE = re.compile(r"\{[a-z][a-z:_-]*\}(?=`[^`])")
_ALERT = re.compile(r"\A\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"\A\{([\w:-]+)\}")
_DIRECTIVE_OPTION = re.compile(r"^:[\w-]+:.*\n?|^---\n(?:.*\n)*?---\n", re.MULTILINE)
_CODE_DIRECTIVES = frozenset({"code", "code-block", "sourcecode", "code-cell", "math", "mermaid"})
_SILENT_DIRECTIVES = frozenset({"toctree", "image", "include", "contents", "raw", "eval-rst"})
_BREAK_TAG = re.compile(r"\A<br\s*/?>", re.IGNORECASE)
_DULL_ALT = frozenset({"image", "img", "logo", "icon", "alt", "picture", "alt text", "图片"})
_HARD_BREAK = "\v"
# Most files of running text have no mark but their headings, and then need no parser. A line that
# may mean anything else to one makes the file go the long way.
_MARKED = re.compile(
    r"^(?:[ ]{0,3}(?:[-+=~:|>]|\d{1,9}[.)]|#{1,6}(?![ #]))|[ ]{4}|.*(?:[\\`*_\[\]<>&|{}\t\v]|  $))",
    re.MULTILINE,
)
_BLANK = re.compile(r"^[^\S\n]+$", re.MULTILINE)  # also of wide spaces, which CommonMark would keep
_LONE_COMMENT = re.compile(r"(?<=\n\n)<!--(?:(?!-->)[^\n])*-->(?=\n\n|\s*\Z)")
_PLAIN_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ ]+(.*?)(?:[ ]+#+)?[ ]*\Z")
_LONG = 200_000
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_MAX_NESTING = 60  # the parser leaves out what is deeper; its own limit is 20


class MarkdownReader:
    """Reads CommonMark with tables, and skips the marks of MyST and front matter."""

    name = "markdown/3"

    def __init__(self) -> None:
        self._parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable(
            ["table", "strikethrough"]
        )

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, where the bytes may be text."""
        return PurePath(sample.name).suffix.lower() in SUFFIXES and not looks_binary(sample.head)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document.

        Raises:
            ReadError: It is empty, binary, or in an unknown encoding.
        """
        text, encoding = decode(data, source)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        builder = DocumentBuilder(source, "markdown", options)
        builder.note("encoding", encoding)
        title = None
        if front := _FRONT_MATTER.match(text):
            text = text[front.end() :]
            fields = {
                key.lower(): _unquoted(value)
                for key, value in _FRONT_FIELD.findall(front[1] or front[2] or "")
            }
            title = fields.pop("title", None)
            for key, value in fields.items():
                builder.note(key, value)
        self.write(text, builder)
        return builder.build(title=title)

    def write(self, text: str, sink: Sink) -> None:
        """Add the blocks of Markdown whose lines end in line feeds."""
        text = _BLANK.sub("", text)
        bare = _LONE_COMMENT.sub("", text)
        if _MARKED.search(bare) is None:
            _write_plain(bare, sink)
            return
        known: dict[str, object] = {}  # the addresses that links name, through all parts
        for part in _parts(_ROLE.sub("", _MARK_LINES.sub("", text))):
            self._blocks(SyntaxTreeNode(self._parser.parse(part, known)), sink)

    def _blocks(self, parent: SyntaxTreeNode, sink: Sink) -> None:
        for node in parent.children:
            kind = node.type
            if kind == "heading":
                sink.heading(_inline_of(node).replace("\n", " "), int(node.tag[1]))
            elif kind == "paragraph":
                sink.add(_ALERT.sub("", _inline_of(node)))
            elif kind in {"bullet_list", "ordered_list"}:
                sink.add("\n".join(self._items(node)), BlockKind.LIST)
            elif kind in {"fence", "code_block"}:
                self._fence(node, sink)
            elif kind == "table":
                sink.add("\n".join(_table(node)), BlockKind.TABLE)
            elif kind == "html_block":
                walk_fragment(node.content, sink)
            elif kind == "blockquote":
                self._blocks(node, sink)

    def _items(self, node: SyntaxTreeNode) -> Iterator[str]:
        number = int(node.attrGet("start") or 1) if node.type == "ordered_list" else None
        for item in node.children:
            collector = Collector()
            self._blocks(item, collector)
            if any(map(only_text, collector.texts)):
                yield list_item("- " if number is None else f"{number}. ", collector.texts)
            number = None if number is None else number + 1

    def _fence(self, node: SyntaxTreeNode, sink: Sink) -> None:
        found = _DIRECTIVE.match(node.info) if node.type == "fence" else None
        name = found[1].lower() if found else ""
        if not found or name in _CODE_DIRECTIVES:
            sink.add(node.content, BlockKind.CODE)
        elif name not in _SILENT_DIRECTIVES:
            title = node.info[found.end() :].strip()
            self.write(f"{title}\n\n{_DIRECTIVE_OPTION.sub('', node.content)}", sink)


def write_markdown(text: str, sink: Sink) -> None:
    """Add the blocks of a piece of Markdown, such as a cell of a notebook."""
    MarkdownReader().write(text.replace("\r\n", "\n").replace("\r", "\n"), sink)


def _parts(text: str) -> Iterator[str]:
    """Cut a long text before headings: what is parsed takes a hundred times its size in memory."""
    if len(text) <= _LONG:
        yield text
        return
    held: list[str] = []
    size, fence = 0, ""
    for line in text.splitlines(keepends=True):
        if found := _FENCE.match(line):
            fence = "" if found[1] == fence else fence or found[1]
        if size > _LONG and line.startswith("#") and not fence:
            part = "".join(held)
            if part.rfind("<!--") <= part.rfind("-->"):
                yield part
                held, size = [], 0
        held.append(line)
        size += len(line)
    yield "".join(held)


def _write_plain(text: str, sink: Sink) -> None:
    """Add the paragraphs and headings of Markdown without any other mark, as the parser would."""
    held: list[str] = []
    for line in [*text.split("\n"), ""]:
        heading = _PLAIN_HEADING.match(line) if "#" in line else None
        if heading is None and line.strip():
            held.append(line)
            continue
        if held:
            sink.add(join_lines("\n".join(held)))
            held = []
        if heading is not None and (title := join_lines(heading[2])):
            sink.heading(title, len(heading[1]))


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _inline_of(node: SyntaxTreeNode) -> str:
    run = "".join(_run(child) for child in node.children)
    return "\n".join(filter(None, (join_lines(line) for line in run.split(_HARD_BREAK))))


def _run(node: SyntaxTreeNode) -> str:
    kind = node.type
    if kind == "image":
        return _alt(node)
    if kind == "code_inline":
        return f"`{node.content}`"
    if kind == "html_inline":
        return _HARD_BREAK if _BREAK_TAG.match(node.content) else ""
    if kind == "link" and all(child.type in {"image", "softbreak"} for child in node.children):
        # A picture that is a link is a badge or a button: its alternative text is no sentence.
        return ""
    if node.children:
        return "".join(_run(child) for child in node.children)
    return {"softbreak": "\n", "hardbreak": _HARD_BREAK}.get(kind, node.content)


def _alt(node: SyntaxTreeNode) -> str:
    source = str(node.attrGet("src") or "").lower()
    alt = node.content.strip()
    if "badge" in source or "shields.io" in source or alt.lower() in _DULL_ALT:
        return ""
    return alt


def _table(node: SyntaxTreeNode) -> Iterator[str]:
    for part in node.children:
        for row in part.children:
            cells = [_inline_of(cell) for cell in row.children]
            yield table_row(cells)
            if part.type == "thead":
                yield table_row(["---"] * len(cells))
