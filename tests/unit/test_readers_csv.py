"""Delimited text as one table."""

from __future__ import annotations

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions, Sample
from wenqu.readers.markup.csv import CsvReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.types import BlockKind


class TestCsvReader(ReaderContract):
    def reader(self) -> CsvReader:
        return CsvReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "会议室.csv": "会议室,座位\n听泉,6\n观澜,24\n".encode("gb18030"),
            "rooms.tsv": b"room\tseats\nspring\t6\n",
        }


def lines(text: str) -> list[str]:
    return CsvReader().read(text.encode(), "x.csv").text.split("\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_file_is_one_table_whatever_the_delimiter(delimiter: str) -> None:
    rows = [["name", "seats", "floor"], ["spring", "6", "3"], ["tide", "", "5"]]
    document = CsvReader().read("\n".join(map(delimiter.join, rows)).encode(), "rooms.csv")
    assert document.text.split("\n") == [
        "| name | seats | floor |",
        "| --- | --- | --- |",
        "| spring | 6 | 3 |",
        "| tide |  | 5 |",
    ]
    assert [block.kind for block in document.blocks] == [BlockKind.TABLE]
    assert document.meta["rows"] == "2"
    assert document.title == "rooms"


def test_quoted_cells_keep_delimiters_and_lose_line_ends() -> None:
    assert lines('name,note\na,"x, y\nz"\n')[2:] == ["| a | x, y z |"]


def test_a_bar_inside_a_cell_does_not_end_it() -> None:
    assert lines("name,note\na,x|y\n")[2:] == ["| a | x\\|y |"]


def test_rows_without_a_head_get_an_empty_one() -> None:
    assert lines("1,2\n3,4\n") == ["|  |  |", "| --- | --- |", "| 1 | 2 |", "| 3 | 4 |"]


def test_years_may_name_columns() -> None:
    assert lines("地区,2022,2023\n华东,5,6\n")[0] == "| 地区 | 2022 | 2023 |"


def test_rows_longer_or_shorter_than_the_head_lose_nothing() -> None:
    assert lines("a,b\n1,2,3\n4\n") == [
        "| a | b |  |",
        "| --- | --- | --- |",
        "| 1 | 2 | 3 |",
        "| 4 |  |  |",
    ]


def test_a_title_above_the_table_stands_before_it() -> None:
    document = CsvReader().read("销售汇总,,\n地区,一季度,二季度\n华东,1,2\n".encode(), "x.csv")
    assert [block.kind for block in document.blocks] == [BlockKind.PARAGRAPH, BlockKind.TABLE]
    assert document.text.startswith("销售汇总\n\n| 地区 | 一季度 | 二季度 |\n")


def test_a_single_column_is_lines_of_text() -> None:
    document = CsvReader().read(b"What is wenqu?\nHow do I install it?\n", "questions.csv")
    assert document.text == "What is wenqu?\nHow do I install it?"
    assert document.blocks[0].kind is BlockKind.PARAGRAPH


def test_a_first_line_that_names_the_separator_is_obeyed_and_not_shown() -> None:
    assert lines("sep=;\na;b,c\n1;2,5\n") == ["| a | b,c |", "| --- | --- |", "| 1 | 2,5 |"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "gb18030"])
def test_what_other_programs_export_as_a_workbook_but_is_text_is_read(encoding: str) -> None:
    data = "姓名\t部门\n张三\t财务部\n李四\t人事部\n".encode(encoding)
    assert CsvReader().accepts(Sample(name="导出.xls", head=data))
    assert "| 张三 | 财务部 |" in CsvReader().read(data, "导出.xls").text


def test_a_web_page_called_a_workbook_is_left_to_others() -> None:
    page = b"<table><tr><td>a\tb</td></tr></table>"
    assert not CsvReader().accepts(Sample(name="export.xls", head=page))


def test_more_text_than_allowed_is_an_error_with_a_hint() -> None:
    text = "number,word\n" + "".join(f"{n},word{n}\n" for n in range(2000))
    with pytest.raises(ReadError) as caught:
        CsvReader().read(text.encode(), "long.csv", ReadOptions(max_characters=5000))
    assert caught.value.key == "read.too_long"
    assert caught.value.hint("zh")


def test_many_rows_stay_one_table() -> None:
    text = "number,word\n" + "".join(f"{n},w{n}\n" for n in range(4500))
    document = CsvReader().read(text.encode(), "x.csv")
    assert len(document.blocks) == 1
    assert document.meta["rows"] == "4500"
