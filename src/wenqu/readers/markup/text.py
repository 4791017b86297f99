"""Plain text and reStructuredText: paragraphs between blank lines, headings where they show."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, join_lines, only_text
from wenqu.readers.encoding import decode, looks_binary
from wenqu.readers.markup.rst_tables import (
    csv_table,
    grid_table,
    is_simple_table,
    list_table,
    simple_table,
)
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["SUFFIXES", "TextReader", "add_plain", "chinese_heading_level"]

SUFFIXES = frozenset({".txt", ".text", ".log", ".rst", ""})

# Text to a machine only, or what nobody means to be found.
_NOT_TO_READ = frozenset({".pem", ".key", ".crt", ".asc", ".sig", ".ps", ".eps", ".map", ".lock"})
_MARKUP = (b"{\\rtf", b"%!PS", b"%PDF", b"-----BEGIN ")
_SURE_ENCODINGS = frozenset(
    {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "gb18030",
     "big5hkscs"}
)  # fmt: skip

_UNDERLINE = re.compile(r"\A([=\-~^\"'`#*+:.])\1{2,}\s*\Z")
_MAX_HEADING = 60
_MAX_DEPTH = 20  # directives inside directives; what is deeper is plain text
# 编 > 章 > 节: how Chinese law and handbooks count their parts.
_CHINESE_PART = re.compile(
    r"\A\s*第[〇零一二三四五六七八九十百千两\d]{1,6}([编篇部章节])(?:[\s\u3000:：、]|\Z)"
)
_PART_LEVEL = {"编": 1, "篇": 1, "部": 1, "章": 2, "节": 3}
_SENTENCE_END = re.compile(r"[。！？；.!?;,，]\s*\Z")

_DIRECTIVE = re.compile(r"\A\.\.\s+(?:\|[^|]+\|\s+)?([\w:-]+?)::\s*(.*)\Z")
_TARGET_OR_COMMENT = re.compile(r"\A\.\.(?:\s|\Z)")
_OPTION = re.compile(r"\A\s*:[\w-]+:(?:\s|\Z)")
_HEADER_OPTION = re.compile(r"\A\s*:header:\s*(.+)\Z")
_ROLE = re.compile(r":[\w:+.-]+:`([^`<]+?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?")
_NOTHING = re.compile(r"\\ |\|[\w-]+\|_?(?= |\\|$)")  # an escaped space; a substitution
_BULLET = re.compile(r"\s*(?:[-*+]\s+|[•●·]\s*|(?:\d{1,3}|#)[.)、]\s*(?!\d))\S")
_LITERAL = re.compile(r"``([^`]+)``")
_STRONG = re.compile(r"(\*{1,2})(\S(?:.*?\S)?)\1")
_CODE_DIRECTIVES = frozenset({"code", "code-block", "sourcecode", "literalinclude", "math"})
_SILENT_DIRECTIVES = frozenset(
    {"toctree", "image", "figure", "raw", "include", "contents", "autoclass", "automodule",
     "autofunction", "currentmodule", "module", "highlight", "index", "only", "meta"}
)  # fmt: skip


class TextReader:
    """Reads ``.txt``, ``.rst``, logs, and files without a suffix that hold text."""

    name = "text/2"

    def accepts(self, sample: Sample) -> bool:
        """Take known suffixes, where the bytes may be text, and others where they surely are."""
        if sample.container or looks_binary(sample.head):
            return False
        suffix = PurePath(sample.name).suffix.lower()
        if suffix in SUFFIXES:
            return True
        return suffix not in _NOT_TO_READ and _surely_text(sample.head)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document: blank lines part its blocks, line ends inside a block stay.

        Raises:
            ReadError: It is empty, binary, or in an unknown encoding.
        """
        text, encoding = decode(data, source)
        markup = source.lower().endswith(".rst")
        builder = DocumentBuilder(source, "rst" if markup else "text", options)
        builder.note("encoding", encoding)
        lines = text.expandtabs(4).splitlines()
        _Blocks(builder, markup=markup).feed(lines)
        return builder.build()


def _surely_text(head: bytes) -> bool:
    """Say whether a file of any name is text: Unicode, or Chinese in its own encodings."""
    if not head.strip() or head.startswith(_MARKUP):
        return False
    try:
        return decode(head, "")[1] in _SURE_ENCODINGS
    except ReadError:
        return False


def add_plain(builder: DocumentBuilder, text: str) -> None:
    """Add the blocks of plain text."""
    _Blocks(builder, markup=False).feed(text.expandtabs(4).splitlines())


def chinese_heading_level(line: str) -> int | None:
    """Return the level of ``第一章 总则`` and its like (编 1, 章 2, 节 3), or None."""
    found = _CHINESE_PART.match(line)
    if found is None or len(line.strip()) > _MAX_HEADING or _SENTENCE_END.search(line):
        return None
    return _PART_LEVEL[found[1]]


class _Blocks:
    """Turns lines into blocks; ``markup`` says that they are reStructuredText."""

    def __init__(self, builder: DocumentBuilder, *, markup: bool) -> None:
        self._builder = builder
        self._markup = markup
        self._styles: list[str] = []
        self._depth = 0

    def feed(self, lines: list[str]) -> None:
        at, paragraph = 0, list[str]()
        literal = False
        while at < len(lines):
            line = lines[at]
            directive = self._markup and _TARGET_OR_COMMENT.match(line)
            if directive or (literal and line.strip() and not paragraph):
                self._flush(paragraph)
                at = self._indented(lines, at) if directive else self._literal(lines, at)
                literal = False
            elif used := self._heading(lines, at):
                self._flush(paragraph)
                at += used
            elif line.strip():
                paragraph.append(line)
                at += 1
            else:
                literal = self._markup and bool(paragraph) and paragraph[-1].endswith("::")
                self._flush(paragraph)
                at += 1
        self._flush(paragraph)

    def _heading(self, lines: list[str], at: int) -> int:
        """Add the heading that begins at line ``at``; return how many lines it took, 0 if none."""
        line = lines[at]
        if (level := chinese_heading_level(line)) is not None:
            self._builder.heading(line, level)
            return 1
        following = lines[at + 1 : at + 3]
        style, title, used = "", line, 0
        if len(following) == 2 and _is_rule(line) and _underlines(following[1], following[0]):  # noqa: PLR2004
            style, title, used = line[0] * 2, following[0], 3
        elif following and _underlines(following[0], line) and not _is_rule(line):
            style, used = following[0][0], 2
        if not used or not only_text(title) or (at and lines[at - 1].strip()):
            return 0
        if style not in self._styles:
            self._styles.append(style)
        self._builder.heading(self._inline(title), self._styles.index(style) + 1)
        return used

    def _indented(self, lines: list[str], at: int) -> int:
        """Handle a directive with what is indented below it; return the line after it."""
        end = at + 1
        while end < len(lines) and (not lines[end].strip() or lines[end][0] == " "):
            end += 1
        found = _DIRECTIVE.match(lines[at])
        name = found[1].lower() if found else ""
        if found and name not in _SILENT_DIRECTIVES:
            body = [line for line in lines[at + 1 : end] if not _OPTION.match(line)]
            if name in _CODE_DIRECTIVES:
                self._builder.add("\n".join(_dedent(body)), BlockKind.CODE)
            elif name in {"csv-table", "list-table"}:
                self._table(found[2], lines[at + 1 : end], body, csv=name == "csv-table")
            elif self._depth < _MAX_DEPTH:
                self._depth += 1
                self.feed([found[2], "", *_dedent(body)])
                self._depth -= 1
            else:
                self._builder.add("\n".join(body))
        return end

    def _table(self, title: str, lines: list[str], body: list[str], *, csv: bool) -> None:
        self._builder.add(self._inline(title))
        options = (found for line in lines if (found := _HEADER_OPTION.match(line)))
        header = next((found[1] for found in options), "")
        rows = [line.strip() for line in body if line.strip()]
        table = csv_table(rows, header) if csv else list_table(rows)
        self._builder.add(self._inline(table), BlockKind.TABLE)

    def _literal(self, lines: list[str], at: int) -> int:
        end = at
        while end < len(lines) and (not lines[end].strip() or lines[end][0] == " "):
            end += 1
        if end == at:
            self._builder.add(self._inline(lines[at]))
            return at + 1
        self._builder.add("\n".join(_dedent(lines[at:end])), BlockKind.CODE)
        return end

    def _flush(self, paragraph: list[str]) -> None:
        if not paragraph:
            return
        kind = BlockKind.LIST if all(map(_BULLET.match, paragraph)) else BlockKind.PARAGRAPH
        text = "\n".join(paragraph)
        if self._markup:
            lines = _dedent(paragraph)
            if lines[0].startswith("+-"):
                text, kind = grid_table(lines), BlockKind.TABLE
            elif is_simple_table(lines):
                text, kind = simple_table(lines), BlockKind.TABLE
            elif lines[0].startswith(">>> "):
                text, kind = "\n".join(lines), BlockKind.CODE
            elif _BULLET.match(lines[0]):
                text, kind = "\n".join(map(join_lines, _items(lines))), BlockKind.LIST
            else:
                text = join_lines("\n".join(lines))
        self._builder.add(self._inline(text), kind)
        paragraph.clear()

    def _inline(self, text: str) -> str:
        if not self._markup:
            return text
        for pattern, keep in (
            (_NOTHING, ""),
            (_ROLE, r"\1"),
            (_LINK, r"\1"),
            (_LITERAL, r"`\1`"),
            (_STRONG, r"\2"),
        ):
            text = pattern.sub(keep, text)
        return re.sub(r"::$", ":", text)


def _is_rule(line: str) -> bool:
    return bool(_UNDERLINE.match(line))


def _underlines(rule: str, title: str) -> bool:
    """Say whether ``rule`` underlines ``title``: a wide character may count once or twice."""
    text = title.strip()
    return bool(text) and _is_rule(rule) and len(rule.strip()) >= min(len(text), 12)


def _dedent(lines: list[str]) -> list[str]:
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[depth:] for line in lines]


def _items(lines: list[str]) -> list[str]:
    """Return the items of a list, each with the lines that go on with it."""
    items: list[str] = []
    for line in lines:
        if _BULLET.match(line) or not items:
            items.append(line)
        else:
            items[-1] += "\n" + line
    return items
