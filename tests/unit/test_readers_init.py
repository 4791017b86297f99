"""Which reader takes a file, and what is said of one that none takes."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers import choose, default_readers, identify, read_file
from wenqu.readers.builder import DocumentBuilder, unspaced
from wenqu.readers.detect import sample
from wenqu.testing.reading import paths, texts
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "head", "family"),
    [
        ("a.pdf", b"%PDF-1.7", "pdf"),
        ("a.txt", b"%PDF-1.7", "pdf"),
        ("a.md", b"# Title", "markdown"),
        ("a.md", b"<div align=center>", "markdown"),
        ("A.MD", "标题".encode("utf-16"), "markdown"),
        ("a.html", b"<p>x", "html"),
        ("a.asp", b"<!doctype html>", "html"),
        ("a.csv", b"a,b", "csv"),
        ("a.rst", b"Title\n=====", "text"),
        ("LICENSE", b"Apache License", "text"),
        ("a.md", b"PK\x03\x04\0\0\0\0", None),
        ("a.docx", b"PK\x03\x04\0\0\0\0", None),
        ("a.py", b"print()", "code"),
        ("a.xyz", b"words of a text", "text"),
        ("a.xyz", bytes(range(256)), None),
        ("a.txt", b"{", "text"),
        ("a.dat", b'{"a": 1}', "json"),
        ("a.json", b'{"cells": [{"cell_type": "code"}]}', "notebook"),
        ("a.ipynb", b"{}", "notebook"),
        ("feed", b"<?xml version='1.0'?><rss/>", "xml"),
        ("a.xhtml", b"<?xml version='1.0'?><html>", "html"),
        ("a.vtt", b"WEBVTT", "subtitles"),
        ("a.tex", b"\\section{A}", "latex"),
    ],
)
def test_content_decides_before_the_name(name: str, head: bytes, family: str | None) -> None:
    reader = choose(default_readers(), sample(name, BytesIO(head)))
    assert (reader.name.partition("/")[0] if reader else None) == family


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0", "JPEG"),
        ("a.py", b"print()", ".py"),
    ],
)
def test_an_unread_file_is_named_for_what_it_is(name: str, head: bytes, kind: str) -> None:
    assert identify(sample(name, BytesIO(head))) == kind


def test_an_unread_file_is_an_error_with_a_hint_in_both_languages(tmp_path: Path) -> None:
    path = tmp_path / "报告.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\0\0")
    with pytest.raises(ReadError) as caught:
        read_file(path, "报告.7z", default_readers())
    assert "7-Zip" in caught.value.message("zh")
    assert "PDF" in (caught.value.hint("zh") or "")
    assert "PDF" in (caught.value.hint("en") or "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.docx", b"PK\x03\x04" + bytes(60)),
        ("a.zip", b"PK\x03\x04" + bytes(60)),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    ],
)
def test_a_container_that_cannot_be_opened_is_said_to_be_damaged(
    tmp_path: Path, name: str, data: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ReadError) as caught:
        read_file(path, name, default_readers())
    assert caught.value.key == "read.damaged"


@pytest.mark.parametrize("part", ["[Content_Types].xml", "META-INF/manifest.xml"])
def test_a_document_without_its_main_part_is_no_archive_of_files(tmp_path: Path, part: str) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(part, "x")
    with pytest.raises(ReadError) as caught:
        read_file(path, "a.docx", default_readers())
    assert caught.value.key == "read.unsupported"


@pytest.mark.parametrize(
    ("name", "key"), [("a.pdf", "read.misnamed"), ("a.dat", "read.unsupported")]
)
def test_a_file_that_is_not_what_its_name_says_is_said_to_be_damaged(
    name: str, key: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(ReadError) as caught:
        read_file(path, name, default_readers())
    assert caught.value.key == key


def test_an_archive_of_files_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(ReadError) as caught:
        read_file(path, "a.docx", default_readers())
    assert caught.value.key == "read.archive"


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read_file(path, "a.txt", default_readers())
    assert caught.value.key == "read.empty"


def test_the_builder_counts_the_characters_of_the_normalised_text() -> None:
    builder = DocumentBuilder("x", "test")
    builder.heading("A\u0301 title", 1)
    builder.add("one\r\ntwo\u200b")
    builder.add("\u200b")
    builder.heading("Deeper", 3)
    builder.add("  code", BlockKind.CODE)
    builder.heading("Next", 2)
    builder.add("end")
    document = builder.build()
    assert texts(document) == [
        "Á title",
        "one\ntwo",
        "Deeper",
        "```\n  code\n```",
        "Next",
        "end",
    ]
    assert [b.heading for b in document.blocks][-3:] == [
        ("Á title", "Deeper"),
        ("Á title",),
        ("Á title", "Next"),
    ]


def test_a_document_inside_another_is_a_section_with_its_own_headings() -> None:
    inner = DocumentBuilder("b.md", "test")
    inner.heading("Part", 1)
    inner.add("inside")
    outer = DocumentBuilder("a.eml", "test")
    outer.heading("Mail", 1)
    outer.add("before")
    outer.include(inner.build(), "b.md", 2)
    outer.add("after")
    document = outer.build()
    above = paths(document)
    assert above["inside"] == ("Mail", "b.md", "Part")
    assert above["after"] == ("Mail",)


def test_a_text_beyond_what_is_allowed_is_refused_while_it_grows() -> None:
    builder = DocumentBuilder("x", "test", ReadOptions(max_characters=10))
    builder.add("12345678")
    with pytest.raises(ReadError) as caught:
        builder.add("12345678")
    assert caught.value.key == "read.too_long"


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        (["[Content_Types].xml", "word/document.xml", "word/embeddings/xl/workbook.xml"], "docx"),
        (["xl/workbook.xml"], "xlsx"),
        (["ppt/presentation.xml"], "pptx"),
        (["a.docx"], "zip"),
    ],
)
def test_a_container_is_told_by_its_members(members: list[str], kind: str) -> None:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in members:
            archive.writestr(name, "x")
    file.seek(0)
    assert sample("misnamed.txt", file).container == kind
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("目 录", "目录"),
        ("关  于  放  假  的  通  知", "关于放假的通知"),
        (
            "女，黑 龙 江齐齐 哈尔 人， 安徽 大学 大 数据与 统计 学院",
            "女，黑龙江齐齐哈尔人，安徽大学大数据与统计学院",
        ),
        ("安徽大学经济学院，安徽 合肥 230601", "安徽大学经济学院，安徽 合肥 230601"),
        (
            "甲方：某某公司 乙方：某某学校 丙方：某某医院",
            "甲方：某某公司 乙方：某某学校 丙方：某某医院",
        ),
        ("第 1 章 总则", "第 1 章 总则"),
        ("a b c", "a b c"),
    ],
)
def test_only_spaces_that_spread_a_chinese_line_go(line: str, plain: str) -> None:
    assert unspaced(line) == plain
