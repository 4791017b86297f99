"""Workbooks of Excel: what their readers see in the cells."""

from __future__ import annotations

from functools import partial

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers.office.numberformat import display
from wenqu.readers.office.spreadsheet import SpreadsheetReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.workbooks import MAIN, STRICT, Cell, read_sheet, sheet_xml, tables, workbook
from wenqu.types import BlockKind

read = partial(read_sheet, SpreadsheetReader())


class TestSpreadsheetReader(ReaderContract):
    def reader(self) -> SpreadsheetReader:
        return SpreadsheetReader()

    def container(self, name: str) -> str:
        return "xlsx" if name.endswith("x") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "会议室.xlsx": workbook(
                {"会议室": sheet_xml([["名称", "座位"], ["听泉", 6], ["观澜", 24]])}
            ),
            "rooms.xlsx": workbook(
                {"rooms": sheet_xml([["name", "seats"], ["spring", 6]], namespace=STRICT)},
                namespace=STRICT,
            ),
        }


def test_each_sheet_is_a_section_with_its_table() -> None:
    data = workbook(
        {
            "收入": sheet_xml([["月份", "金额"], ["一月", 10]]),
            "支出": sheet_xml([["月份", "金额"], ["一月", 7]]),
        }
    )
    document = SpreadsheetReader().read(data, "账目.xlsx")
    assert [block.heading for block in document.blocks if block.kind is BlockKind.TABLE] == [
        ("收入",),
        ("支出",),
    ]
    assert tables(document)[1] == ["| 月份 | 金额 |", "| --- | --- |", "| 一月 | 7 |"]
    assert document.title == "账目"


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (123456789012345.0, "General", "123456789012345"),
        (3.14159265358979, "General", "3.141592654"),
        (0.1234, "0.00%", "12.34%"),
        (0.5, "0%", "50%"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (2.675, "0.00", "2.68"),
        (-0.2, "0", "0"),
        (7, "000", "007"),
        (12345678, "#,##0,", "12,346"),
        (1234, "0.00E+00", "1.23E+03"),
        (2.5, "# ?/?", "2 1/2"),
        (0, '#,##0.00;-#,##0.00;"-"', "-"),
        (-1599.99, '"$"#,##0.00_);[Red]\\("$"#,##0.00\\)', "($1,599.99)"),
        (1599.99, "_ [$¥-804]* #,##0.00_ ", "¥1,599.99"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (19.99, '0 "dollars and" .00 "cents"', "19 dollars and .99 cents"),
        (85, '[>=60]"及格";"不及格"', "及格"),
        (43, '[>=60]"及格";"不及格"', "不及格"),
        (43363, "m/d/yy", "2018-09-20"),
        (43363.75, "yyyy/m/d h:mm", "2018-09-20 18:00"),
        (43363, 'yyyy"年"m"月"d"日"', "2018年9月20日"),
        (43363, "[$-804]aaaa", "星期四"),
        (39219, "d-mmm-yy", "17-May-07"),
        (
            39219.18125,
            '"At "h:mm AM/PM" on "dddd mmmm d"," yyyy',
            "At 4:21 AM on Thursday May 17, 2007",
        ),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (86.25 / 86400, "mm:ss.0", "01:26.2"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (-1, "yyyy-mm-dd", "-1"),
        (1e300, "0", "1E+300"),
    ],
)
def test_a_number_is_shown_as_its_format_says(value: float, code: str, shown: str) -> None:
    assert display(value, code) == shown


def test_cells_show_numbers_dates_booleans_and_errors_as_people_see_them() -> None:
    document = read(
        [
            ["项目", "占比", "日期", "完成", "比率"],
            ["甲", (0.25, 1), (43363.0, 2), True, "#DIV/0!"],
        ],
        formats=("0.0%", "yyyy/m/d"),
    )
    assert tables(document)[0][2] == "| 甲 | 25.0% | 2018-09-20 | TRUE | #DIV/0! |"


def test_a_workbook_that_counts_from_1904_has_the_right_dates() -> None:
    document = read(
        [["name", "day"], ["a", (41901.0, 1)]], formats=("yyyy-mm-dd",), since_1904=True
    )
    assert "2018-09-20" in document.text


def test_hidden_sheets_are_read_and_empty_ones_leave_no_trace() -> None:
    data = workbook(
        {"空": sheet_xml([]), "码表": sheet_xml([["码", "义"], ["1", "男"]])}, state="hidden"
    )
    document = SpreadsheetReader().read(data, "x.xlsx")
    assert [block.heading for block in document.blocks] == [(), ("码表",)]


def test_a_sheet_that_breaks_off_gives_what_it_has_and_says_so() -> None:
    whole = sheet_xml([["name", "count"], *([f"item {n}", n] for n in range(50))])
    data = workbook({"Sheet1": whole[: len(whole) // 2]})
    document = SpreadsheetReader().read(data, "x.xlsx")
    assert "| item 3 | 3 |" in document.text
    assert document.meta["left_out"] == "xl/worksheets/sheet1.xml"


def test_a_workbook_of_which_nothing_is_left_is_damaged_not_empty() -> None:
    with pytest.raises(ReadError) as caught:
        SpreadsheetReader().read(workbook({"Sheet1": "<worksheet><sheetDa"}), "x.xlsx")
    assert caught.value.key == "read.damaged"


def test_a_workbook_without_any_text_is_empty() -> None:
    with pytest.raises(ReadError) as caught:
        SpreadsheetReader().read(workbook({"Sheet1": sheet_xml([])}), "x.xlsx")
    assert caught.value.key == "read.empty"


def test_entities_are_not_expanded() -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/hostname">]>'
        f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="inlineStr">'
        "<is><t>&b;&c;safe</t></is>"
        "</c></row></sheetData></worksheet>"
    )
    data = workbook({"Sheet1": bomb, "Sheet2": sheet_xml([["plain", "text"], [1, 2]])})
    text = SpreadsheetReader().read(data, "x.xlsx").text
    assert "aaaa" not in text
    assert "| plain | text |" in text


def test_a_workbook_with_more_text_than_allowed_ends_early() -> None:
    signs: list[None] = []
    rows: list[list[Cell]] = [["name", "count"], *([f"item {n}", n] for n in range(20_000))]
    data = workbook({"Sheet1": sheet_xml(rows)})
    options = ReadOptions(max_characters=250_000, alive=lambda: signs.append(None))
    with pytest.raises(ReadError) as caught:
        SpreadsheetReader().read(data, "x.xlsx", options)
    assert caught.value.key == "read.too_long"
    assert signs, "a long sheet says that it is still being read"


def test_strings_beyond_the_limit_end_it_before_any_cell_is_read() -> None:
    strings = f'<sst xmlns="{MAIN}">' + "<si><t>数据</t></si>" * 2000
    data = workbook({"a": sheet_xml([["x"]])}, extra={"xl/sharedStrings.xml": strings})
    with pytest.raises(ReadError) as caught:
        SpreadsheetReader().read(data, "x.xlsx", ReadOptions(max_characters=1000))
    assert caught.value.key == "read.too_long"


def test_properties_are_the_title_and_the_meta() -> None:
    core = (
        '<p xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
        "<dc:title>预算表</dc:title><dc:creator>财务部</dc:creator>"
        "<dcterms:modified>2024-05-01T08:00:00Z</dcterms:modified></p>"
    )
    document = read([["a", "b"], [1, 2]], extra={"docProps/core.xml": core})
    assert document.title == "预算表"
    assert document.meta["author"] == "财务部"
    assert document.meta["date"].startswith("2024-05-01")
