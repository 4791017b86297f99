from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.query import only_asks, query_terms
from wenqu.text.tokenize import terms


@pytest.mark.parametrize(
    ("question", "subject", "asking"),
    [
        ("xtuner 是什么？", {"xtuner"}, {"是", "什么"}),
        ("How do I deploy InternLM?", set(terms("deploy InternLM")), {"how", "do"}),
        ("请问年假有多少", {"年假"}, {"请问", "有", "多少"}),
    ],
)
def test_a_question_is_looked_up_by_what_it_is_about(
    question: str, subject: set[str], asking: set[str]
) -> None:
    kept = set(query_terms(question))
    assert subject <= kept
    assert not asking & kept


@pytest.mark.parametrize("question", ["这是什么？", "How is it?", "who are you"])
def test_a_question_of_asking_words_alone_keeps_them(question: str) -> None:
    assert query_terms(question)


def test_words_that_only_ask_are_told_from_others() -> None:
    assert [only_asks(word) for word in ("什么", "哪里", "what")] == [True, True, True]
    assert [only_asks(word) for word in ("年假", "reactor")] == [False, False]


def test_a_word_said_twice_counts_twice() -> None:
    assert query_terms("index, index").count(terms("index")[0]) == 2


@given(st.text(max_size=60))
def test_nothing_is_made_up_and_nothing_becomes_empty(question: str) -> None:
    kept, every = query_terms(question), terms(question)
    assert [term for term in every if term in set(kept)] == kept
    assert bool(kept) == bool(every)
