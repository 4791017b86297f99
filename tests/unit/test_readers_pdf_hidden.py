"""PDF: text that nobody sees is not read, and what looks like it is."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import partial

import pytest

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.pages.pdf import PdfReader
from wenqu.testing.pdfs import Drawn, pdf, read_pdf

IMAGE = "<</Type/XObject/Subtype/Image/Width 2/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 2>>stream\n\x00\xff\nendstream"  # noqa: E501


UNSEEN = """
1 g BT /F 12 Tf 72 400 Td (White as the page) Tj ET
0 g BT /F 0.4 Tf 72 300 Td (As small as a speck of dust) Tj ET
BT 3 Tr /F 12 Tf 72 200 Td (Never painted) Tj ET
"""

read = partial(read_pdf, PdfReader())


@pytest.mark.parametrize("entries", ["", "/Rotate 180"], ids=["quick", "sure"])
def test_text_that_nobody_sees_is_left_out_and_its_pages_are_named(entries: str) -> None:
    page = [(72.0, 72.0, 11.0, "Words that are seen")]
    document = read([page, page], entries, also=UNSEEN)
    assert document.text == "Words that are seen\n\nWords that are seen"
    assert document.meta["pages_with_hidden_text"] == "1-2"


@pytest.mark.parametrize("entries", ["", "/Rotate 180"], ids=["quick", "sure"])
def test_white_text_on_a_dark_ground_is_read(entries: str) -> None:
    dark = "0 0 1 rg 60 380 300 40 re f\n1 g BT /F 12 Tf 72 400 Td (White on blue) Tj ET\n"
    document = read([[(72, 72, 11, "Words above it")]], entries, also=dark)
    assert "White on blue" in document.text
    assert "pages_with_hidden_text" not in document.meta


def test_white_text_on_a_white_ground_is_not_read() -> None:
    pale = "1 g 60 380 300 40 re f\nBT /F 12 Tf 72 400 Td (White on white) Tj ET\n"
    assert read([[(72, 72, 11, "Words above it")]], also=pale).text == "Words above it"


def test_text_behind_a_scan_is_read() -> None:
    words = "BT 3 Tr /F 12 Tf 72 400 Td (What the recogniser saw) Tj ET\n"
    layer = f"{words}q 595 0 0 842 0 0 cm /Im Do Q\n"
    data = pdf([[]], also=layer, objects=(IMAGE,))
    options = replace(DEFAULT_OPTIONS, ocr=False)
    assert PdfReader().read(data, "x.pdf", options).text == "What the recogniser saw"


def test_unpainted_words_after_unpainted_spaces_are_left_out() -> None:
    spaces = "BT 3 Tr /F 12 Tf 72 500 Td ( ) Tj 0 Tr (Painted) Tj ET\n"
    words = "BT 7 Tr /F 12 Tf 72 400 Td (  Never painted) Tj 0 Tr ET\n"
    assert read([[(72, 72, 11, "Words above it")]], also=spaces).text.endswith("Painted")
    document = read([[(72, 72, 11, "Words above it")]], also=spaces + words)
    assert "Never" not in document.text
    assert document.meta["pages_with_hidden_text"] == "1"


def test_packed_contents_are_searched_for_unpainted_text_too() -> None:
    def packed(number: int, content: str) -> str:
        del number
        return zlib.compress(content.encode("latin-1")).decode("latin-1")

    page: list[Drawn] = [(72, 72, 11, "Words that are seen")]
    data = pdf([page], also=UNSEEN, coded="/Filter/FlateDecode", cipher=packed)
    assert PdfReader().read(data, "x.pdf").text == "Words that are seen"
