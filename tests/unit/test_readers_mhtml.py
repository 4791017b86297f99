"""Web pages saved in one file."""

from __future__ import annotations

import pytest

from wenqu.errors import ReadError
from wenqu.protocols import Sample
from wenqu.readers.mail.mhtml import MhtmlReader
from wenqu.testing.contracts_reader import ReaderContract

CHROME = (
    "From: <Saved by Blink>\nSnapshot-Content-Location: https://example.com/rooms\n"
    "Subject: =?utf-8?Q?=E4=BC=9A=E8=AE=AE=E5=AE=A4?=\nDate: Fri, 16 Dec 2022 17:04:16 +0800\n"
    "MIME-Version: 1.0\n"
    'Content-Type: multipart/related;\n\ttype="text/html";\n\tboundary="x"\n\n'
)


def page(html: str | bytes, declared: str = "text/html", extra: str = "") -> bytes:
    body = html.encode() if isinstance(html, str) else html
    head = f"--x\nContent-Type: {declared}\nContent-Transfer-Encoding: 8bit\n{extra}\n".encode()
    return head + body + b"\n"


def saved(*parts: bytes, head: str = CHROME) -> bytes:
    return head.encode() + b"".join(parts) + b"--x--\n"


class TestMhtmlReader(ReaderContract):
    def reader(self) -> MhtmlReader:
        return MhtmlReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "会议室.mhtml": saved(page("<h1>会议室</h1><p>听泉有六个座位。")),
            "rooms.mht": saved(page("<title>Rooms</title><p>Spring seats six.")),
        }


def test_the_page_is_read_with_where_and_when_it_was_saved() -> None:
    data = saved(
        page("<h1>会议室</h1><table><tr><th>名称<th>座位<tr><td>听泉<td>6</table>"),
        page("body { color: red }", "text/css"),
    )
    document = MhtmlReader().read(data, "a.mhtml")
    assert document.text == "会议室\n\n| 名称 | 座位 |\n| --- | --- |\n| 听泉 | 6 |"
    assert document.meta["format"] == "mhtml"
    assert document.meta["url"] == "https://example.com/rooms"
    assert document.meta["date"] == "2022-12-16"


def test_the_subject_is_the_title_of_a_page_without_one() -> None:
    assert MhtmlReader().read(saved(page("<p>听泉有六个座位。")), "a.mhtml").title == "会议室"


@pytest.mark.parametrize(
    "declared", ["text/html; charset=gb2312", "text/html", 'text/html; charset="utf-8"']
)
def test_chinese_pages_are_decoded_whoever_says_in_what_charset(declared: str) -> None:
    html = "<meta charset=gb2312><p>镕基同志的讲话发表之后，各地展开学习。".encode("gbk")
    document = MhtmlReader().read(saved(page(html, declared)), "a.mht")
    assert document.text == "镕基同志的讲话发表之后，各地展开学习。"


def test_a_page_of_frames_shows_the_frame_that_says_most() -> None:
    shell = "<title>Handbook</title><frameset><frame src=cid:1></frameset>"
    data = saved(page(shell), page("<p>Menu of it</p>"), page("<p>" + "The lift works. " * 20))
    document = MhtmlReader().read(data, "a.mhtml")
    assert document.text.startswith("The lift works.")


def test_the_root_that_the_head_names_comes_first() -> None:
    head = CHROME.replace('boundary="x"', 'boundary="x"; start="<root@x>"')
    data = saved(
        page("<p>An advertisement in a frame."),
        page("<p>The page itself.", extra="Content-ID: <root@x>\n"),
        head=head,
    )
    assert MhtmlReader().read(data, "a.mht").text == "The page itself."


def test_words_web_page_in_one_file_is_taken_by_its_content() -> None:
    head = b'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n--x\n'
    assert MhtmlReader().accepts(Sample(name="notice.doc", head=head))


def test_mail_with_pictures_is_no_web_page() -> None:
    head = b"From: a\nTo: b\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n"
    assert not MhtmlReader().accepts(Sample(name="a.eml", head=head))


def test_a_file_without_a_page_is_empty() -> None:
    with pytest.raises(ReadError) as caught:
        MhtmlReader().read(saved(page("x", "text/css")), "a.mht")
    assert caught.value.key == "read.empty"
