from __future__ import annotations

import pytest

from wenqu.text.asking import asks, without_questions


@pytest.mark.parametrize(
    "text",
    [
        "年假可以留到明年吗？",
        "- 年假可以留到明年吗",
        "问：能带宠物吗",
        "3. 会议室怎么预订",
        "如何请假",
        "“年假有几天？”",
        "Can I keep my leave?",
        "Q: May I keep it?",
        "How to request leave",
        "- What is a marker",
        "**Where do I apply?**",
    ],
)
def test_a_question_is_told_with_its_mark_or_without(text: str) -> None:
    assert asks(text)
    assert without_questions(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "年假可以留到明年三月底。",
        "申请年假",
        "谁都可以参加",
        "哪怕下雨也要去",
        "说明如何安装，以及怎样卸载。",
        "is the default value",
        "who is responsible for it",
        "What we do: we build.",
        "When you arrive, call the desk.",
        "| 年假几天？ | 五天 |",
    ],
)
def test_what_tells_something_asks_nothing(text: str) -> None:
    assert not asks(text)
    assert without_questions(text) == text


def test_a_quoted_question_is_left_out_of_what_a_sentence_tells() -> None:
    told = without_questions("- 查制度、查手册，例如“年假可以留到明年吗”。")
    assert told == "- 查制度、查手册，例如 。"
    assert without_questions('Ask it "How do I request leave?" at any time.').split() == (
        ["Ask", "it", "at", "any", "time."]
    )


def test_other_quotations_stay() -> None:
    for text in ("他说：“明年再来。”", "Press `Enter` to go on.", 'The "core" team decides.'):
        assert without_questions(text) == text
