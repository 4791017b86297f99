"""Tables that go on over pages: what tells them, from blocks alone."""

from __future__ import annotations

import pytest

from wenqu.readers.pages.layout import PageBlock
from wenqu.readers.pages.layout_continued import with_tables_joined
from wenqu.types import BlockKind, Box

HEIGHT = 842.0
COLUMNS = ((50.0, 150.0), (150.0, 300.0), (300.0, 500.0))
HEAD = "| 序号 | 名称 | 金额 |\n| --- | --- | --- |\n"


def block(text: str, page: int, top: float, bottom: float) -> PageBlock:
    table = text.startswith("|")
    return PageBlock(
        text=text,
        kind=BlockKind.TABLE if table else BlockKind.PARAGRAPH,
        box=Box(left=50, top=top, right=500, bottom=bottom),
        size=10,
        bold=False,
        lines=1,
        page=page,
        columns=COLUMNS if table else (),
    )


FIRST = block(f"{HEAD}| 1 | 桌子 | 800 |", 1, 400, 780)


@pytest.mark.parametrize(
    "words", ["续表", "续表1", "表2 费用标准（续）", "（续表）", "Table 3 (continued)", "(Cont.)"]
)
def test_words_that_say_that_a_table_goes_on_are_no_block(words: str) -> None:
    later = [block(words, 2, 40, 52), block(f"{HEAD}| 2 | 椅子 | 200 |", 2, 60, 300)]
    _, (part,) = with_tables_joined([[FIRST], later], [HEIGHT, HEIGHT])
    assert part.continues
    assert part.text == "| 2 | 椅子 | 200 |"


@pytest.mark.parametrize("words", ["二、其他费用", "The work continued in May", "续签合同的说明"])
def test_other_words_part_two_tables(words: str) -> None:
    later = [block(words, 2, 40, 52), block(f"{HEAD}| 2 | 椅子 | 200 |", 2, 60, 300)]
    pages = [[FIRST], later]
    assert with_tables_joined(pages, [HEIGHT, HEIGHT]) == pages


def test_further_rows_of_a_repeated_head_go_but_not_rows_with_figures() -> None:
    units = "|  |  | 万元 |\n"
    first = block(f"{HEAD}{units}| 1 | 桌子 | 800 |\n| 2 | 椅子 | 200 |", 1, 400, 780)
    second = block(f"{HEAD}{units}| 1 | 桌子 | 800 |\n| 3 | 柜子 | 500 |", 2, 50, 300)
    _, (part,) = with_tables_joined([[first], [second]], [HEIGHT, HEIGHT])
    assert part.text == "| 1 | 桌子 | 800 |\n| 3 | 柜子 | 500 |"


def test_what_stands_below_a_table_ends_it() -> None:
    pages = [
        [FIRST, block("注：以上含税。", 1, 785, 800)],
        [block(f"{HEAD}| 2 | 椅子 | 200 |", 2, 50, 300)],
    ]
    assert with_tables_joined(pages, [HEIGHT, HEIGHT]) == pages


def test_a_bar_in_a_cell_is_no_border_of_columns() -> None:
    first = block(f"{HEAD}| 1 | a \\| 5 | 800 |\n| 2 | b \\| 6 | 900 |", 1, 400, 780)
    second = block("| 3 | c | 70 |\n| --- | --- | --- |\n| 4 | d | 80 |", 2, 50, 300)
    _, (part,) = with_tables_joined([[first], [second]], [HEIGHT, HEIGHT])
    assert part.text == "| 3 | c | 70 |\n| 4 | d | 80 |"


def lone(cells: dict[str, tuple[float, float]], top: float = 60, size: float = 10) -> PageBlock:
    said = block("  ".join(cells), 2, top, top + 12)
    return said._replace(columns=tuple(cells.values()), cells=tuple(cells), size=size)


CHAIR = {"2": (60.0, 65.0), "椅子": (160.0, 180.0), "200": (310.0, 325.0)}


def test_a_single_row_in_the_columns_of_the_table_before_is_its_last() -> None:
    _, (part, after) = with_tables_joined(
        [[FIRST], [lone(CHAIR), block("The end.", 2, 100, 112)]], [HEIGHT, HEIGHT]
    )
    assert (part.kind, part.continues, part.text) == (BlockKind.TABLE, True, "| 2 | 椅子 | 200 |")
    assert part.box.top == 60
    assert after.text == "The end."


def test_a_cell_of_a_single_row_may_be_empty() -> None:
    total = {"合计": (60.0, 80.0), "1000": (310.0, 330.0)}
    _, (part,) = with_tables_joined([[FIRST], [lone(total)]], [HEIGHT, HEIGHT])
    assert part.text == "| 合计 |  | 1000 |"


@pytest.mark.parametrize(
    "row",
    [
        lone({"2": (60.0, 65.0), "椅子": (140.0, 310.0), "200": (320.0, 335.0)}, top=500),
        lone(CHAIR, size=7),
        lone({"2": (60.0, 65.0), "椅子": (70.0, 90.0), "200": (310.0, 325.0)}),
        lone({"编号": (60.0, 80.0), "品名": (160.0, 180.0), "价格": (310.0, 325.0)}),
        lone({"序号": (60.0, 80.0), "名称": (160.0, 180.0), "金额": (310.0, 325.0)}),
    ],
    ids=["far down", "set smaller", "in other columns", "a head", "the same head"],
)
def test_other_single_rows_are_none_of_the_table_before(row: PageBlock) -> None:
    pages = [[FIRST], [row]]
    assert with_tables_joined(pages, [HEIGHT, HEIGHT]) == pages
