from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.memory import messages_of, recent, summary_request, tokens_of
from wenqu.types import Turn


def turn(question: str, answer: str) -> Turn:
    return Turn(id=question, question=question, answer=answer, outcome="answered")


TURNS = st.lists(st.builds(turn, st.text(max_size=40), st.text(max_size=200)), max_size=8)


def test_markers_of_earlier_answers_are_not_told() -> None:
    told = messages_of([turn("年假几天？", "五天[1]。")], "", "zh")
    assert [message.text for message in told] == ["年假几天？", "五天。"]


def test_a_summary_is_told_before_the_turns() -> None:
    told = messages_of([turn("And sick leave?", "Ten days.")], "Leave was discussed.", "en")
    assert [message.role for message in told] == ["system", "user", "assistant"]
    assert "Leave was discussed." in told[0].text


def test_a_request_for_a_summary_holds_the_last_one_and_every_turn() -> None:
    asked = summary_request([turn("甲？", "乙[1]。")], "此前。", "zh")[-1].text
    assert "此前。" in asked
    assert "甲？" in asked
    assert "乙。" in asked


@given(TURNS, st.integers(0, 300))
def test_recent_turns_are_the_last_ones_and_fit_unless_there_is_just_one(
    turns: list[Turn], budget: int
) -> None:
    kept = list(recent(turns, budget))
    assert kept == turns[len(turns) - len(kept) :]
    assert bool(kept) == bool(turns)
    if len(kept) > 1:
        assert sum(tokens_of(one.question) + tokens_of(one.answer) for one in kept) <= budget


@given(st.text(), st.text())
def test_tokens_only_grow_with_the_text(one: str, other: str) -> None:
    assert max(tokens_of(one), tokens_of(other)) <= tokens_of(one + other)
    assert tokens_of(one + other) <= tokens_of(one) + tokens_of(other)
