"""Which parts of a PDF are recognised, and how they are drawn for that.

A page is recognised whole where it has no text that can be used: none, garbage, or next to none on
a picture that fills it. On a page with text, a picture without text over it is recognised alone.
"""

from __future__ import annotations

import hashlib
import math
import re
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2 as pdfium
from pypdfium2 import raw

from wenqu.readers.builder import only_text
from wenqu.readers.pages.layout_rows import Line, rows
from wenqu.readers.pages.pdf_text import garbled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.protocols import ReadOptions
    from wenqu.readers.pages.ocr import Recognized, Recognizer
    from wenqu.readers.pages.pdf_text import Page

__all__ = ["PageRecognizer"]

_DPI = 200
_MAX_PIXELS = 5_000_000  # A4 has less at this resolution; larger pages are no sharper
_POINTS = 72
_FEW_CHARACTERS = 120  # a page number, a stamp, the name of the scanner
_FULL_PAGE = 0.5  # of the page: a picture so large is a scan
_LEAST_SHARE = 0.025  # of the page: smaller pictures are signs and logos
_LEAST_WIDTH, _LEAST_HEIGHT = 60.0, 20.0
_MAX_PICTURES = 8  # a page
_LINES_OVER = 2  # text lines on a picture: it is a background, or its words are there already
_HOLE = 36.0  # points of height without a line of text, less than any picture worth reading
_HASHED = 1 << 16
_TURNED = 0.6
_IMAGE_NAME = re.compile(rb"/Image\b")  # names are never encrypted nor in object streams


class _Picture(NamedTuple):
    """Where a picture stands, in points from the page's top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return max(self.right - self.left, 0.0) * max(self.bottom - self.top, 0.0)

    def holds(self, line: Line) -> bool:
        x, y = (line.left + line.right) / 2, (line.top + line.bottom) / 2
        return self.left <= x <= self.right and self.top <= y <= self.bottom


class PageRecognizer:
    """Recognises the pages and pictures of one document that need it.

    Args:
        pdf: The document, opened by pdfium.
        data: The file, to see whether it has pictures at all.
        options: Whether to recognise, and with what.
    """

    def __init__(self, pdf: Any, data: bytes, options: ReadOptions) -> None:
        from wenqu.readers.pages.ocr import recognizer_for

        self._pdf = pdf
        self._options = options
        self._recognizer: Recognizer | None = recognizer_for(options)
        self._pictures = _IMAGE_NAME.search(data) is not None
        self._seen: set[bytes] = set()

    def lines(self, number: int, page: Page) -> list[Line] | None:
        """Return page ``number``'s lines with what was recognised; None if nothing was."""
        if self._recognizer is None:
            return None
        text = "".join(line.text for line in page.lines)
        usable = only_text(text) and not garbled(page)
        if usable and not (self._pictures and _has_hole(page)):
            return None
        try:
            loaded = self._pdf[number]
        except pdfium.PdfiumError:
            return None
        try:
            return self._looked_at(loaded, page, usable=usable)
        except pdfium.PdfiumError:
            return None
        finally:
            loaded.close()

    def _looked_at(self, loaded: Any, page: Page, *, usable: bool) -> list[Line] | None:
        width, height = loaded.get_size()
        whole = _Picture(0.0, 0.0, width, height)
        if not usable:
            drawn = raw.FPDFPage_CountObjects(loaded) > 0
            return (self._recognize(loaded, whole) or None) if drawn else None
        pictures = self._worth_reading(loaded, page, whole)
        few = sum(len(line.text) for line in page.lines) <= _FEW_CHARACTERS
        if few and any(picture.area >= whole.area * _FULL_PAGE for picture in pictures):
            pictures = [whole]
        added: list[Line] = []
        for picture in pictures:
            added += self._recognize(loaded, picture)
            self._options.alive()
        usual = median(line.size for line in page.lines)
        # The words of a picture are of any size, and no headings of the text around it.
        kept = [
            line if pictures == [whole] else line._replace(size=usual)
            for line in added
            if not _known(line, page.lines)
        ]
        return [*page.lines, *kept] if kept else None

    def _worth_reading(self, loaded: Any, page: Page, whole: _Picture) -> list[_Picture]:
        found = []
        for item in loaded.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4):
            if item.container is not None:
                # Its place is that within a form, which pdfium does not turn into the page's.
                continue
            picture = _place(loaded, item, whole)
            if (
                picture.area >= whole.area * _LEAST_SHARE
                and picture.right - picture.left >= _LEAST_WIDTH
                and picture.bottom - picture.top >= _LEAST_HEIGHT
                and sum(picture.holds(line) for line in page.lines) <= _LINES_OVER
                and self._is_new(item)
            ):
                found.append(picture)
        return sorted(found, key=lambda picture: -picture.area)[:_MAX_PICTURES]

    def _is_new(self, item: Any) -> bool:
        """Say whether a picture comes for the first time: one on every page is a decoration."""
        head = bytes(item.get_data()[:_HASHED])
        key = hashlib.blake2b(head, digest_size=16).digest()
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _recognize(self, loaded: Any, picture: _Picture) -> list[Line]:
        from wenqu.readers.pages.ocr import as_lines

        assert self._recognizer is not None  # noqa: S101
        width, height = loaded.get_size()
        scale = min(_DPI / _POINTS, math.sqrt(_MAX_PIXELS / max(picture.area, 1.0)))
        crop = (picture.left, height - picture.bottom, width - picture.right, picture.top)
        bitmap = loaded.render(
            scale=scale, crop=tuple(max(side, 0.0) for side in crop), rev_byteorder=True
        )
        image = bitmap.to_numpy()[:, :, :3].copy()
        bitmap.close()
        if int(image.max()) == int(image.min()):
            return []
        found = _upright(self._recognizer, image)
        return rows(as_lines(found, height, scale=scale, left=picture.left, top=picture.top))


def _has_hole(page: Page) -> bool:
    """Say whether there is room for a picture between the lines of one half of the page or other.

    To find the pictures the page must be loaded again, which costs as much as all the rest.
    """
    middle = page.width / 2
    left = [line for line in page.lines if line.left < middle]
    right = [line for line in page.lines if line.right > middle]
    return any(_highest_gap(half, page.height) >= _HOLE for half in (left, right))


def _highest_gap(lines: Sequence[Line], height: float) -> float:
    end = highest = 0.0
    for top, bottom in sorted((line.top, line.bottom) for line in lines):
        highest = max(highest, top - end)
        end = max(end, bottom)
    return max(highest, height - end)


def _place(loaded: Any, item: Any, whole: _Picture) -> _Picture:
    from wenqu.readers.pages.pdf_text import device_box

    left, top, right, bottom = device_box(loaded, *item.get_bounds())
    return _Picture(
        max(left, 0.0), max(top, 0.0), min(right, whole.right), min(bottom, whole.bottom)
    )


def _known(line: Line, lines: Sequence[Line]) -> bool:
    """Say whether there is text already where a line was recognised."""
    x, y = (line.left + line.right) / 2, (line.top + line.bottom) / 2
    return any(
        other.top <= y <= other.bottom
        and (
            other.left <= x <= other.right
            or line.left <= (other.left + other.right) / 2 <= line.right
        )
        for other in lines
    )


def _upright(recognizer: Recognizer, image: NDArray[np.uint8]) -> list[Recognized]:
    """Return the lines on a picture; one that lies on its side is turned."""
    import numpy as np

    found = recognizer.lines(image)
    lying = sum(
        line.bottom - line.top > 1.5 * (line.right - line.left) and len(line.text) > 1
        for line in found
    )
    if not found or lying < _TURNED * len(found):
        return found
    best = found
    for quarters in (1, 3):
        turned = recognizer.lines(np.ascontiguousarray(np.rot90(image, quarters)))
        if _weight(turned) > _weight(best) * 1.2:
            best = [_turned_back(line, image.shape, quarters) for line in turned]
    return best


def _turned_back(line: Recognized, shape: tuple[int, ...], quarters: int) -> Recognized:
    """Return a line of a turned picture where it stands on the picture itself."""
    from dataclasses import replace

    height, width = shape[:2]
    if quarters == 1:
        left, right = width - line.bottom, width - line.top
        top, bottom = line.left, line.right
    else:
        left, right = line.top, line.bottom
        top, bottom = height - line.right, height - line.left
    return replace(line, left=left, top=top, right=right, bottom=bottom)


def _weight(lines: Sequence[Recognized]) -> float:
    return sum(len(line.text) * line.score**2 for line in lines)
