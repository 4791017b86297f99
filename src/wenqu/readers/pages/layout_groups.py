"""Which rows of a page make one block: by their distance, size and place, and by what they say.

Lengths are in points, from the page's top left corner. A document has tens of thousands of rows, so
what is plain geometry is reckoned for all of them at once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain, pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wenqu.readers.markup.text import chinese_heading_level
from wenqu.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wenqu.readers.pages.layout_rows import Line

    Flags = NDArray[np.bool_]

__all__ = ["BULLET", "NUMBERED", "SAME_SIZE", "Group", "grouped", "is_bold"]

SAME_SIZE = 0.12
_LIKE_OTHERS = 4  # gaps between lines that a page has of its own, at least
_RUNNING_TEXT = 8  # in font sizes: as wide as running text, wider than a label or a formula
_LIMITS = 3  # a sum with what stands above and below it
_BESIDE = 1.5  # in font sizes: parts of a formula stand nearer
_SCRIPT = 0.85  # of the font size: smaller signs are limits of a sum
_BOLD = re.compile(r"bold|black|heavy|semib|simhei|黑体|-b\b", re.IGNORECASE)
BULLET = re.compile(r"\s*(?:[•●■◆▪‣·○]\s*|[-–—*]\s+|\(?\d{1,2}[.)）、]\s*(?!\d)|[（(][一二三四五六七八九十]{1,3}[)）]|[一二三四五六七八九十]{1,3}、)")  # fmt: skip  # noqa: E501
# “1 引言”, “3.1 Method”; “1. …” is as often an item of a list.
NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\s+[^\W\d_][^\d。！？；;|]{1,38}\Z")
_WORDS = re.compile(r"[\u4e00-\u9fff]{2}|[a-z]{5}")  # which the signs of a formula are not
_STOPS = frozenset("。！？；.!?;:：…”")


class Group(NamedTuple):
    """Rows that make one block.

    ``formula`` says of each row whether it is of one formula with the row before it. ``size`` is
    that of the first row; of rows of unlike sizes, as a formula's are, the largest.
    """

    rows: Sequence[Line]
    formula: Sequence[bool]
    box: Box
    size: float


@lru_cache(maxsize=512)
def is_bold(font: str) -> bool:
    """Say whether a font's name tells that it is bold."""
    return bool(_BOLD.search(font))


def grouped(pages: Sequence[Sequence[Line]]) -> list[list[Group]]:
    """Return each page's groups; its rows are in reading order.

    The pages are taken to be set alike: a page of few lines goes by the others.
    """
    rows = list(chain.from_iterable(pages))
    if not rows:
        return [[] for _ in pages]
    ends = np.cumsum([len(page) for page in pages]).tolist()
    geometry = _Geometry(rows, ends)
    begins = geometry.begins()
    groups = geometry.groups(begins)
    made: list[list[Group]] = []
    at = 0
    for end in ends:
        first = at
        while at < len(begins) and begins[at] < end:
            at += 1
        made.append(groups[first:at])
    return made


class _Geometry:
    """The rows of all pages; ``ends`` are where each page ends among them."""

    def __init__(self, rows: Sequence[Line], ends: Sequence[int]) -> None:
        self._rows = rows
        self._ends = ends
        numbers = np.fromiter(chain.from_iterable([row[1:6] for row in rows]), float, 5 * len(rows))
        self._places = numbers.reshape(-1, 5).T
        self._celled = np.array([bool(row.stops) for row in rows])
        self._tables = np.array([bool(row.table) for row in rows])
        worded = np.array([_WORDS.search(row.text) is not None for row in rows])
        self._signs = ~(self._celled | worded)
        self._worded = worded.tolist()
        # In a formula with the row so many before.
        self._formulas = [self._of_one_formula(back) for back in range(1, _LIMITS + 1)]

    def begins(self) -> list[int]:
        """Return which rows begin a group."""
        near = [flags.tolist() for flags in self._formulas]
        after = np.logical_or.reduce(self._formulas).tolist()
        flows, celled = self._flowing().tolist(), self._celled.tolist()
        alone = self._tables.copy()
        alone[1:] |= self._tables[:-1]
        alone[[0, *(end for end in self._ends[:-1] if end < len(self._rows))]] = True
        begins: list[int] = []
        begin = 0
        for at, new in enumerate(alone.tolist()):
            if not new:
                if after[at] and any(
                    flags[at] and at - back >= begin for back, flags in enumerate(near, 1)
                ):
                    continue
                if flows[at] and (
                    (celled[at] and celled[at - 1]) or not self._begins_anew(begin, at)
                ):
                    continue
            begin = at
            begins.append(at)
        return begins

    def groups(self, begins: Sequence[int]) -> list[Group]:
        """Return the groups that begin at these rows."""
        left, right, top, bottom, size = self._places
        largest = np.maximum.reduceat(size, begins)
        first = size[begins]
        sizes = np.where(largest <= first * (1 + SAME_SIZE), first, largest).tolist()
        boxes = zip(
            np.minimum.reduceat(left, begins).tolist(),
            np.minimum.reduceat(top, begins).tolist(),
            np.maximum.reduceat(right, begins).tolist(),
            np.maximum.reduceat(bottom, begins).tolist(),
            strict=True,
        )
        formula = self._formulas[0].tolist()
        return [
            Group(
                self._rows[start:end],
                formula[start:end],
                Box(left=sides[0], top=sides[1], right=sides[2], bottom=sides[3]),
                size,
            )
            for (start, end), sides, size in zip(
                pairwise([*begins, len(self._rows)]), boxes, sizes, strict=True
            )
        ]

    def _of_one_formula(self, back: int) -> Flags:
        """Say of each row whether it is of one formula with the row ``back`` before it.

        It stands beside that, or is a limit of it, and both are formulas.
        """
        flags = np.zeros(len(self._rows), bool)
        if len(self._rows) <= back:
            return flags
        left, right, top, bottom, size = self._places[:, back:]
        other_left, other_right, other_top, other_bottom, other_size = self._places[:, :-back]
        larger = np.maximum(size, other_size)
        near = _BESIDE * larger
        beside = (top < other_bottom + near) & (other_top < bottom + near)
        beside &= (left < other_right + near) & (other_left < right + near)
        shared = np.minimum(other_bottom, bottom) - np.maximum(other_top, top)
        level = shared > (bottom - top) * 0.3
        limit = np.minimum(size, other_size) < larger * _SCRIPT
        flags[back:] = beside & (level | limit) & self._signs[back:] & self._signs[:-back]
        return flags

    def _flowing(self) -> Flags:
        """Say of each row whether, by its size and place, it may go on with the one before it."""
        flags = np.zeros(len(self._rows), bool)
        _, _, top, bottom, size = self._places
        gap = top[1:] - bottom[:-1]
        cells = self._celled[1:] & self._celled[:-1]
        widest = np.maximum(self._typical()[1:] * 1.5 + size[:-1] * 0.25, cells * size[:-1] * 1.5)
        flags[1:] = (
            (np.abs(size[1:] - size[:-1]) <= size[:-1] * SAME_SIZE)
            & (top[1:] > top[:-1])
            & (gap <= widest)
            & self._beside(slice(None, -1), slice(1, None))
        )
        return flags

    def _beside(self, ones: slice | NDArray[np.intp], others: slice | NDArray[np.intp]) -> Flags:
        """Say whether rows share a part of their width with others."""
        left, right = self._places[:2]
        flags: Flags = (left[ones] < right[others]) & (left[others] < right[ones])
        return flags

    def _typical(self) -> NDArray[np.float64]:
        """Return, for each row, the white that is usual between lines of text on its page.

        Labels and formulas say nothing of it.
        """
        left, right, top, bottom, size = self._places
        running = np.flatnonzero(right - left >= _RUNNING_TEXT * size)
        above, below = running[:-1], running[1:]
        page = np.searchsorted(self._ends, running, side="right")
        counts = (
            (page[:-1] == page[1:])
            & (top[above] < top[below])
            & (top[below] < bottom[above] + size[above] * 1.5)
            & self._beside(above, below)
        )
        gaps = (top[below] - bottom[above])[counts].tolist()
        typical = np.zeros(len(self._rows))
        if not gaps:
            return typical
        known = [median(gaps)] * _LIKE_OTHERS
        # Those of one page stand together.
        cuts = np.searchsorted(page[:-1][counts], range(len(self._ends) + 1)).tolist()
        for (start, end), (first, last) in zip(
            pairwise([0, *self._ends]), pairwise(cuts), strict=True
        ):
            typical[start:end] = max(median([*gaps[first:last], *known]), 0.0)
        return typical

    def _begins_anew(self, begin: int, at: int) -> bool:
        """Say whether a row begins a block for what it says or where it stands in its column.

        Args:
            begin: The first row of the group so far.
            at: The row.
        """
        line, last = self._rows[at], self._rows[at - 1]
        if BULLET.match(line.text) or any(map(chinese_heading_level, (line.text, last.text))):
            return True
        if at - begin == 1:
            if NUMBERED.match(last.text) and last.right < line.right - 2 * last.size:
                return True
            if is_bold(line.font) != is_bold(last.font):
                return not last.stops
        if last.text.rstrip()[-1:] not in _STOPS:
            return False
        if line.left > last.left + 1.2 * line.size:
            return True
        widest = max([row.right for row in self._rows[begin:at]])
        return last.right < widest - 2 * last.size
