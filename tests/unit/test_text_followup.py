"""Which questions lean on their conversation, told by rules, and how rules complete them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.text.followup import complete, leaning, subject
from wenqu.text.leaning import Leaning


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("它怎么安装？", Leaning.REFERENCE),
        ("他还写过哪些书？", Leaning.REFERENCE),
        ("该模型的许可证是什么？", Leaning.REFERENCE),
        ("这样会影响精度吗？", Leaning.REFERENCE),
        ("第二种需要多少显存？", Leaning.REFERENCE),
        ("前者怎么启动？", Leaning.REFERENCE),
        ("那價格呢？", Leaning.ELLIPSIS),
        ("黄河呢", Leaning.ELLIPSIS),
        ("为什么？", Leaning.ELLIPSIS),
        ("能举个例子吗？", Leaning.ELLIPSIS),
        ("微信也可以吗？", Leaning.ELLIPSIS),
        ("怎么安装？", Leaning.MISSING),
        ("支持哪些模型？", Leaning.MISSING),
        ("作者是谁？", Leaning.MISSING),
        ("持续了多长时间？", Leaning.MISSING),
        ("和 vLLM 比哪个更快？", Leaning.COMPARISON),
        ("哪个最大？", Leaning.COMPARISON),
        ("企业版多少钱？", Leaning.PERHAPS),
        ("How do I install it?", Leaning.REFERENCE),
        ("When was she born?", Leaning.REFERENCE),
        ("Does that affect accuracy?", Leaning.REFERENCE),
        ("Tell me more about the third one.", Leaning.REFERENCE),
        ("What about Windows?", Leaning.ELLIPSIS),
        ("And of Anthropic?", Leaning.ELLIPSIS),
        ("Why?", Leaning.ELLIPSIS),
        ("Can you give an example?", Leaning.ELLIPSIS),
        ("What are the advantages?", Leaning.MISSING),
        ("How do I install?", Leaning.MISSING),
        ("Which is the smallest?", Leaning.COMPARISON),
        ("What is the limit for glasses?", Leaning.PERHAPS),
    ],
)
def test_a_question_that_leans_on_its_conversation_is_told_with_the_reason(
    question: str, leans: Leaning
) -> None:
    assert leaning(question) is leans


@pytest.mark.parametrize(
    "question",
    [
        "XTuner 支持哪些模型？",
        "那 LMDeploy 支持哪些量化方法？",
        "什么是张量并行？",
        "QLoRA 和 LoRA 有什么区别？",
        "员工辞职了，他还能拿年终奖吗？",
        "演员对其饰演的角色是否具有肖像权？",
        "其他国家的学生如何申请浙江大学？",
        "这个世界上最高的山是哪座？",
        "应该怎么做才能提高推理速度？",
        "第二次世界大战是哪年结束的？",
        "和别人签订合同，承包期不够怎么办？",
        "Who was Napoleon and when did he die?",
        "Why do cats purr when they sleep?",
        "If an employee loses her badge, what should she do?",
        "Is it legal to record a phone call in Germany?",
        "How long does it take to fly from Paris to Tokyo?",
        "And how do I deploy InternLM2 with Docker?",
        "What was the first country that gave women the right to vote?",
        "LMDeploy AWQ quantization accuracy",
        "你好",
        "Thanks!",
        "",
        "？？",
    ],
)
def test_a_question_that_stands_by_itself_is_left_alone(question: str) -> None:
    assert leaning(question) is None


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_looked_at_and_completed(text: str) -> None:
    assert leaning(text) is leaning(text)
    completed = complete(text, [text, "XTuner 是什么？"])
    assert completed is None or completed.endswith(text)


def test_the_subject_is_what_the_last_question_that_stands_by_itself_is_about() -> None:
    assert subject(["LMDeploy 支持哪些量化方法？"]) == "LMDeploy 量化方法"
    assert subject(["What is the speed of light?"]) == "speed of light"
    assert subject(["长江有多长？", "什么是 LoRA？"]) == "LoRA"
    assert subject(["InternLM2_5-7b 需要 Python 3.11 吗？"]) == "InternLM2_5-7b Python 3.11"
    assert subject(["GB/T 7714-2015 是什么标准？"]) == "GB/T 7714-2015 标准"


def test_a_chain_of_follow_ups_is_about_where_it_began_and_what_was_added() -> None:
    turns = ["贵州茅台什么时候上市的？", "发行价是多少？", "谢谢"]
    assert subject(turns) == "贵州茅台上市发行价"
    long = " ".join(f"topic{number}" for number in range(20))
    assert subject([f"What are {long}?", "Any risks?"]) == "risks"


def test_a_question_is_headed_by_the_subject_and_keeps_its_own_words() -> None:
    assert complete("它怎么安装？", ["XTuner 是什么？"]) == "XTuner：它怎么安装？"
    assert complete("What about Nice?", ["How far is Paris?"]) == "Paris: What about Nice?"


def test_nothing_is_added_that_the_question_says_itself() -> None:
    assert complete("XTuner 怎么安装？", ["XTuner 是什么？"]) is None
    assert complete("为什么？", ["你好", "谢谢"]) is None


def test_a_subject_has_a_limit() -> None:
    assert len(subject(["LMDeploy " * 500])) <= 60
    assert len(subject([f"What is {'word ' * 10}{'x' * 5000}"])) <= 60
