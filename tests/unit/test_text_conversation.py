"""Conversations as text: commands, trimming, references of earlier answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.conversation import Command, CommandName, command, without_references


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("清空对话历史", Command(CommandName.CLEAR, "")),
        ("清空对话历史。", Command(CommandName.CLEAR, "")),
        ("清空對話歷史", Command(CommandName.CLEAR, "")),
        ("/clear", Command(CommandName.CLEAR, "")),
        (" /CLEAR ", Command(CommandName.CLEAR, "")),
        ("／清空", Command(CommandName.CLEAR, "")),
        ("/kb How do I install XTuner?", Command(CommandName.BASE, "How do I install XTuner?")),
        ("/知识库 XTuner 怎么安装？", Command(CommandName.BASE, "XTuner 怎么安装？")),
        ("/知识库：怎么安装？", Command(CommandName.BASE, "怎么安装？")),
        ("/kb", Command(CommandName.BASE, "")),
        ("/kb line one\nline two", Command(CommandName.BASE, "line one\nline two")),
        ("/model Qwen2.5-7B", Command(CommandName.MODEL, "Qwen2.5-7B")),
        ("/retry", Command(CommandName.RETRY, "")),
        ("/来源", Command(CommandName.SOURCES, "")),
        ("/claer", Command(CommandName.UNKNOWN, "/claer")),
    ],
)
def test_a_command_is_known_in_both_languages(text: str, wanted: Command) -> None:
    assert command(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/usr/bin/python 是什么？",
        "怎么清空对话历史？",
        "How do I clear history in bash?",
        "clear",
        "1/kb",
        "/ kb",
        "知识库 是什么",
    ],
)
def test_anything_else_is_a_message(text: str) -> None:
    assert command(text) is None


@given(st.text(max_size=80))
def test_only_a_slash_or_a_wish_to_clear_makes_a_command(text: str) -> None:
    told = command(text)
    slash = text.strip()[:1] in {"/", "／"}
    assert told is None or slash or told.name is CommandName.CLEAR


def test_markers_and_sources_of_earlier_answers_are_dropped() -> None:
    answer = "年假五天[1]。须申请 [2, 3]。\n\n参考资料：\n[1] 员工手册\n[2] 请假制度"
    assert without_references(answer) == "年假五天。须申请。"
    assert without_references("Five days [1].\n\n**Sources:**\n- [1] Handbook") == "Five days."


def test_brackets_in_code_and_text_below_a_heading_stay() -> None:
    code = "Use `row[0]` [1]:\n```\nprint(row[1])\n```"
    assert without_references(code) == "Use `row[0]`:\n```\nprint(row[1])\n```"
    kept = "来源：\n数据来自统计局。"
    assert without_references(kept) == kept
