"""Text of a PDF that nobody sees: white on the white page, too small to read, or not painted.

That is where orders to language models are put. What a recogniser wrote behind a scan is not
painted either: it stays, as does white text on a dark ground.
"""

from __future__ import annotations

import ctypes
import re
import zlib
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2 as pdfium
from pypdfium2 import raw

from wenqu.readers.builder import only_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Hidden"]

_WHITE = 0.95  # of full light, in each colour
_SPECK = 1.0  # points
_OPAQUE = 13  # of 255
_SCAN = 0.5  # of the page
_BROAD = 3.0  # points
_MAX_OBJECTS = 20_000
_MAX_STREAM = 8 << 20
_MAX_CONTENTS = 1 << 30  # bytes looked at, packed and unpacked
_SAMPLE, _PACKED_SAMPLE = 64, 512
_STREAM = re.compile(rb"stream\r?\n(?<!endstream\n)(?<!endstream\r\n)")  # a word first: sooner
_PACKED = frozenset({b"\x48", b"\x58", b"\x68", b"\x78"})  # how zlib begins
# What draws is text, which fonts and pictures are not; maps of characters are.
_OPERATORS = re.compile(rb"(?!/CIDInit|<\?|%!)[\t\n\r -~]{8,}\Z")
_MODE = re.compile(rb"Tr\b")  # what sets how text is painted; the sign for it stands before
_UNPAINTED = re.compile(rb"[37]\s+\Z")
_MODE_BYTES = 8
_WORDS = re.compile(rb"\(\s*[^\s)]|<[\dA-Fa-f]")  # a string that is more than spaces
_POINTS, _COLOR = map(attrgetter, ("font_size", "color"))
_INVISIBLE = frozenset({raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP})


class _Place(NamedTuple):
    """A rectangle of the page, its origin at the bottom left as a PDF's is."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)


class Hidden:
    """Tells hidden text of a document; ``pages`` are those that have some, from 1.

    Args:
        pdf: The document, opened by pdfium.
        data: The file.
    """

    def __init__(self, pdf: Any, data: bytes) -> None:
        self._pdf = pdf
        self._unpainted = any(map(_leaves_unpainted, _contents(data)))
        self.pages: set[int] = set()
        self._grounds: dict[int, list[_Place]] = {}

    def without(self, quick: Any, number: int, spans: list[Any], area: float) -> list[Any]:
        """Return the spans of a page that can be seen.

        Args:
            quick: The document, opened by pdf_oxide.
            number: The page, from 0.
            spans: What pdf_oxide found on it.
            area: The page's, in square points.
        """
        # For each piece of each page, so it is written to be quick.
        if not spans:
            return spans
        specks, white = set[int](), set[int]()
        if min(map(_POINTS, spans)) < _SPECK:
            specks = {at for at, span in enumerate(spans) if span.font_size < _SPECK}
        if any(min(color) >= _WHITE for color in set(map(_COLOR, spans))):
            white = {at for at, span in enumerate(spans) if _is_white(span)}
        if white:
            white = _without_ground(spans, white, _rectangles(quick, number))
        unpainted = self._unpainted
        if white or unpainted:
            pictures = list(_pictures(quick, number))
            white = _without_ground(spans, white, pictures)
            # What is not painted on a page with so large a picture is what was recognised in it.
            unpainted = unpainted and all(one.area < area * _SCAN for one in pictures)
        hidden = specks
        if white or unpainted:
            hidden = specks | self._on_nothing(number, spans, white)
        if any(only_text(spans[at].text) for at in hidden):
            self.pages.add(number + 1)
        return [span for at, span in enumerate(spans) if at not in hidden] if hidden else spans

    def seen(self, number: int, page: Any, text_page: Any, at: int, place: Sequence[float]) -> bool:
        """Say whether a line that pdfium has read can be seen.

        Args:
            number: Its page, from 0.
            page: That page, loaded.
            text_page: Its text.
            at: A character of the line.
            place: Left, bottom, right and top of the line, and its size.
        """
        left, bottom, right, top, size = place
        if size < _SPECK:
            self.pages.add(number + 1)
            return False
        colors = [ctypes.c_uint() for _ in range(4)]
        told = raw.FPDFText_GetFillColor(text_page, at, *colors)
        white = told and min(color.value for color in colors[:3]) >= _WHITE * 255
        part = raw.FPDFText_GetTextObject(text_page, at)
        if not (white or raw.FPDFTextObj_GetTextRenderMode(part) in _INVISIBLE):
            return True
        if number not in self._grounds:
            self._grounds = {number: _looked_at(page)[0]}
        if _within(self._grounds[number], (left + right) / 2, (bottom + top) / 2):
            return True
        self.pages.add(number + 1)
        return False

    def _on_nothing(self, number: int, spans: list[Any], white: set[int]) -> set[int]:
        """Return which spans are white or unpainted, with the bare page behind them."""
        try:
            page = self._pdf[number]
        except pdfium.PdfiumError:
            return set()
        try:
            grounds, unpainted = _looked_at(page)
        finally:
            page.close()
        found = set()
        for at, span in enumerate(spans):
            middle = _middle(span)
            if (at in white or _within(unpainted, *middle)) and not _within(grounds, *middle):
                found.add(at)
        return found


def _middle(span: Any) -> tuple[float, float]:
    left, bottom, width, height = span.bbox
    return left + width / 2, bottom + height / 2


def _is_white(span: Any) -> bool:
    return min(span.color) >= _WHITE and only_text(span.text)


def _without_ground(spans: list[Any], chosen: set[int], grounds: Iterable[_Place]) -> set[int]:
    """Return those of the chosen spans that stand on none of the grounds."""
    places = list(grounds)
    return {at for at in chosen if not _within(places, *_middle(spans[at]))}


def _rectangles(quick: Any, number: int) -> Iterator[_Place]:
    for box in quick.extract_rects(number):
        color = box["fill_color"]
        if color is not None and min(color) < _WHITE:
            left, bottom, width, height = box["bbox"]
            yield _Place(left, bottom, left + width, bottom + height)


def _pictures(quick: Any, number: int) -> Iterator[_Place]:
    for image in quick.page_images(number):
        left, bottom = image["x"], image["y"]
        yield _Place(left, bottom, left + image["width"], bottom + image["height"])


def _contents(data: bytes) -> Iterator[bytes]:
    """Yield the streams that may draw, those that are packed unpacked where that is simple."""
    left = _MAX_CONTENTS
    for found in _STREAM.finditer(data):
        begin = found.end()
        end = data.find(b"endstream", begin, begin + _MAX_STREAM)
        left -= (end if end > begin else begin + _MAX_STREAM) - begin
        if left < 0:
            return
        stream = data[begin : max(begin, end)]
        try:
            packed = stream[:1] in _PACKED
            sample = _unpacked(stream[:_PACKED_SAMPLE], _SAMPLE) if packed else stream[:_SAMPLE]
            if packed and len(sample) < _SAMPLE:
                sample = _unpacked(stream, _SAMPLE)
            if _OPERATORS.match(sample):
                content = _unpacked(stream, _MAX_STREAM) if packed else stream
                left -= len(content)
                yield content
        except zlib.error:
            continue


def _unpacked(stream: bytes, most: int) -> bytes:
    return zlib.decompressobj().decompress(stream, most)


def _leaves_unpainted(content: bytes) -> bool:
    """Say whether a stream may show words without painting them; some programs do so with spaces.

    What the mode is where the stream ends holds for the next one too.
    """
    if b"Tr" not in content:  # most, and told sooner
        return False
    modes = [found.start() for found in _MODE.finditer(content)]
    return any(
        _UNPAINTED.search(content, max(at - _MODE_BYTES, 0), at)
        and (end is None or _WORDS.search(content, at, end))
        for at, end in zip_longest(modes, modes[1:])
    )


def _within(places: list[_Place], x: float, y: float) -> bool:
    return any(left <= x <= right and low <= y <= high for left, low, right, high in places)


def _looked_at(page: Any) -> tuple[list[_Place], list[_Place]]:
    """Return where a page has a ground that is not white, and where it has unpainted text."""
    grounds: list[_Place] = []
    unpainted: list[_Place] = []
    for at in range(min(raw.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        part = raw.FPDFPage_GetObject(page, at)
        kind = raw.FPDFPageObj_GetType(part)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            if raw.FPDFTextObj_GetTextRenderMode(part) in _INVISIBLE:
                unpainted += _bounds(part)
        elif kind != raw.FPDF_PAGEOBJ_PATH or _colored(part):
            grounds += _bounds(part)
    return grounds, unpainted


def _colored(path: Any) -> bool:
    """Say whether a path is filled with something else than white, or a broad stroke."""
    mode, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path, mode, stroked)
    colors = [ctypes.c_uint() for _ in range(4)]
    if mode.value == raw.FPDF_FILLMODE_NONE:
        width = ctypes.c_float()
        return bool(raw.FPDFPageObj_GetStrokeWidth(path, width)) and width.value >= _BROAD
    if not raw.FPDFPageObj_GetFillColor(path, *colors):
        return True
    *light, alpha = (color.value for color in colors)
    return alpha >= _OPAQUE and min(light) < _WHITE * 255


def _bounds(part: Any) -> list[_Place]:
    sides = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(part, *sides):
        return []
    return [_Place(*(side.value for side in sides))]
