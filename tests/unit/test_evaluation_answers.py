"""How right an answer and its citations are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.evaluation.answers import Quoted, answer_values, citation_values, stands_in, words


def test_chinese_counts_by_characters_and_english_by_words() -> None:
    assert words("李春 designed 赵州桥（605年）。[1]") == [
        *"李春",
        "designed",
        *"赵州桥",
        "605",
        "年",
    ]


def test_case_width_traditional_characters_articles_and_markers_make_no_difference() -> None:
    assert words("The Ｂｒｉｄｇｅ [12]") == words("a bridge")
    assert words("趙州橋") == words("赵州桥")


def test_an_answer_in_a_sentence_contains_the_right_one_and_is_not_exactly_it() -> None:
    values = answer_values("赵州桥由李春设计。[1]", ["李春"])
    assert (values["exact"], values["contains"]) == (0, 1)
    assert values["f1"] == pytest.approx(2 * 2 / (8 + 2))


def test_a_number_is_not_contained_in_a_longer_one() -> None:
    assert answer_values("It has 15 days.", ["5"])["contains"] == 0
    assert answer_values("It has 5 days.", ["5"])["contains"] == 1


def test_the_best_of_several_right_answers_counts() -> None:
    assert answer_values("光荣", ["ω-force", "光荣"])["exact"] == 1


def test_words_in_another_order_keep_f1_but_not_rouge_l() -> None:
    values = answer_values("one two three four", ["four three two one"])
    assert values["f1"] == 1
    assert values["rouge_l"] == pytest.approx(0.25)


def test_an_answer_without_words_is_wrong() -> None:
    assert set(answer_values("。", ["李春"]).values()) == {0.0}


def _common(one: str, other: str) -> int:
    """The textbook's longest common subsequence."""
    row = [0] * (len(other) + 1)
    for character in one:
        before = 0
        for at, their in enumerate(other, start=1):
            before, row[at] = (
                row[at],
                before + 1 if character == their else max(row[at], row[at - 1]),
            )
    return row[-1]


@given(st.text("天地人x", max_size=40), st.text("天地人x", max_size=40))
def test_rouge_l_is_that_of_the_textbook(one: str, other: str) -> None:
    ours, theirs = words(" ".join(one)), words(" ".join(other))
    common = _common("".join(ours), "".join(theirs))
    expected = 2 * common / (len(ours) + len(theirs)) if common else 0
    assert answer_values(" ".join(one), [" ".join(other)])["rouge_l"] == pytest.approx(expected)


@given(st.lists(st.sampled_from("ab"), max_size=6), st.lists(st.sampled_from("ab"), max_size=9))
def test_a_part_stands_in_a_whole_where_its_words_follow_one_another(
    part: list[str], whole: list[str]
) -> None:
    runs = [whole[at : at + len(part)] for at in range(len(whole))]
    assert stands_in(part, whole) == (bool(part) and part in runs)


GOLD = (("赵州桥建于隋代，由李春设计。",), ("由李春设计。",))


def _cited(*quotes: tuple[str, str]) -> list[Quoted]:
    return [Quoted(quote=quote, document=document) for quote, document in quotes]


def test_a_citation_of_the_gold_passage_is_right_in_every_way() -> None:
    cited = _cited(("赵州桥建于隋代，由李春设计。", "d1"))
    assert citation_values(cited, GOLD, ["李春"], frozenset({"d1"})) == {
        "precision": 1,
        "recall": 1,
        "evidence_precision": 1,
        "document_precision": 1,
    }


def test_another_sentence_that_holds_the_answer_is_precise_but_is_not_the_evidence() -> None:
    cited = _cited(("李春是隋代的工匠。", "d1"), ("面包需要面粉。", "d2"))
    values = citation_values(cited, GOLD, ["李春"], frozenset({"d1"}))
    assert values == {
        "precision": 0.5,
        "recall": 0,
        "evidence_precision": 0,
        "document_precision": 0.5,
    }


def test_the_answer_in_a_wrong_document_is_no_right_citation() -> None:
    cited = _cited(("李春是隋代的工匠。", "d9"))
    assert citation_values(cited, GOLD, ["李春"], frozenset({"d1"}))["precision"] == 0


def test_recall_is_the_share_of_the_passages_of_the_best_alternative() -> None:
    gold = (("alpha beta gamma", "delta epsilon zeta"), ("eta theta iota",))
    cited = _cited(("Alpha beta gamma.", "d1"))
    assert citation_values(cited, gold, [], frozenset())["recall"] == 0.5


def test_an_answer_without_a_citation_has_no_precision_and_no_recall() -> None:
    assert citation_values([], GOLD, ["李春"], frozenset({"d1"})) == {"recall": 0}


def test_without_gold_passages_only_the_document_is_judged() -> None:
    cited = _cited(("赵州桥", "d1"))
    assert citation_values(cited, (), ["李春"], frozenset({"d1"})) == {"document_precision": 1}
