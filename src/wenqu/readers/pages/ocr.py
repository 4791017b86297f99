"""Text recognition (OCR): a page's picture → its lines with boxes, Chinese and English.

``ocr_models`` runs PP-OCRv6's small models on ONNX Runtime, numpy, Pillow and scipy, because the
package that carries them brings OpenCV with it (ADR 0009). Here the regions of text that one of
them finds are cut out, set upright for the other to read, and put in order.

    if (recognizer := recognizer_for(options)) is not None:
        for line in recognizer.lines(page): ...
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING

from wenqu.readers.pages.ocr_models import (
    LINE_HEIGHT,
    Detector,
    LineReader,
    Reading,
    Region,
    Sign,
    open_session,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from wenqu.protocols import ReadOptions
    from wenqu.readers.pages.layout_rows import Line

    Pixels = NDArray[np.uint8]

__all__ = ["Recognized", "Recognizer", "as_lines", "may_show_text", "recognizer_for"]

_HEAD_BYTES = 4096
_DETECTOR_BYTES = 9_929_594  # where the first graph ends in the file of weights
_THREADS = min(2, os.cpu_count() or 1)
_UPRIGHT = 1.5
_MOST_WIDTH = 3200
_CELL_GAP = 2.2  # in ems, from middle to middle: wider than the space between two words
_SAME_ROW = 0.5
_TEXT_HEIGHT = 0.8  # of a recognised line's box is its font size
_SAME_SIZE = 0.3
_LEAST_SIDE = 12  # pixels of a picture that a letter needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """A line of text on a picture, in pixels from its top left corner; ``score`` is 0 to 1."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float


def recognizer_for(options: ReadOptions) -> Recognizer | None:
    """Return the recogniser, or None where none is wanted or its weights are not here.

    It is made once in a process.
    """
    if not options.ocr or options.ocr_weights is None or not options.ocr_weights.is_file():
        return None
    return _recognizer(options.ocr_weights)


@lru_cache(maxsize=1)
def _recognizer(weights: Path) -> Recognizer:
    return Recognizer(weights)


def may_show_text(path: Path) -> bool:
    """Say whether a file may be, or hold, a picture: it is no plain text.

    It tells whether the weights are worth fetching.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return b"\0" in head or b"%PDF-" in head or b"MIME-Version" in head


class Recognizer:
    """Reads the text on pictures. The models are loaded when the first picture comes.

    Args:
        weights: The file of weights, both graphs one after the other.
        threads: Threads for one picture.
    """

    def __init__(self, weights: Path, threads: int = _THREADS) -> None:
        self._weights = weights
        self._threads = threads
        self._models: tuple[Detector, LineReader] | None = None

    def lines(self, image: Pixels) -> list[Recognized]:
        """Return the lines on a picture, from top to bottom, and from left to right in a row.

        Columns of vertical writing come from right to left. What is too uncertain to be text is
        left out.

        Args:
            image: Height × width × 3, red, green, blue.
        """
        from PIL import Image

        if min(image.shape[:2]) < _LEAST_SIDE:
            return []
        detector, reader = self._loaded()
        picture = Image.fromarray(image)
        regions = detector.regions(picture)
        cuts = [_cut(picture, region) for region in regions]
        readings = reader.read([line for line, _ in cuts], [lying for _, lying in cuts])
        found = [
            (piece, reading.turned)
            for region, reading in zip(regions, readings, strict=True)
            if reading.sure
            for piece in _pieces(reading, region, picture)
        ]
        return _in_order(found)

    def _loaded(self) -> tuple[Detector, LineReader]:
        if self._models is None:
            graphs = self._weights.read_bytes()
            self._models = (
                Detector(open_session(graphs[:_DETECTOR_BYTES], self._threads)),
                LineReader(open_session(graphs[_DETECTOR_BYTES:], self._threads)),
            )
        return self._models


def _cut(picture: Image, region: Region) -> tuple[Image, bool]:
    """Cut a region out, level; say whether it ran from top to bottom, and was turned for that."""
    from PIL import Image

    width, height = max(1, round(region.width)), max(1, round(region.height))
    if region.slope == 0.0:
        left, top = round(region.x - region.width / 2), round(region.y - region.height / 2)
        right, bottom = min(left + width, picture.width), min(top + height, picture.height)
        left, top = max(left, 0), max(top, 0)
        line = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    else:
        cosine, sine = math.cos(region.slope), math.sin(region.slope)
        line = picture.transform(
            (width, height),
            Image.Transform.AFFINE,
            (
                cosine,
                -sine,
                region.x - cosine * width / 2 + sine * height / 2,
                sine,
                cosine,
                region.y - sine * width / 2 - cosine * height / 2,
            ),
            resample=Image.Resampling.BICUBIC,
            fillcolor="white",
        )
    upright = line.height >= line.width * _UPRIGHT
    if upright:
        line = line.transpose(Image.Transpose.ROTATE_90)
    width = math.ceil(line.width * LINE_HEIGHT / line.height)
    size = (min(max(width, 1), _MOST_WIDTH), LINE_HEIGHT)
    return line.resize(size, Image.Resampling.BILINEAR), upright


def _pieces(reading: Reading, region: Region, picture: Image) -> list[Recognized]:
    """Return a line, in pieces where white space too wide for a word space parts it."""
    left, top, right, bottom = region.box()
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, float(picture.width)), min(bottom, float(picture.height))
    level = right - left > bottom - top > 0 and not reading.turned
    half = 0.5 * (bottom - top)  # about that of a letter's width
    found = []
    for signs in (
        _parts(reading.signs, (bottom - top) / (right - left)) if level else [reading.signs]
    ):
        whole = len(signs) == len(reading.signs)
        begin, end = (left + sign.at * (right - left) for sign in (signs[0], signs[-1]))
        found.append(
            Recognized(
                text=" ".join("".join(sign.text for sign in signs).split()),
                left=left if whole else max(begin - half, left),
                top=top,
                right=right if whole else min(end + half, right),
                bottom=bottom,
                score=reading.score,
            )
        )
    return found


def _parts(signs: tuple[Sign, ...], em: float) -> list[list[Sign]]:
    """Cut a line's characters at wide gaps; ``em`` is its height as a share of its width."""
    parts: list[list[Sign]] = []
    last = -math.inf
    for sign in signs:
        if sign.text.isspace():
            if parts:
                parts[-1].append(sign)
            continue
        if sign.at - last > _CELL_GAP * em:
            parts.append([])
        parts[-1].append(sign)
        last = sign.at
    return parts


def _in_order(found: list[tuple[Recognized, bool]]) -> list[Recognized]:
    """Put lines in rows from the top; where most writing is vertical, in columns from the right.

    Where most lines were upside down, so is the picture, and the other way round is right.
    """
    lines = [line for line, _ in found]
    size = sum(len(line.text) for line in lines)
    turned = sum(len(line.text) for line, is_turned in found if is_turned) * 2 > size
    if sum(len(line.text) for line in lines if _is_upright(line)) * 2 > size:
        columns = sorted(lines, key=lambda line: (-line.right, line.top))
        return columns[::-1] if turned else columns
    rows: list[list[Recognized]] = []
    for line in sorted(lines, key=lambda line: line.top + line.bottom):
        if rows and _same_row(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    ordered = [line for row in rows for line in sorted(row, key=lambda line: line.left)]
    return ordered[::-1] if turned else ordered


def as_lines(
    found: Sequence[Recognized],
    page_height: float,
    *,
    scale: float = 1.0,
    left: float = 0.0,
    top: float = 0.0,
) -> list[Line]:
    """Return recognised lines as those of a page; their sizes vary less than their boxes do.

    Args:
        found: Lines on a picture.
        page_height: Height of the page that the picture is, or is on.
        scale: Pixels of the picture for each unit of the page.
        left: Where on the page the picture begins.
        top: Likewise.
    """
    from wenqu.readers.pages.layout_rows import Line

    usual = median(line.bottom - line.top for line in found) if found else 0.0
    lines = []
    for line in found:
        tall = line.bottom - line.top
        size = usual if abs(tall - usual) <= usual * _SAME_SIZE else tall
        lines.append(
            Line(
                text=line.text,
                left=left + line.left / scale,
                right=left + line.right / scale,
                top=top + line.top / scale,
                bottom=top + line.bottom / scale,
                size=round(size / scale * _TEXT_HEIGHT, 1),
                font="",
                page_height=page_height,
            )
        )
    return lines


def _is_upright(line: Recognized) -> bool:
    return line.bottom - line.top >= _UPRIGHT * (line.right - line.left) and len(line.text) > 1


def _same_row(one: Recognized, other: Recognized) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > _SAME_ROW * min(one.bottom - one.top, other.bottom - other.top)
