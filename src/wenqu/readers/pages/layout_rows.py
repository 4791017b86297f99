"""From pieces of text, as a page draws them, to rows: what stands on one line, put together.

Lengths are in points, from the page's top left corner. A page has hundreds of pieces, so their
places are kept by columns, and compared for the whole page at once.
"""

from __future__ import annotations

import re
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["RIGHT_TO_LEFT", "Line", "Pieces", "Stops", "rows"]

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
    stops: Stops = ()
    table: bool = False


class Pieces(NamedTuple):
    """A page's pieces of text in the order of drawing.

    ``places`` has five rows, left, right, top, bottom and size, and a column for each piece.
    ``stops`` and ``tables`` are as those of ``Line``, for the pieces that have them.
    """

    texts: list[str]
    places: NDArray[np.float64]
    font: Callable[[int], str]
    page_height: float
    stops: Mapping[int, Stops] = MappingProxyType({})
    tables: frozenset[int] = frozenset()

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Pieces:
        """Return lines as pieces."""
        return cls(
            texts=[line.text for line in lines],
            places=np.array([line[1:6] for line in lines], float).reshape(-1, 5).T,
            font=lambda at: lines[at].font,
            page_height=lines[0].page_height if lines else 0.0,
            stops={at: line.stops for at, line in enumerate(lines) if line.stops},
            tables=frozenset(at for at, line in enumerate(lines) if line.table),
        )

    def lines(self) -> list[Line]:
        """Return each piece as a line of its own."""
        places = self.places.T.tolist()
        return [
            Line(
                text,
                left,
                right,
                top,
                bottom,
                size,
                font=self.font(at),
                page_height=self.page_height,
                stops=self.stops.get(at, ()),
                table=at in self.tables,
            )
            for at, (text, (left, right, top, bottom, size)) in enumerate(
                zip(self.texts, places, strict=True)
            )
        ]

    def rows(self) -> list[Line]:
        """Put together the pieces of one line that were drawn apart, with raised and lowered signs.

        A row has the place and size of its largest piece.
        """
        if not self.texts:
            return []
        with np.errstate(all="ignore"):  # a broken matrix puts text at infinity
            firsts = self._firsts()
            parting = self._parting()
        texts, sizes = self.texts, self.places[4].tolist()
        lefts, rights, tops, bottoms = np.round(self.places[:4], _DECIMALS).tolist()
        made: list[Line] = []
        for first, end in pairwise([*firsts, len(texts)]):
            main, text, stops = first, texts[first], self.stops.get(first, ())
            left, right = lefts[first], rights[first]
            if end - first > 1:
                text = self._joined(first, end, parting)
                if "\t" in text:
                    stops = self._stops(first, end, parting, lefts, rights)
                left, right = min(lefts[first:end]), max(rights[first:end])
                main = sizes.index(max(sizes[first:end]), first, end)
                for at in range(main + 1, end):
                    if sizes[at] == sizes[main] and len(texts[at]) > len(texts[main]):
                        main = at
            font, size = self.font(main), sizes[main]
            table, height = first in self.tables, self.page_height
            made.append(
                Line(text, left, right, tops[main], bottoms[main], size, font, height, stops, table)
            )
        return made

    def _firsts(self) -> list[int]:
        """Return the pieces that begin a row."""
        alone, after = self._same_row(0), self._same_row(1)
        firsts = [0]
        goes_on = False
        for at, (one, other) in enumerate(zip(alone, after, strict=True), 1):
            goes_on = other if goes_on else one
            if not goes_on:
                firsts.append(at)
        return firsts

    def _same_row(self, back: int) -> list[bool]:
        """Say of each piece but the first whether it goes on with the row of the one before.

        Args:
            back: 1 where that row has a further piece before, which is looked at where it is
                larger, as the sign that has the raised ones.
        """
        left, right, top, bottom, size = self.places
        main = np.arange(len(size) - 1)
        if back:
            main[1:] -= size[:-2] > size[1:-1]
        high, low, em = top[main], bottom[main], size[main]
        overlap = np.minimum(low, bottom[1:]) - np.maximum(high, top[1:])
        beside = (overlap > (low - high) * 0.5) | (overlap > (bottom[1:] - top[1:]) * 0.5)
        for at in self.tables:
            beside[max(at - 1, 0) : at + 1] = False
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
        for at in np.flatnonzero(backward).tolist():
            pair = self.texts[at : at + 2]
            backward[at] = any(RIGHT_TO_LEFT.search(text) for text in pair)
        same: list[bool] = ((beside & onward) | backward).tolist()
        return same

    def _parting(self) -> list[int]:
        """Return what parts each piece from the one before on its row: 2 a cell, 1 a word."""
        left, right, _, _, size = self.places
        gap = np.where(left[1:] >= left[:-1], left[1:] - right[:-1], left[:-1] - right[1:])
        wide = np.maximum(size[1:], size[:-1])
        apart = (gap > _WORD_GAP * wide).astype(int) + (gap > _CELL_GAP * wide)
        return [0, *apart.tolist()]

    def _joined(self, first: int, end: int, parting: Sequence[int]) -> str:
        """Return the text of the row of pieces ``first`` to ``end``."""
        text = self.texts[first]
        for at in range(first + 1, end):
            words, apart = self.texts[at], parting[at]
            if not apart:
                text += words
            elif apart > 1:
                text = f"{text.rstrip()}\t{words.lstrip()}"
            else:
                spaced = text[-1:].isspace() or words[:1].isspace()
                text += words if spaced else f" {words}"
        return text

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


def rows(lines: Sequence[Line]) -> list[Line]:
    """Return the rows that drawn lines make together."""
    return Pieces.of(lines).rows()
