"""Words as a bilingual dictionary says them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.glosses import (
    asked_phrases,
    asked_words,
    chinese_sense,
    entry,
    phrases_in,
    words_in,
)


@pytest.mark.parametrize(
    ("line", "word", "meanings"),
    [
        ("禁運 禁运 [jin4 yun4] /embargo/export ban/", "禁运", [("embargo",), ("export", "ban")]),
        ("貓 猫 [mao1] /cat (CL:隻|只[zhi1])/(coll.) modem/", "猫", [("cat",), ("modem",)]),
        ("做 做 [zuo4] /to make; to produce/", "做", [("make",), ("produc",)]),
        (
            "毛澤東 毛泽东 [Mao2 Ze2 dong1] /Mao Zedong (1893-1976), leader of China/",
            "毛泽东",
            [("mao", "zedong")],
        ),
    ],
)
def test_an_entry_is_its_simplified_word_and_what_that_means(
    line: str, word: str, meanings: list[tuple[str, ...]]
) -> None:
    assert entry(line) == (word, meanings)


@pytest.mark.parametrize(
    "line",
    [
        "# CC-CEDICT",
        "",
        "群 群 [qun2] /variant of 群[qun2]/",
        "趙 赵 [Zhao4] /surname Zhao/",
        "之 之 [zhi1] /the thing that one has come to be known by in the course of years/",
    ],
)
def test_a_line_that_says_no_meaning_is_no_entry(line: str) -> None:
    assert entry(line) is None


def test_a_word_that_texts_are_cut_into_otherwise_is_looked_for_by_its_parts() -> None:
    assert chinese_sense("禁运") == ("禁运",)
    assert chinese_sense("椰子猫") == ("椰子", "猫")
    assert chinese_sense("气体离心") == ("气体", "离心")


def test_a_chinese_question_is_cut_into_as_few_words_as_can_be() -> None:
    known = {"恶性", "恶性通货膨胀", "通货", "膨胀", "原因", "什么", "的"}
    question = "惡性通貨膨脹的原因是什么？"
    assert known <= asked_words(question)
    assert words_in(question, known) == ["恶性通货膨胀", "原因"]


def test_an_english_question_is_cut_into_its_longest_phrases() -> None:
    known = {("nuclear",), ("reactor",), ("nuclear", "reactor"), ("civet",)}
    assert ("nuclear", "reactor") in asked_phrases("Where are nuclear reactors?")
    assert phrases_in("Are civets near the nuclear reactors?", known) == [
        ("civet",),
        ("nuclear", "reactor"),
    ]


def test_what_is_not_known_is_passed_over() -> None:
    assert phrases_in("Glumdalclitch helps", {("help",)}) == [("help",)]
    assert words_in("格兰达克里琪帮助谁", {"帮助"}) == ["帮助"]


@given(
    st.text("赵州桥是隋代的石拱 abc,。", max_size=40),
    st.sets(st.sampled_from(["赵州", "州桥", "石拱", "隋代"])),
)
def test_words_are_of_those_known_and_of_the_question(question: str, known: set[str]) -> None:
    found = words_in(question, known)
    assert set(found) <= known & asked_words(question)
    assert len(found) == len(set(found))
