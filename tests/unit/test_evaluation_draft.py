"""Drafting questions from documents."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ConflictError
from wenqu.evaluation.answers import words
from wenqu.evaluation.draft import Draft, Drafter, by_rule, write_drafts
from wenqu.evaluation.questions import load_questions
from wenqu.testing.chat import ScriptedChat
from wenqu.types import Document, document_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.types import Message

LEAVE = (
    "正式员工每年享有 15 天带薪年假。\n\n病假须在 3 天内补交医院证明。\n\n"
    "年假指工作满一年后的带薪假期。"
)
BRIDGE = (
    "The old bridge was opened to traffic in 1937. Its towers are red."
    " A keystone is the wedge that closes an arch of stone."
)
DOCUMENTS = {
    document_id(source): Document(
        id=document_id(source), source=source, title=source, text=text, language="zh"
    )
    for source, text in (("leave.md", LEAVE), ("bridge.md", BRIDGE), ("empty.md", "# 标题"))
}


async def _load(name: str) -> Document:
    return DOCUMENTS[name]


def _drafts(number: int, chat: ScriptedChat | None = None, seed: int = 0) -> list[Draft]:
    known = [(name, document.source) for name, document in DOCUMENTS.items()]
    return asyncio.run(Drafter(chat=chat, seed=seed).draft(known, _load, number))


@pytest.mark.parametrize(
    ("sentence", "language", "made"),
    [
        (
            "正式员工每年享有 15 天带薪年假。",
            "zh",
            ("正式员工每年享有 多少天带薪年假？", "15", "number"),
        ),
        ("问渠是一种知识库助手软件。", "zh", ("问渠是什么？", "知识库助手软件", "definition")),
        ("检查网络是否封锁了端口。", "zh", None),
        (
            "A keystone is the wedge that closes an arch.",
            "en",
            ("What is a keystone?", "the wedge that closes an arch", "definition"),
        ),
        (
            "2. The bridge was opened in 1937.",
            "en",
            ("What is missing: The bridge was opened in ____.", "1937", "gap"),
        ),
        ("Nothing here can be asked about easily.", "en", None),
    ],
)
def test_without_a_model_rules_make_the_questions(
    sentence: str, language: str, made: tuple[str, str, str] | None
) -> None:
    assert by_rule(sentence, language) == made  # type: ignore[arg-type]


def test_a_quote_stands_in_its_document_and_the_answer_in_its_quote() -> None:
    drafts = _drafts(10)
    assert len(drafts) >= 4
    for draft in drafts:
        assert draft.quote in DOCUMENTS[document_id(draft.document)].text
        assert "".join(words(draft.answer)) in "".join(words(draft.quote))


def test_documents_take_turns_and_the_same_seed_makes_the_same_drafts() -> None:
    first = _drafts(2)
    assert {draft.document for draft in first} == {"leave.md", "bridge.md"}
    assert first == _drafts(2)
    several = {tuple(draft.quote for draft in _drafts(2, seed=seed)) for seed in range(6)}
    assert len(several) > 1


def _reply(messages: Sequence[Message]) -> str:
    """Answer as a model would: well about leave, badly about the bridge."""
    said = messages[-1].text
    if "Question:" not in messages[0].text:
        return (
            "问题：转正以后一年能休几天带薪假？\n答案：15 天"
            if "15" in said
            else "问题：病了怎么办？\n答案：看医生"
        )
    return "Question: What does the text say about the bridge?\nAnswer: in 1937"


def test_what_the_model_says_is_not_believed() -> None:
    drafts = _drafts(6, ScriptedChat(_reply))
    # The invented answer, and the questions about "the text", are thrown away.
    assert [(draft.question, draft.answer, draft.kind) for draft in drafts] == [
        ("转正以后一年能休几天带薪假？", "15 天", "model")
    ]


def test_a_model_that_fails_costs_its_questions_only() -> None:
    assert _drafts(3, ScriptedChat("问题", fail_after=0)) == []


def test_some_questions_are_made_that_the_documents_do_not_answer() -> None:
    asked = 0

    def reply(messages: Sequence[Message]) -> str:
        nonlocal asked
        asked += 1
        # Each question is of other characters, so that none counts as asked before.
        subject = "".join(chr(0x4E00 + (asked * 977 + at * 131) % 3000) for at in range(8))
        if "没有写到" in messages[0].text:
            return f"问题：{subject}？"
        sentence = messages[-1].text.rsplit("句子：", 1)[-1]
        return f"问题：{subject}？\n答案：{sentence[-6:-1]}"

    long = "".join(
        f"第{at}号库房存放着编号{at}的{metal}制器物。"
        for at, metal in enumerate("木铁铜锡铅银" * 7)
    )
    name = document_id("long.md")
    document = Document(id=name, source="long.md", title="", text=long, language="zh")

    async def load(_: str) -> Document:
        return document

    drafter = Drafter(chat=ScriptedChat(reply))
    drafts = asyncio.run(drafter.draft([(name, "long.md")], load, 10))
    near = [draft for draft in drafts if draft.kind == "near"]
    assert near
    assert len(near) <= len(drafts) / 4
    line = near[0].to_json()
    assert line["answerable"] is False
    assert "documents" not in line


def test_drafts_are_a_file_of_questions_that_wait_to_be_accepted(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    drafts = _drafts(3)
    write_drafts(path, drafts)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert all(row["accepted"] is False for row in rows)
    loaded = load_questions(path, drafts=True)
    assert [(one.question, one.quotes) for one in loaded] == [
        (draft.question, (draft.quote,)) for draft in drafts
    ]
    with pytest.raises(ConflictError):
        write_drafts(path, drafts)
    assert len(path.read_text("utf-8").splitlines()) == len(rows)
