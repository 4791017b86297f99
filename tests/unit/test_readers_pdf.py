"""PDF: pages, boxes, headings, comments, embedded files. The files are written here."""

from __future__ import annotations

import math
import zlib
from functools import partial
from pathlib import Path

import pytest

from wenqu.errors import ReadError
from wenqu.readers.pages.pdf import PdfReader
from wenqu.readers.pages.pdf_extras import _may_speak
from wenqu.readers.pages.pdf_text import TextLayer, tried
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.pdfs import BODY, PAGE, Drawn, pdf, read_pdf
from wenqu.testing.reading import blocks

SAMPLE = Path(__file__).parents[2] / "samples" / "handbook" / "差旅标准.pdf"

read = partial(read_pdf, PdfReader())


class TestPdfReader(ReaderContract):
    def reader(self) -> PdfReader:
        return PdfReader()

    def samples(self) -> dict[str, bytes]:
        return {"english.pdf": pdf([PAGE]), "差旅标准.pdf": SAMPLE.read_bytes()}


def test_lines_become_paragraphs_and_large_lines_headings_in_reading_order() -> None:
    assert blocks(read([PAGE])) == [
        ("heading", "A Title"),
        ("paragraph", f"{BODY} whole line and is hyphenated, then it ends."),
        ("heading", "Section"),
        ("paragraph", "Other words that are no part of it."),
        ("paragraph", "Foot drawn first"),
    ]


def test_a_block_knows_its_page_and_where_on_it() -> None:
    document = read([PAGE, [(100, 200, 11, "On the second page.")]])
    last = document.blocks[-1]
    assert (document.blocks[0].page, last.page) == (1, 2)
    assert last.box is not None
    assert math.isclose(last.box.left, 100, abs_tol=2)
    assert math.isclose(last.box.top, 200, abs_tol=4)
    assert math.isclose(last.box.bottom, 212, abs_tol=4)
    assert document.meta["pages"] == "2"


def test_running_heads_and_page_numbers_are_dropped() -> None:
    pages: list[list[Drawn]] = [
        [(72, 30, 9, "The Handbook"), (72, 300, 11, f"Words {word}."), (280, 800, 9, f"Page {n}")]
        for n, word in enumerate(("one", "two", "three", "four"), 1)
    ]
    assert read(pages).text == "Words one.\n\nWords two.\n\nWords three.\n\nWords four."


def test_the_title_is_that_of_the_file_unless_a_program_made_it_up() -> None:
    assert (
        read([PAGE], info="/Title(The Guide)/Author(Ada)/CreationDate(D:20240305)").title
        == "The Guide"
    )
    assert read([PAGE], info="/Title(Microsoft Word - x.doc)").title == "A Title"
    assert read([PAGE], info="/CreationDate(D:20240305120000)").meta["date"] == "2024-03-05"


def test_a_file_of_pictures_says_that_it_has_no_text() -> None:
    with pytest.raises(ReadError) as caught:
        read([[], []])
    assert caught.value.key == "read.no_text"
    assert "2" in str(caught.value)


def test_a_damaged_file_is_an_error_with_its_reason() -> None:
    with pytest.raises(ReadError) as caught:
        PdfReader().read(b"%PDF-1.7\nnothing more", "x.pdf")
    assert caught.value.key == "read.damaged"


def test_the_chinese_sample_is_read_with_its_table_and_without_its_running_head() -> None:
    document = PdfReader().read(SAMPLE.read_bytes(), "差旅标准.pdf")
    assert "| 北京、上海、深圳、广州 | 600 | 850 |" in document.text
    assert "员工手册" not in document.text
    assert document.title == "差旅标准"
    assert document.language == "zh"
    assert "乘坐飞机一律为经济舱，须至少提前五天订票" in document.text


def test_the_two_engines_put_a_line_at_the_same_place() -> None:
    data = SAMPLE.read_bytes()
    quick, sure = (lines_of(data, quick=quick) for quick in (True, False))
    assert [words(text) for text, _ in quick] == [words(text) for text, _ in sure]
    for (_, one), (_, other) in zip(quick, sure, strict=True):
        assert all(abs(a - b) < 4 for a, b in zip(one, other, strict=True))


def words(text: str) -> str:
    return "".join(text.split())


def lines_of(data: bytes, *, quick: bool) -> list[tuple[str, tuple[float, ...]]]:
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    try:
        layer = TextLayer(data, opened, None)
        assert layer.quick is not None
        page = layer._quick_page(0) if quick else layer._sure_page(0)
        assert page is not None
        return [
            (line.text, (line.left, line.top, line.right, line.bottom))
            for line in page.lines
            if not line.table and not line.stops
        ][:3]
    finally:
        opened.close()


def test_a_turned_page_has_boxes_as_it_is_shown() -> None:
    document = read([[(100, 300, 11, "Words on a page that lies on its side")]], "/Rotate 90")
    (block,) = document.blocks
    assert block.box is not None
    # Turned clockwise: what was 300 from the top is 842 - 311 from the left.
    assert math.isclose(block.box.left, 842 - 311, abs_tol=4)
    assert math.isclose(block.box.top, 100, abs_tol=4)


def test_a_panic_of_the_quick_engine_costs_nothing_and_a_key_press_goes_through() -> None:
    class PanicException(BaseException):
        """As a panic of Rust code looks from here."""

    def panic() -> int:
        raise PanicException

    def press() -> int:
        raise KeyboardInterrupt

    assert tried(panic) is None
    with pytest.raises(KeyboardInterrupt):
        tried(press)


def test_comments_and_what_was_filled_in_are_read() -> None:
    data = pdf(
        [PAGE],
        page_entries="/Annots[4 0 R 5 0 R 6 0 R]",
        catalog="/AcroForm<</Fields[5 0 R]/DA(/F 9 Tf)/DR<</Font<</F 3 0 R>>>>>>",
        objects=(
            "<</Type/Annot/Subtype/Text/Rect[300 700 320 720]/Contents(Please check this)>>",
            (
                "<</Type/Annot/Subtype/Widget/FT/Tx/T(applicant)/TU(Applicant)/V(Ada Lovelace)"
                "/Rect[100 100 200 120]>>"
            ),
            "<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/Contents(silent)>>",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    *_, comment, field = document.blocks
    assert document.text[comment.span.start :] == "Please check this\n\nApplicant: Ada Lovelace"
    assert (comment.page, field.page) == (1, 1)
    assert comment.box is not None
    assert math.isclose(comment.box.top, 842 - 720, abs_tol=1)


def test_an_embedded_file_becomes_a_section() -> None:
    data = pdf(
        [PAGE],
        catalog="/Names<</EmbeddedFiles<</Names[(a)4 0 R]>>>>",
        objects=(
            "<</Type/Filespec/F(notes.txt)/UF(notes.txt)/EF<</F 5 0 R>>>>",
            "<</Type/EmbeddedFile/Length 17>>stream\nTold in the file.\nendstream",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    assert blocks(document)[-2:] == [("heading", "notes.txt"), ("paragraph", "Told in the file.")]


def test_the_outline_says_what_is_a_heading_and_of_what_level() -> None:
    page: list[Drawn] = [
        (72, 100, 11, "Scope"),
        (72, 130, 11, f"{BODY} line."),
        (72, 170, 11, "Who is meant"),
        (72, 200, 11, f"{BODY} other line."),
    ]
    data = pdf(
        [page],
        catalog="/Outlines 4 0 R",
        objects=(
            "<</First 5 0 R/Last 5 0 R>>",
            "<</Title(1. Scope)/Parent 4 0 R/First 6 0 R/Last 6 0 R/Dest[8 0 R/Fit]>>",
            "<</Title(Who is meant)/Parent 5 0 R/Dest[8 0 R/Fit]>>",
        ),
    )
    document = PdfReader().read(data, "x.pdf")
    assert document.blocks[-1].heading == ("Scope", "Who is meant")


def test_subject_and_keywords_are_kept() -> None:
    meta = read([PAGE], info="/Subject(Rooms)/Keywords(room, booking)").meta
    assert (meta["subject"], meta["keywords"]) == ("Rooms", "room, booking")


def test_text_at_infinity_and_broken_names_cost_nothing() -> None:
    far = "BT /F 11 Tf 1e38 0 0 1e38 1e38 1e38 Tm (Far away) Tj ET\n"
    document = read([PAGE], info="/Title<FEFFD83D0041>/Author(Ada)", also=far)
    assert "Other words that are no part of it." in document.text
    assert document.meta["author"] == "Ada"


def packed(objects: bytes, entries: bytes = b"") -> bytes:
    """Write an object stream as it stands in a file."""
    return b"7 0 obj<</Type/ObjStm/N 1%s>>stream\n%s\nendstream" % (entries, zlib.compress(objects))


@pytest.mark.parametrize(
    ("data", "speaks"),
    [
        (b"<</Subtype/Link>>", False),
        (b"/Annots[]<</Subtype/Link/Rect[0 0 1 1]>><</Subtype /Image>>", False),
        (b"/Annots[]<</Subtype/Link>><</Subtype /Highlight>>", True),
        (packed(b"1 0 <</Subtype/Link>><</Subtype/Type1>>"), False),
        (packed(b"1 0 <</Subtype/Link>><</Subtype/Widget>>"), True),
        (packed(b"as it stands", b"/DecodeParms<</Predictor 12>>"), True),
        (b"7 0 obj<</Type/ObjStm/Filter/LZWDecode>>stream\nxyz\nendstream", True),
        (packed(b"1 0 <</Subtype/Link>>") + b"trailer<</Encrypt 3 0 R>>", True),
    ],
)
def test_pages_are_asked_for_comments_only_where_the_file_may_have_some(
    data: bytes, *, speaks: bool
) -> None:
    assert _may_speak(data) is speaks
