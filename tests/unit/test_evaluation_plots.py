"""Charts as SVG and PNG."""

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from wenqu.evaluation.plots import Mark, Series, line_chart, page, png

LABELS = {"title": "Precision & recall", "x_label": "threshold", "y_label": "share"}
RISING = Series("rising <x>", [(0.0, 0.0), (0.5, 0.4), (1.0, 0.9)])
FALLING = Series("falling", [(0.0, 1.0), (1.0, 0.2)], dashed=True)
SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(drawing).iter(f"{SVG}text")]  # noqa: S314


def test_a_chart_is_sound_xml_and_says_what_it_shows() -> None:
    said = texts(line_chart([RISING, FALLING], **LABELS, marks=[Mark(0.5, 0.4, "here")]))
    for text in (*LABELS.values(), "rising <x>", "falling", "here"):
        assert text in said


def test_a_higher_value_is_drawn_higher_and_a_later_one_further_right() -> None:
    drawing = ET.fromstring(line_chart([RISING], **LABELS))  # noqa: S314
    line = next(
        node
        for node in drawing.iter(f"{SVG}polyline")
        if node.get("stroke") == "#0072b2" and node.get("points", "").count(" ") > 1
    )
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_axes_are_marked_with_round_numbers_around_the_values() -> None:
    said = texts(line_chart([Series("s", [(0.013, 210.0), (0.94, 930.0)])], **LABELS))
    assert {"0.2", "0.4", "0.6", "0.8", "200", "400", "600", "800", "1000"} <= set(said)


@pytest.mark.parametrize(
    "series",
    [
        [],
        [Series("empty", [])],
        [Series("one", [(3.0, 7.0)])],
        [Series("flat", [(0.0, 1.0), (1.0, 1.0)])],
        [Series("gap", [(0.0, 1.0), (0.5, float("nan")), (1.0, 2.0)])],
        [Series("large", [(-1e9, 1e-9), (1e9, 2e-9)])],
    ],
)
def test_any_values_can_be_drawn_both_ways(series: list[Series]) -> None:
    assert "nan" not in line_chart(series, **LABELS).replace("</title>", "")
    assert png(series, **LABELS).startswith(b"\x89PNG")


def test_a_gap_breaks_the_line_in_two() -> None:
    whole = [(0.0, 1.0), (0.25, 2.0), (0.75, 2.0), (1.0, 1.0)]
    broken = [*whole[:2], (0.5, float("nan")), *whole[2:]]
    lines = [
        line_chart([Series("s", each)], **LABELS).count("<polyline") for each in (whole, broken)
    ]
    assert lines[1] == lines[0] + 1


def test_the_png_shows_the_line_in_its_colour_and_the_dot_in_ink() -> None:
    image = Image.open(BytesIO(png([RISING], **LABELS, marks=[Mark(0.5, 0.4, "here")])))
    colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert (0, 0x72, 0xB2) in colours
    assert (0x1C, 0x27, 0x33) in colours


def test_a_dashed_line_leaves_some_of_its_way_undrawn() -> None:
    def blue(*, dashed: bool) -> int:
        series = [Series("s", [(0.0, 0.0), (1.0, 1.0)], dashed)]
        image = Image.open(BytesIO(png(series, **LABELS))).convert("RGB")
        counts = {colour: count for count, colour in image.getcolors(1 << 24) or []}
        return counts[0, 0x72, 0xB2]

    assert 0.3 < blue(dashed=True) / blue(dashed=False) < 0.7


def test_a_page_escapes_its_title_and_keeps_its_body() -> None:
    made = page("a < b", "<p>body</p>", language="zh")
    assert "<title>a &lt; b</title>" in made
    assert "<p>body</p>" in made
    assert '<html lang="zh">' in made
