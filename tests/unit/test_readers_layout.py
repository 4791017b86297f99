"""Lines on a page become blocks in reading order."""

from __future__ import annotations

import pytest

from wenqu.readers.pages.layout import (
    PageBlock,
    page_blocks,
    row_blocks,
    without_running_lines,
)
from wenqu.readers.pages.layout_headings import headings
from wenqu.readers.pages.layout_rows import Line, rows
from wenqu.types import BlockKind


def line(text: str, left: float, top: float, *, size: float = 10, font: str = "Song") -> Line:
    """Return a line whose characters are as wide as high."""
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
    rows = [
        piece
        for n in reversed(range(3))
        for piece in (line(f"第{n}行", 50, 100 + 14 * n), line(f"{n}00", 150, 100 + 14 * n))
    ]
    (block,) = page(*rows)
    assert block.text == "| 第0行 | 000 |\n| --- | --- |\n| 第1行 | 100 |\n| 第2行 | 200 |"
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


COLUMNS = ("左栏的文字写满了整整一行", "中栏的文字写满了整整一行", "右栏的文字写满了整整一行")


@pytest.mark.parametrize("columns", [2, 3])
def test_columns_drawn_row_by_row_are_read_one_after_the_other(columns: int) -> None:
    drawn = [line("横跨各栏的大标题" * 4, 50, 60)]
    drawn += [
        line(f"{COLUMNS[c]}{n}", 50 + 160 * c, 100 + 14 * n)
        for n in range(8)
        for c in range(columns)
    ]
    drawn.append(line("横跨各栏的图注" * 5, 50, 260))
    text = "\n".join(block.text for block in page(*drawn))
    places = [text.index(f"{COLUMNS[c]}{n}") for c in range(columns) for n in range(8)]
    assert places == sorted(places)
    assert text.index("大标题") < places[0]
    assert text.index("图注") > places[-1]


def test_a_label_beside_text_is_no_column() -> None:
    rows = [
        piece
        for n in range(6)
        for piece in (line("姓名", 50, 100 + 20 * n), line("张三丰李四", 120, 100 + 20 * n))
    ]
    (block,) = page(*rows)
    assert block.kind is BlockKind.TABLE


def test_cells_that_do_not_agree_on_their_columns_are_no_table() -> None:
    rows = [
        *(line("一" * 8, 50, 100), line("二" * 8, 200, 100)),
        *(line("三" * 4, 50, 114), line("四" * 12, 110, 114), line("五", 300, 114)),
    ]
    assert [block.kind for block in page(*rows)] == [BlockKind.PARAGRAPH]


def test_a_head_at_the_left_of_its_numbers_is_in_their_column() -> None:
    rows = [
        *(line("年", 50, 100), line("只数多少", 150, 100)),
        *(line("2019", 75, 114, size=5), line("120", 185, 114, size=5)),
    ]
    (block,) = page(*[one._replace(size=10) for one in rows])
    assert block.text == "| 年 | 只数多少 |\n| --- | --- |\n| 2019 | 120 |"


def test_the_second_line_of_a_cell_joins_the_first() -> None:
    rows = [
        *(line("名称", 50, 100), line("说明", 150, 100), line("数量", 400, 100)),
        *(line("听泉", 50, 114), line("六人的会议室，带", 150, 114), line("6", 400, 114)),
        *(line("窗户和投影", 150, 126), line("间", 400, 126)),
        *(line("观澜", 50, 140), line("大会议室", 150, 140), line("24", 400, 140)),
    ]
    (block,) = page(*rows)
    assert "| 听泉 | 六人的会议室，带窗户和投影 | 6 间 |" in block.text


def test_a_raised_and_a_lowered_sign_over_each_other_stay_in_their_line() -> None:
    (block,) = page(
        line("设最近的样本为", 50, 100),
        line("x", 120, 100),
        line("+", 130, 98, size=6),
        line("*", 130, 104, size=6),
        line("，则等式成立", 136, 100),
    )
    assert block.text == "设最近的样本为x+*，则等式成立"


def test_what_is_drawn_back_over_the_sign_before_stays_in_its_line() -> None:
    made = rows([line("设均值为 p(ˆ ;", 50, 100), line("x", 135, 100), line("β)，则", 146, 100)])
    assert [row.text for row in made] == ["设均值为 p(ˆ ;xβ)，则"]
    assert (made[0].left, made[0].right) == (50, 186)


def test_long_lines_drawn_over_each_other_stay_two() -> None:
    made = rows([line("the text of the first time", 50, 100), line("and the second", 60, 100)])
    assert [row.text for row in made] == ["the text of the first time", "and the second"]


def test_the_parts_of_a_formula_are_one_block_and_the_text_below_another() -> None:
    formula, text = page(
        line("E =", 52, 100),
        line("m", 84, 92, size=6),
        line("Σ", 84, 100),
        line("i=1", 80, 112, size=6),
        line("(y − wx)", 100, 100),
        line("其中每个符号的意思如上文所述", 50, 140),
    )
    assert formula.text == "E = m Σ i=1 (y − wx)"
    assert text.text == "其中每个符号的意思如上文所述"


def test_a_page_of_few_lines_goes_by_the_gaps_of_the_others() -> None:
    prose = [line(f"第{n}行写满了这一整行的文字", 50, 100 + 14 * n) for n in range(9)]
    few = [
        line("第一段只有这么一行的文字", 50, 100),
        line("第二段离它远一些的一行字", 50, 122),
    ]
    assert [len(page) for page in row_blocks([prose, few])] == [1, 2]
    assert [len(page) for page in row_blocks([few])] == [1]


def test_footnotes_come_after_the_column_that_goes_on() -> None:
    body = "正文写满了整整一行的字正文写满"
    left = [line(body, 50, 100 + 14 * n) for n in range(5)]
    note = line("1 见上文所引的书第三页", 50, 700, size=7)
    right = [line(f"右栏{body}", 300, 100 + 14 * n) for n in range(5)]
    *_, last = page(*left, note, *right)
    assert last.text == "1 见上文所引的书第三页"


def test_the_name_of_a_chapter_goes_from_the_head_of_its_pages() -> None:
    pages = [
        [
            line(f"第{n // 4 + 1}章 总则{'甲乙丙丁戊己庚辛壬癸'[n // 4]}", 50, 20),
            line(f"正文{n}", 50, 300),
        ]
        for n in range(40)
    ]
    assert all(len(kept) == 1 for kept in without_running_lines(pages))


@pytest.mark.parametrize("number", ["- 3 -", "第 3 页 共 9 页", "Page 3 of 9"])
def test_what_says_that_it_is_a_page_number_goes_from_a_single_page_too(number: str) -> None:
    body = line("正文", 50, 300)
    assert without_running_lines([[body, line(number, 280, 800)]]) == [[body]]


def test_the_signs_of_a_formula_are_no_heading() -> None:
    blocks = page(line("wTx + b = 0", 50, 100, font="CMMIB10"), line("正文" * 60, 50, 160))
    assert [level for _, level in headings(blocks)] == [None, None]
