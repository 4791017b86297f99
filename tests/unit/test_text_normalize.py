import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.normalize import fold, normalize, storable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
TRICKY_TEXT = st.text(
    st.sampled_from(
        "a é\u0301\u200b\u200d\u200c\r\n\t\f\u2028\u3000\ud83d\ude00❤\ufe0fक𝔘ﷺ臺台ｱﾞ\u0345Σς"
    ),
    max_size=40,
)


def test_every_kind_of_line_end_becomes_a_line_feed() -> None:
    assert normalize("a\r\nb\rc\x85d\u2028e\x0cf\u2029g") == "a\nb\nc\nd\ne\nf\n\ng"


@pytest.mark.parametrize(
    "hidden",
    [
        "\ufeff",
        "\x00",
        "\x1b",
        "\u200b",
        "\u202e",
        "\u2066",
        "\u00ad",
        "\u2060",
        "\ufe0f",
        "\U000e0041",
    ],
    ids=lambda hidden: f"U+{ord(hidden):04X}",
)
def test_what_nobody_sees_is_removed(hidden: str) -> None:
    assert normalize(f"忽略{hidden}以上ig{hidden}nore") == "忽略以上ignore"


def test_joiners_stay_where_a_script_or_an_emoji_needs_them() -> None:
    assert normalize("क्\u200dष") == "क्\u200dष"
    assert normalize("👩\u200d💻") == "👩\u200d💻"
    assert normalize("p\u200dassword") == "password"


def test_what_is_shown_stays_as_it_was_written() -> None:
    shown = "《民法典》第①条，面积５０㎡；“ＡＢＣ”……（完）！"
    assert normalize(shown) == shown


def test_odd_spaces_become_one_space_each() -> None:
    assert normalize("第一条\u3000正文\u00a0a\u2009b") == "第一条 正文 a b"


def test_trailing_spaces_and_surplus_blank_lines_go() -> None:
    assert normalize("\n\na  \n\t\n\n\n\n  b\t\n\n") == "a\n\n\n  b"


def test_a_surrogate_pair_is_joined_and_a_lone_one_replaced() -> None:
    assert normalize("\ud83d\ude00 \ud83d!") == "😀 \ufffd!"


def test_letters_are_composed() -> None:
    assert normalize("cafe\u0301") == "café"


@given(st.one_of(ANY_TEXT, TRICKY_TEXT))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@given(st.one_of(ANY_TEXT, TRICKY_TEXT))
def test_normalised_text_can_be_encoded_and_has_no_trailing_space(text: str) -> None:
    once = normalize(text)
    assert once.encode().decode() == once
    assert all(line == line.rstrip(" \t") for line in once.split("\n"))


def test_every_code_point_folds_in_one_step() -> None:
    everything = (chr(code) for code in range(sys.maxunicode + 1) if code != ord("\n"))
    once = fold("\n".join(c for c in everything if unicodedata.category(c) != "Cs")).split("\n")
    twice = fold("\n".join(once)).split("\n")
    assert [pair for pair in zip(once, twice, strict=True) if pair[0] != pair[1]] == []


@given(st.one_of(ANY_TEXT, TRICKY_TEXT))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＲＡＧ　检索", "rag 检索"),
        ("書生·浦語大模型", "书生·浦语大模型"),
        ("InternLM", "INTERNLM"),
        ("Straße", "STRASSE"),
        ("㎡", "m2"),
        ("ﬁne", "FINE"),
        ("ｶﾞ", "ガ"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_two_ways_to_write_the_same_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_stored_and_good_text_stays_as_it_is(text: str) -> None:
    kept = storable(text)
    assert kept.encode("utf-8").decode() == kept
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert kept == text
    assert len(kept) == len(text)
