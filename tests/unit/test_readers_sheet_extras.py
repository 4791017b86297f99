"""What a sheet of Excel has beside its cells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wenqu.readers.markup.csv import CsvReader
from wenqu.readers.office.spreadsheet import SpreadsheetReader
from wenqu.testing.packages import KINDS, relations
from wenqu.testing.workbooks import MAIN, paragraphs, read_sheet, sheet_xml, tables, workbook
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from wenqu.protocols import Reader

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"

read = partial(read_sheet, SpreadsheetReader())


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


def chart(names: list[str], shapes: str, labels: str) -> bytes:
    """Return a workbook with a chart of one series; its values are 1, 2, 3 …

    ``shapes`` are drawn on it, ``labels`` are those that it takes out of cells.
    """
    anchor = "<x:from><x:col>0</x:col><x:row>1</x:row></x:from>"
    told = "".join(f"<c:pt idx='{at}'><c:v>{name}</c:v></c:pt>" for at, name in enumerate(names))
    values = "".join(f"<c:pt idx='{at}'><c:v>{at + 1}</c:v></c:pt>" for at in range(len(names)))
    series = (
        f"<c:ser><c:tx><c:v>销量</c:v></c:tx>{labels}<c:cat>{told}</c:cat>"
        f"<c:val><c:numCache>{values}</c:numCache></c:val></c:ser>"
    )
    frame = "<x:graphicFrame><c:chart r:id='c'/></x:graphicFrame>"
    return workbook(
        {"图": sheet_xml([], '<drawing r:id="d"/>')},
        extra={
            "xl/worksheets/_rels/sheet1.xml.rels": relations(("d", "drawing", "../drawings/d.xml")),
            "xl/drawings/d.xml": f'<x:wsDr xmlns:x="x" xmlns:c="c" xmlns:r="{KINDS}">'
            f"<x:one>{anchor}{frame}</x:one></x:wsDr>",
            "xl/drawings/_rels/d.xml.rels": relations(("c", "chart", "../charts/c.xml")),
            "xl/charts/c.xml": f'<c:chartSpace xmlns:c="c"><c:pieChart>{series}</c:pieChart>'
            "</c:chartSpace>",
            "xl/charts/_rels/c.xml.rels": relations(("s", "chartUserShapes", "../drawings/s.xml")),
            "xl/drawings/s.xml": f'<c:shapes xmlns:c="c" xmlns:a="{DRAWING}">{shapes}</c:shapes>',
        },
    )


def test_boxes_drawn_on_a_chart_and_labels_out_of_other_cells_are_read() -> None:
    data = chart(
        ["三月", "四月"],
        shapes="<a:p><a:r><a:t>创历史新高</a:t></a:r></a:p>",
        labels="<c:dlblRangeCache><c:pt idx='1'><c:v>增长一成</c:v></c:pt></c:dlblRangeCache>",
    )
    document = SpreadsheetReader().read(data, "a.xlsx")
    assert paragraphs(document) == ["创历史新高"]
    assert tables(document)[0][2:] == ["| 三月 | 1 |  |", "| 四月 | 2 | 增长一成 |"]


PRINTED = (
    "<headerFooter differentFirst='{first}'><oddHeader>&amp;L&amp;\"宋体,加粗\"&amp;12某某公司"
    "&amp;C&amp;KFF0000内部资料 &amp;&amp; 机密&amp;R&amp;D</oddHeader>"
    "<oddFooter>&amp;C第 &amp;P 页，共 &amp;N 页&amp;R制表：张三</oddFooter>"
    "<firstHeader>&amp;C封面</firstHeader><evenHeader>偶数页</evenHeader></headerFooter>"
)


def test_what_is_printed_above_and_below_sheets_is_told_once() -> None:
    sheets = {
        name: sheet_xml([["a", "b"], ["c", "d"]], PRINTED.format(first=first))
        for name, first in (("一", 0), ("二", 1))
    }
    document = SpreadsheetReader().read(workbook(sheets), "a.xlsx")
    assert paragraphs(document) == ["某某公司\n内部资料 & 机密", "制表：张三", "封面"]
    assert [block.heading for block in document.blocks if block.kind is BlockKind.PARAGRAPH] == [
        ("一",), ("一",), ("二",),
    ]  # fmt: skip
    assert document.text.index("某某公司") < document.text.index("| a | b |")
    assert document.text.index("| c | d |") < document.text.index("制表")
