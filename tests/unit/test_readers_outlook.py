"""Outlook's own files, written property by property."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Reader, ReadOptions
from wenqu.readers.mail.mail import MailReader
from wenqu.readers.mail.outlook import OutlookReader
from wenqu.readers.mail.outlook_rtf import decompress, html_of
from wenqu.readers.markup.text import TextReader
from wenqu.testing.compound import compound
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import paths
from wenqu.types import BlockKind, Document

SUBJECT, BODY, HTML, RTF, SENDER, SENDER_ADDRESS = 0x37, 0x1000, 0x1013, 0x1009, 0xC1A, 0xC1F
CLASS, LONG_NAME, DATA, MIME_TYPE, CONTENT_ID = 0x1A, 0x3707, 0x3701, 0x370E, 0x3712
SENT = (datetime(2022, 12, 16, 9, 4, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()


def readers() -> tuple[Reader, ...]:
    return (OutlookReader(readers), MailReader(readers), TextReader())


def strings(values: dict[int, str | bytes], encoding: str = "utf-16-le") -> dict[str, bytes]:
    """Name the streams of properties: text in ``encoding``, bytes as they are."""
    found = {}
    for tag, value in values.items():
        if isinstance(value, bytes):
            found[f"__substg1.0_{tag:04X}0102"] = value
        else:
            kind = "001F" if encoding == "utf-16-le" else "001E"
            found[f"__substg1.0_{tag:04X}{kind}"] = value.encode(encoding)
    return found


def fixed(values: dict[int, int], header: int) -> dict[str, bytes]:
    entries = (
        struct.pack("<HHIQ", 0x0040 if value > 0xFFFFFFFF else 3, tag, 6, value)
        for tag, value in values.items()
    )
    return {"__properties_version1.0": bytes(header) + b"".join(entries)}


def below(folder: str, streams: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in streams.items()}


def message(
    values: dict[int, str | bytes], *, encoding: str = "utf-16-le", header: int = 32, **pages: int
) -> dict[str, bytes]:
    numbers = {0x39: int(SENT * 10_000_000), 0x3FFD: pages.get("page", 0)}
    numbers[0x3FF1] = pages.get("locale", 0)
    return strings(values, encoding) | fixed(numbers, header)


def recipient(number: int, kind: int, name: str, address: str) -> dict[str, bytes]:
    streams = strings({0x3001: name, 0x39FE: address}) | fixed({0xC15: kind}, 8)
    return below(f"__recip_version1.0_#{number:08X}", streams)


def attachment(number: int, streams: dict[str, bytes]) -> dict[str, bytes]:
    return below(f"__attach_version1.0_#{number:08X}", streams | fixed({}, 8))


def read(streams: dict[str, bytes]) -> Document:
    return OutlookReader(readers).read(compound(streams), "a.msg", ReadOptions())


class TestOutlookReader(ReaderContract):
    def reader(self) -> OutlookReader:
        return OutlookReader(readers)

    def container(self, name: str) -> str:
        del name
        return "msg"

    def samples(self) -> dict[str, bytes]:
        return {
            "会议.msg": compound(message({SUBJECT: "周会", BODY: "会议改到周五。"})),
            "meeting.msg": compound(message({SUBJECT: "Meeting", BODY: "It moved to Friday."})),
        }


def test_subject_people_and_date_are_shown_and_kept() -> None:
    document = read(
        message({SUBJECT: "周会", BODY: "正文", SENDER: "李雷", SENDER_ADDRESS: "li@example.com"})
        | recipient(0, 1, "Han Meimei", "han@example.com")
        | recipient(1, 1, "/O=X/CN=WANG", "")
        | recipient(2, 2, "王芳", "wang@example.com")
    )
    assert document.text == (
        "周会\n\nFrom: 李雷 <li@example.com>\nTo: Han Meimei <han@example.com>, /O=X/CN=WANG\n"
        "Cc: 王芳 <wang@example.com>\nSubject: 周会\nDate: 2022-12-16 09:04+00:00\n\n正文"
    )
    assert document.title == "周会"
    assert document.meta["author"] == "李雷 <li@example.com>"
    assert document.meta["date"] == "2022-12-16"


@pytest.mark.parametrize(
    ("encoding", "pages"),
    [
        ("gb18030", {"page": 936}),
        ("gb18030", {"locale": 0x0804}),
        ("big5", {"page": 950}),
        ("big5", {"locale": 0x0404}),
        ("utf-8", {"page": 65001}),
    ],
)
def test_text_of_old_files_is_in_the_code_page_they_name(
    encoding: str, pages: dict[str, int]
) -> None:
    document = read(message({SUBJECT: "公告", BODY: "天下大事"}, encoding=encoding, **pages))
    assert document.title == "公告"
    assert document.text.endswith("天下大事")


def test_the_html_form_gives_the_structure() -> None:
    html = "<meta charset=gbk><h2>会议室</h2><ul><li>听泉<li>观澜</ul>".encode("gbk")
    document = read(message({SUBJECT: "S1", BODY: "会议室 听泉 观澜", HTML: html}))
    assert [block.kind for block in document.blocks[2:]] == [BlockKind.HEADING, BlockKind.LIST]
    assert document.text.endswith("会议室\n\n- 听泉\n- 观澜")


def test_html_wrapped_in_rtf_is_unwrapped() -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg936\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset134 X;}"
        rb"{\f2\fcharset204 Y;}}{\colortbl\red0;}\uc1"
        rb"{\*\htmltag64 <p>}\htmlrtf {\pard\htmlrtf0 \'c4\'e3\'ba\'c3 \u8364?5"
        rb"{\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 {\f2 \'cc\'e8\'f0}\htmlrtf }\htmlrtf0"
        rb"{\*\htmltag92 </b>}\htmlrtf\par}\htmlrtf0{\*\mhtmltag84 <i>}\{x\}\~y"
        rb"{\*\htmltag72 </p>}}"
    )
    assert html_of(rtf) == "<p>你好 €5<b>Мир</b>{x}\xa0y</p>"
    assert html_of(rb"{\rtf1\ansi plain}") == ""


def test_a_compressed_body_is_unpacked() -> None:
    # The two examples of [MS-OXRTFCP] 3.1.
    simple = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d"
        "0a800fa0"
    )
    assert decompress(simple) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompress(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert decompress(simple[:30]).startswith(b"{\\rtf1\\ansi")
    assert decompress(b"") == b""


def test_attached_files_and_messages_are_sections() -> None:
    inner = message({SUBJECT: "Lift", BODY: "The lift is out of order."}, header=24)
    document = read(
        message({SUBJECT: "周会", BODY: "见附件"})
        | attachment(0, strings({LONG_NAME: "会议室.txt", DATA: "听泉有六个座位。".encode()}))
        | attachment(1, below("__substg1.0_3701000D", inner))
    )
    above = paths(document)
    assert above["听泉有六个座位。"] == ("周会", "会议室.txt")
    assert above["The lift is out of order."] == ("周会", "Lift")


def test_an_object_that_is_no_message_is_named_in_the_meta() -> None:
    chart = strings({LONG_NAME: "chart"}) | below("__substg1.0_3701000D", {"CONTENTS": b"x"})
    document = read(message({SUBJECT: "S1", BODY: "See"}) | attachment(0, chart))
    assert document.meta["left_out"] == "chart"


def test_a_signed_message_is_read_from_what_was_signed() -> None:
    mime = b'MIME-Version: 1.0\nContent-Type: multipart/signed; boundary="x"\n\n'
    mime += b"--x\nContent-Type: text/plain\n\nSigned text\n--x--\n"
    values: dict[int, str | bytes] = {CLASS: "IPM.Note.SMIME.MultipartSigned", SUBJECT: "S1"}
    document = read(message(values) | attachment(0, strings({LONG_NAME: "smime.p7m", DATA: mime})))
    assert document.text.endswith("Signed text")


def test_an_encrypted_message_says_so() -> None:
    sealed = strings(
        {LONG_NAME: "smime.p7m", DATA: b"\x30\x80", MIME_TYPE: "application/pkcs7-mime"}
    )
    with pytest.raises(ReadError) as caught:
        read(message({CLASS: "IPM.Note.SMIME", SUBJECT: "S1"}) | attachment(0, sealed))
    assert caught.value.key == "read.encrypted"


def test_a_message_cut_off_says_so_or_shows_what_is_left() -> None:
    data = compound(message({SUBJECT: "S1", BODY: "long body " * 2000}))
    for keep in (600, len(data) // 3, len(data) - 700):
        try:
            document = OutlookReader(readers).read(data[:keep], "a.msg")
        except ReadError as error:
            assert error.key in {"read.damaged", "read.empty"}  # noqa: PT017
        else:
            assert document.text
