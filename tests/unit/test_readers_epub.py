"""E-books in reading order, with the headings of their contents."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.readers.detect import sample
from wenqu.readers.markup.epub import EpubReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import text_of
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.types import Document

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
META = "<dc:title>会议手册</dc:title><dc:creator>李雷</dc:creator><dc:creator>韩梅</dc:creator>"


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def book(
    pages: Mapping[str, str], ncx: str = "", nav: str = "", meta: str = META, **more: str
) -> bytes:
    """Make a book of these pages, in the reverse of their order in the manifest."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>'
        for name in reversed(pages)
    )
    members: dict[str, str | bytes] = {
        f"OPS/{name}.xhtml": f"<html><head><title/></head><body>{body}</body></html>"
        for name, body in pages.items()
    }
    if ncx:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        members["OPS/toc.ncx"] = f"<ncx><navMap>{ncx}</navMap></ncx>"
    if nav:
        items += (
            '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        )
        members["OPS/nav.xhtml"] = (
            '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
            f'<body><nav epub:type="toc"><ol>{nav}</ol></nav></body></html>'
        )
    spine = "".join(f'<itemref idref="{name}"/>' for name in pages)
    members["OPS/book.opf"] = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>{meta}</metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    return zipped({"META-INF/container.xml": CONTAINER, **members, **more})


def point(title: str, target: str, inner: str = "") -> str:
    label = f"<navLabel><text>{title}</text></navLabel>"
    return f'<navPoint>{label}<content src="{target}"/>{inner}</navPoint>'


def read(data: bytes) -> Document:
    return EpubReader().read(data, "a.epub")


def outline(document: Document) -> list[tuple[str, ...]]:
    return [
        (*block.heading, text_of(document, block))
        for block in document.blocks
        if block.kind is BlockKind.HEADING
    ]


class TestEpubReader(ReaderContract):
    def reader(self) -> EpubReader:
        return EpubReader()

    def container(self, name: str) -> str:
        del name
        return "epub"

    def samples(self) -> dict[str, bytes]:
        return {
            "手册.epub": book({"a": "<h1>第一章</h1><p>听泉有六个座位。</p>"}),
            "handbook.epub": book({"a": "<h1>One</h1><p>Spring seats six.</p>"}, meta=""),
        }


def test_pages_are_read_in_the_order_of_the_spine() -> None:
    document = read(book({"b": "<p>First page</p>", "a": "<p>Second page</p>"}))
    assert document.text == "First page\n\nSecond page"


def test_title_authors_and_the_rest_are_kept() -> None:
    meta = (
        f"{META}<dc:date>2019-08-23T10:00:00Z</dc:date><dc:language>zh-CN</dc:language>"
        "<dc:subject>会议</dc:subject><dc:description>&lt;p&gt;如何开会&lt;/p&gt;</dc:description>"
    )
    document = read(book({"a": "<p>正文</p>"}, meta=meta))
    assert document.title == "会议手册"
    assert document.meta == {
        "format": "epub",
        "author": "李雷, 韩梅",
        "date": "2019-08-23",
        "language": "zh-CN",
        "keywords": "会议",
        "description": "如何开会",
    }


def test_chapters_without_headings_get_those_of_the_contents() -> None:
    pages = {"a": "<p>序言的文字</p>", "b": "<p>第一章　开会</p><p>开会的文字</p>"}
    toc = point("前言", "a.xhtml") + point("第一章 开会", "b.xhtml")
    document = read(book(pages, ncx=toc))
    assert document.text == "前言\n\n序言的文字\n\n第一章 开会\n\n开会的文字"
    assert outline(document) == [("前言",), ("第一章 开会",)]


def test_titles_stand_where_the_contents_point_to_in_a_page() -> None:
    pages = {"a": '<p>Lead</p><p id="x">Of rooms</p><div><p><a id="y"/>Of lifts</p></div>'}
    toc = point("Start", "a.xhtml", point("Rooms", "a.xhtml#x") + point("Lifts", "a.xhtml#y"))
    document = read(book(pages, ncx=toc))
    assert document.text.split("\n\n") == [
        "Start",
        "Lead",
        "Rooms",
        "Of rooms",
        "Lifts",
        "Of lifts",
    ]
    assert outline(document) == [("Start",), ("Start", "Rooms"), ("Start", "Lifts")]


def test_headings_are_as_deep_as_the_contents_say() -> None:
    pages = {
        "a": "<h1>Part One</h1><p>x1</p>",
        "b": "<h1>Chapter 1</h1><h2>Detail</h2><p>x2</p>",
        "c": "<h1>Part Two</h1><p>x3</p>",
    }
    inner = '<ol><li><a href="b.xhtml">Chapter 1</a></li></ol>'
    nav = f'<li><a href="a.xhtml">Part One</a>{inner}</li><li><a href="c.xhtml">Part Two</a></li>'
    assert outline(read(book(pages, nav=nav))) == [
        ("Part One",),
        ("Part One", "Chapter 1"),
        ("Part One", "Chapter 1", "Detail"),
        ("Part Two",),
    ]


def test_a_printed_table_of_contents_is_left_out() -> None:
    links = "".join(f'<p><a href="a.xhtml#{n}">Chapter {n}</a></p>' for n in range(9))
    document = read(book({"toc": f"<h1>Contents</h1>{links}", "a": "<p>The text</p>"}))
    assert document.text == "The text"


def test_elements_that_close_themselves_swallow_nothing() -> None:
    body = '<script src="x"/><a id="p1"/><p>One<br/>two</p><p/><div class="x" /><p>three</p>'
    assert read(book({"a": body})).text == "One\ntwo\n\nthree"


def test_a_book_locked_by_a_shop_says_so() -> None:
    sealed = (
        '<encryption><EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#">'
        '<EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
        '<CipherData><CipherReference URI="OPS/a.xhtml"/></CipherData></EncryptedData></encryption>'
    )
    data = book({"a": "<p>x</p>"}, **{"META-INF/encryption.xml": sealed})
    with pytest.raises(ReadError) as caught:
        read(data)
    assert caught.value.key == "read.encrypted"
    fonts = sealed.replace("a.xhtml", "f.otf").replace(
        "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding"
    )
    free = book({"a": "<p>Free text</p>"}, **{"META-INF/encryption.xml": fonts})
    assert read(free).text == "Free text"


def test_a_book_without_its_container_or_with_wrong_names_is_still_read() -> None:
    members = {
        "Book.OPF": '<package><item id="a" href="TEXT%2FPage 1.html"/></package>',
        "text/page 1.html": "<p>Found all the same</p>",
    }
    assert read(zipped(members)).text == "Found all the same"


def test_a_page_that_is_missing_or_broken_costs_itself_only() -> None:
    data = bytearray(book({"a": "<p>Good page</p>", "b": "<p>" + "Bad page " * 90 + "</p>"}))
    at = data.index(b"OPS/b.xhtml") + len("OPS/b.xhtml")
    data[at + 2 : at + 12] = b"\xff" * 10
    document = read(bytes(data))
    assert document.text == "Good page"
    assert document.meta["left_out"] == "OPS/b.xhtml"


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_book_cut_off_says_so(keep: float) -> None:
    data = book({"a": "<p>" + "text " * 500 + "</p>"})
    cut = data[: int(len(data) * keep)]
    known = sample("a.epub", BytesIO(cut))
    assert EpubReader().accepts(known)
    with pytest.raises(ReadError) as caught:
        read(cut)
    assert caught.value.key == "read.damaged"


def test_a_book_of_pictures_says_that_it_has_no_text() -> None:
    with pytest.raises(ReadError) as caught:
        read(book({"a": '<img src="1.jpg"/>', "b": '<img src="2.jpg" alt="Page 2"/>'}))
    assert caught.value.key == "read.no_text"


def test_a_cover_is_no_text() -> None:
    document = read(book({"a": '<img src="1.jpg" alt="The cover"/>', "b": "<p>The text</p>"}))
    assert document.text == "The text"
