"""Line charts without a plotting library: one drawing, as SVG for a page or as PNG for a file.

A drawing is lines, dots and texts with places in pixels; both forms draw the same ones. PNG has
the Latin letters of Pillow's own font only, so its texts are to be English; a page's may be any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image, ImageDraw

__all__ = ["Mark", "Series", "line_chart", "page", "png"]

WIDTH, HEIGHT = 720, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 44, 56
_TICKS = 5
_FONT = 13
_ROW = 18
_PIXELS = 2
"""Pixels of the PNG a unit of the drawing, so that it is sharp on a dense screen."""

# Told apart also where red and green are not: Okabe and Ito's colours.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_INK, _SOFT, _GRID = "#1c2733", "#5b6b7a", "#d9e0e6"

_Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Series:
    """A named line through points (x, y), in their order; a point that is not finite breaks it."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled dot, such as the operating point."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class _Line:
    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class _Dot:
    x: float
    y: float
    colour: str


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float
    said: str
    anchor: _Anchor = "start"
    colour: str = _INK
    size: int = _FONT
    upright: bool = False


_Shape = _Line | _Dot | _Text


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    marks: Sequence[Mark] = (),
) -> str:
    """Return the chart as an ``<svg>`` element, to be put into a page as it is."""
    shapes = _drawing(series, (title, x_label, y_label), marks)
    body = "\n".join(_svg(shape) for shape in shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' width="{WIDTH}" height="{HEIGHT}" style="max-width:100%;height:auto"'
        f' font-family="system-ui, sans-serif"><title>{escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>'
    )


def png(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    marks: Sequence[Mark] = (),
) -> bytes:
    """Return the chart as a PNG file; characters that its font lacks are drawn as boxes."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * _PIXELS, HEIGHT * _PIXELS), "#fff")
    pen = _Pen(image, ImageDraw.Draw(image))
    for shape in _drawing(series, (title, x_label, y_label), marks):
        pen.draw(shape)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def page(title: str, body: str, *, language: str = "en") -> str:
    """Return a page around ``body``, which is HTML; it needs nothing from elsewhere."""
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


_STYLE = (
    "body{font:15px/1.6 system-ui,sans-serif;color:#1c2733;max-width:52rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}"
    "th,td{padding:.2rem .75rem;text-align:right;border-bottom:1px solid #d9e0e6}"
    "th:first-child,td:first-child{text-align:left}"
)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps values to pixels, from ``first`` at ``start`` to ``last`` at ``end``."""

    first: float
    last: float
    start: float
    end: float
    ticks: tuple[float, ...] = field(default=())

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        least, most = min(values, default=0.0), max(values, default=1.0)
        if most - least < 1e-12 * max(1.0, abs(most)):
            least, most = least - 0.5, most + 0.5
        step = _round_step((most - least) / _TICKS)
        first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
        ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
        return cls(ticks[0], ticks[-1], start, end, ticks)

    def place(self, value: float) -> float:
        share = (value - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)


def _round_step(step: float) -> float:
    """Return the 1, 2 or 5 times a power of ten that is next above ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= step * (1 - 1e-9))


def _drawing(
    series: Sequence[Series], said: tuple[str, str, str], marks: Sequence[Mark]
) -> list[_Shape]:
    finite = [point for one in series for run in _runs(one.points) for point in run]
    finite += [(mark.x, mark.y) for mark in marks]
    across = _Axis.over([x for x, _ in finite], _LEFT, WIDTH - _RIGHT)
    up = _Axis.over([y for _, y in finite], HEIGHT - _BOTTOM, _TOP)
    shapes = [*_frame(across, up, said)]
    for number, one in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        for run in _runs(one.points):
            places = [(across.place(x), up.place(y)) for x, y in run]
            shapes.append(_Line(places, colour, 2.0, one.dashed))
    shapes.extend(_legend(series))
    for mark in marks:
        x, y = across.place(mark.x), up.place(mark.y)
        after = x > (_LEFT + WIDTH) / 2
        shapes.append(_Dot(x, y, _INK))
        anchor: _Anchor = "end" if after else "start"
        shapes.append(_Text(x + (-8 if after else 8), y - 8, mark.label, anchor))
    return shapes


def _runs(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            run.append((x, y))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _frame(across: _Axis, up: _Axis, said: tuple[str, str, str]) -> Iterator[_Shape]:
    title, x_label, y_label = said
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    for tick in up.ticks:
        y = up.place(tick)
        yield _Line([(left, y), (right, y)], _GRID)
        yield _Text(left - 8, y + 4, f"{tick:g}", "end", _SOFT)
    for tick in across.ticks:
        x = across.place(tick)
        yield _Line([(x, bottom), (x, bottom + 4)], _SOFT)
        yield _Text(x, bottom + 18, f"{tick:g}", "middle", _SOFT)
    yield _Line([(left, top), (left, bottom), (right, bottom)], _SOFT)
    yield _Text(left, 26, title, size=_FONT + 3)
    yield _Text((left + right) / 2, HEIGHT - 12, x_label, "middle")
    yield _Text(18, (top + bottom) / 2, y_label, "middle", upright=True)


def _legend(series: Sequence[Series]) -> Iterator[_Shape]:
    y = HEIGHT - _BOTTOM - 12 - _ROW * (len(series) - 1)
    for number, one in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        yield _Line([(_LEFT + 14, y - 4), (_LEFT + 38, y - 4)], colour, 2.0, one.dashed)
        yield _Text(_LEFT + 46, y, one.name)
        y += _ROW


def _svg(shape: _Shape) -> str:
    if isinstance(shape, _Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        dashes = ' stroke-dasharray="6 4"' if shape.dashed else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{shape.colour}"'
            f' stroke-width="{shape.width:g}"{dashes}/>'
        )
    if isinstance(shape, _Dot):
        return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="5" fill="{shape.colour}"/>'
    turn = f' transform="rotate(-90 {shape.x:.1f} {shape.y:.1f})"' if shape.upright else ""
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size}"'
        f' text-anchor="{shape.anchor}" fill="{shape.colour}"{turn}>{escape(shape.said)}</text>'
    )


class _Pen:
    """Draws shapes onto an image of Pillow's."""

    def __init__(self, image: Image.Image, draw: ImageDraw.ImageDraw) -> None:
        self._image = image
        self._draw = draw

    def draw(self, shape: _Shape) -> None:
        if isinstance(shape, _Line):
            self._line(shape)
        elif isinstance(shape, _Dot):
            x, y, radius = shape.x * _PIXELS, shape.y * _PIXELS, 5 * _PIXELS
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), shape.colour)
        else:
            self._text(shape)

    def _line(self, line: _Line) -> None:
        points = [(x * _PIXELS, y * _PIXELS) for x, y in line.points]
        width = max(1, round(line.width * _PIXELS))
        for piece in _dashes(points, 6.0 * _PIXELS) if line.dashed else [points]:
            self._draw.line(piece, line.colour, width, joint="curve")

    def _text(self, text: _Text) -> None:
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.load_default(text.size * _PIXELS)
        at = (text.x * _PIXELS, text.y * _PIXELS)
        if not text.upright:
            self._draw.text(at, text.said, text.colour, font, anchor=_ANCHORS[text.anchor])
            return
        left, top, right, bottom = self._draw.textbbox((0, 0), text.said, font, anchor="ms")
        label = Image.new("RGB", (math.ceil(right - left), math.ceil(bottom - top)), "#fff")
        ImageDraw.Draw(label).text((-left, -top), text.said, text.colour, font, anchor="ms")
        turned = label.transpose(Image.Transpose.ROTATE_90)
        # The foot of the letters, where "ms" anchors them, is the right edge once they are turned.
        place = (round(at[0] + bottom) - turned.width, round(at[1] - turned.height / 2))
        self._image.paste(turned, place)


_ANCHORS: dict[_Anchor, str] = {"start": "ls", "middle": "ms", "end": "rs"}


def _dashes(
    points: Sequence[tuple[float, float]], length: float
) -> Iterator[list[tuple[float, float]]]:
    """Yield every other piece of ``length`` along the line."""
    drawn, left = True, length
    for (x, y), (to_x, to_y) in pairwise(points):
        whole = math.hypot(to_x - x, to_y - y)
        gone = 0.0
        while gone < whole:
            step = min(left, whole - gone)
            if drawn:
                yield [
                    (x + (to_x - x) * share, y + (to_y - y) * share)
                    for share in (gone / whole, (gone + step) / whole)
                ]
            gone, left = gone + step, left - step
            if left <= 1e-9:  # noqa: PLR2004 - what rounding leaves of a dash
                drawn, left = not drawn, length
