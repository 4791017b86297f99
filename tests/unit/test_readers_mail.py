"""Mail as it is found: who, when, what, and what hangs on it."""

from __future__ import annotations

import base64
import struct
from email.message import EmailMessage

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, Reader, ReadOptions, Sample
from wenqu.readers.mail.mail import MailReader
from wenqu.readers.mail.tnef import WrappedMailReader
from wenqu.readers.markup.html import HtmlReader
from wenqu.readers.markup.text import TextReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import paths, text_of
from wenqu.types import BlockKind, Document


def readers() -> tuple[Reader, ...]:
    return (MailReader(readers), HtmlReader(), TextReader())


def read(data: bytes | str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
    raw = data.encode() if isinstance(data, str) else data
    return MailReader(readers).read(raw, "a.eml", options)


def message(subject: str = "周会", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "李雷 <li@example.com>"
    made["To"] = "Han Meimei <han@example.com>"
    made["Subject"] = subject
    made["Date"] = "Fri, 16 Dec 2022 17:04:16 +0800"
    for name, value in headers.items():
        made[name] = value
    return made


def with_plain(text: str, **headers: str) -> EmailMessage:
    made = message(**headers)
    made.set_content(text)
    return made


HEAD = "From: a@b.c\nTo: d@e.f\nSubject: S\nMIME-Version: 1.0\n"
PGP = "-----BEGIN PGP MESSAGE-----\n\nhIwDY32h\n=zzaA\n-----END PGP MESSAGE-----\n"


class TestMailReader(ReaderContract):
    def reader(self) -> MailReader:
        return MailReader(readers)

    def samples(self) -> dict[str, bytes]:
        return {
            "会议.eml": bytes(with_plain("各位好：\n\n会议改到周五。\n")),
            "meeting.eml": b"From: a@b.c\nSubject: Meeting\n\nIt moved to Friday.\n",
        }


def test_subject_people_and_date_are_shown_and_kept() -> None:
    document = read(bytes(with_plain("会议改到周五。", Cc="王芳 <wang@example.com>")))
    assert document.title == "周会"
    assert document.text.split("\n") == [
        "周会",
        "",
        "From: 李雷 <li@example.com>",
        "To: Han Meimei <han@example.com>",
        "Cc: 王芳 <wang@example.com>",
        "Subject: 周会",
        "Date: 2022-12-16 17:04+08:00",
        "",
        "会议改到周五。",
    ]
    assert document.meta == {
        "format": "mail",
        "author": "李雷 <li@example.com>",
        "to": "Han Meimei <han@example.com>",
        "cc": "王芳 <wang@example.com>",
        "date": "2022-12-16",
    }
    assert {block.heading for block in document.blocks[1:]} == {("周会",)}


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb2312", "镕基同志的讲话"),  # 镕 is in GBK alone
        ("big5", "碁峰資訊的公告"),
        ("iso-2022-jp", "会議のお知らせ"),
        ("ks_c_5601-1987", "회의 일정 안내"),
        ("koi8-r", "Повестка собрания"),
        ("windows-936", "会议通知和议程"),
    ],
)
def test_a_body_is_read_in_the_charset_that_was_meant(charset: str, text: str) -> None:
    real = {"gb2312": "gbk", "big5": "cp950", "ks_c_5601-1987": "cp949", "windows-936": "gbk"}.get(
        charset, charset
    )
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\n\n"
    assert read(head.encode() + text.encode(real)).text.endswith(text)


def test_a_wrong_or_missing_charset_does_not_garble_chinese() -> None:
    text = "关于召开年度工作会议的通知，请各部门按时参加。"
    for charset in ("; charset=us-ascii", "; charset=iso-8859-1", "; charset=nonsense", ""):
        head = f"{HEAD}Content-Type: text/plain{charset}\n\n".encode()
        assert read(head + text.encode("gb18030")).text.endswith(text)
        assert read(head + text.encode()).text.endswith(text)


def test_a_header_written_without_encoding_is_read_like_the_body() -> None:
    head = "From: 王芳 <w@b.c>\nSubject: 开会\nContent-Type: text/plain; charset=gbk\n\n正文"
    document = read(head.encode("gbk"))
    assert document.title == "开会"
    assert document.meta["author"] == "王芳 <w@b.c>"


def test_encoded_words_cut_in_mid_character_are_joined() -> None:
    raw = "关于会议室的通知".encode("gb18030")
    words = [base64.b64encode(part).decode() for part in (raw[:5], raw[5:])]
    subject = "\n ".join(f"=?GB2312?B?{word}?=" for word in words)
    assert read(f"From: a@b.c\nSubject: Re: {subject}\n\nx1").title == "Re: 关于会议室的通知"


def test_the_html_form_gives_the_structure() -> None:
    made = with_plain("Rooms\nspring 6\n")
    made.add_alternative(
        "<h2>Rooms</h2><table><tr><th>Room<th>Seats<tr><td>spring<td>6</table>"
        "<ul><li>one<li>two</ul>",
        subtype="html",
    )
    document = read(bytes(made))
    kinds = [block.kind for block in document.blocks[2:]]
    assert kinds == [BlockKind.HEADING, BlockKind.TABLE, BlockKind.LIST]
    assert document.blocks[3].heading == ("周会", "Rooms")
    assert document.text.count("spring") == 1


def test_the_plain_form_is_taken_where_the_html_is_only_a_stub() -> None:
    made = with_plain("The whole long text of the message is in the plain form alone.")
    made.add_alternative("<p>Please use another program.</p>", subtype="html")
    assert "whole long text" in read(bytes(made)).text
    assert "another program" not in read(bytes(made)).text


def test_where_links_lead_is_shown_unless_they_say_it_or_only_count_clicks() -> None:
    made = with_plain("x")
    made.add_alternative(
        '<p><a href="https://meet.example/42">Join here</a>, <a href="https://a.example/">'
        f'a.example</a>, <a href="https://t.example/{"x" * 300}">news</a></p>',
        subtype="html",
    )
    text = read(bytes(made)).text
    assert text.endswith("Join here <https://meet.example/42>, a.example, news")


def test_lines_that_a_program_broke_are_joined_and_quotes_stay() -> None:
    text = (
        "This is a line that some program has broken at about seventy columns, and\n"
        "it goes on here.\n\n"
        "> quoted line that is also broken at about seventy columns by a program\n> and more\n\n"
        "Li Lei\nHead of something\n"
    )
    document = read(f"From: a@b.c\n\n{text}")
    assert "columns, and it goes on here." in document.text
    assert "by a program\n> and more" in document.text
    assert document.text.endswith("Li Lei\nHead of something")


def test_flowed_text_is_joined_where_it_says_so() -> None:
    head = "From: a@b.c\nContent-Type: text/plain; format=flowed\n\n"
    document = read(f"{head}One line \nthat goes on.\n> quoted \n> and on\nNot part of it.\n")
    assert document.text.endswith("One line that goes on.\n> quoted and on\nNot part of it.")


def test_attachments_become_sections_under_their_decoded_names() -> None:
    made = with_plain("见附件。")
    made.add_attachment(
        "听泉有六个座位。".encode("gb18030"), "text", "plain", filename="会议室.txt"
    )
    document = read(bytes(made))
    section = [block for block in document.blocks if "会议室.txt" in block.heading]
    assert [text_of(document, b) for b in section] == ["听泉有六个座位。"]
    assert section[0].heading == ("周会", "会议室.txt")
    assert "\nAttachments: 会议室.txt\n" in document.text


@pytest.mark.parametrize(
    "disposition",
    [
        "attachment; filename*=GB2312''%BB%E1%D2%E9.txt",
        "attachment; filename*0*=utf-8''%E4%BC%9A; filename*1*=%E8%AE%AE.txt",
        'attachment; filename="=?GBK?B?u+HS6S50eHQ=?="',
        'attachment; filename="会议.txt"',
        'attachment; filename="C:\\docs\\会议.txt"',
    ],
)
def test_names_of_attachments_are_decoded_however_they_are_written(disposition: str) -> None:
    part = f"--x\nContent-Type: text/plain\nContent-Disposition: {disposition}\n\nhello\n--x--\n"
    data = f"{HEAD}Content-Type: multipart/mixed; boundary=x\n\n{part}"
    assert "会议.txt\n\nhello" in read(data).text


def test_an_attachment_that_nothing_reads_is_named_in_the_meta() -> None:
    made = with_plain("See the file.")
    made.add_attachment(bytes(range(256)) * 200, "application", "x-thing", filename="model.bin")
    assert read(bytes(made)).meta["left_out"] == "model.bin"


def test_small_inline_pictures_are_not_worth_a_word() -> None:
    made = with_plain("Regards")
    picture = b"\x89PNG" + bytes(range(256)) * 100
    made.add_attachment(picture, "image", "png", filename="logo.png", cid="<1@x>")
    assert "left_out" not in read(bytes(made)).meta


def test_a_forwarded_message_is_a_section_with_its_own_head() -> None:
    made = with_plain("FYI")
    made.add_attachment(with_plain("The lift is out of order.", subject="Lift"))
    document = read(bytes(made))
    assert paths(document)["The lift is out of order."] == ("周会", "Lift")
    assert document.title == "周会"


def test_a_forwarded_message_that_was_encoded_as_a_whole_is_read_too() -> None:
    coded = base64.encodebytes(bytes(with_plain("Inner text here", subject="Inner"))).decode()
    part = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{coded}"
    data = f"{HEAD}Content-Type: multipart/mixed; boundary=x\n\n--x\n{part}--x--\n"
    assert "Inner text here" in read(data).text


def test_a_mailbox_is_read_message_by_message() -> None:
    one, two = bytes(with_plain("First body")), bytes(with_plain("Second body", subject="Lift"))
    line = b"From li@example.com Fri Dec 16 17:04:16 2022\n"
    document = read(line + one + b"\n" + line + two)
    assert document.meta["messages"] == "2"
    assert document.title == "a"
    tops = [b for b in document.blocks if b.kind is BlockKind.HEADING and not b.heading]
    assert [text_of(document, b) for b in tops] == ["周会", "Lift"]


def test_apples_variant_is_read_up_to_its_length() -> None:
    inner = b"From: a@b.c\nSubject: Hi\n\nBody text\n"
    data = str(len(inner)).encode() + b"\n" + inner + b"<?xml version='1.0'?><plist/>"
    assert MailReader(readers).accepts(Sample(name="1.emlx", head=data))
    assert MailReader(readers).read(data, "1.emlx").text.endswith("Body text")


@pytest.mark.parametrize(
    "body",
    [
        f"multipart/encrypted; boundary=x\n\n--x\nContent-Type: text/plain\n\n{PGP}--x--\n",
        "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nMIAGCSqG\n",
        f"text/plain\n\n{PGP}",
    ],
)
def test_an_encrypted_message_says_so(body: str) -> None:
    with pytest.raises(ReadError) as caught:
        read(f"{HEAD}Content-Type: {body}")
    assert caught.value.key == "read.encrypted"


def test_what_is_readable_beside_an_encrypted_part_is_read() -> None:
    document = read(f"{HEAD}Content-Type: text/plain\n\nThe lift works again.\n\n{PGP}")
    assert document.text.endswith("The lift works again.")
    assert "PGP" not in document.text
    assert document.meta["left_out"] == "(encrypted)"


def test_a_signed_message_shows_its_text_and_not_its_signature() -> None:
    part = "--x\nContent-Type: text/plain\n\nSigned text\n"
    signature = "--x\nContent-Type: application/pgp-signature; name=s.asc\n\n-----BEGIN\n--x--\n"
    document = read(f"{HEAD}Content-Type: multipart/signed; boundary=x\n\n{part}{signature}")
    assert document.text.endswith("Signed text")


@pytest.mark.parametrize(
    ("name", "head", "taken"),
    [
        ("a.eml", b"X-Odd: 1\n\nbody", True),
        ("a.eml", b"just text", True),
        ("saved.txt", b"Received: by x\nFrom: a\nTo: b\nDate: c\nSubject: d\n\n", True),
        ("letter.txt", b"From: me\nTo: you\nSubject: tea\n\nDear you", False),
        ("a.eml", b"\xd0\xcf\x11\xe0" + bytes(600), False),
        ("a.eml", "From: a@b.c\nSubject: x\n\nbody".encode("utf-16"), True),
    ],
)
def test_mail_is_known_by_its_head(name: str, head: bytes, *, taken: bool) -> None:
    assert MailReader(readers).accepts(Sample(name=name, head=head)) is taken


def test_mail_saved_as_utf16_is_read() -> None:
    assert read("From: a@b.c\nSubject: 通知\n\n正文".encode("utf-16")).title == "通知"


def test_parts_nested_without_end_cost_no_crash() -> None:
    data = HEAD
    for level in range(3000):
        data += f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
    with pytest.raises(ReadError) as caught:
        read(data + "Content-Type: text/plain\n\ndeep")
    assert caught.value.key in {"read.damaged", "read.empty"}


def test_broken_heads_lose_no_text() -> None:
    data = (
        b"From: =?x?Q?=?= <a@b\nTo: \x81\xff,,;<>\nSubject: =?utf-8?B?A?= \xc4\xe3\xba\xc3\n"
        b"Date: yesterday\nContent-Type: text/plain; charset\n"
        b"Content-Transfer-Encoding: base65\n\nStill readable\n"
    )
    assert read(data).text.endswith("Still readable")


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + body


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_message_signed_as_a_whole_is_read(*, in_pieces: bool) -> None:
    inner = "Content-Type: text/plain; charset=utf-8\n\n电梯已经修好。\n".encode()
    octets = der(0x04, inner)
    if in_pieces:  # of a length that is not said, as streaming programs write
        octets = b"\x24\x80" + der(0x04, inner[:50]) + der(0x04, inner[50:]) + b"\0\0"
    kind = bytes.fromhex("2a864886f70d0107")
    content = der(0x30, der(0x06, kind + b"\x01"), der(0xA0, octets))
    signed = der(0x30, der(0x02, b"\x01"), der(0x31), content)
    whole = base64.encodebytes(der(0x30, der(0x06, kind + b"\x02"), der(0xA0, signed))).decode()
    head = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
    document = read(f"{HEAD}{head}Content-Transfer-Encoding: base64\n\n{whole}")
    assert document.text.endswith("电梯已经修好。")


def attribute(level: int, number: int, data: bytes) -> bytes:
    size = len(data)
    return struct.pack("<BII", level, number, size) + data + struct.pack("<H", sum(data) & 0xFFFF)


def test_files_that_outlook_wrapped_are_unwrapped() -> None:
    long_name = "会议室 名单.txt".encode("utf-16-le") + b"\0\0"
    padded = long_name.ljust(-(-len(long_name) // 4) * 4, b"\0")
    names = struct.pack("<IHHII", 1, 0x1F, 0x3707, 1, len(long_name)) + padded
    wrapped = b"\x78\x9f\x3e\x22\x01\x00" + b"".join(
        [
            attribute(1, 0x69007, struct.pack("<II", 936, 0)),
            attribute(1, 0x18004, "名单".encode("gbk") + b"\0"),
            attribute(2, 0x69002, bytes(14)),
            attribute(2, 0x18010, b"ROOMS~1.TXT\0"),
            attribute(2, 0x6800F, "听泉有六个座位。".encode()),
            attribute(2, 0x69005, names),
            attribute(2, 0x69002, bytes(14)),
            attribute(2, 0x18010, "名单.txt\0".encode("gbk")),
            attribute(2, 0x6800F, b"Second file"),
        ]
    )
    made = with_plain("See the files.")
    made.add_attachment(wrapped, "application", "ms-tnef", filename="winmail.dat")
    text = read(bytes(made)).text
    assert text.endswith("会议室 名单.txt\n\n听泉有六个座位。\n\n名单.txt\n\nSecond file")
    cut = with_plain("See the files.")
    cut.add_attachment(wrapped[:-30], "application", "ms-tnef", filename="winmail.dat")
    assert "听泉有六个座位。" in read(bytes(cut)).text
    assert WrappedMailReader(readers).accepts(Sample(name="winmail.dat", head=wrapped[:64]))
    saved = WrappedMailReader(readers).read(wrapped, "winmail.dat")
    assert saved.title == "名单"
    assert saved.text.endswith("会议室 名单.txt\n\n听泉有六个座位。\n\n名单.txt\n\nSecond file")


def test_what_is_no_wrapped_message_is_damaged() -> None:
    with pytest.raises(ReadError) as caught:
        WrappedMailReader(readers).read(b"nothing of the kind", "winmail.dat")
    assert caught.value.key == "read.damaged"


def test_a_charset_that_is_no_name_costs_nothing() -> None:
    head = b'From: a@b.c\nContent-Type: text/plain; charset="utf\0-8"\n\n'
    assert read(head + "会议改到周五，地点不变。".encode()).text.endswith("地点不变。")
