"""The two models of text recognition, PP-OCRv6 small, and what goes into and comes out of them.

One marks the pixels that belong to text, the other gives the probability of each character at each
place of a line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    Floats = NDArray[np.float32]

__all__ = ["LINE_HEIGHT", "Detector", "LineReader", "Reading", "Region", "Sign", "open_session"]

LINE_HEIGHT = 48
"""Pixels that a line is high for the model that reads it."""

_DETECTOR_PIXELS = 1440 * 1024  # of what the detector sees: A4 at 125 dpi; more finds no more
_LEAST_LONG_SIDE = 640
_MOST_ENLARGED = 2.0
_MARGIN = 16  # letters that touch the edge are else not seen
_STEP = 32  # the detector halves its input five times
_TALL = 2.5  # times its width: a picture is looked at window by window, as a long screenshot is
_WINDOW = 1.6
_OVERLAP = 0.2
_TEXT_PIXEL = 0.3
_TEXT_REGION = 0.5
_GROWTH = 1.6  # the detector marks the core of a line: how much larger the line is
_LEAST_PIXELS = 3
_MOST_REGIONS = 1000
_STRAIGHT = math.tan(math.radians(0.8))
_LONG = 2.0  # the slope of a region that is no longer than this many times its height says nothing
_LEAST_WIDTH = 320
_BATCH_WIDTH = 2400  # of all lines in a batch: bounds memory
_SURE = 0.5
_SURE_IF_SHORT = 0.8  # a sign or two are easily seen in a picture's grain
_SHORT = 2
_DOUBTFUL = 0.7  # perhaps upside down
_JUDGES = 3  # lines that tell whether a picture is upside down
_CLEARLY = 1.2


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle that text was seen in, turned by ``slope`` about its middle."""

    x: float
    y: float
    width: float
    height: float
    slope: float

    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of what holds it."""
        sine, cosine = abs(math.sin(self.slope)), abs(math.cos(self.slope))
        across = (self.width * cosine + self.height * sine) / 2
        down = (self.width * sine + self.height * cosine) / 2
        return self.x - across, self.y - down, self.x + across, self.y + down


class Sign(NamedTuple):
    """A character that was read; ``at`` is where, as a share of the line."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says; ``turned`` where it was upside down."""

    signs: tuple[Sign, ...]
    score: float
    turned: bool = False

    @property
    def sure(self) -> bool:
        """Whether it is certain enough to be text."""
        least = _SURE if len(self.signs) > _SHORT else _SURE_IF_SHORT
        return self.score >= least and any(not sign.text.isspace() for sign in self.signs)


def open_session(graph: bytes, threads: int) -> Any:
    """Return a model, ready to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Pictures differ in size: what is kept for one is of no use to the next.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _run(session: Any, inputs: Floats) -> Floats:
    """Run a model.

    Raises:
        MemoryError: It took more than there is.
    """
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

    try:
        (outputs,) = session.run(None, {"x": inputs})
    except (Fail, RuntimeException) as error:
        if "alloc" in str(error):
            raise MemoryError from error
        raise
    return cast("Floats", outputs)


class Detector:
    """Finds the regions of text."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def regions(self, picture: Image) -> list[Region]:
        """Return where text is, in pixels of the picture."""
        width, height = picture.size
        if height <= _TALL * width:
            return self._in_window(picture)
        found = []
        step, overlap = round(width * _WINDOW), round(width * _OVERLAP)
        for top in range(0, height, step):
            # A line is taken from the window that its middle is in, which shows it whole.
            first, last = max(top - overlap, 0), min(top + step + overlap, height)
            for region in self._in_window(picture.crop((0, first, width, last))):
                y = region.y + first
                if top <= y < top + step:
                    found.append(replace(region, y=y))
        return found

    def _in_window(self, picture: Image) -> list[Region]:
        from PIL import Image

        longest, pixels = max(picture.size), picture.width * picture.height
        enlarged = min(max(1.0, _LEAST_LONG_SIDE / longest), _MOST_ENLARGED)
        scale = min(math.sqrt(_DETECTOR_PIXELS / pixels), enlarged)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        padded = Image.new("RGB", (_padded(width), _padded(height)), "white")
        small = picture.resize((width, height), Image.Resampling.BILINEAR)
        padded.paste(small, (_MARGIN, _MARGIN))
        found = _run(self._session, _as_input(padded)[None])
        across, down = picture.width / width, picture.height / height
        return [
            Region(
                (region.x - _MARGIN) * across,
                (region.y - _MARGIN) * down,
                region.width * across,
                region.height * down,
                region.slope,
            )
            for region in _regions(found[0, 0])
        ]


def _padded(side: int) -> int:
    return -(-(side + 2 * _MARGIN) // _STEP) * _STEP


def _regions(heat: Floats) -> list[Region]:
    """Return a rectangle around each patch of likely text pixels."""
    from scipy import ndimage

    labels, _ = ndimage.label(heat > _TEXT_PIXEL, structure=np.ones((3, 3)))
    regions = []
    for number, place in enumerate(ndimage.find_objects(labels)[: 4 * _MOST_REGIONS], 1):
        inside = labels[place] == number
        rows, columns = np.nonzero(inside)
        if heat[place][inside].mean() < _TEXT_REGION:
            continue
        region = _around(columns + place[1].start + 0.5, rows + place[0].start + 0.5)
        if min(region.width, region.height) >= _LEAST_PIXELS:
            regions.append(_grown(region))
    return regions[:_MOST_REGIONS]


def _around(xs: Floats, ys: Floats) -> Region:
    """Return the rectangle along the longer axis of a patch; a straight one where it is short."""
    slope = 0.0
    wide, high = np.ptp(xs) + 1, np.ptp(ys) + 1
    if max(wide, high) > _LEAST_PIXELS and len(xs) > _LEAST_PIXELS:
        (xx, xy), (_, yy) = np.cov(xs, ys)
        spread = math.hypot(xx - yy, 2 * xy)
        if (xx + yy + spread) > (xx + yy - spread) * _LONG**2:
            slope = 0.5 * math.atan2(2 * xy, xx - yy)
    # Of the two axes the one nearer to level is called the width.
    if slope > math.pi / 4:
        slope -= math.pi / 2
    elif slope < -math.pi / 4:
        slope += math.pi / 2
    if abs(math.tan(slope)) < _STRAIGHT:
        slope = 0.0
    cosine, sine = math.cos(slope), math.sin(slope)
    along, beside = xs * cosine + ys * sine, ys * cosine - xs * sine
    middle, level = (along.max() + along.min()) / 2, (beside.max() + beside.min()) / 2
    return Region(
        float(middle * cosine - level * sine),
        float(middle * sine + level * cosine),
        float(np.ptp(along) + 1),
        float(np.ptp(beside) + 1),
        slope,
    )


def _grown(region: Region) -> Region:
    by = region.width * region.height * _GROWTH / (region.width + region.height)
    return Region(region.x, region.y, region.width + by, region.height + by, region.slope)


def _as_input(picture: Image) -> Floats:
    """Return a picture as the models want it: channels first, blue, green, red, -1 to 1."""
    pixels = np.asarray(picture, dtype=np.float32)[:, :, ::-1]
    return np.ascontiguousarray((pixels / 127.5 - 1.0).transpose(2, 0, 1))


class LineReader:
    """Reads pictures of single lines."""

    def __init__(self, session: Any) -> None:
        self._session = session
        known = session.get_modelmeta().custom_metadata_map["character"].split("\n")
        # The first class is "no character here", the last a space.
        self._characters = ["", *known, " "]

    def read(self, lines: Sequence[Image], upright: Sequence[bool]) -> list[Reading]:
        """Read lines that are 48 pixels high, upside down where the picture seems to be.

        Level lines are judged together, and so are those that were turned to be level.
        """
        found: dict[int, Reading] = {}
        for lying in (False, True):
            places = [at for at in range(len(lines)) if upright[at] is lying]
            readings = self._best([lines[at] for at in places])
            found.update(zip(places, readings, strict=True))
        return [found[at] for at in range(len(lines))]

    def _best(self, lines: Sequence[Image]) -> list[Reading]:
        """Read lines both ways: a few, which decide for all, and those that are in doubt."""
        found = self._read(lines)
        longest = sorted(range(len(found)), key=lambda at: -len(found[at].signs))[:_JUDGES]
        other = dict(zip(longest, self._turned([lines[at] for at in longest]), strict=True))
        if sum(map(_weight, other.values())) > _CLEARLY * sum(_weight(found[at]) for at in other):
            found, other = self._turned(lines), {at: found[at] for at in range(len(found))}
        doubtful = [at for at, one in enumerate(found) if one.score < _DOUBTFUL and at not in other]
        other.update(zip(doubtful, self._turned([lines[at] for at in doubtful]), strict=True))
        for at, reading in other.items():
            if found[at].score < _DOUBTFUL and reading.score > found[at].score:
                found[at] = reading
        return found

    def _turned(self, lines: Sequence[Image]) -> list[Reading]:
        from PIL import Image

        upside_down = [line.transpose(Image.Transpose.ROTATE_180) for line in lines]
        return [replace(reading, turned=True) for reading in self._read(upside_down)]

    def _read(self, lines: Sequence[Image]) -> list[Reading]:
        """Read lines of like width together, so that little is computed on what fills them up."""
        found: dict[int, Reading] = {}
        order = sorted(range(len(lines)), key=lambda at: lines[at].width)
        while order:
            width = max(lines[order[-1]].width, _LEAST_WIDTH)
            batch = [order.pop() for _ in range(min(len(order), max(1, _BATCH_WIDTH // width)))]
            inputs = np.zeros((len(batch), 3, LINE_HEIGHT, width), dtype=np.float32)
            for row, at in enumerate(batch):
                inputs[row, :, :, : lines[at].width] = _as_input(lines[at])
            chances = _run(self._session, inputs)
            for row, at in enumerate(batch):
                found[at] = self._reading(chances[row], lines[at].width / width)
        return [found[at] for at in range(len(lines))]

    def _reading(self, chances: Floats, filled: float) -> Reading:
        """Take the likeliest character at each place, and equal neighbours for one."""
        best = chances.argmax(axis=1)
        kept = np.flatnonzero((best != 0) & (best != np.concatenate(([-1], best[:-1]))))
        if not kept.size:
            return Reading((), 0.0)
        places = len(best) * filled
        signs = tuple(Sign(self._characters[best[at]], (at + 0.5) / places) for at in kept)
        return Reading(signs, float(chances[kept, best[kept]].mean()))


def _weight(reading: Reading) -> float:
    """Say how much was read: upside down, letters look like others, but like fewer of them."""
    return len(reading.signs) * reading.score**2
