"""From lines on a page to blocks in reading order: the part of PDF reading that is plain geometry.

Lengths are in points, from the page's top left corner. Lines come in the order of drawing, which
most programs choose well; ``columns`` orders those of a page that was drawn, or recognised, row by
row across its columns.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from wenqu.readers.builder import collapse, join_lines, unspaced
from wenqu.readers.pages.layout_columns import columns as in_columns
from wenqu.readers.pages.layout_groups import BULLET, grouped, is_bold
from wenqu.readers.pages.layout_rows import rows
from wenqu.readers.pages.layout_tables import aligned_table
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.readers.pages.layout_groups import Group
    from wenqu.readers.pages.layout_rows import Line, Stops
    from wenqu.types import Box

__all__ = ["PageBlock", "page_blocks", "row_blocks", "without_running_lines"]

_EDGE = 0.125  # running heads and feet stand in this share of a page's height
_RUNNING_PAGES = 3
_RUNNING_SHARE = 0.3
_NEAR_PAGES = 2  # a chapter's name stands on each page of the chapter, or on each other one
_SORT_LIMIT = 2000
_NEXT_ROW = 3.0  # in font sizes, from top to top
_NOTE_SIZE = 0.93  # footnotes are set smaller than the text, by this much at least
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

    ``size`` and ``bold`` are of its first line; the size of a formula is its largest. ``columns``
    are the left and right ends of a table's; one that ``continues`` goes on with the table before.
    A single row with gaps has ``cells``, and their ends as its columns.
    """

    text: str
    kind: BlockKind
    box: Box
    size: float
    bold: bool
    lines: int
    page: int
    columns: Stops = ()
    continues: bool = False
    cells: tuple[str, ...] = ()


def without_running_lines(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """Drop heads and feet that stand, but for their digits, on 30 % of the pages.

    That is on three at least, or on both of two; a chapter's name, on three pages near each other.
    What says that it is a page number goes in any case.
    """
    seen: defaultdict[tuple[bool, str], list[int]] = defaultdict(list)
    keys = [_running_keys(page) for page in pages]
    for number, found in enumerate(keys):
        for key in set(found.values()):
            seen[key].append(number)
    least = max(min(_RUNNING_PAGES, max(len(pages), 2)), len(pages) * _RUNNING_SHARE)
    running = {key for key, found in seen.items() if len(found) >= least or _in_series(found)}
    kept = []
    for page, found in zip(pages, keys, strict=True):
        gone = {
            at
            for at, key in found.items()
            if (key in running and not _heads_table(page, at)) or _is_number(page[at])
        }
        kept.append([line for at, line in enumerate(page) if at not in gone] if gone else page)
    return kept


def _heads_table(page: list[Line], at: int) -> bool:
    """Say whether a line has cells, and the next one other words in the same columns."""
    line, below = page[at], page[at + 1] if at + 1 < len(page) else None
    return (
        below is not None
        and bool(line.stops)
        and len(line.stops) == len(below.stops)
        and 0 < below.top - line.top < _NEXT_ROW * line.size
        and all(
            one[0] < other[1] and other[0] < one[1]
            for one, other in zip(line.stops, below.stops, strict=True)
        )
    )


def _is_number(line: Line) -> bool:
    return _PAGE_NUMBER.fullmatch(line.text) is not None


def _in_series(found: list[int]) -> bool:
    near = sum(later - earlier <= _NEAR_PAGES for earlier, later in pairwise(found))
    return len(found) >= _RUNNING_PAGES and near * 4 >= (len(found) - 1) * 3


def _running_keys(page: list[Line]) -> dict[int, tuple[bool, str]]:
    """Return what may run through the pages: which line, and with it whether above, and its text.

    Digits do not count.
    """
    if not page:
        return {}
    height = page[0].page_height
    head, foot = height * _EDGE, height * (1 - _EDGE)
    keys = {}
    for at, line in enumerate(page):
        upper = line.bottom < head
        if (upper or line.top > foot) and not line.table:
            text = _DIGITS.sub("#", line.text).strip()
            keys[at] = upper, _ROMAN.sub("#", text) if len(text) < 8 else text  # noqa: PLR2004  # “xviii”
    return keys


def page_blocks(lines: Sequence[Line], page: int) -> list[PageBlock]:
    """Return one page's blocks in reading order."""
    return next(row_blocks([rows(lines)], page))


def row_blocks(pages: Sequence[Sequence[Line]], first: int = 1) -> Iterator[list[PageBlock]]:
    """Yield the blocks of each page, its lines being whole already, as ``rows`` makes them.

    Args:
        pages: They are taken to be set alike: a page of few lines goes by the others.
        first: The number of the first one.
    """
    ordered = [_in_reading_order(in_columns(made)) for made in pages]
    for number, groups in enumerate(grouped(ordered), first):
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


def _in_reading_order(drawn: list[Line]) -> list[Line]:
    """Keep the order of drawing, but put a row after those that stand above it.

    So columns stay whole, while feet that are drawn first and tables that are drawn from the
    bottom up come right.
    """
    if len(drawn) > _SORT_LIMIT or _descends(drawn):
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


def _descends(drawn: list[Line]) -> bool:
    """Say whether no row stands above one that was drawn before it, wherever on its height."""
    highest = float("inf")
    for _, _, _, top, bottom, *_ in reversed(drawn):
        if highest < top:
            return False
        highest = min(highest, (top + bottom) / 2)
    return True


def _block(group: Group, page: int) -> PageBlock:
    first = group.rows[0]
    table = (first.text, first.table) if first.table else None
    if table is None and len(group.rows) > 1:
        table = aligned_table(group.rows)
    columns: Stops = ()
    cells: tuple[str, ...] = ()
    if table is not None:
        text, columns = table
        kind = BlockKind.TABLE
    else:
        text = _flow(group)
        kind = BlockKind.LIST if BULLET.match(text) else BlockKind.PARAGRAPH
        if first.stops and len(group.rows) == 1:
            columns, cells = first.stops, tuple(first.text.split("\t"))
    return PageBlock(
        text=text,
        kind=kind,
        box=group.box,
        size=group.size,
        bold=is_bold(first.font),
        lines=len(group.rows),
        page=page,
        columns=columns,
        cells=cells,
    )


def _flow(group: Group) -> str:
    """Join running lines; a line that ends well before the margin keeps its line end."""
    rows = group.rows
    if len(rows) == 1:
        return collapse(_words(rows[0]))
    margin = max([row.right for row in rows])
    text = ""
    for row, after, formula in zip(rows, rows[1:], group.formula[1:], strict=False):
        words = _words(row)
        last = words[-1:]
        if last == "\u00ad" or (
            last == "-" and _HARD_HYPHEN.search(words) and after.text.lstrip()[:1].islower()
        ):
            text += words[:-1]
        elif row.stops or not (formula or row.right >= margin or not _is_short(row, margin)):
            text += words + "\v"
        else:
            text += words + "\n"
    text += _words(rows[-1])
    if "\v" not in text:
        return join_lines(text)
    return "\n".join(map(join_lines, text.split("\v")))


def _words(row: Line) -> str:
    words = row.text
    if words.isascii():
        return words.strip()
    if "\t" in words:
        words = words.replace("\t", "  ")
    words = words.strip()
    return unspaced(words) if " " in words else words


def _is_short(row: Line, margin: float) -> bool:
    return row.right < margin - max(3 * row.size, 0.15 * (margin - row.left))
