"""PDF: pages, boxes, paragraphs, headings. The files are written here, byte by byte."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from wenqu.errors import ReadError
from wenqu.readers.layout import Line, PageBlock, headings, page_blocks, without_running_lines
from wenqu.readers.pdf import PdfReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.types import BlockKind, Document

SAMPLE = Path(__file__).parents[2] / "samples" / "handbook" / "差旅标准.pdf"
Drawn = tuple[float, float, float, str]
"""Left, distance from the top, size, text."""

BODY = "Words of a paragraph that goes on for long enough to fill the"
PAGE: list[Drawn] = [
    (72, 780, 9, "Foot drawn first"),
    (72, 72, 20, "A Title"),
    (72, 110, 11, BODY),
    (72, 124, 11, "whole line and is hyphen-"),
    (72, 138, 11, "ated, then it ends."),
    (72, 180, 14, "Section"),
    (72, 210, 11, "Other words that are no part of it."),
]


def pdf(pages: list[list[Drawn]], info: str = "") -> bytes:
    """Write a PDF whose pages draw texts in Helvetica."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids = []
    for page in pages:
        stream = "".join(
            f"BT /F {size} Tf {left} {842 - top - size} Td ({text}) Tj ET\n"
            for left, top, size, text in page
        )
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}endstream")
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]"
            f"/Resources<</Font<</F 3 0 R>>>>/Contents {len(objects)} 0 R>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    objects.append(f"<<{info}>>")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(objects) + 1}/Root 1 0 R/Info {len(objects)} 0 R>>\n"
        f"startxref\n{len(body)}\n%%EOF"
    ).encode("latin-1")


def read(pages: list[list[Drawn]], info: str = "") -> Document:
    return PdfReader().read(pdf(pages, info), "x.pdf")


def texts(document: Document) -> list[tuple[str, str]]:
    return [(b.kind.value, document.text[b.span.start : b.span.end]) for b in document.blocks]


class TestPdfReader(ReaderContract):
    def reader(self) -> PdfReader:
        return PdfReader()

    def samples(self) -> dict[str, bytes]:
        return {"english.pdf": pdf([PAGE]), "差旅标准.pdf": SAMPLE.read_bytes()}


def test_lines_become_paragraphs_and_large_lines_headings_in_reading_order() -> None:
    assert texts(read([PAGE])) == [
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


def test_wide_gaps_make_a_table() -> None:
    rows = [("City", "Limit"), ("Beijing", "600"), ("Elsewhere", "350")]
    page = [
        (x, 100 + 20 * n, 11.0, row[c])
        for n, row in enumerate(rows)
        for c, x in ((0, 72), (1, 300))
    ]
    assert texts(read([page])) == [("table", "City | Limit\nBeijing | 600\nElsewhere | 350")]


def test_the_title_is_that_of_the_file_unless_a_program_made_it_up() -> None:
    assert (
        read([PAGE], "/Title(The Guide)/Author(Ada)/CreationDate(D:20240305)").title == "The Guide"
    )
    assert read([PAGE], "/Title(Microsoft Word - x.doc)").title == "A Title"
    assert read([PAGE], "/CreationDate(D:20240305120000)").meta["date"] == "2024-03-05"


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
    assert "北京、上海、深圳、广州 | 600 | 850" in document.text
    assert "员工手册" not in document.text
    assert document.title == "差旅标准"
    assert document.language == "zh"
    assert "乘坐飞机一律为经济舱，须至少提前五天订票" in document.text


def line(text: str, left: float, top: float, *, size: float = 10, font: str = "Song") -> Line:
    return Line(
        text=text,
        left=left,
        right=left + size * len(text),
        top=top,
        bottom=top + size,
        size=size,
        font=font,
        page_height=842,
    )


def page(*lines: Line) -> list[PageBlock]:
    return page_blocks(list(lines), 1)


def test_chinese_lines_are_joined_without_a_space() -> None:
    (block,) = page(
        line("这一行写满了整整一行的字，", 50, 100), line("下一行接着写完这句话。", 50, 114)
    )
    assert block.text == "这一行写满了整整一行的字，下一行接着写完这句话。"


def test_two_columns_are_read_one_after_the_other() -> None:
    left = [line(f"左栏第{n}行写满了整行的文字", 50, 100 + 14 * n) for n in range(3)]
    right = [line(f"右栏第{n}行写满了整行的文字", 300, 100 + 14 * n) for n in range(3)]
    first, second = page(*left, *right)
    assert "右" not in first.text
    assert "左" not in second.text


def test_a_table_drawn_from_the_bottom_up_is_turned_round() -> None:
    rows = [line(f"第{n}行\t{n}00", 50, 100 + 14 * n) for n in range(3)]
    (block,) = page(*reversed(rows))
    assert block.text == "第0行 | 000\n第1行 | 100\n第2行 | 200"
    assert block.kind is BlockKind.TABLE


def test_numbered_and_bold_lines_of_body_size_are_headings() -> None:
    body = "正文" * 60
    blocks = page(
        line("1 引言", 50, 100),
        line(body, 50, 130),
        line("实验", 50, 160, font="SimHei"),
        line(body, 50, 190),
    )
    assert [level for _, level in headings(blocks)] == [2, None, 6, None]


def test_a_title_on_two_lines_is_one_heading() -> None:
    blocks = page(
        line("很长的标题写了第一行还没有写完", 50, 100, size=20),
        line("写到了第二行", 120, 128, size=20),
        line("正文" * 100, 50, 200),
    )
    title, level = headings(blocks)[0]
    assert title.text == "很长的标题写了第一行还没有写完写到了第二行"
    assert level == 1


def test_a_line_at_the_edge_that_does_not_repeat_stays() -> None:
    pages = [[line(text, 50, 20)] for text in ("甲", "乙", "丙", "丁")]
    assert without_running_lines(pages) == pages
