"""Workbooks of Excel and LibreOffice: what their readers see, as Markdown tables."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Reader, ReadOptions
from wenqu.readers.markup.csv import CsvReader
from wenqu.readers.office.numberformat import display
from wenqu.readers.office.opensheet import OpenSpreadsheetReader
from wenqu.readers.office.spreadsheet import SpreadsheetReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.packages import KINDS, relations, zipped
from wenqu.types import BlockKind, Document

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
ODF = "urn:oasis:names:tc:opendocument:xmlns"
Cell = str | float | bool | None | tuple[float, int]


def cell(place: str, value: Cell) -> str:
    style = 0
    if isinstance(value, tuple):
        value, style = value
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        kind = "e" if value.startswith("#") else "str"
        return f'<c r="{place}" t="{kind}"><v>{escape(value)}</v></c>'
    return f'<c r="{place}" s="{style}"><v>{value!r}</v></c>'


def sheet_xml(rows: list[list[Cell]], after: str = "", namespace: str = MAIN) -> str:
    """Write a sheet; a row without cells, or a cell that is None, is not in the file."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(
            cell(f"{chr(65 + at)}{number}", value)
            for at, value in enumerate(row)
            if value is not None
        )
        if cells:
            lines.append(f'<row r="{number}">{cells}</row>')
    return (
        f'<worksheet xmlns="{namespace}" xmlns:r="{KINDS}"><sheetData>{"".join(lines)}</sheetData>'
        f"{after}</worksheet>"
    )


def workbook(
    sheets: dict[str, str],
    *,
    formats: tuple[str, ...] = (),
    since_1904: bool = False,
    extra: dict[str, str | bytes] | None = None,
    namespace: str = MAIN,
    state: str = "visible",
) -> bytes:
    names = "".join(
        f'<sheet name="{name}" sheetId="{at}" state="{state}" r:id="r{at}"/>'
        for at, name in enumerate(sheets, 1)
    )
    codes = "".join(
        f'<numFmt numFmtId="{164 + at}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for at, code in enumerate(formats)
    )
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(formats)))
    parts: dict[str, str | bytes] = {
        "xl/workbook.xml": f'<workbook xmlns="{namespace}" xmlns:r="{KINDS}">'
        f'<workbookPr date1904="{int(since_1904)}"/><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            *(
                (f"r{at}", "worksheet", f"worksheets/sheet{at}.xml")
                for at in range(1, 1 + len(sheets))
            )
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{namespace}"><numFmts>{codes}</numFmts>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
    }
    for at, content in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{at}.xml"] = content
    return zipped(parts | (extra or {}))


def read(rows: list[list[Cell]], after: str = "", **more: object) -> Document:
    data = workbook({"Sheet1": sheet_xml(rows, after)}, **more)  # type: ignore[arg-type]
    return SpreadsheetReader().read(data, "book.xlsx")


def tables(document: Document) -> list[list[str]]:
    return [
        document.text[block.span.start : block.span.end].split("\n")
        for block in document.blocks
        if block.kind is BlockKind.TABLE
    ]


def paragraphs(document: Document) -> list[str]:
    return [
        document.text[block.span.start : block.span.end]
        for block in document.blocks
        if block.kind is BlockKind.PARAGRAPH
    ]


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


def open_document(content: str, kind: str, **parts: str) -> bytes:
    spaces = {
        "office": "office", "table": "table", "text": "text", "draw": "drawing", "dc": "dc",
        "svg": "svg-compatible", "presentation": "presentation", "style": "style",
    }  # fmt: skip
    names = " ".join(f'xmlns:{short}="{ODF}:{long}:1.0"' for short, long in spaces.items())
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


def test_addresses_behind_cells_are_kept() -> None:
    document = read(
        [["site", "since"], ["wenqu", 2025]],
        '<hyperlinks><hyperlink ref="A2" r:id="h1"/></hyperlinks>',
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(
                ("h1", "hyperlink", "https://example.org/wenqu")
            )
        },
    )
    assert "| wenqu https://example.org/wenqu | 2025 |" in document.text


def test_comments_say_their_cell_and_author() -> None:
    document = read(
        [["year", "ducks"], [2023, 280]],
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(("c", "comments", "../comments1.xml")),
            "xl/comments1.xml": f'<comments xmlns="{MAIN}"><authors><author>王敏</author></authors>'
            '<commentList><comment ref="B2" authorId="0"><text>'
            "<r><t>王敏:\n</t></r><r><t>待核实</t></r>"
            "</text></comment></commentList></comments>",
        },
    )
    assert paragraphs(document) == ["B2 (王敏): 待核实"]


def test_text_boxes_charts_and_diagrams_on_a_sheet_are_read() -> None:
    chart = (
        '<c:chartSpace xmlns:c="c" xmlns:a="a"><c:title><a:p><a:r>'
        "<a:t>Ducks a year</a:t></a:r></a:p>"
        "</c:title><c:ser><c:tx><c:pt idx='0'><c:v>Ducks</c:v></c:pt></c:tx><c:cat><c:pt idx='0'>"
        "<c:v>2023</c:v></c:pt></c:cat><c:val><c:numCache><c:formatCode>#,##0</c:formatCode>"
        "<c:pt idx='0'><c:v>1280</c:v></c:pt></c:numCache></c:val></c:ser></c:chartSpace>"
    )
    diagram = (
        '<d:dataModel xmlns:d="d" xmlns:a="a"><d:ptLst><d:pt modelId="1" type="doc"/>'
        '<d:pt modelId="2"><a:p><a:r><a:t>总经理</a:t></a:r></a:p></d:pt>'
        '<d:pt modelId="3"><a:p><a:r><a:t>财务部</a:t></a:r></a:p></d:pt></d:ptLst><d:cxnLst>'
        '<d:cxn srcId="2" destId="3"/><d:cxn srcId="1" destId="2"/></d:cxnLst></d:dataModel>'
    )
    anchor = "<x:from><x:col>1</x:col><x:row>{row}</x:row></x:from>"
    drawing = (
        f'<x:wsDr xmlns:x="x" xmlns:a="{DRAWING}" xmlns:c="c" xmlns:d="d" xmlns:r="{KINDS}">'
        f"<x:one>{anchor.format(row=9)}<x:graphicFrame><c:chart r:id='c'/></x:graphicFrame></x:one>"
        f"<x:one>{anchor.format(row=20)}<x:graphicFrame>"
        f"<d:relIds r:dm='d'/></x:graphicFrame></x:one>"
        f"<x:one>{anchor.format(row=2)}<x:sp><x:txBody><a:p><a:r><a:t>Note well</a:t></a:r></a:p>"
        "</x:txBody></x:sp></x:one></x:wsDr>"
    )
    document = read(
        [["a", "b"], [1, 2]],
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(
                ("d", "drawing", "../drawings/d1.xml")
            ),
            "xl/drawings/d1.xml": drawing,
            "xl/drawings/_rels/d1.xml.rels": relations(
                ("c", "chart", "../charts/c1.xml"), ("d", "diagramData", "../diagrams/data1.xml")
            ),
            "xl/charts/c1.xml": chart,
            "xl/diagrams/data1.xml": diagram,
        },
    )
    rest = document.text.partition("| 1 | 2 |\n\n")[2]
    assert rest == (
        "Note well\n\nDucks a year\n\n|  | Ducks |\n| --- | --- |\n| 2023 | 1,280 |\n\n"
        "- 总经理\n  - 财务部"
    )


def test_hidden_sheets_are_read_and_empty_ones_leave_no_trace() -> None:
    data = workbook(
        {"空": sheet_xml([]), "码表": sheet_xml([["码", "义"], ["1", "男"]])}, state="hidden"
    )
    document = SpreadsheetReader().read(data, "x.xlsx")
    assert [block.heading for block in document.blocks] == [(), ("码表",)]


def test_an_embedded_file_becomes_a_section_of_the_sheet() -> None:
    def readers() -> tuple[Reader, ...]:
        return (CsvReader(),)

    data = workbook(
        {"主表": sheet_xml([["a", "b"], [1, 2]])},
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(
                ("e", "package", "../embeddings/附表.csv")
            ),
            "xl/embeddings/附表.csv": "编号,单价\nK-1,30\n",
        },
    )
    document = SpreadsheetReader(readers).read(data, "x.xlsx")
    assert document.blocks[-1].heading == ("主表", "附表.csv")
    assert "| K-1 | 30 |" in document.text


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


def test_connections_name_their_places_and_nothing_secret() -> None:
    connections = (
        f'<connections xmlns="{MAIN}">'
        '<connection name="Prices"><webPr url="https://ann:pw1@example.com/p.html?key=pw2#a"/>'
        "</connection>"
        '<connection name="Stock"><dbPr connection="Provider=SQLOLEDB;Data Source=db.example.org;'
        'Initial Catalog=Shop;User ID=ann;Password=&quot;pw3;Server=evil&quot;;Pwd=pw4"/>'
        "</connection>"
        '<connection name="Query"><dbPr connection="Data Source=$Workbook$;Location=Q"/>'
        "</connection></connections>"
    )
    document = read([["Goods"]], extra={"xl/connections.xml": connections})
    assert document.text == (
        "Sheet1\n\nGoods\n\nConnections\n\n"
        "- Prices: https://example.com/p.html\n- Stock: db.example.org, Shop"
    )
    assert document.blocks[-1].heading == ("Connections",)


def test_links_to_other_files_are_named_once() -> None:
    link = (
        f'<externalLink xmlns="{MAIN}" xmlns:r="{KINDS}"><externalBook r:id="r1"/></externalLink>'
    )
    command = (
        f'<externalLink xmlns="{MAIN}"><ddeLink ddeService="cmd" ddeTopic="/c x"/></externalLink>'
    )
    extra: dict[str, str | bytes] = {
        "xl/_rels/workbook.xml.rels": relations(
            ("r1", "worksheet", "worksheets/sheet1.xml"),
            ("r2", "externalLink", "externalLinks/1.xml"),
            ("r3", "externalLink", "externalLinks/2.xml"),
            ("r4", "externalLink", "externalLinks/3.xml"),
        ),
        "xl/externalLinks/1.xml": link,
        "xl/externalLinks/2.xml": link,
        "xl/externalLinks/3.xml": command,
    }
    for number in (1, 2):
        extra[f"xl/externalLinks/_rels/{number}.xml.rels"] = relations(
            ("r1", "externalLinkPath", "file:///D:/预算.xlsx")
        )
    document = read([["Goods"]], extra=extra)
    assert document.text.endswith("Connections\n\n- file:///D:/预算.xlsx\n- cmd|/c x")
