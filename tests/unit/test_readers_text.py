"""Plain text, reStructuredText, and the encodings that text comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.builder import join_lines
from wenqu.readers.encoding import decode
from wenqu.readers.markup.text import TextReader, chinese_heading_level
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import outlined
from wenqu.types import BlockKind

LAW = """劳动合同法

第一章 总则

第一条 为了完善劳动合同制度，制定本法。

第二章 劳动合同的订立

第七条 用人单位自用工之日起即与劳动者建立劳动关系。
"""
RST = """
.. _install:

Install
=======

Use :ref:`pip <pip>` or ``uv``. See `the site <https://a.example>`_.

.. note::

   Needs Python 3.11.

.. toctree::

   a
   b

From source
-----------

Run this::

    make install

.. code-block:: bash
   :linenos:

   pip install .

done
"""
CHINESE = "问渠是可以自行部署的知识库助手，它依据文档回答问题，并给出每句话的出处。"
TRADITIONAL = "問渠是可以自行部署的知識庫助手，它依據文件回答問題，並給出每句話的出處。"


class TestTextReader(ReaderContract):
    def reader(self) -> TextReader:
        return TextReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "law.txt": LAW.encode("gb18030"),
            "install.rst": RST.encode(),
            "notes": b"\xef\xbb\xbfOne.\r\n\r\nTwo.\r\n",
        }


def blocks_of(text: str, name: str) -> list[tuple[BlockKind, str, tuple[str, ...]]]:
    return outlined(TextReader().read(text.encode(), name))


def test_chapters_of_a_chinese_law_are_headings() -> None:
    blocks = blocks_of(LAW, "law.txt")
    assert (BlockKind.HEADING, "第二章 劳动合同的订立", ()) in blocks
    assert blocks[-1][1].startswith("第七条")
    assert blocks[-1][2] == ("第二章 劳动合同的订立",)


def test_a_sentence_that_speaks_of_a_chapter_is_no_heading() -> None:
    assert chinese_heading_level("第三章 规定的情形，适用本条。") is None
    assert chinese_heading_level("第三章规定") is None
    assert chinese_heading_level("第三节 期限") == 3


def test_restructured_text_keeps_words_and_drops_marks() -> None:
    blocks = blocks_of(RST, "install.rst")
    assert blocks == [
        (BlockKind.HEADING, "Install", ()),
        (BlockKind.PARAGRAPH, "Use pip or `uv`. See the site.", ("Install",)),
        (BlockKind.PARAGRAPH, "Needs Python 3.11.", ("Install",)),
        (BlockKind.HEADING, "From source", ("Install",)),
        (BlockKind.PARAGRAPH, "Run this:", ("Install", "From source")),
        (BlockKind.CODE, "```\nmake install\n```", ("Install", "From source")),
        (BlockKind.CODE, "```\npip install .\n```", ("Install", "From source")),
        (BlockKind.PARAGRAPH, "done", ("Install", "From source")),
    ]


def test_a_grid_table_becomes_a_markdown_table_and_running_lines_are_joined() -> None:
    text = """
第一行
第二行\\ 完。

+------+-------+
| Name | Note  |
+======+=======+
| a    | long  |
|      | words |
+------+-------+

-  one
   more
-  two
"""
    assert [block[1] for block in blocks_of(text, "x.rst")] == [
        "第一行第二行完。",
        "| Name | Note |\n| --- | --- |\n| a | long words |",
        "- one more\n- two",
    ]


def test_line_ends_inside_a_paragraph_of_plain_text_stay() -> None:
    assert blocks_of("a\nb\n\nc\n", "x.txt")[0][1] == "a\nb"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-16-be"),
        (CHINESE, "gb18030"),
        (TRADITIONAL, "big5"),
        ("plain English, nothing else", "utf-16-le"),
        ("Über den Wölfen, naïve café", "cp1252"),
    ],
)
def test_text_comes_back_from_its_encoding(text: str, encoding: str) -> None:
    decoded, _ = decode(text.encode(encoding), "x.txt")
    assert decoded == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_every_utf8_text_is_read_as_utf8(text: str) -> None:
    assert decode(text.encode(), "x")[0] == text.removeprefix("\ufeff")


def test_a_few_broken_bytes_do_not_cost_a_utf8_file() -> None:
    data = (CHINESE * 20).encode()
    decoded, name = decode(data[:500] + b"\xff" + data[500:], "x.txt")
    assert name == "utf-8"
    assert decoded.count("\ufffd") <= 3
    assert decoded.endswith(CHINESE)


def test_binary_data_is_refused() -> None:
    with pytest.raises(ReadError) as caught:
        decode(bytes(range(256)) * 16, "x.txt")
    assert caught.value.key == "read.unsupported"


def test_bytes_of_no_known_encoding_are_refused() -> None:
    with pytest.raises(ReadError) as caught:
        decode(bytes(range(0x80, 0x100)) * 8, "x.txt")
    assert caught.value.key == "read.encoding"


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        ("两行中文\n相连", "两行中文相连"),
        ("虚构公司“青禾”\n的手册", "虚构公司“青禾”的手册"),
        ("two\nlines", "two lines"),
        ("用 pip\n安装", "用 pip 安装"),
    ],
)
def test_running_lines_are_joined_as_their_language_does(lines: str, joined: str) -> None:
    assert join_lines(lines) == joined


def test_a_tower_of_directives_does_not_break_the_reader() -> None:
    tower = "\n".join(" " * depth + ".. note:: level" for depth in range(300))
    assert "level" in TextReader().read(tower.encode(), "x.rst").text


def test_simple_tables_and_those_of_directives_are_markdown_tables() -> None:
    text = """
=====  ======
名称   Use
=====  ======
听泉   talks
       and more
a      b
=====  ======

.. list-table:: Rooms
   :header-rows: 1

   * - Name
     - Seats
   * - spring
     - six
       or seven

.. csv-table::
   :header: "Name", "Seats"

   "tide, low", 24

>>> 1 + 1
2
"""
    assert [block[1] for block in blocks_of(text, "x.rst")] == [
        "| 名称 | Use |\n| --- | --- |\n| 听泉 | talks and more |\n| a | b |",
        "Rooms",
        "| Name | Seats |\n| --- | --- |\n| spring | six or seven |",
        "| Name | Seats |\n| --- | --- |\n| tide, low | 24 |",
        "```\n>>> 1 + 1\n2\n```",
    ]


@pytest.mark.parametrize(
    ("name", "head", "taken"),
    [
        ("notes.xyz", "中文笔记，没有后缀的规矩。".encode("gb18030"), True),
        ("notes.xyz", CHINESE.encode("utf-16"), True),
        ("server.pem", b"-----BEGIN PRIVATE KEY-----", False),
        ("a.doc", b"{\\rtf1 words}", False),
        ("a.bin", bytes(range(0x80, 0x100)) * 4, False),
        ("a.bin", b"", False),
    ],
)
def test_a_file_of_an_unknown_name_is_read_where_it_is_surely_text(
    name: str,
    head: bytes,
    taken: bool,  # noqa: FBT001  # a parameter of the table above
) -> None:
    assert TextReader().accepts(Sample(name=name, head=head)) is taken
