"""From lines on a page to blocks in reading order: the part of PDF reading that is plain geometry.

Lengths are in points, from the page's top left corner.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from wenqu.readers.builder import join_lines
from wenqu.readers.text import chinese_heading_level
from wenqu.types import BlockKind, Box

__all__ = ["Line", "PageBlock", "headings", "page_blocks", "without_running_lines"]

_EDGE = 0.12  # running heads and feet stand in this share of a page's height
_RUNNING_PAGES = 3
_RUNNING_SHARE = 0.3
_SAME_SIZE = 0.12
_SORT_LIMIT = 500
_RUNNING_TEXT = 8  # in font sizes: as wide as running text, wider than a label or a formula
_CELL_GAP = 1.5  # in font sizes, as in pdf
_WORD_GAP = 0.12
_LARGER = 1.15
_MAX_HEADING = 120
_MAX_BOLD_HEADING = 60
_BOLD_LEVEL = 6
_BOLD = re.compile(r"bold|black|heavy|semib|simhei|黑体|-b\b", re.IGNORECASE)
_BULLET = re.compile(r"\s*(?:[•●■◆▪‣·○]\s*|[-–—*]\s+|\(?\d{1,2}[.)）、]\s*(?!\d)|[（(][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、)")  # fmt: skip  # noqa: E501
# “1 引言”, “3.1 Method”; “1. …” is as often an item of a list.
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\s+[^\W\d_][^\d。！？；;|]{1,38}\Z")
_STOP = re.compile(r"[。！？；.!?;:：…”]\s*\Z")
_NO_HEADING = re.compile(r"[。；，,;]\s*\Z")
_HARD_HYPHEN = re.compile(r"(?<=[a-z])-\Z")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One drawn line; a tab in its text is a gap wide enough to part two cells."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    font: str
    page_height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBlock:
    """Lines that belong together, joined; ``size`` and ``bold`` are of its first line."""

    text: str
    kind: BlockKind
    box: Box
    size: float
    bold: bool
    lines: int
    page: int


def without_running_lines(pages: list[list[Line]]) -> list[list[Line]]:
    """Drop heads and feet that stand, but for their digits, on 30 % of the pages.

    That is on three at least, or on both of two.
    """
    seen = Counter(key for page in pages for key in {k for k in map(_running_key, page) if k})
    least = max(min(_RUNNING_PAGES, max(len(pages), 2)), len(pages) * _RUNNING_SHARE)
    running = {key for key, count in seen.items() if count >= least}
    return [[line for line in page if _running_key(line) not in running] for page in pages]


def _running_key(line: Line) -> tuple[bool, str] | None:
    upper = line.bottom < line.page_height * _EDGE
    lower = line.top > line.page_height * (1 - _EDGE)
    return (upper, _DIGITS.sub("#", line.text).strip()) if upper or lower else None


def page_blocks(lines: list[Line], page: int) -> list[PageBlock]:
    """Return one page's blocks in reading order."""
    rows = _in_reading_order(_rows(lines))
    typical = _typical_gap(rows)
    groups: list[list[Line]] = []
    for row in rows:
        if groups and _continues(groups[-1], row, typical):
            groups[-1].append(row)
        else:
            groups.append([row])
    return [_block(group, page) for group in groups]


def _typical_gap(rows: list[Line]) -> float:
    """Return the usual white between two lines of running text; labels and formulas say nothing."""
    running = [row for row in rows if row.right - row.left >= _RUNNING_TEXT * row.size]
    gaps = [
        below.top - above.bottom
        for above, below in pairwise(running)
        if above.top < below.top < above.bottom + above.size * 1.5 and _beside(above, below)
    ]
    return max(median(gaps), 0.0) if gaps else 0.0


def _beside(one: Line, other: Line) -> bool:
    return one.left < other.right and other.left < one.right


def _continues(group: list[Line], line: Line, typical: float) -> bool:
    """Say whether ``line`` goes on with the block that ``group`` is so far."""
    last = group[-1]
    if abs(line.size - last.size) > last.size * _SAME_SIZE or not _beside(last, line):
        return False
    gap = line.top - last.bottom
    cells = "\t" in last.text and "\t" in line.text
    if line.top <= last.top or gap > max(typical * 1.5 + last.size * 0.25, cells * last.size * 1.5):
        return False
    return cells or not _begins_anew(group, line)


def _begins_anew(group: list[Line], line: Line) -> bool:
    """Say whether ``line`` begins a block for what it says or where it stands in its column."""
    last = group[-1]
    if _BULLET.match(line.text) or any(chinese_heading_level(x.text) for x in (last, line)):
        return True
    if len(group) == 1 and _NUMBERED.match(last.text) and last.right < line.right - 2 * last.size:
        return True
    if _is_bold(line) != _is_bold(last) and len(group) == 1:
        return "\t" not in last.text
    short = last.right < max(member.right for member in group) - 2 * last.size
    indented = line.left > last.left + 1.2 * line.size
    return bool(_STOP.search(last.text)) and (short or indented)


def _is_bold(line: Line) -> bool:
    return bool(_BOLD.search(line.font))


def _in_reading_order(rows: list[Line]) -> list[Line]:
    """Keep the order of drawing, but put a row after those that stand above it.

    So columns stay whole, while feet that are drawn first and tables that are drawn from the
    bottom up come right.
    """
    if len(rows) > _SORT_LIMIT:
        return rows
    numbers = range(len(rows))
    before = {at: {b for b in numbers if _above(rows[b], rows[at])} for at in numbers}
    if all(other < at for at in numbers for other in before[at]):
        return rows
    # Being above has no cycles (middles only go down), so some row always waits for no other.
    ordered: list[Line] = []
    placed: set[int] = set()
    while before:
        chosen = next(at for at, others in before.items() if others <= placed)
        del before[chosen]
        placed.add(chosen)
        ordered.append(rows[chosen])
    return ordered


def _above(one: Line, other: Line) -> bool:
    """Say whether ``one`` ends about where ``other`` begins or before, in the same column."""
    return (one.top + one.bottom) / 2 < other.top and _beside(one, other)


def _box(lines: list[Line]) -> Box:
    return Box(
        left=min(line.left for line in lines),
        top=min(line.top for line in lines),
        right=max(line.right for line in lines),
        bottom=max(line.bottom for line in lines),
    )


def _block(rows: list[Line], page: int) -> PageBlock:
    tabular = sum("\t" in row.text for row in rows)
    if tabular >= 2 and tabular * 2 >= len(rows):  # noqa: PLR2004  # one row is no table
        text, kind = "\n".join(row.text.replace("\t", " | ") for row in rows), BlockKind.TABLE
    else:
        text = _flow(rows)
        kind = BlockKind.LIST if _BULLET.match(text) else BlockKind.PARAGRAPH
    return PageBlock(
        text=text,
        kind=kind,
        box=_box(rows),
        size=rows[0].size,
        bold=_is_bold(rows[0]),
        lines=len(rows),
        page=page,
    )


def _rows(lines: list[Line]) -> list[Line]:
    """Put together the pieces of one line that were drawn apart, with its raised and lowered signs.

    A row has the place and size of its largest piece.
    """
    rows: list[Line] = []
    for line in lines:
        last = rows[-1] if rows else None
        if last is None or not _same_row(last, line):
            rows.append(line)
            continue
        gap = line.left - last.right
        wide = max(last.size, line.size)
        between = "\t" if gap > _CELL_GAP * wide else " " if gap > _WORD_GAP * wide else ""
        rows[-1] = replace(
            line if line.size > last.size else last,
            text=f"{last.text}{between}{line.text}",
            left=last.left,
            right=line.right,
        )
    return rows


def _same_row(last: Line, line: Line) -> bool:
    overlap = min(last.bottom, line.bottom) - max(last.top, line.top)
    least = min(last.bottom - last.top, line.bottom - line.top)
    return overlap > least * 0.5 and line.left >= last.right - 0.3 * last.size


def _flow(rows: list[Line]) -> str:
    """Join running lines; a line that ends well before the margin keeps its line end."""
    margin = max(row.right for row in rows)
    text = ""
    for at, row in enumerate(rows):
        words = row.text.replace("\t", " ").strip()
        if at == len(rows) - 1:
            text += words
        elif words.endswith("\u00ad") or (
            _HARD_HYPHEN.search(words) and rows[at + 1].text.lstrip()[:1].islower()
        ):
            text += words[:-1]
        elif row.right < margin - max(3 * row.size, 0.15 * (margin - row.left)):
            text += words + "\v"
        else:
            text += words + "\n"
    return "\n".join(join_lines(part) for part in text.split("\v"))


def headings(blocks: list[PageBlock]) -> list[tuple[PageBlock, int | None]]:
    """Return each block with its heading level, None for text: larger type ranks by its size.

    The lines of one large title become one block.
    """
    weights: Counter[float] = Counter()
    bold = 0
    for block in blocks:
        weights[_rounded(block.size)] += len(block.text)
        bold += len(block.text) if block.bold else 0
    body = max(weights, key=lambda size: weights[size], default=0.0)
    bold_is_rare = bold * 4 < sum(weights.values())
    whole = _whole_titles(blocks, body)
    larger = [_is_larger(block, body) for block in whole]
    sizes = sorted({_rounded(b.size) for b, is_it in zip(whole, larger, strict=True) if is_it})
    rank = {size: min(at, _BOLD_LEVEL - 1) for at, size in enumerate(reversed(sizes), 1)}
    return [
        (
            block,
            rank[_rounded(block.size)]
            if is_it
            else _other_level(block, body, bold_is_rare=bold_is_rare),
        )
        for block, is_it in zip(whole, larger, strict=True)
    ]


def _whole_titles(blocks: list[PageBlock], body: float) -> list[PageBlock]:
    whole: list[PageBlock] = []
    for block in blocks:
        last = whole[-1] if whole else None
        if (
            last is not None
            and _is_larger(last, body)
            and _rounded(block.size) == _rounded(last.size)
            and block.page == last.page
            and 0 <= block.box.top - last.box.bottom < last.size * 1.3
            and len(last.text) + len(block.text) <= _MAX_HEADING
            and not (_BULLET.match(block.text) or chinese_heading_level(block.text))
        ):
            box = replace(last.box, bottom=block.box.bottom)
            box = replace(
                box,
                left=min(box.left, block.box.left),
                right=max(box.right, block.box.right),
            )
            text = join_lines(f"{last.text}\n{block.text}")
            whole[-1] = replace(last, text=text, box=box, lines=last.lines + block.lines)
        else:
            whole.append(block)
    return whole


def _is_larger(block: PageBlock, body: float) -> bool:
    return (
        block.size >= body * _LARGER
        and block.box.right - block.box.left > block.box.bottom - block.box.top  # not upright
        and len(block.text) <= _MAX_HEADING
        and block.lines <= 3  # noqa: PLR2004  # a title may wrap twice
        and block.kind is not BlockKind.TABLE
        and not _NO_HEADING.search(block.text)
        and sum(c.isalpha() for c in block.text) >= 2  # noqa: PLR2004  # not a page number
    )


def _other_level(block: PageBlock, body: float, *, bold_is_rare: bool) -> int | None:
    if block.lines > 1 or block.size < body * 0.95:
        return None
    if (level := chinese_heading_level(block.text)) is not None:
        return level
    if numbered := _NUMBERED.match(block.text):
        return 2 + numbered[1].count(".")
    worded = sum(c.isalpha() for c in block.text) * 2 > len(block.text)
    stands_out = block.bold and bold_is_rare and worded and len(block.text) <= _MAX_BOLD_HEADING
    if stands_out and not _STOP.search(block.text) and block.kind is not BlockKind.TABLE:
        return _BOLD_LEVEL
    return None


def _rounded(size: float) -> float:
    return round(size * 2) / 2
