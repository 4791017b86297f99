"""Spreadsheets of LibreOffice: what their readers see, as Markdown tables."""

from __future__ import annotations

from wenqu.readers.office.opensheet import OpenSpreadsheetReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.packages import zipped
from wenqu.testing.workbooks import paragraphs, tables

ODF = "urn:oasis:names:tc:opendocument:xmlns"


def open_document(content: str, kind: str, **parts: str) -> bytes:
    spaces = {
        "office": "office", "table": "table", "text": "text", "draw": "drawing", "dc": "dc",
        "svg": "svg-compatible", "presentation": "presentation", "style": "style",
    }  # fmt: skip
    names = " ".join(f'xmlns:{short}="{ODF}:{long}:1.0"' for short, long in spaces.items())
    names += ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    whole: dict[str, str | bytes] = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {names}><office:body>{content}</office:body>"
        "</office:document-content>",
    }
    for name, text in parts.items():
        whole[f"{name}.xml"] = f"<office:document {names}>{text}</office:document>"
    return zipped(whole)


def ods(rows: str, before: str = "") -> bytes:
    return open_document(
        f'<office:spreadsheet><table:table table:name="员工">{before}{rows}</table:table>'
        "</office:spreadsheet>",
        "spreadsheet",
    )


def ods_row(*texts: str, attributes: str = "") -> str:
    cells = "".join(
        f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts
    )
    return f"<table:table-row {attributes}>{cells}</table:table-row>"


class TestOpenSpreadsheetReader(ReaderContract):
    def reader(self) -> OpenSpreadsheetReader:
        return OpenSpreadsheetReader()

    def container(self, name: str) -> str:
        return "ods" if name.endswith(".ods") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "员工.ods": ods(ods_row("姓名", "部门") + ods_row("张三", "财务部")),
            "staff.ods": ods(ods_row("name", "unit") + ods_row("Ann", "sales")),
        }


def test_repeated_rows_and_cells_of_an_open_document_count_as_often_as_they_say() -> None:
    empty = (
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    rows = ods_row("班次", "人数") + ods_row(
        "早班", "8", attributes='table:number-rows-repeated="2"'
    )
    document = OpenSpreadsheetReader().read(ods(rows + empty), "x.ods")
    assert tables(document) == [
        ["| 班次 | 人数 |", "| --- | --- |", "| 早班 | 8 |", "| 早班 | 8 |"]
    ]


def test_an_open_document_keeps_comments_and_shapes_apart_from_cells() -> None:
    commented = (
        "<table:table-row><table:table-cell><office:annotation><text:p>请核对</text:p></office:annotation>"
        "<text:p>张三</text:p></table:table-cell><table:table-cell><text:p>财务部</text:p></table:table-cell>"
        "</table:table-row>"
    )
    shapes = (
        "<table:shapes><draw:frame><draw:text-box><text:p>流程说明</text:p></draw:text-box>"
        "</draw:frame></table:shapes>"
    )
    document = OpenSpreadsheetReader().read(
        ods(ods_row("姓名", "部门") + commented, shapes), "x.ods"
    )
    assert tables(document)[0][2] == "| 张三 | 财务部 |"
    assert paragraphs(document) == ["请核对", "流程说明"]


def test_dates_of_an_open_document_in_digits_are_iso() -> None:
    dated = (
        "<table:table-row><table:table-cell><text:p>甲</text:p></table:table-cell>"
        "<table:table-cell "
        'office:value-type="date" office:date-value="2024-03-05">'
        "<text:p>05.03.24</text:p></table:table-cell>"
        "</table:table-row>"
    )
    document = OpenSpreadsheetReader().read(ods(ods_row("项目", "日期") + dated), "x.ods")
    assert "| 甲 | 2024-03-05 |" in document.text


def test_headers_and_footers_are_those_of_the_master_that_the_sheet_names() -> None:
    styles = (
        "<office:master-styles>"
        '<style:master-page style:name="Mine"><style:header><style:region-left>'
        "<text:p>某某公司 <text:sheet-name>表一</text:sheet-name></text:p></style:region-left>"
        "</style:header><style:footer><text:p>第 <text:page-number>1</text:page-number> 页</text:p>"
        "<text:p>制表：张三</text:p></style:footer></style:master-page>"
        '<style:master-page style:name="Report"><style:header><text:p>不用</text:p></style:header>'
        "</style:master-page></office:master-styles>"
    )
    used = (
        '<office:automatic-styles><style:style style:name="ta1" style:family="table" '
        'style:master-page-name="Mine"/></office:automatic-styles>'
    )
    sheet = (
        f'<table:table table:name="{{}}" table:style-name="ta1">{ods_row("甲", "乙")}</table:table>'
    )
    body = f"<office:spreadsheet>{sheet.format('一')}{sheet.format('二')}</office:spreadsheet>"
    data = open_document(f"{used}{body}", "spreadsheet", styles=styles)
    document = OpenSpreadsheetReader().read(data, "a.ods")
    assert document.text == "一\n\n某某公司\n\n甲 | 乙\n\n制表：张三\n\n二\n\n甲 | 乙"


def test_the_titles_and_values_of_charts_follow_the_sheet() -> None:
    chart = (
        '<c:chart xmlns:c="urn:oasis:names:tc:opendocument:xmlns:chart:1.0">'
        "<c:title><text:p>各季销量</text:p></c:title><c:axis><c:title><text:p>万元</text:p></c:title>"
        f"</c:axis><table:table>{ods_row('', '销量')}{ods_row('一季', '5')}</table:table></c:chart>"
    )
    frame = '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
    cell = f"<table:table-row><table:table-cell>{frame}</table:table-cell></table:table-row>"
    table = f'<table:table table:name="图">{cell}</table:table>'
    body = f"<office:spreadsheet>{table}</office:spreadsheet>"
    data = open_document(body, "spreadsheet", **{"Object 1/content": chart})
    document = OpenSpreadsheetReader().read(data, "a.ods")
    assert paragraphs(document) == ["各季销量", "万元"]
    assert tables(document) == [["|  | 销量 |", "| --- | --- |", "| 一季 | 5 |"]]


def test_where_an_open_document_takes_data_from_is_named_without_secrets() -> None:
    link = '<table:table-source xlink:href="https://me:secret@a.cn/b.ods?key=k"/>'
    base = (
        "<table:database-ranges><table:database-range><table:database-source-sql "
        'table:database-name="人事库" table:sql-statement="SELECT 1"/></table:database-range>'
        "</table:database-ranges>"
    )
    sheet = f'<table:table table:name="一">{link}{ods_row("甲", "乙")}</table:table>'
    body = f"<office:spreadsheet>{sheet}{base}</office:spreadsheet>"
    document = OpenSpreadsheetReader().read(open_document(body, "spreadsheet"), "a.ods")
    assert document.text == "一\n\n甲 | 乙\n\nConnections\n\n- https://a.cn/b.ods\n- 人事库"
