"""OpenDocument texts, in packages and flat."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions, Sample
from wenqu.readers import default_readers
from wenqu.readers.office.opendocument import OpenDocumentReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import blocks, texts
from wenqu.types import BlockKind, Document

OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = (
    " ".join(
        f'xmlns:{name}="{OASIS}:{name}:1.0"'
        for name in ("office", "text", "table", "style", "meta", "manifest")
    )
    + f' xmlns:draw="{OASIS}:drawing:1.0" xmlns:svg="{OASIS}:svg-compatible:1.0"'
    + f' xmlns:fo="{OASIS}:xsl-fo-compatible:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'
    + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
MIMETYPE = "application/vnd.oasis.opendocument.text"


def root(name: str, inner: str) -> str:
    return f'<?xml version="1.0"?><office:{name} {SPACES}>{inner}</office:{name}>'


def odt(body: str, automatic: str = "", **parts: str | bytes) -> bytes:
    """Return a document; of the parts, ``styles`` and ``meta`` are the inside of XML roots."""
    target = BytesIO()
    content = (
        f"<office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body>"
    )
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", MIMETYPE)
        archive.writestr("content.xml", root("document-content", content))
        for name, inner in parts.items():
            if name in {"styles", "meta"}:
                archive.writestr(f"{name}.xml", root(f"document-{name}", str(inner)))
            else:
                archive.writestr(name, inner)
    return target.getvalue()


def read(data: bytes) -> Document:
    return OpenDocumentReader(default_readers).read(data, "x.odt")


def h(level: int, text: str) -> str:
    return f'<text:h text:outline-level="{level}">{text}</text:h>'


def p(text: str, style: str = "") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def items(*inner: str) -> str:
    return "".join(f"<text:list-item>{each}</text:list-item>" for each in inner)


def list_style(name: str, *levels: str) -> str:
    return f'<text:list-style style:name="{name}">{"".join(levels)}</text:list-style>'


def counted(level: int, form: str, more: str = "") -> str:
    return f'<text:list-level-style-number text:level="{level}" style:num-format="{form}" {more}/>'


def cell(text: str, more: str = "") -> str:
    return f"<table:table-cell {more}>{p(text) if text else ''}</table:table-cell>"


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def table(inner: str) -> str:
    return f"<table:table>{inner}</table:table>"


class TestOpenDocumentReader(ReaderContract):
    def reader(self) -> OpenDocumentReader:
        return OpenDocumentReader(default_readers)

    def samples(self) -> dict[str, bytes]:
        flat = f"<office:body><office:text>{p('Flat text.')}</office:text></office:body>"
        document = root("document", flat).replace(
            "<office:document ", f'<office:document office:mimetype="{MIMETYPE}" '
        )
        return {
            "办法.odt": odt(h(1, "总则") + p("按时到岗。")),
            "terms.odt": odt(h(1, "Terms") + p("One.") + table(row(cell("a"), cell("b")))),
            "flat.fodt": document.encode(),
        }

    def container(self, name: str) -> str:
        return "" if name.endswith(".fodt") else "odt"


def test_headings_have_their_level_and_the_title_is_above() -> None:
    styles = (
        '<office:styles><style:style style:name="Title" style:family="paragraph"/></office:styles>'
    )
    automatic = (
        '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
    )
    document = read(
        odt(p("手册", "P1") + h(1, "总则") + h(2, "范围") + p("文。"), automatic, styles=styles)
    )
    assert document.blocks[-1].heading == ("手册", "总则", "范围")
    assert document.title == "手册"


def test_generated_numbers_of_headings_and_articles_are_kept() -> None:
    outline = (
        '<office:styles><text:outline-style style:name="Outline">'
        '<text:outline-level-style text:level="1" style:num-format="一" style:num-prefix="第" '
        'style:num-suffix="章"/></text:outline-style></office:styles>'
    )
    articles = list_style("L", counted(1, "一", 'style:num-prefix="第" style:num-suffix="条"'))
    listed = f'<text:list text:style-name="L">{items(p("甲。"), p("乙。"))}</text:list>'
    assert texts(read(odt(h(1, "总则") + listed, articles, styles=outline))) == [
        "第一章 总则",
        "第一条 甲。",
        "第二条 乙。",
    ]


def test_lists_keep_numbers_and_depths() -> None:
    levels = list_style(
        "L",
        counted(1, "1", 'style:num-suffix="."'),
        counted(2, "1", 'text:display-levels="2"'),
        '<text:list-level-style-bullet text:level="3" text:bullet-char="•"/>',
    )
    deepest = f"<text:list>{items(p('c'))}</text:list>"
    inner = f"<text:list>{items(p('b') + deepest)}</text:list>"
    body = f'<text:list text:style-name="L">{items(p("a") + inner, p("d"))}</text:list>'
    assert blocks(read(odt(body, levels))) == [(BlockKind.LIST, "1. a\n  1.1 b\n    - c\n2. d")]


def test_a_list_goes_on_where_it_says_so() -> None:
    levels = list_style("L", counted(1, "1", 'style:num-suffix="."'))
    first = f'<text:list text:style-name="L">{items(p("a"))}</text:list>'
    more = first.replace("<text:list ", '<text:list text:continue-numbering="true" ')
    assert texts(read(odt(first + p("x") + more + p("x") + first, levels))) == [
        "1. a", "x", "2. a", "x", "1. a",
    ]  # fmt: skip


def test_tables_become_markdown_with_header_rows_and_merged_cells() -> None:
    wide = cell("工资", 'table:number-columns-spanned="2"') + "<table:covered-table-cell/>"
    head = row(cell("姓名", 'table:number-rows-spanned="2"'), wide) + row(
        "<table:covered-table-cell/>", cell("基本"), cell("绩效")
    )
    body = f"<table:table-header-rows>{head}</table:table-header-rows>" + row(
        cell("张三"), cell("1"), cell("2")
    )
    assert texts(read(odt(table(body))))[0].split("\n") == [
        "| 姓名 | 工资 基本 | 工资 绩效 |",
        "| --- | --- | --- |",
        "| 张三 | 1 | 2 |",
    ]


def test_deleted_and_hidden_text_is_dropped() -> None:
    automatic = (
        '<style:style style:name="T1" style:family="text">'
        '<style:text-properties text:display="none"/></style:style>'
    )
    body = (
        f"<text:tracked-changes><text:changed-region>{p('deleted')}</text:changed-region>"
        "</text:tracked-changes>"
        + p('Seen<text:span text:style-name="T1"> hidden</text:span>.')
        + f'<text:section text:display="none">{p("not shown")}</text:section>'
    )
    assert texts(read(odt(body, automatic))) == ["Seen."]


def test_white_space_of_the_file_is_none_of_the_text() -> None:
    assert texts(read(odt(p("a\n      b<text:s text:c='3'/>c<text:line-break/>d")))) == ["a b c\nd"]


def test_notes_comments_frames_and_links_are_kept() -> None:
    note = (
        "<text:note><text:note-citation>1</text:note-citation>"
        f"<text:note-body>{p('注文')}</text:note-body></text:note>"
    )
    comment = f"<office:annotation><dc:creator>王五</dc:creator>{p('核对')}</office:annotation>"
    frame = f"<draw:frame><draw:text-box>{p('盒中')}</draw:text-box></draw:frame>"
    link = '<text:a xlink:href="https://a.cn/x">办法</text:a>'
    assert texts(read(odt(p(f"正文{note}{comment}{frame}，{link}")))) == [
        "正文[^1]，办法 (https://a.cn/x)",
        "盒中",
        "[^1]: 注文",
        "王五: 核对",
    ]


def test_what_an_author_says_of_a_picture_is_kept_and_its_file_name_is_not() -> None:
    says = "<svg:title>p1.png</svg:title><svg:desc>组织结构图</svg:desc>"
    frame = f"<draw:frame><draw:image/>{says}</draw:frame>"
    assert texts(read(odt(p(frame)))) == ["组织结构图"]


def test_objects_inside_are_read_in_their_place_and_other_files_as_sections() -> None:
    inner = root("document-content", f"<office:body>{p('对象文字')}</office:body>")
    body = p(
        '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
        '<draw:frame><draw:object-ole xlink:href="./rooms.csv"/></draw:frame>'
    )
    parts: dict[str, str | bytes] = {
        "Object 1/content.xml": inner,
        "rooms.csv": b"name,seats\nspring,6\n",
    }
    document = read(odt(p("前") + body, **parts))
    assert "对象文字" in document.text
    assert document.blocks[-1].heading == ("rooms.csv",)


def test_a_table_of_contents_that_repeats_the_headings_is_dropped() -> None:
    contents = (
        "<text:table-of-content><text:index-body>"
        f"{p('总则<text:tab/>1')}{p('附图<text:tab/>9')}</text:index-body></text:table-of-content>"
    )
    assert texts(read(odt(contents + h(1, "总则") + p("文。")))) == ["- 附图", "总则", "文。"]


def test_headers_are_given_once() -> None:
    page = f"<style:master-page><style:header>{p('内部资料')}</style:header></style:master-page>"
    styles = f"<office:master-styles>{page}{page}</office:master-styles>"
    assert texts(read(odt(p("正文。"), styles=styles))) == ["内部资料", "正文。"]


def test_headers_of_first_and_left_pages_are_read_and_hidden_ones_are_not() -> None:
    inner = "".join(
        f"<style:{name}>{p(text)}</style:{name.split()[0]}>"
        for name, text in (
            ("header-first", "封面"),
            ("header-left", "办公室编"),
            ('header style:display="false"', "不印"),
            ("footer-first", "印发机关"),
        )
    )
    page = f"<style:master-page>{inner}</style:master-page>"
    styles = f"<office:master-styles>{page}</office:master-styles>"
    assert texts(read(odt(p("正文。"), styles=styles))) == [
        "封面",
        "办公室编",
        "正文。",
        "印发机关",
    ]


def test_an_id_that_breaks_the_rules_of_ids_costs_nothing() -> None:
    assert texts(read(odt('<text:p xml:id="1 2">正文。</text:p>'))) == ["正文。"]


def test_what_is_known_of_the_document_is_in_its_meta() -> None:
    meta = (
        "<office:meta><dc:title>手册</dc:title><meta:initial-creator>人事部</meta:initial-creator>"
        "<meta:keyword>考勤</meta:keyword><meta:keyword>请假</meta:keyword></office:meta>"
    )
    document = read(odt(p("正文。"), meta=meta))
    assert (document.title, document.meta["author"]) == ("手册", "人事部")
    assert document.meta["keywords"] == "考勤, 请假"


def test_repeated_rows_without_end_are_cut_short() -> None:
    many = row(cell("a"), cell("b")).replace(
        "<table:table-row>", '<table:table-row table:number-rows-repeated="1000000">'
    )
    assert len(read(odt(table(many))).text) < 10_000


@pytest.mark.parametrize("data", [b"PK\x03\x04", odt("")[:-40], odt("<text:p>")])
def test_a_damaged_document_says_so(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        OpenDocumentReader(default_readers).read(data, "x.odt", ReadOptions())
    assert caught.value.key == "read.damaged"


def test_other_xml_is_not_taken_for_a_flat_document() -> None:
    reader = OpenDocumentReader(default_readers)
    assert not reader.accepts(Sample(name="a.fodt", head=b"<?xml version='1.0'?><note/>"))
