from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.pinyin import sounds


def heard(question: str) -> set[str]:
    return {"'".join(sound.syllables) for sound in sounds(question)}


@pytest.mark.parametrize(
    ("question", "pairs"),
    [
        ("Where was the fief of Zhu Zaizhen?", {"zhu'zai", "zai'zhen"}),
        ("Was it Sun Depei's?", {"sun'de", "de'pei", "sun'de'pei"}),
        ("zaizhen 的封地在哪里", {"zai'zhen"}),
        ("the hairpin rite, ji li", {"ri'te", "ji'li"}),
        ("Zhōngguó", {"zhong'guo"}),
        ("Who was Lü Bu?", {"lv'bu"}),
        ("Xi'an", {"xi'an"}),
        ("Xi’an", {"xi'an"}),
    ],
)
def test_a_name_in_latin_letters_is_taken_apart_into_syllables(
    question: str, pairs: set[str]
) -> None:
    assert heard(question) == pairs


def test_a_name_without_its_apostrophe_is_read_both_ways() -> None:
    assert heard("old Changan") == {"chan'gan", "chang'an"}


@pytest.mark.parametrize(
    "question",
    [
        "the bridge of Avignon",
        "How do I deploy InternLM?",
        "朱载圳的封地在哪里",
        "Wei",
        "",
        "x'y'z",
    ],
)
def test_what_spells_no_two_syllables_is_no_name(question: str) -> None:
    assert sounds(question) == []


def test_words_side_by_side_are_one_name_only_where_they_are_written_so() -> None:
    assert "men'li" not in heard("games that women like")
    assert "de'pei" in heard("Sun De Pei")
    assert heard("Zhu, Zai") == set()


def test_a_sound_is_of_all_that_is_read_so() -> None:
    (pair,) = sounds("zaizhen")
    assert "载圳" in set(pair.terms())
    assert len(set(pair.terms())) == len(pair)
    whole = sounds("Mao Zedong")[-1]
    assert "毛泽东" in set(whole.terms())


@pytest.mark.parametrize(
    ("question", "terms"), [("changsha", {"changsha"}), ("to Changsha", set())]
)
def test_only_a_word_that_is_not_written_as_a_name_may_be_another(
    question: str, terms: set[str]
) -> None:
    assert {term for sound in sounds(question) for term in sound.words} == terms


def test_a_question_of_many_names_has_not_all_looked_up() -> None:
    few = sounds("Zaizhen Depei")
    many = sounds("Zaizhen Depei Yiji Jixi Yishi Shiyi Jiyi Xiyi Yuyi Yiyi Yiwu Wuyi")
    assert few[0] in many
    assert sum(map(len, few)) < sum(map(len, many)) <= 20_000


@given(st.text(alphabet="abcdeghinouxz' ’ZÜ-", max_size=40))
def test_any_letters_are_read(question: str) -> None:
    assert all(next(sound.terms()) for sound in sounds(question))
