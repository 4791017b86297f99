"""Text on pictures is found, read and put in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wenqu.protocols import ReadOptions
from wenqu.readers.pages.ocr import Recognizer, as_lines, may_show_text, recognizer_for

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def recognizer(ocr_weights: Path) -> Recognizer:
    return Recognizer(ocr_weights)


def texts(recognizer: Recognizer, image: Image.Image) -> list[str]:
    return [line.text for line in recognizer.lines(np.asarray(image))]


def test_a_line_is_read_and_its_box_is_where_it_was_drawn(
    recognizer: Recognizer, drawn: Draw
) -> None:
    (line,) = recognizer.lines(np.asarray(drawn(("Tide room seats 24", 100, 80))))
    assert line.text == "Tide room seats 24"
    assert line.score > 0.9
    ink = np.argwhere(np.asarray(drawn(("Tide room seats 24", 100, 80)))[:, :, 0] < 128)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    assert abs(line.left - left) < 12
    assert abs(line.right - right) < 12
    assert abs(line.top - top) < 12
    assert abs(line.bottom - bottom) < 12


def test_words_far_apart_in_a_row_are_apart_and_come_from_left_to_right(
    recognizer: Recognizer, drawn: Draw
) -> None:
    image = drawn(("Floor", 430, 22), ("Room", 10, 20), ("Third", 430, 82), ("Spring", 10, 80))
    assert texts(recognizer, image) == ["Room", "Floor", "Spring", "Third"]


@pytest.mark.parametrize("angle", [-4, 5, 180])
def test_a_page_that_lies_askew_or_upside_down_is_read(
    recognizer: Recognizer, drawn: Draw, angle: int
) -> None:
    page = drawn(("Spring room seats six", 120, 60), ("Book it a day before", 120, 120))
    turned = page.rotate(angle, fillcolor="white")
    assert texts(recognizer, turned) == ["Spring room seats six", "Book it a day before"]


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_a_page_on_its_side_is_read_in_its_order(
    recognizer: Recognizer, drawn: Draw, turn: Image.Transpose
) -> None:
    page = drawn(("Spring room seats six", 20, 40), ("Book it a day before", 20, 120))
    found = texts(recognizer, page.transpose(turn))
    assert found == ["Spring room seats six", "Book it a day before"]


def test_each_line_of_a_long_screenshot_is_read_once(recognizer: Recognizer, drawn: Draw) -> None:
    words = [(f"Message number {number}", 30, 20 + 97 * number) for number in range(40)]
    found = texts(recognizer, drawn(*words, size=(480, 4000)))
    assert found == [text for text, _, _ in words]


def test_paper_and_noise_hold_no_text(recognizer: Recognizer) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    assert recognizer.lines(noise) == []
    assert recognizer.lines(np.full((300, 400, 3), 255, dtype=np.uint8)) == []


@pytest.mark.parametrize("shape", [(0, 0, 3), (1, 1, 3), (8, 900, 3), (900, 8, 3)])
def test_a_sliver_of_a_picture_holds_no_text(
    recognizer: Recognizer, shape: tuple[int, int, int]
) -> None:
    assert recognizer.lines(np.zeros(shape, dtype=np.uint8)) == []


def test_lines_of_about_one_height_have_one_size_on_their_page(
    recognizer: Recognizer, drawn: Draw
) -> None:
    image = drawn(("axes are even", 20, 20), ("Gypsum quarry, by day", 20, 90))
    lines = as_lines(recognizer.lines(np.asarray(image)), 842.0, scale=2.0, left=50.0, top=10.0)
    assert len({line.size for line in lines}) == 1
    assert all(line.left >= 50.0 and 10.0 <= line.top < line.bottom <= 110.0 for line in lines)


def test_there_is_no_recogniser_where_it_is_switched_off_or_has_no_weights(
    ocr_weights: Path, tmp_path: Path
) -> None:
    assert recognizer_for(ReadOptions(ocr=False, ocr_weights=ocr_weights)) is None
    assert recognizer_for(ReadOptions()) is None
    assert recognizer_for(ReadOptions(ocr_weights=tmp_path / "none.bin")) is None
    wanted = ReadOptions(ocr_weights=ocr_weights)
    assert recognizer_for(wanted) is recognizer_for(wanted)


@pytest.mark.parametrize(
    ("head", "may"),
    [
        (b"%PDF-1.7\n", True),
        (b"\x89PNG\r\n\x1a\n\0", True),
        (b"From: a@b.c\nMIME-Version: 1.0\n", True),
        ("听泉会议室".encode(), False),
        (b"", False),
    ],
)
def test_only_what_is_no_plain_text_may_show_text(tmp_path: Path, head: bytes, may: object) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    assert may_show_text(path) is may
    assert not may_show_text(tmp_path / "gone")
