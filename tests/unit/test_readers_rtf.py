"""RTF as a word processor would show it."""

from __future__ import annotations

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions, Sample
from wenqu.readers import default_readers
from wenqu.readers.office.rtf import RtfReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import blocks, texts
from wenqu.types import BlockKind, Document


def escaped(text: str, encoding: str) -> str:
    return "".join(f"\\'{byte:02x}" if byte > 0x7F else chr(byte) for byte in text.encode(encoding))


def rtf(body: str, head: str = r"\ansi\ansicpg1252") -> bytes:
    return f"{{\\rtf1{head} {body}}}".encode("latin-1")


def chinese(body: str) -> bytes:
    return rtf(body, r"\ansi\ansicpg936{\fonttbl{\f0\fnil\fcharset134 SimSun;}}\f0")


def read(data: bytes) -> Document:
    return RtfReader(default_readers).read(data, "x.rtf")


class TestRtfReader(ReaderContract):
    def reader(self) -> RtfReader:
        return RtfReader(default_readers)

    def samples(self) -> dict[str, bytes]:
        return {
            "通知.rtf": chinese(escaped("各部门：请于周五前报名。", "gb18030") + r"\par"),
            "memo.doc": rtf(r"Hello.\par {\b Bold} text.\par"),
        }


@pytest.mark.parametrize(
    ("text", "charset", "encoding"),
    [
        ("会议通知", 134, "gb18030"),
        ("會議通知", 136, "cp950"),
        ("会議のお知らせ", 128, "cp932"),
        ("Уведомление", 204, "cp1251"),
        ("会议通知", 80, "gb18030"),
        ("Уведомление", 89, "mac_cyrillic"),
    ],
)
def test_text_is_in_the_encoding_of_its_font(text: str, charset: int, encoding: str) -> None:
    fonts = f"\\ansi\\ansicpg1252{{\\fonttbl{{\\f0 Arial;}}{{\\f1\\fcharset{charset} X;}}}}"
    assert texts(read(rtf(f"\\f0 caf\\'e9 \\f1 {escaped(text, encoding)}\\par", fonts))) == [
        f"café {text}"
    ]


def test_text_without_a_font_is_in_the_encoding_of_the_document() -> None:
    assert texts(read(rtf(escaped("请假条", "gb18030"), r"\ansi\ansicpg936"))) == ["请假条"]


@pytest.mark.parametrize(
    ("text", "page", "encoding"),
    [("请假条", 10008, "gb18030"), ("請假條", 10002, "big5"), ("žádost", 10029, "mac_latin2")],
)
def test_text_of_an_old_macintosh_is_in_its_code_page(text: str, page: int, encoding: str) -> None:
    assert texts(read(rtf(escaped(text, encoding), f"\\ansi\\ansicpg{page}"))) == [text]


def test_characters_by_number_leave_out_what_stands_in_for_them() -> None:
    assert texts(read(rtf(r"\uc1\u20844?\u21496?\uc2\u-243 xx{\uc0\u8212}a"))) == ["公司\uff0d—a"]


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert texts(read(rtf(r"\u-10179?\u-8704?x"))) == ["\U0001f600x"]


def test_signs_and_escapes_are_characters() -> None:
    assert texts(read(rtf(r"a\emdash b\ldblquote c\rdblquote  \{d\}\~e\_f\\"))) == [
        "a—b“c” {d} e‑f\\"
    ]


def test_headings_come_from_the_style_sheet_and_from_outline_levels() -> None:
    sheet = r"{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s7\outlinelevel1 Mine;}}"
    body = (
        r"\pard\s1 One\par\pard\s7 Two\par\pard Text.\par"
        r"\pard\outlinelevel2 Three\par\pard End.\par"
    )
    document = read(rtf(sheet + body))
    found = [b.heading for b in document.blocks if b.kind is BlockKind.PARAGRAPH]
    assert found == [("One", "Two"), ("One", "Two", "Three")]


def test_lists_keep_the_numbers_that_were_written_for_older_programs() -> None:
    body = (
        r"\pard{\listtext\pard 1.\tab}\ls1 First\par{\listtext 2.\tab}Second\par"
        r"\pard{\pntext\f3\'b7\tab}\ilvl1 Below\par"
    )
    assert blocks(read(rtf(body))) == [(BlockKind.LIST, "1. First\n2. Second\n  - Below")]


def test_tables_become_markdown() -> None:
    row = r"\trowd\cellx100\cellx200\pard\intbl {}\cell {}\cell\row"
    body = row.format("a", "b") + row.format("1", "2") + r"\pard After.\par"
    assert texts(read(rtf(body))) == ["| a | b |\n| --- | --- |\n| 1 | 2 |", "After."]


def test_merged_cells_of_a_table_say_their_text_in_each_row() -> None:
    body = (
        r"\trowd\cellx1\cellx2\intbl x\cell y\cell\row"
        r"\trowd\clvmgf\cellx1\cellx2\intbl a\cell b\cell\row"
        r"\trowd\clvmrg\cellx1\cellx2\intbl \cell c\cell\row"
    )
    assert texts(read(rtf(body)))[0].split("\n")[2:] == ["| a | b |", "| a | c |"]


def test_a_table_in_a_cell_is_written_into_it() -> None:
    body = (
        r"\trowd\cellx1\cellx2\pard\intbl\itap2 p\nestcell q\nestcell"
        r"{\*\nesttableprops\trowd\cellx1\cellx2\nestrow}\pard\intbl\itap1 after\cell z\cell\row"
        r"\pard\intbl e\cell f\cell\row"
    )
    assert "| p, q after | z |" in texts(read(rtf(body)))[0]


def test_hidden_deleted_and_skipped_text_is_dropped() -> None:
    body = (
        r"Seen{\v  hidden}{\deleted  deleted}{\*\unknown secret}{\pict 0123abcd}{\xe index}"
        r"{\upr{old}{\*\ud{ new}}}\par"
    )
    assert texts(read(rtf(body))) == ["Seen new"]


def test_fields_show_their_results_and_links_name_their_address() -> None:
    link = r'{\field{\*\fldinst HYPERLINK "https://a.cn/x"}{\fldrslt rules}}'
    page = r"{\field{\*\fldinst PAGE}{\fldrslt 3}}"
    assert texts(read(rtf(link + page + r" apply.\par"))) == ["rules (https://a.cn/x) apply."]


def test_notes_comments_and_boxes_follow_their_paragraph() -> None:
    body = (
        r"Text{\footnote\pard Note.}{\*\atnauthor Wang}{\*\annotation Check.}"
        r"{\shp{\*\shpinst{\sp{\sn n}{\sv v}}{\shptxt\pard Box.\par}}{\shprslt Old.}}\par Next.\par"
    )
    assert texts(read(rtf(body))) == ["Text[^1]", "[^1]: Note.", "Wang: Check.", "Box.", "Next."]


def test_a_header_is_given_once_and_page_numbers_not_at_all() -> None:
    page = r"{\field{\*\fldinst PAGE}{\fldrslt 1}}"
    body = rf"{{\header\pard Internal\par}}{{\footer\pard Page {page}\par}}"
    assert texts(read(rtf(body + r"Text.\par"))) == ["Internal", "Text."]


def test_what_is_known_of_the_document_is_in_its_meta() -> None:
    info = r"{\info{\title Rules}{\author Li}{\revtim\yr2024\mo3\dy5}}"
    document = read(rtf(info + r"Text.\par"))
    assert (document.title, document.meta["author"], document.meta["date"]) == (
        "Rules",
        "Li",
        "2024-03-05",
    )


def test_an_embedded_file_becomes_a_section() -> None:
    content = b"name,seats\nspring,6\n"
    native = b"\x02\0rooms.csv\0C:\\rooms.csv\0\0\0\x03\0\x05\0\0\0temp\0"
    native += len(content).to_bytes(4, "little") + content
    ole = (
        bytes.fromhex("0105000002000000") + (8).to_bytes(4, "little") + b"Package\0" + bytes(8)
        + len(native).to_bytes(4, "little") + native
    )  # fmt: skip
    body = rf"Text.\par{{\object\objemb{{\*\objdata {ole.hex()}}}{{\result icon\par}}}}"
    document = read(rtf(body))
    assert document.blocks[-1].heading == ("rooms.csv",)
    assert "spring" in document.text


def test_binary_data_is_stepped_over() -> None:
    assert texts(read(rtf(r"a{\pict\bin6 }}{{\\ }b\par"))) == ["ab"]


def test_what_is_cut_off_gives_what_there_is() -> None:
    assert texts(read(rtf(r"First.\par {\b Second")[:-1])) == ["First.", "Second"]


def test_groups_without_end_are_refused() -> None:
    with pytest.raises(ReadError) as caught:
        read(b"{\\rtf1" + b"{" * 100_000)
    assert caught.value.key == "read.damaged"


def test_it_is_told_by_its_beginning_and_not_by_its_name() -> None:
    reader = RtfReader(default_readers)
    assert reader.accepts(Sample(name="old.doc", head=b"{\\rtf1\\ansi"))
    assert not reader.accepts(Sample(name="a.rtf", head=b"plain text"))


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ReadError) as caught:
        RtfReader(default_readers).read(rtf("a" * 500), "x", ReadOptions(max_characters=100))
    assert caught.value.key == "read.too_long"
