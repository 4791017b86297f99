"""From lines on a page to blocks in reading order: the part of PDF reading that is plain geometry.

Lengths are in points, from the page's top left corner. Lines come in the order of drawing, which
most programs choose well; ``columns`` orders those of a page that was drawn, or recognised, row by
row across its columns.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from wenqu.readers.builder import join_lines, unspaced
from wenqu.readers.markup.text import chinese_heading_level
from wenqu.readers.pages.layout_columns import columns
from wenqu.readers.pages.layout_rows import rows
from wenqu.readers.pages.layout_tables import aligned_table
from wenqu.types import BlockKind, Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.readers.pages.layout_rows import Line

__all__ = [
    "BULLET",
    "NUMBERED",
    "PageBlock",
    "is_bold",
    "page_blocks",
    "row_blocks",
    "without_running_lines",
]

_EDGE = 0.125  # running heads and feet stand in this share of a page's height
_RUNNING_PAGES = 3
_RUNNING_SHARE = 0.3
_NEAR_PAGES = 2  # a chapter's name stands on each page of the chapter, or on each other one
_SAME_SIZE = 0.12
_SORT_LIMIT = 2000
_LIKE_OTHERS = 4  # gaps between lines that a page has of its own, at least
_RUNNING_TEXT = 8  # in font sizes: as wide as running text, wider than a label or a formula
_LIMITS = 3  # a sum with what stands above and below it
_BESIDE = 1.5  # in font sizes: parts of a formula stand nearer
_SCRIPT = 0.85  # of the font size: smaller signs are limits of a sum
_NOTE_SIZE = 0.93  # footnotes are set smaller than the text, by this much at least
_BOLD = re.compile(r"bold|black|heavy|semib|simhei|黑体|-b\b", re.IGNORECASE)
BULLET = re.compile(r"\s*(?:[•●■◆▪‣·○]\s*|[-–—*]\s+|\(?\d{1,2}[.)）、]\s*(?!\d)|[（(][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、)")  # fmt: skip  # noqa: E501
# “1 引言”, “3.1 Method”; “1. …” is as often an item of a list.
NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\s+[^\W\d_][^\d。！？；;|]{1,38}\Z")
_WORDS = re.compile(r"[\u4e00-\u9fff]{2}|[a-z]{5}")  # which the signs of a formula are not
_STOPS = frozenset("。！？；.!?;:：…”")
_HARD_HYPHEN = re.compile(r"-\Z(?<=[a-z]-)")  # the sign first: found sooner
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"\b[ivxlc]+\b")
_PAGE_NUMBER = re.compile(
    r"\W*(?:第\s*\d+\s*页.{0,12}|page\s+\d+(?:\s+of\s+\d+)?|[-–—]\s*\d{1,4}\s*[-–—])\W*",
    re.IGNORECASE,
)
_NOTE_MARK = re.compile(r"\s*(?:\d{1,3}\b|[*†‡§①-⑳]|[\[［【（(]\d{1,3}[\]］】）)])")


class PageBlock(NamedTuple):
    """Lines that belong together, joined.

    ``size`` and ``bold`` are of its first line; the size of a formula is its largest.
    """

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
    return next(row_blocks([rows(lines)], page))


def row_blocks(pages: Sequence[Sequence[Line]], first: int = 1) -> Iterator[list[PageBlock]]:
    """Yield the blocks of each page, its lines being whole already, as ``rows`` makes them.

    Args:
        pages: They are taken to be set alike: a page of few lines goes by the others.
        first: The number of the first one.
    """
    ordered = [_in_reading_order(columns(made)) for made in pages]
    gaps = [_gaps(page) for page in ordered]
    usual = [gap for found in gaps for gap in found]
    known = [median(usual)] * _LIKE_OTHERS if usual else []
    for number, (page, found) in enumerate(zip(ordered, gaps, strict=True), first):
        typical = max(median([*found, *known]), 0.0) if known else 0.0
        groups: list[list[Line]] = []
        for row in page:
            if groups and _continues(groups[-1], row, typical):
                groups[-1].append(row)
            else:
                groups.append([row])
        yield _notes_last([_block(group, number) for group in groups])


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


def _gaps(ordered: list[Line]) -> list[float]:
    """Return the white between lines of running text; labels and formulas say nothing of it."""
    running = [row for row in ordered if row.right - row.left >= _RUNNING_TEXT * row.size]
    return [
        below.top - above.bottom
        for above, below in pairwise(running)
        if above.top < below.top < above.bottom + above.size * 1.5 and _beside(above, below)
    ]


def _beside(one: Line, other: Line) -> bool:
    return one.left < other.right and other.left < one.right


def _continues(group: list[Line], line: Line, typical: float) -> bool:
    """Say whether ``line`` goes on with the block that ``group`` is so far."""
    last = group[-1]
    if line.table or last.table:
        return False
    if not _WORDS.search(line.text):
        for before in group[-_LIMITS:]:
            if _of_one_formula(before, line):
                return True
    if abs(line.size - last.size) > last.size * _SAME_SIZE:
        return False
    gap = line.top - last.bottom
    cells = bool(last.stops and line.stops)
    if line.top <= last.top or gap > max(typical * 1.5 + last.size * 0.25, cells * last.size * 1.5):
        return False
    if not _beside(last, line):
        return False
    return cells or not _begins_anew(group, line)


def _of_one_formula(last: Line, line: Line) -> bool:
    """Say whether ``line`` stands beside ``last``, or is a limit of it, and both are formulas."""
    size = last.size if last.size > line.size else line.size  # noqa: FURB136  # a call costs more
    near = _BESIDE * size
    if line.top >= last.bottom + near or last.top >= line.bottom + near:
        return False
    if line.left >= last.right + near or last.left >= line.right + near:
        return False
    if last.stops or line.stops or _WORDS.search(last.text) or _WORDS.search(line.text):
        return False
    shared = min(last.bottom, line.bottom) - max(last.top, line.top)
    if shared > (line.bottom - line.top) * 0.3:
        return True
    return min(last.size, line.size) < size * _SCRIPT


def _begins_anew(group: list[Line], line: Line) -> bool:
    """Say whether ``line`` begins a block for what it says or where it stands in its column."""
    last = group[-1]
    if BULLET.match(line.text) or chinese_heading_level(line.text):
        return True
    if chinese_heading_level(last.text):
        return True
    if len(group) == 1 and NUMBERED.match(last.text) and last.right < line.right - 2 * last.size:
        return True
    if is_bold(line.font) != is_bold(last.font) and len(group) == 1:
        return not last.stops
    short = last.right < max([member.right for member in group]) - 2 * last.size
    indented = line.left > last.left + 1.2 * line.size
    return (short or indented) and last.text.rstrip()[-1:] in _STOPS


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
    # What each row waits for, as the bits of a number. Being above has no cycles (middles only go
    # down), so some row always waits for no other.
    bits = np.packbits(above.T, axis=1, bitorder="little")
    waits = [int.from_bytes(row.tobytes(), "little") for row in bits]
    left_over, missing = list(range(len(drawn))), (1 << len(drawn)) - 1
    ordered: list[Line] = []
    while left_over:
        chosen = next(at for at in left_over if not waits[at] & missing)
        left_over.remove(chosen)
        missing ^= 1 << chosen
        ordered.append(drawn[chosen])
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
        box=_around(group),
        size=first.size if _alike(group) else max([line.size for line in group]),
        bold=is_bold(first.font),
        lines=len(group),
        page=page,
    )


def _alike(group: list[Line]) -> bool:
    largest = group[0].size * (1 + _SAME_SIZE)
    return all(line.size <= largest for line in group)


def _around(group: list[Line]) -> Box:
    if len(group) == 1:
        _, left, right, top, bottom, *_ = group[0]
        return Box(left=left, top=top, right=right, bottom=bottom)
    _, lefts, rights, tops, bottoms, *_ = zip(*group, strict=True)
    return Box(left=min(lefts), top=min(tops), right=max(rights), bottom=max(bottoms))


def _flow(group: list[Line]) -> str:
    """Join running lines; a line that ends well before the margin keeps its line end."""
    if len(group) == 1:
        return join_lines(unspaced(group[0].text.replace("\t", "  ").strip()))
    margin = max([row.right for row in group])
    text = ""
    for at, row in enumerate(group):
        words = unspaced(row.text.replace("\t", "  ").strip())
        if at == len(group) - 1:
            text += words
        elif words.endswith("\u00ad") or (
            _HARD_HYPHEN.search(words) and group[at + 1].text.lstrip()[:1].islower()
        ):
            text += words[:-1]
        elif row.stops or (_is_short(row, margin) and not _of_one_formula(row, group[at + 1])):
            text += words + "\v"
        else:
            text += words + "\n"
    return "\n".join(join_lines(part) for part in text.split("\v"))


def _is_short(row: Line, margin: float) -> bool:
    return row.right < margin - max(3 * row.size, 0.15 * (margin - row.left))
