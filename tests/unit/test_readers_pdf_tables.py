"""PDF: tables, ruled and not, and those that go on over pages."""

from __future__ import annotations

import math
from functools import partial

import pytest

from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.pages.pdf import PdfReader
from wenqu.testing.pdfs import Drawn, pdf, read_pdf
from wenqu.testing.reading import blocks
from wenqu.text.chunk import chunk
from wenqu.types import Chunking

read = partial(read_pdf, PdfReader())


def test_wide_gaps_make_a_table() -> None:
    rows = [("City", "Limit"), ("Beijing", "600"), ("Elsewhere", "350")]
    page = [
        (x, 100 + 20 * n, 11.0, row[c])
        for n, row in enumerate(rows)
        for c, x in ((0, 72), (1, 300))
    ]
    assert blocks(read([page])) == [
        ("table", "| City | Limit |\n| --- | --- |\n| Beijing | 600 |\n| Elsewhere | 350 |")
    ]


RULES = "".join(f"{x} 600 m {x} 720 l S\n" for x in (70, 200, 400)) + "".join(
    f"70 {y} m 400 {y} l S\n" for y in (600, 640, 680, 720)
)
CELLS: list[Drawn] = [
    (75, 130, 11, "Name"),
    (210, 130, 11, "What it is"),
    (75, 165, 11, "Spring"),
    (210, 165, 11, "A meeting room for six"),
    (210, 178, 11, "people, with a window"),
    (75, 205, 11, "Tide"),
    (210, 205, 11, "Another"),
]


def test_a_ruled_table_keeps_its_cells_whole_and_its_place() -> None:
    document = read([[(72, 60, 11, "Before the table."), *CELLS]], also=RULES)
    assert blocks(document)[1] == (
        "table",
        (
            "| Name | What it is |\n| --- | --- |\n"
            "| Spring | A meeting room for six people, with a window |\n| Tide | Another |"
        ),
    )
    box = document.blocks[1].box
    assert box is not None
    assert math.isclose(box.left, 70, abs_tol=2)
    assert math.isclose(box.bottom, 842 - 600, abs_tol=2)


def test_a_table_of_contents_is_no_table() -> None:
    page = [
        (x, 100 + 20.0 * n, 11.0, text)
        for n, row in enumerate((("One ........", "3"), ("Two ........", "8")))
        for x, text in zip((72, 400), row, strict=True)
    ]
    assert {kind for kind, _ in blocks(read([page]))} == {"paragraph"}


PRICES = [("Item", "Price"), ("Apple", "1.20"), ("Pear", "2.50")]
HIGH = (42, 282, 522, 762)  # from the page's top: three rows that fill a page
FRAME = "".join(f"{x} {842 - HIGH[-1]} m {x} {842 - HIGH[0]} l S\n" for x in (70, 200, 400)) + (
    "".join(f"70 {842 - y} m 400 {842 - y} l S\n" for y in HIGH)
)


def filled(rows: list[tuple[str, str]], *, lefts: tuple[int, int] = (80, 210)) -> list[Drawn]:
    """Return a page of three rows in the frame."""
    return [
        (left, top + 100, 11, text)
        for top, row in zip(HIGH, rows, strict=False)
        for left, text in zip(lefts, row, strict=True)
    ]


def set_in_rows(rows: list[tuple[str, ...]], top: float) -> list[Drawn]:
    return [
        (left, top + 20 * at, 11, text)
        for at, row in enumerate(rows)
        for left, text in zip((72, 250, 420), row, strict=False)
    ]


@pytest.mark.parametrize(
    "rest",
    [
        [("Item", "Price"), ("Plum", "3.10"), ("Fig", "4.40")],
        [("Plum", "3.10"), ("Fig", "4.40")],
    ],
    ids=["repeated head", "no head"],
)
def test_a_table_that_goes_on_over_a_page_is_one_with_its_head_once_and_each_row_its_page(
    rest: list[tuple[str, str]],
) -> None:
    document = read([filled(PRICES), filled(rest)], also=FRAME)
    assert document.text == (
        "| Item | Price |\n| --- | --- |\n| Apple | 1.20 |\n| Pear | 2.50 |\n"
        "| Plum | 3.10 |\n| Fig | 4.40 |"
    )
    first, second = document.blocks
    assert (first.page, second.page) == (1, 2)
    assert document.text[second.span.start :] == "| Plum | 3.10 |\n| Fig | 4.40 |"
    assert second.box is not None
    assert math.isclose(second.box.top, HIGH[0], abs_tol=1)


def test_a_table_goes_on_over_three_pages_and_its_rows_carry_the_head_in_each_chunk() -> None:
    more = [[("Item", "Price"), (f"Kind {n}", f"{n}.10"), (f"Sort {n}", f"{n}.20")] for n in (3, 4)]
    document = read([filled(PRICES), *map(filled, more)], also=FRAME)
    assert document.text.count("Item") == 1
    assert "| Sort 3 | 3.20 |\n| Kind 4 | 4.10 |" in document.text
    chunks = chunk(document, Chunking(max_tokens=16), lambda text: [*range(0, len(text), 8)])
    assert chunks[-1].pages == (3,)
    assert {part.header for part in chunks[1:]} == {"| Item | Price |\n| --- | --- |"}


def test_a_table_without_rules_goes_on_where_its_columns_do() -> None:
    one = [("City", "Hotel", "Meals"), ("Beijing", "600", "100"), ("Shanghai", "650", "110")]
    other = [("City", "Hotel", "Meals"), ("Chengdu", "450", "80"), ("Elsewhere", "350", "70")]
    document = read([set_in_rows(one, 700), set_in_rows(other, 120)])
    assert [kind for kind, _ in blocks(document)] == ["table", "table"]
    assert document.text.endswith(
        "| Shanghai | 650 | 110 |\n| Chengdu | 450 | 80 |\n| Elsewhere | 350 | 70 |"
    )


@pytest.mark.parametrize("also", ["", FRAME], ids=["without rules", "ruled"])
def test_a_single_row_left_over_for_the_next_page_stays_in_its_table(also: str) -> None:
    rows = filled(PRICES) if also else set_in_rows(PRICES, 700)
    last = filled([("Plum", "3.10")]) if also else set_in_rows([("Plum", "3.10")], 120)
    document = read([rows, [*last, (72.0, 400.0, 11.0, "Prices hold until May.")]], also=also)
    assert [block.page for block in document.blocks] == [1, 2, 2]
    assert document.text.endswith("| Pear | 2.50 |\n| Plum | 3.10 |\n\nPrices hold until May.")


def test_a_table_with_a_head_of_its_own_is_another_table() -> None:
    other = [("Room", "Seats"), ("Tide", "12"), ("Spring", "6")]
    assert blocks(read([filled(PRICES), filled(other)], also=FRAME))[1] == (
        "table",
        "| Room | Seats |\n| --- | --- |\n| Tide | 12 |\n| Spring | 6 |",
    )


def test_a_table_with_other_columns_or_after_other_words_is_another_table() -> None:
    words = read([set_in_rows(PRICES, 700), [(72, 60, 11, "Words."), *set_in_rows(PRICES, 120)]])
    assert [kind for kind, _ in blocks(words)] == ["table", "paragraph", "table"]
    assert words.text.count("Item") == 2
    wide: list[tuple[str, ...]] = [("Item", "Price", "Where"), ("Plum", "3.10", "Shop")]
    assert read([set_in_rows(PRICES, 700), set_in_rows(wide, 120)]).text.count("| ---") == 3 + 2


def test_a_table_that_ends_in_the_middle_of_a_page_does_not_go_on() -> None:
    document = read([set_in_rows(PRICES, 200), set_in_rows(PRICES, 120)])
    assert document.text.count("Item") == 2


def test_a_comment_on_a_page_stands_behind_the_table_that_goes_on() -> None:
    note = "<</Type/Annot/Subtype/Text/Rect[300 700 320 720]/Contents(Please check this)>>"
    data = pdf(
        [filled(PRICES), filled([("Plum", "3.10"), ("Fig", "4.40")])],
        also=FRAME,
        page_entries="/Annots[4 0 R]",
        objects=(note,),
    )
    document = PdfReader().read(data, "x.pdf")
    assert document.text.endswith("| Fig | 4.40 |\n\nPlease check this\n\nPlease check this")


def test_the_head_of_a_table_at_the_top_of_each_page_is_no_running_head() -> None:
    pages = [
        set_in_rows([("Item", "Price"), *((f"Kind {n}{m}", f"{m}.{n}0") for m in range(35))], 60)
        for n in "abcd"
    ]
    document = read(pages)
    assert document.text.startswith("| Item | Price |\n| --- | --- |\n| Kind a0 |")
    assert document.text.count("Item") == 1
    assert [block.page for block in document.blocks] == [1, 2, 3, 4]


def test_a_table_over_pages_stays_one_in_a_document_that_includes_its_own() -> None:
    builder = DocumentBuilder("letter.eml", "eml")
    builder.include(read([filled(PRICES), filled(PRICES)], also=FRAME), "prices.pdf")
    assert builder.build().text.endswith("| Pear | 2.50 |\n| Apple | 1.20 |\n| Pear | 2.50 |")
