"""Workbooks as one XML file."""

from __future__ import annotations

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.office.spreadsheetxml import SpreadsheetXmlReader
from wenqu.testing.contracts_reader import ReaderContract

SPACE = "urn:schemas-microsoft-com:office:spreadsheet"


def row(*cells: tuple[str, object] | str) -> str:
    """Write a row; a cell is its text, or its type and value with what the cell says of itself."""
    written = ""
    for cell in cells:
        kind, value = cell if isinstance(cell, tuple) else ("String", cell)
        kind, _, more = kind.partition(" ")
        written += f'<Cell {more}><Data ss:Type="{kind}">{value}</Data></Cell>'
    return f"<Row>{written}</Row>"


def workbook(*rows: str, styles: str = "", name: str = "人员") -> str:
    return (
        f'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook xmlns="{SPACE}" '
        f'xmlns:ss="{SPACE}"><Styles>{styles}</Styles><Worksheet ss:Name="{name}"><Table>'
        f"{''.join(rows)}</Table></Worksheet></Workbook>"
    )


def text_of(xml: str) -> str:
    return SpreadsheetXmlReader().read(xml.encode(), "x.xls").text


class TestSpreadsheetXmlReader(ReaderContract):
    def reader(self) -> SpreadsheetXmlReader:
        return SpreadsheetXmlReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "人员.xls": workbook(row("姓名", "部门"), row("张三", "财务部")).encode(),
            "staff.xml": workbook(row("name", "unit"), row("Ann", "sales"), name="staff").encode(
                "utf-16"
            ),
        }


def test_a_sheet_is_a_section_with_its_table() -> None:
    xml = workbook(row("姓名", "人数"), row("张三", ("Number", 5)), row(("Number ss:Index='2'", 7)))
    assert text_of(xml) == "人员\n\n| 姓名 | 人数 |\n| --- | --- |\n| 张三 | 5 |\n|  | 7 |"


def test_numbers_and_dates_are_shown_through_their_formats() -> None:
    styles = (
        '<Style ss:ID="p"><NumberFormat ss:Format="Percent"/></Style>'
        '<Style ss:ID="d"><NumberFormat ss:Format="Short Date"/></Style>'
    )
    xml = workbook(
        row("项目", "占比", "日期", "完成"),
        row(
            "甲",
            ("Number ss:StyleID='p'", 0.256),
            ("DateTime ss:StyleID='d'", "2018-09-20T00:00:00.000"),
            ("Boolean", 1),
        ),
        styles=styles,
    )
    assert "| 甲 | 25.60% | 2018-09-20 | TRUE |" in text_of(xml)


def test_a_cell_merged_down_is_said_in_each_row() -> None:
    xml = workbook(
        row("部门", "姓名"),
        row(("String ss:MergeDown='1'", "财务部"), "张三"),
        row(("String ss:Index='2'", "李四")),
    )
    assert "| 财务部 | 李四 |" in text_of(xml)


def test_what_breaks_off_gives_what_it_has_or_is_damaged() -> None:
    xml = workbook(row("姓名", "部门"), row("张三", "财务部"), row("李四", "人事部"))
    assert "| 张三 | 财务部 |" in text_of(xml[: xml.index("李四")])
    with pytest.raises(ReadError) as caught:
        text_of(xml[: xml.index("姓名")])
    assert caught.value.key == "read.damaged"


def test_other_xml_is_left_to_others() -> None:
    head = b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"/>'
    assert not SpreadsheetXmlReader().accepts(Sample(name="feed.xls", head=head))
