"""What a reader of the printed page would see, from a Word document."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers import default_readers
from wenqu.readers.office.word import WordReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import blocks, text_of, texts
from wenqu.types import BlockKind, Document

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def part(root: str, inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><w:{root} {SPACES}>{inner}</w:{root}>'


def docx(body: str, links: str = "", **parts: str | bytes) -> bytes:
    """Return a Word document; ``parts`` are XML roots by name (styles, numbering), or files."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", part("document", f"<w:body>{body}</w:body>"))
        kinds = ("styles", "numbering", "footnotes", "comments", "header", "footer")
        named = "".join(
            f'<Relationship Id="{kind}" Type="{TYPES}/{kind}" Target="{kind}.xml"/>'
            for kind in kinds
            if kind in parts
        )
        space = "http://schemas.openxmlformats.org/package/2006/relationships"
        archive.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{space}">{named}{links}</Relationships>',
        )
        roots = {"header": "hdr", "footer": "ftr"}
        for name, inner in parts.items():
            if name in kinds:
                archive.writestr(f"word/{name}.xml", part(roots.get(name, name), str(inner)))
            else:
                archive.writestr(name, inner)
    return target.getvalue()


def p(text: str, style: str = "", properties: str = "", run: str = "") -> str:
    styled = f'<w:pStyle w:val="{style}"/>' if style else ""
    return (
        f"<w:p><w:pPr>{styled}{properties}</w:pPr>"
        f'<w:r><w:rPr>{run}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'
    )


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def style(key: str, name: str, inner: str = "", kind: str = "paragraph") -> str:
    return f'<w:style w:type="{kind}" w:styleId="{key}"><w:name w:val="{name}"/>{inner}</w:style>'


def level(depth: int, form: str, text: str, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{text}"/>{more}</w:lvl>'
    )


def numbering(*levels: str) -> str:
    return (
        f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="1"/></w:lvlOverride></w:num>'
    )


def item(text: str, depth: int = 0, number: int = 1, style: str = "") -> str:
    listed = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return p(text, style, listed)


HEADINGS = "".join(style(f"h{n}", f"heading {n}") for n in (1, 2, 3)) + style("t", "Title")


def read(data: bytes, options: ReadOptions | None = None) -> Document:
    return WordReader(default_readers).read(data, "x.docx", options or ReadOptions())


def headings(data: bytes) -> list[tuple[int, str]]:
    """Return the headings and how many are above each."""
    document = read(data)
    return [
        (len(b.heading), text_of(document, b))
        for b in document.blocks
        if b.kind is BlockKind.HEADING
    ]


class TestWordReader(ReaderContract):
    def reader(self) -> WordReader:
        return WordReader(default_readers)

    def samples(self) -> dict[str, bytes]:
        return {
            "考勤制度.docx": docx(p("第一章 总则", "h1") + p("员工应按时到岗。"), styles=HEADINGS),
            "terms.docx": docx(p("Terms", "h1") + p("One.") + table(cell("a") + cell("b"))),
        }

    def container(self, name: str) -> str:
        return "docx"


def test_headings_come_from_styles_in_any_language_and_from_outline_levels() -> None:
    styles = (
        style("a", "heading 1")
        + style("b", "标题 2")
        + style("c", "My chapter", '<w:pPr><w:outlineLvl w:val="2"/></w:pPr>')
        + style("d", "Mine", '<w:basedOn w:val="a"/>')
    )
    body = (
        p("One", "a") + p("二", "b") + p("Three", "c") + p("Four", "d") + p("Text.")
        + p("Five", "", '<w:outlineLvl w:val="1"/>')
    )  # fmt: skip
    found = [(0, "One"), (1, "二"), (2, "Three"), (0, "Four"), (1, "Five")]
    assert headings(docx(body, styles=styles)) == found


def test_a_style_that_nobody_defined_is_told_by_its_id() -> None:
    assert headings(docx(p("One", "Heading1") + p("Two", "Heading2") + p("Text."))) == [
        (0, "One"),
        (1, "Two"),
    ]


def test_a_sentence_in_a_heading_style_stays_a_paragraph() -> None:
    long = "这是一段被误设为标题样式的正文，" * 10 + "到此为止。"
    assert headings(docx(p("第一章 总则", "h1") + p(long, "h1"), styles=HEADINGS)) == [
        (0, "第一章 总则")
    ]


def test_the_title_is_above_all_headings() -> None:
    data = docx(p("员工手册", "t") + p("总则", "h1") + p("正文。"), styles=HEADINGS)
    assert headings(data) == [(0, "员工手册"), (1, "总则")]
    assert read(data).title == "员工手册"


def test_large_and_bold_lines_are_headings_where_no_style_says_so() -> None:
    large, bold = '<w:sz w:val="44"/>', "<w:b/>"
    text = p("正文写在这里，它比标题长得多，也没有加粗。" * 3)
    body = (
        p("关于印发考勤办法的通知", run=large)
        + text
        + p("适用范围", run=bold)
        + text
        + p("解释权", run=bold)
        + text
    )
    assert headings(docx(body)) == [(0, "关于印发考勤办法的通知"), (1, "适用范围"), (1, "解释权")]


def test_chinese_numbers_head_sections_where_no_style_says_so() -> None:
    body = (
        p("一、工作目标") + p("（一）总体要求") + p("到年底完成全部任务。")
        + p("（二）具体要求") + p("按季度推进。") + p("二、保障措施") + p("加强领导。")
    )  # fmt: skip
    assert headings(docx(body)) == [
        (0, "一、工作目标"),
        (1, "（一）总体要求"),
        (1, "（二）具体要求"),
        (0, "二、保障措施"),
    ]


def test_counted_items_without_text_below_are_no_headings() -> None:
    body = p("需要的材料如下。") + p("一、身份证") + p("二、户口本") + p("三、照片")
    assert headings(docx(body)) == []


def test_generated_numbers_of_articles_are_kept() -> None:
    forms = numbering(
        level(0, "chineseCountingThousand", "第%1章"), level(1, "chineseCounting", "第%2条")
    )
    body = (
        item("总则", 0, style="h1")
        + item("为了规范考勤，制定本办法。", 1)
        + item("另有规定的除外。", 1)
    )
    found = texts(read(docx(body, styles=HEADINGS, numbering=forms)))
    assert found == ["第一章 总则", "第一条 为了规范考勤，制定本办法。", "第二条 另有规定的除外。"]


def test_lists_keep_their_numbers_and_depths() -> None:
    forms = numbering(
        level(0, "decimal", "%1."), level(1, "decimal", "%1.%2"), level(2, "bullet", "\uf0b7")
    )
    body = (
        item("a") + item("b", 1) + item("c", 1) + item("d", 2) + item("e") + item("f", 1)
    )  # fmt: skip
    [(kind, text)] = blocks(read(docx(body, numbering=forms)))
    assert kind is BlockKind.LIST
    assert text == "1. a\n  1.1 b\n  1.2 c\n    - d\n2. e\n  2.1 f"


def test_a_list_goes_on_after_other_text_and_starts_anew_where_it_says_so() -> None:
    forms = numbering(level(0, "decimal", "%1)"))
    body = item("a") + p("Text.") + item("b") + p("Text.") + item("c", number=2)
    assert texts(read(docx(body, numbering=forms))) == ["1) a", "Text.", "2) b", "Text.", "1) c"]


def test_tables_become_markdown_and_merged_cells_say_their_text_in_each_row() -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    data = docx(
        table(
            cell("部门") + cell("姓名") + cell("电话"),
            cell("人事", down) + cell("张三") + cell("1"),
            cell("", on) + cell("李四") + cell("2"),
            cell("合计") + cell("两人", '<w:gridSpan w:val="2"/>'),
        )
    )
    [(kind, text)] = blocks(read(data))
    assert kind is BlockKind.TABLE
    assert text.split("\n") == [
        "| 部门 | 姓名 | 电话 |",
        "| --- | --- | --- |",
        "| 人事 | 张三 | 1 |",
        "| 人事 | 李四 | 2 |",
        "| 合计 | 两人 | 两人 |",
    ]


def test_two_header_rows_become_one() -> None:
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    wide = cell("工资", '<w:gridSpan w:val="2"/>')
    data = docx(
        table(head + cell("姓名") + wide, head + cell("") + cell("基本") + cell("绩效"),
              cell("张三") + cell("1") + cell("2"))
    )  # fmt: skip
    assert texts(read(data))[0].startswith("| 姓名 | 工资 基本 | 工资 绩效 |\n| --- |")


def test_a_row_across_the_whole_table_names_it() -> None:
    data = docx(
        table(cell("表一 名单", '<w:gridSpan w:val="2"/>'), cell("姓名") + cell("岁数"),
              cell("张三") + cell("30"))
    )  # fmt: skip
    assert texts(read(data))[0] == "表一 名单"
    assert texts(read(data))[1].startswith("| 姓名 | 岁数 |")


def test_a_table_of_one_column_is_only_a_frame() -> None:
    assert texts(read(docx(table(cell("甲"), cell("乙"))))) == ["甲", "乙"]


def test_a_table_in_a_cell_is_written_into_it() -> None:
    inner = table(cell("a") + cell("b"), cell("c") + cell("d"))
    data = docx(table(cell("x") + cell("y"), f"<w:tc>{p('see')}{inner}</w:tc>" + cell("z")))
    assert "| see a, b; c, d | z |" in texts(read(data))[0]


def test_tracked_changes_read_as_if_accepted() -> None:
    body = (
        "<w:p><w:r><w:t>工期</w:t></w:r><w:del><w:r><w:delText>十</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>二十</w:t></w:r></w:ins><w:r><w:t>天。</w:t></w:r></w:p>"
    )
    assert texts(read(docx(body))) == ["工期二十天。"]


def test_a_deleted_paragraph_mark_joins_what_it_parted() -> None:
    body = "<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:t>前半</w:t></w:r></w:p>" + p(
        "后半。"
    )
    assert texts(read(docx(body))) == ["前半后半。"]


def test_hidden_text_is_dropped_also_by_style() -> None:
    hidden = style("x", "Hidden", "<w:rPr><w:vanish/></w:rPr>", "character")
    body = (
        p("Seen.") + p("Not seen.", run="<w:vanish/>") + p("Nor this.", run='<w:rStyle w:val="x"/>')
        + p("Shown after all.", run='<w:rStyle w:val="x"/><w:vanish w:val="0"/>')
    )  # fmt: skip
    assert texts(read(docx(body, styles=hidden))) == ["Seen.", "Shown after all."]


def field(instruction: str, result: str) -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        f"{mark.format('begin')}<w:r><w:instrText>{instruction}</w:instrText></w:r>"
        f"{mark.format('separate')}<w:r><w:t>{result}</w:t></w:r>{mark.format('end')}"
    )


def test_fields_show_their_results_and_page_numbers_nothing() -> None:
    body = f"<w:p>{field(' DATE ', '2024年')}{field(' PAGE ', '17')}<w:r><w:t>起</w:t></w:r></w:p>"
    assert texts(read(docx(body))) == ["2024年起"]


def test_links_name_their_address_unless_the_text_does() -> None:
    link = (
        f'<Relationship Id="l" Type="{TYPES}/hyperlink" Target="https://a.cn/x" '
        'TargetMode="External"/>'
    )
    anchor = '<w:p><w:hyperlink r:id="l"><w:r><w:t>{}</w:t></w:r></w:hyperlink></w:p>'
    by_field = f"<w:p>{field('HYPERLINK &quot;https://b.cn/&quot;', '细则')}</w:p>"
    data = docx(anchor.format("办法") + anchor.format("a.cn/x") + by_field, link)
    assert texts(read(data)) == ["办法 (https://a.cn/x)", "a.cn/x", "细则 (https://b.cn/)"]


def test_notes_and_comments_follow_the_paragraph_they_hang_on() -> None:
    marks = '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:commentReference w:id="0"/></w:r>'
    data = docx(
        f"<w:p><w:r><w:t>据统计</w:t></w:r>{marks}<w:r><w:t>。</w:t></w:r></w:p>" + p("下文。"),
        footnotes=(
            f'<w:footnote w:type="separator" w:id="0">{p("----a")}</w:footnote>'
            f'<w:footnote w:id="2">{p("见年鉴。")}</w:footnote>'
        ),
        comments=f'<w:comment w:id="0" w:author="王五">{p("请核对")}</w:comment>',
    )
    assert texts(read(data)) == ["据统计[^1]。", "[^1]: 见年鉴。", "王五: 请核对", "下文。"]


def test_a_text_box_is_read_once_after_its_paragraph() -> None:
    inner = f"<w:txbxContent>{p('盒中文字')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>段落。</w:t></w:r><w:r><mc:AlternateContent>"
        f'<mc:Choice Requires="wps">{inner}</mc:Choice>'
        f"<mc:Fallback><w:pict><v:shape><v:textbox>{inner}</v:textbox></v:shape></w:pict>"
        "</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert texts(read(docx(body))) == ["段落。", "盒中文字"]


def test_headers_and_footers_are_given_once_where_they_say_something() -> None:
    page = f"<w:p><w:r><w:t>第</w:t></w:r>{field('PAGE', '3')}<w:r><w:t>页</w:t></w:r></w:p>"
    data = docx(p("正文。"), header=p("内部资料 注意保存"), footer=page)
    assert texts(read(data)) == ["内部资料 注意保存", "正文。"]
    assert texts(read(docx(p("考勤办法"), header=p("考勤办法")))) == ["考勤办法"]


def test_a_table_of_contents_that_repeats_the_headings_is_dropped() -> None:
    styles = HEADINGS + style("toc1", "toc 1")
    entry = (
        "<w:p><w:pPr><w:pStyle w:val='toc1'/></w:pPr>"
        "<w:r><w:t>{}</w:t><w:tab/><w:t>{}</w:t></w:r></w:p>"
    )
    body = entry.format("总则", 1) + entry.format("附图", 9) + p("总则", "h1") + p("正文。")
    assert texts(read(docx(body, styles=styles))) == ["- 附图", "总则", "正文。"]


def test_placeholders_of_forms_are_dropped_and_their_values_kept() -> None:
    body = (
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
        f"{p('Click here to enter text.')}</w:sdtContent></w:sdt>"
        f"<w:sdt><w:sdtPr/><w:sdtContent>{p('张三')}</w:sdtContent></w:sdt>"
    )
    assert texts(read(docx(body))) == ["张三"]


def test_exponents_are_raised_and_ticks_are_ticks() -> None:
    body = (
        "<w:p><w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val='superscript'/></w:rPr>"
        "<w:t>6</w:t></w:r><w:r><w:sym w:font='Wingdings' w:char='F0FE'/></w:r></w:p>"
    )
    assert texts(read(docx(body))) == ["10⁶☑"]


def test_formulas_are_tex() -> None:
    fraction = (
        "<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>n</m:t></m:r></m:den></m:f>"
    )
    power = (
        "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    )
    body = f"<w:p><w:r><w:t>设</w:t></w:r><m:oMath>{power}{fraction}</m:oMath></w:p>"
    assert texts(read(docx(body))) == [r"设$x^{2}\frac{1}{n}$"]


def test_embedded_files_become_sections_and_pieces_of_html_are_part_of_the_text() -> None:
    chunk = f'<Relationship Id="c" Type="{TYPES}/aFChunk" Target="c.html"/>'
    parts: dict[str, str | bytes] = {
        "word/c.html": "<html><body><p>来自网页。</p></body></html>",
        "word/embeddings/inner.docx": docx(p("里面的文档。")),
    }
    document = read(docx(p("前文。") + '<w:altChunk r:id="c"/>' + p("后文。"), chunk, **parts))
    assert [text for _, text in blocks(document)] == [
        "前文。", "来自网页。", "后文。", "inner.docx", "里面的文档。",
    ]  # fmt: skip
    assert document.blocks[-1].heading == ("inner.docx",)


def test_what_is_known_of_the_document_is_in_its_meta() -> None:
    core = (
        '<p:coreProperties xmlns:p="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>员工手册</dc:title>'
        "<dc:creator>人事部</dc:creator><p:keywords>考勤,请假</p:keywords></p:coreProperties>"
    )
    document = read(docx(p("正文。"), **{"docProps/core.xml": core}))
    assert document.title == "员工手册"
    assert document.meta["author"] == "人事部"
    assert document.meta["keywords"] == "考勤,请假"


def test_a_damaged_part_beside_the_text_costs_nothing_but_itself() -> None:
    data = docx(p("正文。"), **{"word/styles.xml": "<broken", "word/numbering.xml": b"\0\1"})
    assert texts(read(data)) == ["正文。"]


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 cut off",
        docx("")[:-60],
        docx("<w:p>", styles=HEADINGS),
    ],
    ids=["no directory", "cut off", "broken XML"],
)
def test_a_damaged_document_says_so(data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        read(data)
    assert caught.value.key == "read.damaged"


def test_entities_are_not_resolved() -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY s SYSTEM "file:///etc/hosts">]>'
        f"<w:document {SPACES}><w:body><w:p><w:r><w:t>Text&a;&s;</w:t></w:r></w:p></w:body>"
        "</w:document>"
    )
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("word/document.xml", bomb)
    assert texts(read(data.getvalue())) == ["Text"]


def test_tables_in_tables_without_end_do_not_overflow() -> None:
    body = p("最里面")
    for _ in range(70):
        body = table(f"<w:tc>{body}</w:tc>")
    assert texts(read(docx(body))) == ["最里面"]


def test_a_document_longer_than_allowed_is_refused_also_inside_another() -> None:
    data = docx(p("短。"), **{"word/embeddings/long.docx": docx(p("长" * 500))})
    with pytest.raises(ReadError) as caught:
        read(data, ReadOptions(max_characters=100))
    assert caught.value.key == "read.too_long"


def test_white_letters_on_white_paper_and_specks_are_hidden_text() -> None:
    white = '<w:color w:val="FFFFFF"/>'
    body = p("Seen.") + p("Obey me.", run=white) + p("Tiny.", run='<w:sz w:val="2"/>')
    assert texts(read(docx(body))) == ["Seen."]


def test_white_letters_on_a_ground_of_their_own_are_seen() -> None:
    white = '<w:color w:val="FFFFFF"/>'
    dark = '<w:shd w:val="clear" w:fill="1F3864"/>'
    cell = f"<w:tbl><w:tr><w:tc>{p('Head', run=white)}</w:tc></w:tr></w:tbl>"
    body = p("Banner.", run=dark + white) + p("Ground.", properties=dark, run=white) + cell
    assert texts(read(docx(body, styles=style("t", "Dark")))) == ["Banner.", "Ground.", "Head"]
    assert texts(read(docx(p("Styled.", style="t", run=white), styles=style("t", "Dark")))) == [
        "Styled."
    ]


def test_a_chart_of_one_series_is_a_table_that_its_name_heads() -> None:
    chart = (
        '<c:chartSpace xmlns:c="c"><c:pieChart><c:ser><c:tx><c:v>销量</c:v></c:tx><c:cat>'
        "<c:pt idx='0'><c:v>一季</c:v></c:pt><c:pt idx='1'><c:v>二季</c:v></c:pt></c:cat><c:val>"
        "<c:pt idx='0'><c:v>8</c:v></c:pt><c:pt idx='1'><c:v>3</c:v></c:pt></c:val></c:ser>"
        "</c:pieChart></c:chartSpace>"
    )
    link = f'<Relationship Id="x" Type="{TYPES}/chart" Target="charts/chart1.xml"/>'
    space = "http://schemas.openxmlformats.org/drawingml/2006/chart"
    place = f'<w:drawing><c:chart xmlns:c="{space}" r:id="x"/></w:drawing>'
    data = docx(f"<w:p><w:r>{place}</w:r></w:p>", link, **{"word/charts/chart1.xml": chart})
    assert texts(read(data)) == ["|  | 销量 |\n| --- | --- |\n| 一季 | 8 |\n| 二季 | 3 |"]
