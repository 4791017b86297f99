"""Which encoding a text is in, by what its bytes say and whatever the file says of itself."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.errors import ReadError
from wenqu.readers.encoding import decode, looks_binary

JAPANESE = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах."
POLISH = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw."
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια."
CHINESE = "问渠是可以自行部署的知识库助手，它依据文档回答问题，并给出每句话的出处。"
TRADITIONAL = "問渠是可以自行部署的知識庫助手，它依據文件回答問題，並給出每句話的出處。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (KOREAN, "euc_kr"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859_5"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (GREEK, "cp1253"),
        (CHINESE, "hz"),
        (KOREAN, "iso2022_kr"),
        (CHINESE, "utf-32"),
        (CHINESE, "utf-32-le"),
        (CHINESE, "utf-32-be"),
        ("香港嘅粵語：佢哋喺度食嘢，唔係咁㗎。" + TRADITIONAL, "big5hkscs"),
    ],
)
def test_text_comes_back_from_its_encoding(text: str, encoding: str) -> None:
    decoded, _ = decode(text.encode(encoding), "x.txt")
    assert decoded == text


@pytest.mark.parametrize("encoding", ["gb18030", "big5"])
@pytest.mark.parametrize("length", [3, 6, 12])
def test_a_few_chinese_characters_are_enough(encoding: str, length: int) -> None:
    text = CHINESE if encoding == "gb18030" else TRADITIONAL
    for begin in range(0, len(text) - length, length):
        piece = text[begin : begin + length]
        assert decode(piece.encode(encoding), "x.csv")[0] == piece


def test_chinese_is_found_in_a_page_of_english_marks() -> None:
    page = "<div class='row'><span id='a'></span></div>\n" * 5000 + f"<p>{CHINESE}</p>"
    assert decode(page.encode("gb18030"), "x.html", declared=True)[0] == page


@pytest.mark.parametrize(
    ("declared", "true", "text"),
    [
        ("iso-8859-1", "gb18030", CHINESE),
        ("gb2312", "big5", TRADITIONAL * 3),
        ("big5", "gb18030", CHINESE * 3),
        ("utf-8", "gb18030", CHINESE),
        ("gb2312", "utf-8", CHINESE),
        ("us-ascii", "cp1251", RUSSIAN * 3),
        ("no-such-charset", "gb18030", CHINESE),
        ("base64", "gb18030", CHINESE),
    ],
)
def test_a_declaration_that_lies_is_not_believed(declared: str, true: str, text: str) -> None:
    page = f"<html><head><meta charset='{declared}'></head><body>{text}</body></html>"
    assert decode(page.encode(true), "x.html", declared=True)[0] == page


@pytest.mark.parametrize(
    ("declared", "text"),
    [("iso-8859-2", "Zażółć"), ("windows-1251", "Да"), ("koi8-r", "Да"), ("euc-kr", "가나")],
)
def test_a_declaration_settles_what_the_bytes_leave_open(declared: str, text: str) -> None:
    feed = f"<?xml version='1.0' encoding='{declared}'?><a>{text}</a>"
    assert decode(feed.encode(declared), "x.xml", declared=True)[0] == feed


def test_lines_of_two_programs_are_each_read_in_their_own_encoding() -> None:
    lines = [f"{number} {CHINESE}\n" for number in range(20)]
    data = b"".join(
        line.encode("utf-8" if number % 2 else "gb18030") for number, line in enumerate(lines)
    )
    assert decode(data, "x.log") == ("".join(lines), "mixed")


def test_a_broken_character_in_old_chinese_text_costs_that_character_only() -> None:
    data = (CHINESE * 30).encode("gb18030")
    decoded, name = decode(data[:500] + b"\xff" + data[500:], "x.txt")
    assert name == "gb18030"
    assert decoded.count("\ufffd") <= 2
    assert decoded.endswith(CHINESE)


@pytest.mark.parametrize("size", [200, 5000])
def test_noise_is_no_text(size: int) -> None:
    noise = random.Random(7).randbytes(size)  # noqa: S311  # no secret
    assert looks_binary(noise)
    high = bytes(byte | 0x80 for byte in noise)
    with pytest.raises(ReadError) as caught:
        decode(high, "x.txt")
    assert caught.value.key == "read.encoding"


@given(st.binary(max_size=200))
def test_any_bytes_end_in_text_or_a_clear_error(data: bytes) -> None:
    with contextlib.suppress(ReadError):
        text, name = decode(data, "x")
        assert isinstance(text, str)
        assert name


def test_one_sign_that_tells_nothing_does_not_cost_the_file() -> None:
    assert decode(b"a,b,c\n1,2,3\n4,5,\xa9", "x.csv")[0] == "a,b,c\n1,2,3\n4,5,©"
