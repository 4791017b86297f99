from __future__ import annotations

import pytest

from wenqu import messages
from wenqu.text.abstention import ABSTENTION, abstains, may_abstain, says_nothing_is_known


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_model_abstains_in_the_words_that_a_refusal_is_shown_in(language: str) -> None:
    shown = messages.text("answer.no_evidence", language)  # type: ignore[arg-type]
    assert shown == ABSTENTION[language]  # type: ignore[index]


@pytest.mark.parametrize(
    "text",
    [
        "文档中没有相关内容。",
        "文档中没有相关内容",
        "文档中没有相关内容[1]。",
        "文档中没有提到公司总部在哪里。",
        "抱歉，文档中没有提供天气信息。",
        "根据提供的文档，没有找到相关信息。",
        "未找到相关信息。",
        "很抱歉，无法根据提供的文档回答这个问题。",
        "抱歉，我不清楚。",
        "我不知道。",
        "资料中没有说明赔偿标准。",
        "根据所提供的文档，无法确定该公司的成立时间。",
        "从文档中无法得知作者是谁。",
        "文档未提及年假的上限。",
        "提供的信息不足以回答该问题。",
        "对不起，我无法回答这个问题。",
        "文档中并未明确指出具体日期。",
        "文中没有提到这一点，因此无法回答。",
        "关于公司总部的位置，文档中没有说明。",
        "知识库中没有关于报销的内容。",
        "没有找到与该问题相关的内容。",
        "文档没有给出答案，请咨询人事部门。",
        "提供的文档中没有包含有关该问题的信息。",
        "抱歉。文档中没有提到这一点。",
        "The documents do not say.",
        "The documents do not say [1].",
        "Sorry, the provided documents do not mention the weather.",
        "The document doesn't contain information about that.",
        "I don't know.",
        "I'm sorry, but I cannot answer that from the documents.",
        "There is no information about the head office in the documents.",
        "The provided text does not specify who founded it.",
        "Unfortunately, the documents don't mention the price.",
        "Based on the provided documents, I cannot determine the answer.",
        "The head office is not mentioned in the documents.",
        "None of the documents mention it.",
        "No relevant information was found.",
        "The answer cannot be determined from the given context.",
        "Based on the documents provided, there is no mention of a warranty.",
        "The context does not provide enough information to answer.",
        "Not mentioned in the documents.",
    ],
)
def test_saying_that_the_documents_do_not_answer_is_recognised(text: str) -> None:
    assert abstains(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "年假有五天[1]。",
        "年假没有上限[1]。",
        "没有提前申请的年假不予批准[1]。",
        "没有年假[1]。",
        "资料没有提供的，不予受理[1]。",
        "居民未提供资料的，视为放弃[1]。",
        "内容未说明来源的不得转载[1]。",
        "如果文档中没有提到价格，则按市场价计算[1]。",
        "文档没有提到甲，但提到了乙[1]。",
        "无法确定申请人身份的，不予受理[1]。",
        "无法登录时请重置密码[1]。",
        "找不到页面[1]。",
        "该公司没有说明原因[1]。",
        "他没有回答记者的问题[1]。",
        "他不知道自己的父亲是谁[1]。",
        "不知道密码的用户可以找回[1]。",
        "没有任何一个国家承认它[1]。",
        "The documents say that leave is five days [1].",
        "Documents are stored in a folder [1].",
        "There is no limit on leave [1].",
        "There is no evidence that vitamin C prevents colds [1].",
        "Employees do not have to provide documents [1].",
        "The policy document does not cover contractors [1].",
        "The tower was not included in the original plan [1].",
        "The document does not mention A, but it says that B is five days [1].",
        "Such people could not be found among them [1].",
        "Unknown devices are blocked [1].",
    ],
)
def test_an_answer_is_no_abstention(text: str) -> None:
    assert not abstains(text)


def test_a_claim_beside_an_abstention_makes_an_answer() -> None:
    text = "文档中没有提到总部。年假有五天[1]。"
    assert not abstains(text)
    assert says_nothing_is_known("文档中没有提到总部。")


def test_a_question_back_is_no_abstention() -> None:
    assert not abstains("文档中没有提到总部吗？")


@pytest.mark.parametrize(
    "begun",
    ["文档中", "The doc", "抱歉，", "Sorry, I", "The documents do not mention", "抱歉。文档中"],
)
def test_an_answer_is_held_back_while_it_may_be_an_abstention(begun: str) -> None:
    assert may_abstain(begun)


@pytest.mark.parametrize("begun", ["年", "The documents say", "年假没有", "抱歉。年假"])
def test_any_other_beginning_is_shown_at_once(begun: str) -> None:
    assert not may_abstain(begun)
