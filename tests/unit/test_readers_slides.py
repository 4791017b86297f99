"""Presentations of PowerPoint and LibreOffice: slides as pages, read as the eye goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.readers.markup.csv import CsvReader
from wenqu.readers.office.openslides import OpenSlidesReader
from wenqu.readers.office.slides import SlidesReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.packages import KINDS, relations, zipped
from wenqu.testing.reading import text_of, texts
from wenqu.types import BlockKind, Document

if TYPE_CHECKING:
    from wenqu.protocols import Reader

SPACES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    f'xmlns:r="{KINDS}"'
)
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def paragraph(text: str, style: str = "") -> str:
    return f"<a:p>{style}<a:r><a:t>{text}</a:t></a:r></a:p>"


def shape(
    *paragraphs: str, at: tuple[int, int] | None = (0, 0), kind: str | None = None, name: str = ""
) -> str:
    """Write a shape: paragraphs, top and left, the placeholder that it fills."""
    place = ""
    if at is not None:
        place = f'<a:xfrm><a:off x="{at[1]}" y="{at[0]}"/><a:ext cx="100" cy="100"/></a:xfrm>'
    filled = "" if kind is None else f'<p:ph type="{kind}"/>'
    body = "".join(text if text.startswith("<") else paragraph(text) for text in paragraphs)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="x" {name}/><p:nvPr>{filled}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{place}</p:spPr><p:txBody>{body}</p:txBody></p:sp>"
    )


def slide(*shapes: str) -> str:
    return f"<p:sld {SPACES}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:sld>"


def deck(*slides: str, order: list[int] | None = None, **parts: str) -> bytes:
    """Write a presentation; ``parts`` are named with __ for a slash and _rels for relations."""
    order = order or list(range(1, 1 + len(slides)))
    listed = "".join(f'<p:sldId id="{255 + at}" r:id="r{at}"/>' for at in order)
    whole = {
        "ppt/presentation.xml": f"<p:presentation {SPACES}><p:sldIdLst>{listed}</p:sldIdLst>"
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"r{at}", "slide", f"slides/slide{at}.xml") for at in order)
        ),
    }
    for at, content in enumerate(slides, 1):
        whole[f"ppt/slides/slide{at}.xml"] = content
    return zipped(whole | {name.replace("__", "/"): text for name, text in parts.items()})


def of_first(*entries: tuple[str, str, str]) -> dict[str, str]:
    return {"ppt/slides/_rels/slide1.xml.rels": relations(*entries)}


def read(data: bytes) -> Document:
    return SlidesReader().read(data, "deck.pptx")


def blocks(document: Document) -> list[tuple[BlockKind, int | None, str]]:
    return [(block.kind, block.page, text_of(document, block)) for block in document.blocks]


class TestSlidesReader(ReaderContract):
    def reader(self) -> SlidesReader:
        return SlidesReader()

    def container(self, name: str) -> str:
        return "pptx" if name.endswith("x") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "年度总结.pptx": deck(
                slide(shape("年度总结", kind="title"), shape("收入增长", at=(9, 0)))
            ),
            "review.pptx": deck(slide(shape("Review", kind="ctrTitle")), slide(shape("Thanks"))),
        }


def test_a_slide_is_a_page_and_its_title_the_heading() -> None:
    document = read(
        deck(
            slide(shape("Goals", kind="title"), shape("Grow", at=(300, 0))),
            slide(shape("目标", kind="title"), shape("增长", at=(300, 0))),
        )
    )
    assert blocks(document) == [
        (BlockKind.HEADING, 1, "Goals"),
        (BlockKind.PARAGRAPH, 1, "Grow"),
        (BlockKind.HEADING, 2, "目标"),
        (BlockKind.PARAGRAPH, 2, "增长"),
    ]
    assert document.blocks[3].heading == ("目标",)
    assert document.title == "Goals"
    assert document.meta["slides"] == "2"


def test_slides_come_in_the_presentations_order_not_in_that_of_their_names() -> None:
    document = read(deck(slide(shape("second")), slide(shape("first")), order=[2, 1]))
    assert texts(document) == ["first", "second"]


def test_shapes_are_read_row_by_row_whatever_their_order_in_the_file() -> None:
    document = read(
        deck(
            slide(
                shape("bottom right", at=(500, 600)),
                shape("top right", at=(210, 600)),
                shape("bottom left", at=(510, 0)),
                shape("top left", at=(200, 0)),
                shape("Title", kind="title"),
            )
        )
    )
    assert texts(document) == ["Title", "top left", "top right", "bottom left", "bottom right"]


def test_a_group_is_read_as_one_thing() -> None:
    place = '<a:xfrm><a:off x="0" y="200"/><a:ext cx="9" cy="300"/></a:xfrm>'
    group = (
        f"<p:grpSp><p:grpSpPr>{place}</p:grpSpPr>{shape('step 2', at=(400, 0))}"
        f"{shape('step 1', at=(0, 0))}</p:grpSp>"
    )
    document = read(deck(slide(shape("T", kind="title"), shape("beside", at=(200, 900)), group)))
    assert texts(document) == ["T", "step 1", "step 2", "beside"]


def test_a_placeholder_without_a_place_has_that_of_its_layout() -> None:
    layout = slide(shape("prompt", at=(900, 0), kind="body"))
    data = deck(
        slide(
            shape("T", kind="title"), shape("low", at=None, kind="body"), shape("high", at=(300, 0))
        ),
        **of_first(("l", "slideLayout", "../slideLayouts/slideLayout1.xml")),
        **{"ppt/slideLayouts/slideLayout1.xml": layout},
    )
    assert texts(read(data)) == ["T", "high", "low"]


def test_points_are_lists_with_their_levels_and_numbers() -> None:
    numbered = "<a:pPr><a:buAutoNum type='arabicPeriod'/></a:pPr>"
    document = read(
        deck(
            slide(
                shape("T", kind="title"),
                shape("first", paragraph("inner", '<a:pPr lvl="1"/>'), at=(200, 0), kind="body"),
                shape(
                    paragraph("one", numbered), paragraph("two", numbered),
                    paragraph("plain", "<a:pPr><a:buNone/></a:pPr>"), at=(400, 0),
                ),
            )
        )
    )  # fmt: skip
    assert blocks(document)[1:] == [
        (BlockKind.LIST, 1, "- first\n  - inner"),
        (BlockKind.LIST, 1, "1. one\n2. two"),
        (BlockKind.PARAGRAPH, 1, "plain"),
    ]


def test_a_slide_without_a_title_is_headed_by_its_first_line_or_its_number() -> None:
    long = "这一页没有标题，只有一段很长的说明文字，" * 4
    document = read(deck(slide(shape("Agenda"), shape("Item", at=(300, 0))), slide(shape(long))))
    headings = [text for kind, _, text in blocks(document) if kind is BlockKind.HEADING]
    assert headings == ["Agenda", "第 2 页"]
    assert long in document.text


def test_tables_and_charts_are_markdown_tables_in_their_place() -> None:
    def row(*cells: str) -> str:
        return "<a:tr>" + "".join(f"<a:tc>{paragraph(cell)}</a:tc>" for cell in cells) + "</a:tr>"

    place = '<p:xfrm><a:off x="0" y="{top}"/><a:ext cx="1" cy="1"/></p:xfrm>'
    rows = row("姓名", "部门") + row("张三", "财务|部")
    table = f"<p:graphicFrame>{place.format(top=500)}<a:tbl>{rows}</a:tbl></p:graphicFrame>"
    chart = f'<p:graphicFrame>{place.format(top=300)}<c:chart r:id="c"/></p:graphicFrame>'
    values = (
        f"<c:chartSpace {SPACES}><c:ser><c:tx><c:v>Sales</c:v></c:tx><c:cat><c:pt idx='0'>"
        "<c:v>Q1</c:v></c:pt></c:cat><c:val><c:numCache><c:formatCode>0%</c:formatCode>"
        "<c:pt idx='0'><c:v>0.4</c:v>"
        "</c:pt></c:numCache></c:val></c:ser></c:chartSpace>"
    )
    data = deck(
        slide(shape("T", kind="title"), table, chart),
        **of_first(("c", "chart", "../charts/chart1.xml")),
        **{"ppt/charts/chart1.xml": values},
    )
    assert blocks(read(data))[1:] == [
        (BlockKind.TABLE, 1, "|  | Sales |\n| --- | --- |\n| Q1 | 40% |"),
        (BlockKind.TABLE, 1, "| 姓名 | 部门 |\n| --- | --- |\n| 张三 | 财务\\|部 |"),
    ]


def test_notes_and_comments_follow_their_slide() -> None:
    notes = slide(shape("要点：控制成本", kind="body"), shape("1", kind="sldNum"))
    comments = f"<p:cmLst {SPACES}><p:cm><p:text>请补充数据</p:text></p:cm></p:cmLst>"
    data = deck(
        slide(shape("成本", kind="title")),
        slide(shape("End")),
        **of_first(
            ("n", "notesSlide", "../notesSlides/notesSlide1.xml"),
            ("c", "comments", "../comments/comment1.xml"),
        ),
        **{"ppt/notesSlides/notesSlide1.xml": notes, "ppt/comments/comment1.xml": comments},
    )
    assert texts(read(data)) == ["成本", "要点：控制成本", "请补充数据", "End"]


def test_what_stands_on_every_slide_is_said_once_and_numbers_not_at_all() -> None:
    footer, number = shape("机密", at=(900, 0), kind="ftr"), shape("7", at=(900, 9), kind="sldNum")
    master = slide(shape("Click to edit", kind="title"), shape("ACME Ltd", at=(950, 0)))
    layout = {
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relations(
            ("m", "slideMaster", "../slideMasters/slideMaster1.xml")
        )
    }
    used = relations(("l", "slideLayout", "../slideLayouts/slideLayout1.xml"))
    data = deck(
        slide(shape("A", kind="title"), footer, number),
        slide(shape("B", kind="title"), footer, number),
        **layout,
        **{
            "ppt/slides/_rels/slide1.xml.rels": used,
            "ppt/slides/_rels/slide2.xml.rels": used,
            "ppt/slideLayouts/slideLayout1.xml": slide(),
            "ppt/slideMasters/slideMaster1.xml": master,
        },
    )
    assert texts(read(data)) == ["A", "机密", "ACME Ltd", "B"]


@pytest.mark.parametrize(
    ("described", "shown"),
    [
        ("公司组织架构：总经理下设三个部门", ["公司组织架构：总经理下设三个部门"]),
        ("A duck on a pond Description automatically generated", ["A duck on a pond"]),
        ("Picture 3", []),
        ("图片 4", []),
        ("IMG_2041.jpg", []),
    ],
)
def test_a_picture_says_what_its_author_said_of_it(described: str, shown: list[str]) -> None:
    picture = (
        f'<p:pic><p:nvPicPr><p:cNvPr id="2" name="x" descr="{described}"/></p:nvPicPr>'
        '<p:blipFill><a:blip r:embed="gone"/></p:blipFill><p:spPr/></p:pic>'
    )
    assert texts(read(deck(slide(shape("T", kind="title"), picture)))) == ["T", *shown]


def test_hidden_shapes_are_left_out_and_of_alternatives_one_is_taken() -> None:
    both = (
        f"<mc:AlternateContent><mc:Choice>{shape('new', at=(300, 0))}</mc:Choice>"
        f"<mc:Fallback>{shape('old', at=(300, 0))}</mc:Fallback></mc:AlternateContent>"
    )
    data = deck(slide(shape("T", kind="title"), shape("ghost", name='hidden="1"'), both))
    assert texts(read(data)) == ["T", "new"]


def test_the_address_of_a_link_is_kept_where_the_text_does_not_show_it() -> None:
    link = '<a:p><a:r><a:rPr><a:hlinkClick r:id="h"/></a:rPr><a:t>{}</a:t></a:r></a:p>'
    data = deck(
        slide(
            shape("T", kind="title"),
            shape(link.format("the manual"), link.format("https://example.org/m"), at=(300, 0)),
        ),
        **of_first(("h", "hyperlink", "https://example.org/m")),
    )
    assert texts(read(data))[1:] == ["the manual (https://example.org/m)", "https://example.org/m"]


def test_an_embedded_file_becomes_a_section_of_the_slide() -> None:
    def readers() -> tuple[Reader, ...]:
        return (CsvReader(),)

    data = deck(
        slide(shape("附件", kind="title")),
        **of_first(("e", "package", "../embeddings/prices.csv")),
        **{"ppt/embeddings/prices.csv": "no,price\nK-1,30\n"},
    )
    document = SlidesReader(readers).read(data, "deck.pptx")
    assert document.blocks[-1].heading == ("附件", "prices.csv")


def test_a_slide_that_breaks_off_costs_neither_its_beginning_nor_the_others() -> None:
    broken = slide(shape("Kept", kind="title"), shape("lost", at=(300, 0)))
    document = read(deck(broken[: broken.index("lost")], slide(shape("Whole", kind="title"))))
    assert texts(document) == ["Kept", "Whole"]
    assert document.meta["left_out"] == "ppt/slides/slide1.xml"


def test_a_presentation_without_text_is_empty() -> None:
    with pytest.raises(ReadError) as caught:
        read(deck(slide()))
    assert caught.value.key == "read.empty"


def odp(pages: str, masters: str = "") -> bytes:
    spaces = {
        "office": "office", "table": "table", "text": "text", "draw": "drawing", "style": "style",
        "svg": "svg-compatible", "presentation": "presentation",
    }  # fmt: skip
    names = " ".join(f'xmlns:{short}="{ODF}:{long}:1.0"' for short, long in spaces.items())
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.presentation",
            "content.xml": f"<office:document {names}><office:body><office:presentation>{pages}"
            "</office:presentation></office:body></office:document>",
            "styles.xml": f"<office:document {names}>{masters}</office:document>",
        }
    )


def frame(text: str, top: str = "1cm", role: str = "") -> str:
    named = f'presentation:class="{role}"' if role else ""
    return (
        f'<draw:frame svg:x="1cm" svg:y="{top}" svg:height="1cm" {named}><draw:text-box>'
        f"{text if text.startswith('<') else f'<text:p>{text}</text:p>'}</draw:text-box>"
        "</draw:frame>"
    )


class TestOpenSlidesReader(ReaderContract):
    def reader(self) -> OpenSlidesReader:
        return OpenSlidesReader()

    def container(self, name: str) -> str:
        return "odp" if name.endswith(".odp") else ""

    def samples(self) -> dict[str, bytes]:
        return {
            "总结.odp": odp(f"<draw:page>{frame('年度总结', role='title')}</draw:page>"),
            "review.odp": odp(f"<draw:page>{frame('Review')}{frame('Thanks', '5cm')}</draw:page>"),
        }


def test_an_open_presentation_is_read_like_the_others() -> None:
    points = (
        "<text:list><text:list-item><text:p>降本</text:p><text:list><text:list-item><text:p>采购</text:p>"
        "</text:list-item></text:list></text:list-item></text:list>"
    )
    table = (
        '<draw:frame svg:y="90mm"><table:table><table:table-row><table:table-cell>'
        "<text:p>项目</text:p>"
        "</table:table-cell><table:table-cell><text:p>金额</text:p></table:table-cell></table:table-row>"
        "<table:table-row><table:table-cell><text:p>差旅</text:p></table:table-cell><table:table-cell>"
        "<text:p>30</text:p></table:table-cell></table:table-row></table:table></draw:frame>"
    )
    notes = f"<presentation:notes>{frame('讲三分钟', role='notes')}</presentation:notes>"
    behind = frame("机密", role="footer") + frame("标题", role="title")
    masters = f"<style:master-page style:name='M'>{behind}</style:master-page>"
    page = (
        f'<draw:page draw:master-page-name="M">{table}{frame(points, "5cm", "outline")}'
        f"{frame('目标', role='title')}{notes}</draw:page>"
    )
    document = OpenSlidesReader().read(odp(page + page, masters), "x.odp")
    assert blocks(document)[:5] == [
        (BlockKind.HEADING, 1, "目标"),
        (BlockKind.LIST, 1, "- 降本\n  - 采购"),
        (BlockKind.TABLE, 1, "| 项目 | 金额 |\n| --- | --- |\n| 差旅 | 30 |"),
        (BlockKind.PARAGRAPH, 1, "机密"),
        (BlockKind.PARAGRAPH, 1, "讲三分钟"),
    ]
    assert document.blocks[5].page == 2
    assert texts(document).count("机密") == 1


def test_an_open_document_under_a_password_asks_for_it() -> None:
    manifest = (
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><m:file-entry '
        'm:full-path="content.xml"><m:encryption-data/></m:file-entry></m:manifest>'
    )
    data = zipped({"content.xml": "garbled", "META-INF/manifest.xml": manifest})
    with pytest.raises(ReadError) as caught:
        OpenSlidesReader().read(data, "x.odp")
    assert caught.value.key == "read.encrypted"


def test_charts_formulas_and_documents_in_an_open_document_say_what_they_show() -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(
        f'xmlns:{short}="{office}:{name}:1.0"'
        for short, name in (
            ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
            ("c", "chart"),
        )
    )  # fmt: skip
    cells = "".join(
        f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in "甲乙"
    )
    table = f"<table:table><table:table-row>{cells}</table:table-row>"
    inner = {
        "Chart": f"<c:chart {spaces}><c:title><text:p>各季销量</text:p></c:title></c:chart>",
        "Math": "<math><semantics><mi>E</mi><annotation>E = m c^2</annotation></semantics></math>",
        "Text": f"<office:document {spaces}><office:text><text:p>内嵌的说明。</text:p>{table}"
        "</table:table></office:text></office:document>",
    }
    frames = "".join(
        f'<draw:frame><draw:object xmlns:x="x" x:href="./{name}"/></draw:frame>' for name in inner
    )
    content = f"<office:document {spaces}><draw:page>{frames}</draw:page></office:document>"
    parts = {f"{name}/content.xml": text for name, text in inner.items()}
    data = zipped({"content.xml": content, **parts})
    document = OpenSlidesReader().read(data, "a.odp")
    assert texts(document) == ["各季销量", "E = m c^2", "内嵌的说明。", "甲 | 乙"]
