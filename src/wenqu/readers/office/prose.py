"""What word-processor formats have in common: paragraphs and tables, and headings that only show.

A reader hands over the parts of a document in reading order, with what its format says of each:
heading level, list label, size, weight. ``write`` decides from the whole what is a heading, groups
list items, drops a table of contents that repeats the headings, and fills the document builder.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse, join_lines, only_text, table_row
from wenqu.readers.markup.html import list_item
from wenqu.readers.markup.text import chinese_heading_level
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wenqu.readers.builder import DocumentBuilder
    from wenqu.types import Document

__all__ = [
    "BULLET",
    "Cell",
    "Looks",
    "Paragraph",
    "Part",
    "Ready",
    "Table",
    "cell_text",
    "grid",
    "margins",
    "outline_of",
    "ready_parts",
    "style_level",
    "write",
]

BULLET = "-"

_MAX_HEADING = 60  # of Chinese characters; of other text twice that
_MAX_STYLED_HEADING = 120  # what is longer and ends as a sentence is a paragraph in a wrong style
_MAX_LEVEL = 6
_FORM_SHARE = 3  # a table is a form where one row in so many has cells across columns
_LARGER = 1.0  # points above the body text that make a heading of a short line
_EMPHASIS_SHARE = 0.4  # where more of the text than this stands out, standing out says nothing
_SENTENCE_END = re.compile(r"[。！？；.!?;,，、：]\s*[”’」』)）]?\Z")
_WIDE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
# How Chinese papers count below 章 and 节, and how others do.
_MARKS = (
    (4, re.compile(r"[一二三四五六七八九十百]{1,4}[、．.](?!\d)\s*\S")),
    (5, re.compile(r"[（(][一二三四五六七八九十百]{1,4}[)）]\s*\S")),
)
_NUMBERED = re.compile(r"(?:\d{1,2}|[IVX]{1,5}|[A-Z])(?:\.\d{1,2}){0,4}[.、．\s]\s*\S")
_UNMARKED = 9
_PAGE_WORDS = re.compile(r"第|共|页|頁|[-—–·|/]|\bpage\b|\bof\b|\d+", re.IGNORECASE)
_NO_LETTER = re.compile(r"[\W_]+")
_MIN_MARGIN = 2  # letters of a header that says something
_CONTENTS_TITLES = frozenset({"目录", "目錄", "目次", "contents", "tableofcontents"})
_ARTICLE = re.compile(r"\A第.{1,8}[条條款项]")
_TIGHT = tuple("、）．。】』")
_STYLE_LEVEL = re.compile(
    r"\A\s*(?:heading|标题|標題|überschrift|titre|título|titolo|заголовок|見出し|제목)\s*([1-9])"
    r"(?:\s*(?:char|字符))?\b",
    re.IGNORECASE,
)
_TITLE_STYLES = frozenset({"title", "标题", "標題", "文档标题", "表題", "titel", "titre", "título"})


class Looks:
    """How the letters of a paragraph look, most of them."""

    def __init__(self) -> None:
        self._sizes: dict[float, int] = {}
        self._letters = self._bold = 0

    def add(self, letters: int, size: float, *, bold: bool) -> None:
        """Count letters of a size in points."""
        self._sizes[size] = self._sizes.get(size, 0) + letters
        self._letters += letters
        self._bold += letters if bold else 0

    @property
    def size(self) -> float:
        """Points; 0 where there was nothing."""
        return max(self._sizes, key=self._sizes.__getitem__) if self._sizes else 0.0

    @property
    def bold(self) -> bool:
        """Whether more than half of them are bold."""
        return self._bold * 2 > self._letters


@dataclass(slots=True, kw_only=True)
class Paragraph:
    """One paragraph and what its format says of it.

    ``level`` is 0 for the title, 1 and more for headings, None where the format says nothing.
    ``label`` is what numbers it ("第一条", "1.2"; BULLET for any bullet), ``depth`` how deep its
    list is in others. ``size`` is in points, 0 where unknown. ``contents`` marks a table of
    contents.
    """

    text: str
    level: int | None = None
    label: str = ""
    depth: int = 0
    size: float = 0.0
    bold: bool = False
    contents: bool = False

    @property
    def labelled(self) -> str:
        """The text as it reads: after its number."""
        text = join_lines(self.text)
        if not self.label or self.label == BULLET:
            return text
        return self.label + ("" if self.label.endswith(_TIGHT) else " ") + text


@dataclass(slots=True, kw_only=True)
class Table:
    """Rows of cells. ``heads`` is how many rows at the top name the columns, at least one.

    A single cell in the first row is the table's title, unless it is ``named`` apart from it.
    """

    rows: list[list[str]] = field(default_factory=list)
    heads: int = 1
    named: bool = False


@dataclass(slots=True, kw_only=True)
class Cell:
    """A cell as its format gives it: ``span`` columns wide, and how it is merged downwards."""

    parts: list[Part] = field(default_factory=list)
    span: int = 1
    begins: bool = False
    goes_on: bool = False

    @property
    def text(self) -> str:
        """The cell's text as one line."""
        return cell_text(self.parts)


@dataclass(slots=True, kw_only=True)
class Ready:
    """A block of a document that another reader read."""

    text: str
    kind: BlockKind = BlockKind.PARAGRAPH


Part = Paragraph | Table | Ready


def style_level(name: str) -> int | None:
    """Return the heading level that a style's name says, 0 for the title, None for others."""
    if found := _STYLE_LEVEL.match(name):
        return int(found[1])
    return 0 if name.strip().lower() in _TITLE_STYLES else None


def ready_parts(document: Document, below: int = 0) -> list[Part]:
    """Return the blocks of a document as parts of another one, its headings ``below`` deeper."""
    parts: list[Part] = []
    for block in document.blocks:
        text = document.text[block.span.start : block.span.end]
        if block.kind is BlockKind.HEADING:
            parts.append(Paragraph(text=text, level=len(block.heading) + 1 + below))
        else:
            parts.append(Ready(text=text, kind=block.kind))
    return parts


def cell_text(parts: Iterable[Part]) -> str:
    """Return what stands in one cell as one line; a table inside is written row by row."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, Paragraph):
            label = part.label == BULLET
            texts.append(f"{BULLET} {part.labelled}" if label else part.labelled)
        elif isinstance(part, Table):
            rows = (", ".join(filter(None, map(collapse, row))) for row in part.rows)
            texts.append("; ".join(filter(None, rows)))
        else:
            texts.append(part.text)
    return " ".join(filter(None, (collapse(text) for text in texts)))


def grid(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Return the texts of a table in columns.

    A merged cell says its text in each of its places, so that each row says all by itself. Where
    many rows have merged cells, the first one too, the table is a form, whose columns mean nothing:
    its rows are only their own cells.
    """
    spread = sum(1 for row in rows if len(row) > 1 and any(cell.span > 1 for cell in row))
    named = bool(rows) and not any(cell.span > 1 for cell in rows[0])
    form = spread * _FORM_SHARE > len(rows) and not named
    above: dict[int, str] = {}
    lines: list[list[str]] = []
    for row in rows:
        line: list[str] = []
        column = 0
        for cell in row:
            text = cell.text
            if cell.goes_on:
                text = text or above.get(column, "")
            elif cell.begins:
                above[column] = text
            # A cell across the whole table names it, or a part of it: once is enough.
            empty = [""] * (0 if form else cell.span - 1)
            line.extend([text, *empty] if form or len(row) == 1 else [text] * cell.span)
            column += cell.span
        lines.append(line)
    return lines


def margins(texts: Iterable[str], said: Iterable[str]) -> list[Part]:
    """Return what headers or footers say, each text once; page numbers say nothing."""
    telling = [text for text in texts if len(_letters(_PAGE_WORDS.sub("", text))) >= _MIN_MARGIN]
    known = {_letters(text) for text in said} if telling else set()
    kept: list[Part] = []
    for text in telling:
        if _letters(text) not in known:
            known.add(_letters(text))
            kept.append(Paragraph(text=text))
    return kept


def write(builder: DocumentBuilder, parts: Sequence[Part]) -> str | None:
    """Add the parts to the document; return its title where a paragraph is marked as such."""
    outline_of(parts)
    kept = _without_contents(parts)
    titles = [part for part in kept if isinstance(part, Paragraph) and part.level == 0]
    writer = _Writer(builder, below=1 if titles else 0)
    for part in kept:
        writer.add(part)
    writer.close()
    return join_lines(titles[0].text) if titles else None


class _Writer:
    """Fills a builder, list items together."""

    def __init__(self, builder: DocumentBuilder, below: int) -> None:
        self._builder = builder
        self._below = below
        self._items: list[Paragraph] = []

    def add(self, part: Part) -> None:
        """Add the next part."""
        if isinstance(part, Paragraph):
            if not only_text(part.text):
                return
            if part.level is None and part.label and not _ARTICLE.match(part.label):
                self._items.append(part)
                return
        self.close()
        if isinstance(part, Table):
            self._table(part)
        elif isinstance(part, Ready):
            kind, text = part.kind, part.text
            if kind is BlockKind.CODE:  # the builder fences it again
                text = "\n".join(text.split("\n")[1:-1])
            self._builder.add(text, kind)
        elif part.level is not None:
            self._builder.heading(part.labelled, part.level + self._below)
        else:
            self._builder.add(_lines(part))

    def close(self) -> None:
        """End the list that is open."""
        if not self._items:
            return
        top = min(item.depth for item in self._items)
        lines = (list_item("  " * (item.depth - top) + _marker(item), [_item(item)])
                 for item in self._items)  # fmt: skip
        self._builder.add("\n".join(lines), BlockKind.LIST)
        self._items.clear()

    def _table(self, table: Table) -> None:
        rows = [row for row in table.rows if any(map(only_text, row))]
        if not rows:
            return
        heads = min(max(table.heads, 1), len(rows) - 1) if len(rows) > 1 else 1
        width = max(map(len, rows))
        rows = [[*map(collapse, row), *[""] * (width - len(row))] for row in rows]
        # One cell across the whole table names it.
        while not table.named and len(rows) > 1 < width and sum(map(bool, rows[0])) == 1:
            self._builder.add(next(filter(None, rows.pop(0))))
            heads = max(heads - 1, 1)
        if width == 1:
            self._builder.add("\n".join(row[0] for row in rows))
            return
        head = [" ".join(dict.fromkeys(cells)) for cells in zip(*rows[:heads], strict=True)]
        lines = [table_row(head), table_row(["---"] * width), *map(table_row, rows[heads:])]
        self._builder.add("\n".join(lines), BlockKind.TABLE)


def _marker(item: Paragraph) -> str:
    return f"{item.label} " if not item.label.endswith(_TIGHT) else item.label


def _item(item: Paragraph) -> str:
    return "\n".join(filter(None, map(collapse, item.text.split("\n"))))


def _lines(part: Paragraph) -> str:
    lines = [collapse(line) for line in part.text.split("\n")]
    text = "\n".join(filter(None, lines))
    return Paragraph(text="", label=part.label).labelled + text if part.label else text


def _without_contents(parts: Sequence[Part]) -> list[Part]:
    """Drop the entries of a table of contents that the headings say again; keep the others."""
    titles = {
        _letters(part.labelled)
        for part in parts
        if isinstance(part, Paragraph) and part.level is not None and not part.contents
    }
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Paragraph) and part.contents:
            entry = _entry(part.labelled if "\t" not in part.text else part.text)
            names = {_letters(entry), _letters(part.text)}
            if not only_text(entry) or not names.isdisjoint(titles | _CONTENTS_TITLES):
                continue
            kept.append(Paragraph(text=entry, label=BULLET, depth=part.depth))
        else:
            kept.append(part)
    return kept


def _entry(text: str) -> str:
    """Return an entry of a table of contents without its leaders and page number."""
    return re.sub(r"[\s.…·]*\b(?:\d{1,4}|[ivxlc]{1,7})\s*\Z", "", text)


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text).casefold()


def outline_of(parts: Sequence[Part]) -> None:
    """Set the levels of headings that no style marks, and unset those that cannot be headings."""
    paragraphs = [part for part in parts if isinstance(part, Paragraph) and not part.contents]
    for part in paragraphs:
        if part.level and _too_long(part):
            part.level = None
    if any(part.level for part in paragraphs):
        for part in paragraphs:
            if part.level is None and _may_head(part) and part.label != BULLET:
                part.level = chinese_heading_level(part.labelled)
        return
    _Shown(parts).mark()


def _too_long(part: Paragraph) -> bool:
    text = part.text.strip()
    return len(text) > _MAX_STYLED_HEADING and bool(_SENTENCE_END.search(text))


def _may_head(part: Paragraph) -> bool:
    """Say whether a paragraph is short and no sentence."""
    text = part.labelled.strip()
    limit = _MAX_HEADING if _WIDE.search(text) else 2 * _MAX_HEADING
    lines = part.text.strip().count("\n")
    return only_text(text) and len(text) <= limit and lines < 1 and not _SENTENCE_END.search(text)


class _Shown:
    """Finds headings by what a reader sees: numbers, size, weight."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        texts = [part for part in parts if isinstance(part, Paragraph) and part.text.strip()]
        weights: Counter[tuple[float, bool]] = Counter()
        for part in texts:
            weights[part.size, part.bold] += len(part.text)
        self._size, self._bold = weights.most_common(1)[0][0] if weights else (0.0, False)
        standing_out = sum(len(part.text) for part in texts if self._stands_out(part))
        self._telling = standing_out <= sum(weights.values()) * _EMPHASIS_SHARE

    def mark(self) -> None:
        """Set the level of each paragraph that shows as a heading."""
        keys = {at: key for at, part in enumerate(self._parts) if (key := self._key(part))}
        sizes: dict[int, float] = {}
        for size, rank in keys.values():
            sizes[rank] = max(size, sizes.get(rank, 0.0))
        ranks = {
            at: (-(sizes[rank] if rank < _UNMARKED else size), rank)
            for at, (size, rank) in keys.items()
        }
        order = {key: level for level, key in enumerate(sorted(set(ranks.values())), start=1)}
        for at, key in ranks.items():
            part = self._parts[at]
            if isinstance(part, Paragraph) and self._heads_something(at, ranks):
                part.level = min(order[key], _MAX_LEVEL)

    def _stands_out(self, part: Paragraph) -> bool:
        larger = bool(self._size) and part.size >= self._size + _LARGER
        bolder = part.bold and not self._bold and part.size >= self._size
        return _may_head(part) and (larger or bolder)

    def _key(self, part: Part) -> tuple[float, int] | None:
        """Return size and kind of a line that may be a heading: equal ones are of one level."""
        if not isinstance(part, Paragraph) or part.contents or part.level is not None:
            return None
        if part.label == BULLET or not _may_head(part):
            return None
        text = part.labelled
        if (level := chinese_heading_level(text)) is not None:
            return part.size, level
        if (marked := next((rank for rank, mark in _MARKS if mark.match(text)), 0)) > 0:
            return part.size, marked
        numbered = not part.label or _NUMBERED.match(text)
        if self._telling and numbered and self._stands_out(part):
            return part.size + (0.1 if part.bold else 0), _UNMARKED
        return None

    def _heads_something(self, at: int, ranks: dict[int, tuple[float, int]]) -> bool:
        """Say whether text or a lower heading follows: else the lines are a list."""
        after = at + 1
        while after < len(self._parts):
            part = self._parts[after]
            if not isinstance(part, Paragraph) or part.text.strip():
                break
            after += 1
        if after == len(self._parts):
            return False
        part = self._parts[at]
        plain = isinstance(part, Paragraph) and not self._stands_out(part)
        following = ranks.get(after)
        return following is None or following > ranks[at] or not plain
