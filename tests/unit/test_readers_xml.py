"""XML: feeds, prose, data, and what is broken or hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.markup.xml import XmlReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import outlined

if TYPE_CHECKING:
    from wenqu.types import Document

FEED = """<?xml version="1.0" encoding="gb2312"?>
<rss version="2.0" xmlns:content="c" xmlns:dc="d"><channel><title>山居笔记</title>
<description>写一点东西</description>
<item><title>雨&amp;amp;雪</title><link>https://a.example/1</link><dc:creator>青禾</dc:creator>
<pubDate>Wed, 29 Dec 2004 12:39:33 +0000</pubDate><description>短的</description>
<content:encoded><![CDATA[<p>第一段&nbsp;文字。</p><ul><li>一</li><li>二</li></ul>]]></content:encoded>
</item><item><title>晴</title><description>只有一句 & 没有别的</description></item>
</channel></rss>"""
BOOK = """<book><title>Guide</title><chapter><title>First</title>
<para>One <emphasis>two</emphasis> three.</para>
<itemizedlist><listitem><para>a</para></listitem><listitem><para>b</para></listitem></itemizedlist>
<section><title>Inner</title><programlisting>x = 1
  y</programlisting></section></chapter>
<chapter><title>Second</title><table><tgroup><thead><row><entry>A</entry><entry>B</entry></row>
</thead><tbody><row><entry>1</entry><entry>2</entry></row></tbody></tgroup></table></chapter></book>"""


class TestXmlReader(ReaderContract):
    def reader(self) -> XmlReader:
        return XmlReader()

    def samples(self) -> dict[str, bytes]:
        return {"feed.xml": FEED.encode("gb18030"), "book.xml": BOOK.encode()}


def read(text: str, name: str = "x.xml") -> Document:
    return XmlReader().read(text.encode(), name)


def test_a_feed_is_its_items_with_date_author_and_address() -> None:
    document = XmlReader().read(FEED.encode("gb18030"), "feed.xml")
    assert document.title == "山居笔记"
    assert outlined(document) == [
        ("heading", "山居笔记", ()),
        ("paragraph", "写一点东西", ("山居笔记",)),
        ("heading", "雨&雪", ("山居笔记",)),
        (
            "paragraph",
            "Wed, 29 Dec 2004 12:39:33 +0000 · 青禾 · https://a.example/1",
            ("山居笔记", "雨&雪"),
        ),
        ("paragraph", "第一段 文字。", ("山居笔记", "雨&雪")),
        ("list", "- 一\n- 二", ("山居笔记", "雨&雪")),
        ("heading", "晴", ("山居笔记",)),
        ("paragraph", "只有一句 & 没有别的", ("山居笔记", "晴")),
    ]


def test_an_atom_feed_links_to_its_entries() -> None:
    atom = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title>One</title>
    <link rel="edit" href="/e"/><link href="https://a.example/1"/><updated>2024-05-01</updated>
    <content type="xhtml"><div xmlns="x"><p>Body <b>bold</b>.</p></div></content></entry></feed>"""
    texts = [text for _, text, _ in outlined(read(atom))]
    assert texts == ["News", "One", "2024-05-01 · https://a.example/1", "Body bold."]


def test_prose_keeps_sections_lists_code_and_tables() -> None:
    assert outlined(read(BOOK)) == [
        ("heading", "Guide", ()),
        ("heading", "First", ("Guide",)),
        ("paragraph", "One two three.", ("Guide", "First")),
        ("list", "- a\n- b", ("Guide", "First")),
        ("heading", "Inner", ("Guide", "First")),
        ("code", "```\nx = 1\n  y\n```", ("Guide", "First", "Inner")),
        ("heading", "Second", ("Guide",)),
        ("table", "| A | B |\n| --- | --- |\n| 1 | 2 |", ("Guide", "Second")),
    ]


def test_records_are_a_table_of_their_attributes_and_elements() -> None:
    rooms = "".join(f"<room id='{n}'><name>room {n}</name></room>" for n in range(3))
    assert read(f"<rooms>{rooms}</rooms>").text.endswith(
        "| id | name |\n| --- | --- |\n| 0 | room 0 |\n| 1 | room 1 |\n| 2 | room 2 |"
    )


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY x SYSTEM "file:///etc/hostname">',
        '<!ENTITY a "boom"><!ENTITY x "&a;&a;&a;">',
        '<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;',
    ],
)
def test_entities_are_never_resolved(declared: str) -> None:
    text = f'<?xml version="1.0"?><!DOCTYPE d [{declared}]><d><p>before &x; after</p></d>'
    assert read(text).text == "before &x; after"


def test_names_of_html_and_bare_ampersands_do_not_break_a_file() -> None:
    assert read("<d><p>a&nbsp;b &copy; R&D &#65;&#0; x</p></d>").text == "a b © R&D A\ufffd x"


def test_a_hundred_thousand_levels_are_read() -> None:
    assert "deep" in read("<a>" * 100_000 + "deep" + "</a>" * 100_000).text
    assert "deep" in read("<p>x<b>" * 50_000 + "deep" + "</b></p>" * 50_000).text


@pytest.mark.parametrize(
    "text", ["<a><b>words</a>", "<a>words", "<a>words</a><b/>", "<a x=1>words"]
)
def test_broken_xml_is_read_as_text_and_says_so(text: str) -> None:
    document = read(text)
    assert document.text.startswith("words")
    assert document.meta["damaged"]


def test_xml_without_text_says_so() -> None:
    with pytest.raises(ReadError) as caught:
        read("<?xml version='1.0'?><a><b/></a>")
    assert caught.value.key == "read.empty"


def test_xml_is_known_by_its_declaration() -> None:
    assert XmlReader().accepts(Sample(name="feed", head=b"\n<?xml version='1.0'?><rss>"))
    assert XmlReader().accepts(
        Sample(name="feed", head="<?xml version='1.0'?><rss>".encode("utf-16"))
    )
    assert not XmlReader().accepts(Sample(name="x.xml", head=b"no marks"))
