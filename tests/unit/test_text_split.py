"""Questions about several things, taken apart by rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.text.split import parts


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("LMDeploy 和 vLLM 的性能有什么区别？", ("LMDeploy性能", "vLLM性能")),
        ("保管合同和仓储合同的区别？", ("保管合同", "仓储合同")),
        ("长江和黄河分别有多长？", ("长江有多长", "黄河有多长")),
        ("北京和上海哪个人口更多？", ("北京人口更多", "上海人口更多")),
        ("请比较一下 AWQ 和 GPTQ", ("AWQ", "GPTQ")),
        ("What is the difference between mitosis and meiosis?", ("mitosis", "meiosis")),
        ("How do plants and animals differ?", ("plants", "animals")),
        ("How does vLLM compare to TurboMind?", ("vLLM", "TurboMind")),
        ("Which is faster, vLLM or TurboMind?", ("vLLM faster", "TurboMind faster")),
        ("Python vs Java", ("Python", "Java")),
    ],
)
def test_two_things_that_are_compared_come_apart_with_what_is_compared(
    question: str, wanted: tuple[str, ...]
) -> None:
    assert parts(question) == wanted


def test_questions_in_a_row_come_one_by_one_and_lean_on_the_first() -> None:
    assert parts("什么是LoRA？怎么安装XTuner？") == ("什么是LoRA？", "怎么安装XTuner？")
    assert parts("What is LMDeploy and how do I install it?") == (
        "What is LMDeploy",
        "LMDeploy: how do I install it?",
    )


@pytest.mark.parametrize(
    "question",
    [
        "如何申请年假？",
        "公司和员工签订的劳动合同有什么要求？",
        "硕塞跟随谁进攻陕州？",
        "仓储物毁损、灭失，谁承担责任？",
        "12306用户名和邮箱都忘了怎么办",
        "Who wrote Pride and Prejudice?",
        "How do banks and insurers make money?",
        "What are the causes and effects of the war?",
        "",
    ],
)
def test_any_other_question_stays_whole(question: str) -> None:
    assert parts(question) == ()


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_has_at_most_four_parts_and_none_is_empty(text: str) -> None:
    found = parts(text)
    assert len(found) <= 4
    assert all(part.strip() for part in found)
