"""How the cells of a sheet become tables, titles and notes."""

from __future__ import annotations

from functools import partial

from wenqu.readers.builder import DocumentBuilder
from wenqu.readers.office.grid import Grid
from wenqu.readers.office.spreadsheet import SpreadsheetReader
from wenqu.testing.workbooks import paragraphs, read_sheet, tables

read = partial(read_sheet, SpreadsheetReader())


def test_rows_above_a_table_are_its_title_and_long_ones_below_are_notes() -> None:
    note = "注：本表数据为初步核算数，最终数据以统计年鉴公布的为准。"
    document = read([["存贷款情况"], [], ["单位", "余额"], ["甲行", 5], ["乙行", 6], [note]])
    assert paragraphs(document) == ["存贷款情况", note]
    assert tables(document) == [
        ["| 单位 | 余额 |", "| --- | --- |", "| 甲行 | 5 |", "| 乙行 | 6 |"]
    ]


def test_an_empty_row_parts_two_tables_that_each_have_a_header() -> None:
    document = read([["a", "b"], [1, 2], [], ["c", "d"], [3, 4]])
    assert [table[0] for table in tables(document)] == ["| a | b |", "| c | d |"]


def test_rows_that_go_on_below_an_empty_row_stay_in_their_table() -> None:
    document = read([["name", "count"], [], ["x", 2], [], ["y", 4]])
    assert tables(document) == [["| name | count |", "| --- | --- |", "| x | 2 |", "| y | 4 |"]]


def test_tables_side_by_side_are_parted_where_each_has_a_header() -> None:
    document = read(
        [
            ["名称", "数量", None, "名称", "数量"],
            ["甲", 1, None, "乙", 2],
            [None, None, None, "丙", 3],
        ]
    )
    assert tables(document) == [
        ["| 名称 | 数量 |", "| --- | --- |", "| 甲 | 1 |"],
        ["| 名称 | 数量 |", "| --- | --- |", "| 乙 | 2 |", "| 丙 | 3 |"],
    ]


def test_columns_without_text_are_left_out() -> None:
    document = read([["a", None, "b"], [1, None, 2]])
    assert tables(document)[0][0] == "| a | b |"


def test_a_header_of_two_rows_names_each_column_in_full() -> None:
    document = read(
        [
            ["地区", "2023年", None, "2024年", None],
            [None, "收入", "支出", "收入", "支出"],
            ["华东", 1, 2, 3, 4],
        ],
        '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/>'
        '<mergeCell ref="D1:E1"/></mergeCells>',
    )
    assert (
        tables(document)[0][0] == "| 地区 | 2023年 收入 | 2023年 支出 | 2024年 收入 | 2024年 支出 |"
    )
    assert tables(document)[0][2] == "| 华东 | 1 | 2 | 3 | 4 |"


def test_a_cell_merged_over_rows_is_said_in_each_of_them() -> None:
    document = read(
        [["部门", "姓名"], ["财务部", "张三"], [None, "李四"]],
        '<mergeCells><mergeCell ref="A2:A3"/></mergeCells>',
    )
    assert tables(document)[0][3] == "| 财务部 | 李四 |"


def test_a_value_merged_over_columns_is_said_in_each_that_a_header_names() -> None:
    document = read(
        [["姓名", "上半年", "下半年"], ["张三", 5, 6], ["李四", "休假", None], ["合计", None, 11]],
        '<mergeCells><mergeCell ref="B3:C3"/><mergeCell ref="A4:B4"/></mergeCells>',
    )
    assert tables(document)[0][3:] == ["| 李四 | 休假 | 休假 |", "| 合计 |  | 11 |"]


def test_what_is_merged_over_columns_without_a_header_is_said_once() -> None:
    document = read(
        [[1, 2, 3], [4, "none", None], [5, 6, 7]],
        '<mergeCells><mergeCell ref="B2:C2"/></mergeCells>',
    )
    assert "| 4 | none |  |" in tables(document)[0]


def test_tables_with_merged_headers_are_parted_where_one_begins_beside_the_last_row() -> None:
    head = '<mergeCell ref="B1:C1"/><mergeCell ref="F4:G4"/>'
    document = read(
        [
            ["产品", "销量", None],
            [None, "线上", "线下"],
            ["甲", 1, 2],
            ["乙", 3, 4, None, "门店", "人数", None],
            [None, None, None, None, None, "男", "女"],
            [None, None, None, None, "东店", 8, 9],
        ],
        f"<mergeCells>{head}</mergeCells>",
    )
    assert tables(document) == [
        [
            "| 产品 | 销量 线上 | 销量 线下 |",
            "| --- | --- | --- |",
            "| 甲 | 1 | 2 |",
            "| 乙 | 3 | 4 |",
        ],
        ["| 门店 | 人数 男 | 人数 女 |", "| --- | --- | --- |", "| 东店 | 8 | 9 |"],
    ]


def test_one_long_column_below_one_wide_row_is_no_table_of_bars() -> None:
    grid = Grid()
    for column in range(250):
        grid.put(0, column, f"name {column}")
    for row in range(1, 5000):
        grid.put(row, 0, f"value {row}")
    builder = DocumentBuilder("a.xlsx", "xlsx")
    grid.add_to(builder)
    text = builder.build().text
    assert "name 249" in text
    assert "value 4999" in text
    assert len(text) < 100_000
