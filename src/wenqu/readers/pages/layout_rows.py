"""From pieces of text, as a page draws them, to rows: what stands on one line, put together.

Lengths are in points, from the page's top left corner. A page has hundreds of pieces, so their
places are kept by columns, and compared for the whole page at once.
"""

from __future__ import annotations

import re
from itertools import pairwise, repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["RIGHT_TO_LEFT", "Line", "Pieces", "Stops", "rows", "run_together"]

Stops = tuple[tuple[float, float], ...]
"""The left and right ends of a row's cells."""

_CELL_GAP = 1.5  # in font sizes: wider than any word space, also of justified lines
_WORD_GAP = 0.12
_SCRIPT = 0.85  # of the font size: smaller signs are raised or lowered
_SLACK = 0.3
_LEVEL = 0.05
_BACK = 2.0
_DECIMALS = 2  # of a point: what is kept of a row's place
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


class Line(NamedTuple):
    """One drawn line; a tab in its text is a gap wide enough to part two cells.

    A named tuple, as there are hundreds on a page, and a frozen dataclass takes four times as long.

    ``stops`` are the left and right ends of the cells, where there is more than one. ``table`` are
    those of the columns of a whole table, its text already Markdown.
    """

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    font: str
    page_height: float
    stops: Stops = ()
    table: Stops = ()


class Pieces(NamedTuple):
    """A page's pieces of text in the order of drawing.

    ``places`` has five rows, left, right, top, bottom and size, and a column for each piece;
    ``fonts`` tells those of some pieces, as most are never asked for.
    ``stops`` and ``tables`` are as those of ``Line``, for the pieces that have them.
    """

    texts: list[str]
    places: NDArray[np.float64]
    fonts: Callable[[Sequence[int]], list[str]]
    page_height: float
    stops: Mapping[int, Stops] = MappingProxyType({})
    tables: Mapping[int, Stops] = MappingProxyType({})

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Pieces:
        """Return lines as pieces."""
        return cls(
            texts=[line.text for line in lines],
            places=np.array([line[1:6] for line in lines], float).reshape(-1, 5).T,
            fonts=lambda chosen: [lines[at].font for at in chosen],
            page_height=lines[0].page_height if lines else 0.0,
            stops={at: line.stops for at, line in enumerate(lines) if line.stops},
            tables={at: line.table for at, line in enumerate(lines) if line.table},
        )

    def lines(self) -> list[Line]:
        """Return each piece as a line of its own."""
        return list(
            map(
                Line,
                self.texts,
                *self.places.tolist(),
                self.fonts(range(len(self.texts))),
                repeat(self.page_height),
                [self.stops.get(at, ()) for at in range(len(self.texts))],
                [self.tables.get(at, ()) for at in range(len(self.texts))],
            )
        )

    def rows(self) -> list[Line]:
        """Put together the pieces of one line that were drawn apart, with raised and lowered signs.

        A row has the place and size of its largest piece; of such, of the longest.
        """
        if not self.texts:
            return []
        with np.errstate(all="ignore"):  # a broken matrix puts text at infinity
            firsts = self._firsts()
            parting = self._parting()
        begins = np.array(firsts)
        mains = self._mains(begins)
        rounded = np.round(self.places[:4], _DECIMALS)
        texts = self._joined(firsts, parting)
        stops: list[Stops] = [()] * len(texts)
        if self.stops or max(parting) > 1:
            lefts, rights = rounded[:2].tolist()
            for at, (first, end) in enumerate(pairwise([*firsts, len(self.texts)])):
                if end - first == 1:
                    stops[at] = self.stops.get(first, ())
                elif "\t" in texts[at]:
                    stops[at] = self._stops(first, end, parting, lefts, rights)
        return list(
            map(
                Line,
                texts,
                np.minimum.reduceat(rounded[0], begins).tolist(),
                np.maximum.reduceat(rounded[1], begins).tolist(),
                rounded[2, mains].tolist(),
                rounded[3, mains].tolist(),
                self.places[4, mains].tolist(),
                self.fonts(mains.tolist()),
                repeat(self.page_height),
                stops,
                [self.tables.get(first, ()) for first in firsts] if self.tables else repeat(()),
            )
        )

    def _mains(self, begins: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the piece that stands for each row, of which ``begins`` are the first pieces."""
        if len(begins) == len(self.texts):
            return begins
        counts = np.diff(begins, append=len(self.texts))
        size = self.places[4]
        largest = size == np.repeat(np.maximum.reduceat(size, begins), counts)
        length = np.where(largest, np.fromiter(map(len, self.texts), int, len(size)), -1)
        longest = np.flatnonzero(length == np.repeat(np.maximum.reduceat(length, begins), counts))
        chosen: NDArray[np.intp] = longest[np.searchsorted(longest, begins)]
        return chosen

    def _firsts(self) -> list[int]:
        """Return the pieces that begin a row."""
        alone, after = self._same_row()
        firsts = [0]
        goes_on = False
        for at, (one, other) in enumerate(zip(alone, after, strict=True), 1):
            goes_on = other if goes_on else one
            if not goes_on:
                firsts.append(at)
        return firsts

    def _same_row(self) -> tuple[list[bool], list[bool]]:
        """Say of each piece but the first whether it goes on with the row of the one before.

        Once where that row has this one piece, and once where it has a further one before, which is
        looked at where it is larger, as the sign that has the raised ones.
        """
        left, right, top, bottom, size = self.places
        main = np.tile(np.arange(len(size) - 1), (2, 1))
        main[1, 1:] -= size[:-2] > size[1:-1]
        high, low, em = top[main], bottom[main], size[main]
        overlap = np.minimum(low, bottom[1:]) - np.maximum(high, top[1:])
        beside = (overlap > (low - high) * 0.5) | (overlap > (bottom[1:] - top[1:]) * 0.5)
        for at in self.tables:
            beside[:, max(at - 1, 0) : at + 1] = False
        # Raised and lowered signs stand over one another.
        small = em * _SCRIPT
        begin = np.where((size[1:] < small) | (size[:-1] < small), left[:-1], right[:-1])
        onward = left[1:] >= begin - _SLACK * em
        # What is drawn with an accent, or with the sign behind it, goes back a little.
        level = (top[1:] == top[:-1]) | (np.abs(bottom[1:] - bottom[:-1]) < _LEVEL * em)
        onward |= (
            level
            & (size[1:] == size[:-1])
            & (left[1:] >= left[:-1] - _SLACK * em)
            & (right[:-1] - left[1:] < _BACK * em)
        )
        backward = beside & ~onward & (right[1:] <= left[:-1] + _SLACK * em)
        for at in np.flatnonzero(backward.any(axis=0)).tolist():
            pair = self.texts[at : at + 2]
            backward[:, at] &= any(RIGHT_TO_LEFT.search(text) for text in pair)
        alone, after = ((beside & onward) | backward).tolist()
        return alone, after

    def _parting(self) -> list[int]:
        """Return what parts each piece from the one before on its row: 2 a cell, 1 a word."""
        left, right, _, _, size = self.places
        gap = np.where(left[1:] >= left[:-1], left[1:] - right[:-1], left[:-1] - right[1:])
        wide = np.maximum(size[1:], size[:-1])
        apart = (gap > _WORD_GAP * wide).astype(int) + (gap > _CELL_GAP * wide)
        return [0, *apart.tolist()]

    def _joined(self, firsts: Sequence[int], parting: list[int]) -> list[str]:
        """Return the text of each row, of which ``firsts`` are the first pieces."""
        if len(firsts) == len(self.texts):
            return self.texts
        texts = self.texts.copy()
        for first in firsts:
            parting[first] = 0
        for at in [at for at, apart in enumerate(parting) if apart]:
            if parting[at] > 1:
                texts[at - 1] = texts[at - 1].rstrip()
                texts[at] = "\t" + texts[at].lstrip()
            elif not (texts[at - 1][-1:].isspace() or texts[at][:1].isspace()):
                texts[at] = f" {texts[at]}"
        return run_together(texts, firsts)

    def _stops(
        self,
        first: int,
        end: int,
        parting: Sequence[int],
        lefts: Sequence[float],
        rights: Sequence[float],
    ) -> Stops:
        """Return the cells of the row of pieces ``first`` to ``end``, where it has more than one.

        Args:
            first: First piece.
            end: After the last piece.
            parting: See ``_parting``.
            lefts: Where each piece of the page begins.
            rights: Where each ends.
        """
        stops = list(self.stops.get(first, ())) or [(lefts[first], rights[first])]
        for at in range(first + 1, end):
            mine = self.stops.get(at) or ((lefts[at], rights[at]),)
            if parting[at] > 1:
                stops.extend(mine)
            else:
                ends = (*stops[-1], *mine[0])
                stops[-1] = (min(ends), max(ends))
                stops.extend(mine[1:])
        return tuple(stops) if len(stops) > 1 else ()


def run_together(texts: Sequence[str], begins: Sequence[int]) -> list[str]:
    """Return the runs of texts that begin at ``begins``, each as one."""
    return [
        texts[start] if end - start == 1 else "".join(texts[start:end])
        for start, end in pairwise([*begins, len(texts)])
    ]


def rows(lines: Sequence[Line]) -> list[Line]:
    """Return the rows that drawn lines make together."""
    return Pieces.of(lines).rows()
