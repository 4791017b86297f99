"""From lines on a page to blocks in reading order: the part of PDF reading that is plain geometry.

Lengths are in points, from the page's top left corner. Lines come in the order of drawing, which
most programs choose well; ``columns`` orders those of a page that was drawn, or recognised, row by
row across its columns.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from wenqu.readers.builder import join_lines, unspaced
from wenqu.readers.markup.text import chinese_heading_level
from wenqu.readers.pages.layout_columns import columns
from wenqu.readers.pages.layout_tables import aligned_table
from wenqu.types import BlockKind, Box

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BULLET",
    "NUMBERED",
    "RIGHT_TO_LEFT",
    "Line",
    "PageBlock",
    "is_bold",
    "page_blocks",
    "row_blocks",
    "rows",
    "without_running_lines",
]

_EDGE = 0.125  # running heads and feet stand in this share of a page's height
_RUNNING_PAGES = 3
_RUNNING_SHARE = 0.3
_NEAR_PAGES = 2  # a chapter's name stands on each page of the chapter, or on each other one
_SAME_SIZE = 0.12
_SORT_LIMIT = 2000
_RUNNING_TEXT = 8  # in font sizes: as wide as running text, wider than a label or a formula
_CELL_GAP = 1.5  # in font sizes: wider than any word space, also of justified lines
_WORD_GAP = 0.12
_SCRIPT = 0.85  # of the font size: smaller signs are raised or lowered
_NOTE_SIZE = 0.93  # footnotes are set smaller than the text, by this much at least
_BOLD = re.compile(r"bold|black|heavy|semib|simhei|黑体|-b\b", re.IGNORECASE)
BULLET = re.compile(r"\s*(?:[•●■◆▪‣·○]\s*|[-–—*]\s+|\(?\d{1,2}[.)）、]\s*(?!\d)|[（(][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、)")  # fmt: skip  # noqa: E501
# “1 引言”, “3.1 Method”; “1. …” is as often an item of a list.
NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\s+[^\W\d_][^\d。！？；;|]{1,38}\Z")
_STOP = re.compile(r"[。！？；.!?;:：…”]\s*\Z")
_HARD_HYPHEN = re.compile(r"(?<=[a-z])-\Z")
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"\b[ivxlc]+\b")
_PAGE_NUMBER = re.compile(
    r"\W*(?:第\s*\d+\s*页.{0,12}|page\s+\d+(?:\s+of\s+\d+)?|[-–—]\s*\d{1,4}\s*[-–—])\W*",
    re.IGNORECASE,
)
_NOTE_MARK = re.compile(r"\s*(?:\d{1,3}\b|[*†‡§①-⑳]|[\[［【（(]\d{1,3}[\]］】）)])")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Line(NamedTuple):
    """One drawn line; a tab in its text is a gap wide enough to part two cells.

    A named tuple, as there are hundreds on a page, and a frozen dataclass takes four times as long.

    ``stops`` are the left and right ends of the cells, where there is more than one. A ``table`` is
    a whole one, its text already Markdown.
    """

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    font: str
    page_height: float
    stops: tuple[tuple[float, float], ...] = ()
    table: bool = False


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


def without_running_lines(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """Drop heads and feet that stand, but for their digits, on 30 % of the pages.

    That is on three at least, or on both of two; a chapter's name, on three pages near each other.
    What says that it is a page number goes in any case.
    """
    seen: defaultdict[tuple[bool, str], list[int]] = defaultdict(list)
    for number, page in enumerate(pages):
        for key in {k for k in map(_running_key, page) if k}:
            seen[key].append(number)
    least = max(min(_RUNNING_PAGES, max(len(pages), 2)), len(pages) * _RUNNING_SHARE)
    running = {key for key, found in seen.items() if len(found) >= least or _in_series(found)}
    return [[line for line in page if not _is_running(line, running)] for page in pages]


def _is_running(line: Line, running: set[tuple[bool, str]]) -> bool:
    key = _running_key(line)
    return key is not None and (key in running or bool(_PAGE_NUMBER.fullmatch(line.text)))


def _in_series(found: list[int]) -> bool:
    near = sum(later - earlier <= _NEAR_PAGES for earlier, later in pairwise(found))
    return len(found) >= _RUNNING_PAGES and near * 4 >= (len(found) - 1) * 3


def _running_key(line: Line) -> tuple[bool, str] | None:
    upper = line.bottom < line.page_height * _EDGE
    lower = line.top > line.page_height * (1 - _EDGE)
    if line.table or not (upper or lower):
        return None
    text = _DIGITS.sub("#", line.text).strip()
    return upper, _ROMAN.sub("#", text) if len(text) < 8 else text  # noqa: PLR2004  # “xviii”


def page_blocks(lines: Sequence[Line], page: int) -> list[PageBlock]:
    """Return one page's blocks in reading order."""
    return row_blocks(rows(lines), page)


def row_blocks(made: Sequence[Line], page: int) -> list[PageBlock]:
    """Return the blocks of a page whose lines are whole already, as ``rows`` makes them."""
    ordered = _in_reading_order(columns(made))
    typical = _typical_gap(ordered)
    groups: list[list[Line]] = []
    for row in ordered:
        if groups and _continues(groups[-1], row, typical):
            groups[-1].append(row)
        else:
            groups.append([row])
    return _notes_last([_block(group, page) for group in groups])


def _notes_last(blocks: list[PageBlock]) -> list[PageBlock]:
    """Put footnotes of a column behind what goes on in the next one."""
    sizes: Counter[float] = Counter()
    for block in blocks:
        sizes[block.size] += len(block.text)
    body = max(sizes, key=lambda size: sizes[size], default=0.0)
    foot = max((block.box.bottom for block in blocks), default=0.0)
    top = min((block.box.top for block in blocks), default=0.0)
    notes = {
        at
        for at, block in enumerate(blocks)
        if block.size < body * _NOTE_SIZE
        and block.box.top > top + (foot - top) / 2
        and block.kind is not BlockKind.TABLE
        and _NOTE_MARK.match(block.text)
        and not any(_below(other, block, body) for other in blocks)
    }
    if not notes:
        return blocks
    body_first = [block for at, block in enumerate(blocks) if at not in notes]
    return body_first + [block for at, block in enumerate(blocks) if at in notes]


def _below(other: PageBlock, block: PageBlock, body: float) -> bool:
    """Say whether text of the body stands below ``block`` in its column."""
    return (
        other.size >= body * _NOTE_SIZE
        and other.box.top > block.box.top
        and other.box.left < block.box.right
        and block.box.left < other.box.right
    )


def _typical_gap(ordered: list[Line]) -> float:
    """Return the usual white between two lines of running text; labels and formulas say nothing."""
    running = [row for row in ordered if row.right - row.left >= _RUNNING_TEXT * row.size]
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
    if line.table or last.table or abs(line.size - last.size) > last.size * _SAME_SIZE:
        return False
    gap = line.top - last.bottom
    cells = bool(last.stops and line.stops)
    if line.top <= last.top or gap > max(typical * 1.5 + last.size * 0.25, cells * last.size * 1.5):
        return False
    if not _beside(last, line):
        return False
    return cells or not _begins_anew(group, line)


def _begins_anew(group: list[Line], line: Line) -> bool:
    """Say whether ``line`` begins a block for what it says or where it stands in its column."""
    last = group[-1]
    if BULLET.match(line.text) or any(chinese_heading_level(x.text) for x in (last, line)):
        return True
    if len(group) == 1 and NUMBERED.match(last.text) and last.right < line.right - 2 * last.size:
        return True
    if is_bold(line.font) != is_bold(last.font) and len(group) == 1:
        return not last.stops
    short = last.right < max(member.right for member in group) - 2 * last.size
    indented = line.left > last.left + 1.2 * line.size
    return bool(_STOP.search(last.text)) and (short or indented)


@lru_cache(maxsize=512)
def is_bold(font: str) -> bool:
    """Say whether a font's name tells that it is bold."""
    return bool(_BOLD.search(font))


def _in_reading_order(drawn: list[Line]) -> list[Line]:
    """Keep the order of drawing, but put a row after those that stand above it.

    So columns stay whole, while feet that are drawn first and tables that are drawn from the
    bottom up come right.
    """
    if len(drawn) > _SORT_LIMIT or len(drawn) < 2:  # noqa: PLR2004
        return drawn
    import numpy as np

    places = np.array([line[1:5] for line in drawn])
    left, right, top, bottom = places.T
    # Above: it ends about where the other begins or before, in the same column.
    above = ((top + bottom) / 2)[:, None] < top
    above &= left[:, None] < right
    above &= left < right[:, None]
    if not np.tril(above, -1).any():
        return drawn
    # Being above has no cycles (middles only go down), so some row always waits for no other.
    waits = above.sum(axis=0)
    ordered: list[Line] = []
    for _ in drawn:
        chosen = int(np.argmax(waits == 0))
        ordered.append(drawn[chosen])
        waits -= above[chosen]
        waits[chosen] = -1
    return ordered


def _block(group: list[Line], page: int) -> PageBlock:
    first = group[0]
    table = first.text if first.table else aligned_table(group)
    if table is not None:
        text, kind = table, BlockKind.TABLE
    else:
        text = _flow(group)
        kind = BlockKind.LIST if BULLET.match(text) else BlockKind.PARAGRAPH
    return PageBlock(
        text=text,
        kind=kind,
        box=Box(
            left=min(line.left for line in group),
            top=min(line.top for line in group),
            right=max(line.right for line in group),
            bottom=max(line.bottom for line in group),
        ),
        size=first.size,
        bold=is_bold(first.font),
        lines=len(group),
        page=page,
    )


def rows(lines: Sequence[Line]) -> list[Line]:
    """Put together the pieces of one line that were drawn apart, with its raised and lowered signs.

    A row has the place and size of its largest piece.
    """
    pieces: list[Line] = []
    made: list[Line] = []
    for line in lines:
        if pieces and _same_row(pieces[-1], pieces[-2:][0], line):
            pieces.append(line)
            continue
        if pieces:
            made.append(_row(pieces))
        pieces = [line]
    if pieces:
        made.append(_row(pieces))
    return made


def _same_row(last: Line, before: Line, line: Line) -> bool:
    """Say whether ``line`` goes on with the row that ends with the pieces ``before`` and ``last``.

    It is called for each piece of each page, so it is written to be quick.
    """
    main = before if before.size > last.size else last
    top, bottom, other_top, other_bottom = main.top, main.bottom, line.top, line.bottom
    foot = bottom if bottom < other_bottom else other_bottom  # noqa: FURB136  # a call costs more
    head = top if top > other_top else other_top  # noqa: FURB136
    overlap = foot - head
    if overlap <= (bottom - top) * 0.5 and overlap <= (other_bottom - other_top) * 0.5:
        return False
    if last.table or line.table:
        return False
    slack = 0.3 * main.size
    # Raised and lowered signs stand over one another.
    small = main.size * _SCRIPT
    begin = last.left if line.size < small or last.size < small else last.right
    if line.left >= begin - slack:
        return True
    return line.right <= last.left + slack and bool(
        RIGHT_TO_LEFT.search(line.text) or RIGHT_TO_LEFT.search(last.text)
    )


def _row(pieces: list[Line]) -> Line:
    if len(pieces) == 1:
        return pieces[0]
    last = pieces[0]
    text = last.text
    stops = list(last.stops) or [(last.left, last.right)]
    for line in pieces[1:]:
        gap = line.left - last.right if line.left >= last.left else last.left - line.right
        wide = last.size if last.size > line.size else line.size  # noqa: FURB136
        mine = line.stops or ((line.left, line.right),)
        if gap > _CELL_GAP * wide:
            text = f"{text.rstrip()}\t{line.text.lstrip()}"
            stops.extend(mine)
        else:
            spaced = gap <= _WORD_GAP * wide or text[-1:].isspace() or line.text[:1].isspace()
            text += line.text if spaced else f" {line.text}"
            ends = (*stops[-1], *mine[0])
            stops[-1] = (min(ends), max(ends))
            stops.extend(mine[1:])
        last = line
    main = max(pieces, key=lambda piece: (piece.size, len(piece.text)))
    return Line(
        text=text,
        left=min([piece.left for piece in pieces]),
        right=max([piece.right for piece in pieces]),
        top=main.top,
        bottom=main.bottom,
        size=main.size,
        font=main.font,
        page_height=main.page_height,
        stops=tuple(stops) if len(stops) > 1 else (),
    )


def _flow(group: list[Line]) -> str:
    """Join running lines; a line that ends well before the margin keeps its line end."""
    margin = max(row.right for row in group)
    text = ""
    for at, row in enumerate(group):
        words = unspaced(row.text.replace("\t", "  ").strip())
        if at == len(group) - 1:
            text += words
        elif words.endswith("\u00ad") or (
            _HARD_HYPHEN.search(words) and group[at + 1].text.lstrip()[:1].islower()
        ):
            text += words[:-1]
        elif row.right < margin - max(3 * row.size, 0.15 * (margin - row.left)) or row.stops:
            text += words + "\v"
        else:
            text += words + "\n"
    return "\n".join(join_lines(part) for part in text.split("\v"))
