"""PDF: which pages and pictures are recognised, and where their words stand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, ReadOptions
from wenqu.readers.pages import ocr
from wenqu.readers.pages.ocr import Recognized
from wenqu.readers.pages.pdf import PdfReader
from wenqu.testing.pdfs import BODY, PAGE, Drawn, pdf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


IMAGE = "<</Type/XObject/Subtype/Image/Width 2/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 2>>stream\n\x00\xff\nendstream"  # noqa: E501


class Eye:
    """Sees one line in the middle of every picture, and remembers the pictures' sizes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def lines(self, image: NDArray[np.uint8]) -> list[Recognized]:
        self.seen.append(image.shape)
        high, wide, _ = image.shape
        return [
            Recognized(
                text=f"Seen {len(self.seen)}",
                left=wide * 0.25,
                right=wide * 0.75,
                top=high * 0.5,
                bottom=high * 0.5 + 30,
                score=0.9,
            )
        ]


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Eye:
    made = Eye()
    monkeypatch.setattr(ocr, "recognizer_for", lambda options: made if options.ocr else None)
    return made


def scan(pages: list[list[Drawn]], place: str) -> bytes:
    return pdf(pages, also=f"q {place} cm /Im Do Q\n", objects=(IMAGE,))


def test_a_page_without_text_is_recognised_and_its_lines_have_boxes(eye: Eye) -> None:
    signs: list[int] = []
    options = replace(DEFAULT_OPTIONS, alive=lambda: signs.append(1))
    document = PdfReader().read(scan([[], []], "595 0 0 842 0 0"), "x.pdf", options)
    assert document.text == "Seen 1\n\nSeen 2"
    assert document.meta["pages_recognized"] == "1-2"
    assert len(signs) >= 2
    box = document.blocks[0].box
    assert box is not None
    assert math.isclose(box.left, 595 / 4, abs_tol=1)
    assert math.isclose(box.top, 842 / 2, abs_tol=1)


def test_a_scan_with_no_more_than_a_page_number_is_recognised(eye: Eye) -> None:
    data = scan([[(290, 800, 9, "17")]], "595 0 0 842 0 0")
    assert "Seen 1" in PdfReader().read(data, "x.pdf").text


def test_a_picture_among_text_is_recognised_by_itself_and_only_once(eye: Eye) -> None:
    above: list[Drawn] = [(72, 72 + 14.0 * n, 11, f"{BODY} line {n}") for n in range(9)]
    data = scan([above, above], "300 0 0 150 100 300")
    document = PdfReader().read(data, "x.pdf")
    assert document.text.count("Seen") == 1
    assert len(eye.seen) == 1
    assert math.isclose(eye.seen[0][1] / eye.seen[0][0], 2, abs_tol=0.05)


def test_a_page_of_text_and_an_empty_page_are_not_recognised(eye: Eye) -> None:
    document = PdfReader().read(pdf([PAGE, []]), "x.pdf")
    assert not eye.seen
    assert document.meta["pages_without_text"] == "2"
    assert "pages_recognized" not in document.meta


def test_no_page_is_recognised_where_that_is_switched_off(eye: Eye) -> None:
    with pytest.raises(ReadError) as caught:
        PdfReader().read(scan([[]], "595 0 0 842 0 0"), "x.pdf", ReadOptions(ocr=False))
    assert caught.value.key == "read.no_text"
    assert not eye.seen
