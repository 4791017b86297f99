from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.commands import Command, parse


@pytest.mark.parametrize(
    ("line", "command", "text"),
    [
        ("/kb 年假几天？", Command.ASK_DOCUMENTS, "年假几天？"),
        ("/知识库：年假几天？", Command.ASK_DOCUMENTS, "年假几天？"),
        ("  /KB\nHow long?\nPlease.", Command.ASK_DOCUMENTS, "How long?\nPlease."),
        ("/kb", Command.ASK_DOCUMENTS, ""),
        ("/clear", Command.CLEAR, ""),
        ("清空对话历史", Command.CLEAR, ""),
        ("清空对话历史。", Command.CLEAR, ""),
        ("怎么清空对话历史？", Command.SAY, "怎么清空对话历史？"),
        ("/kbd is a tag", Command.SAY, "/kbd is a tag"),
        ("what does /clear do?", Command.SAY, "what does /clear do?"),
    ],
)
def test_a_line_is_a_command_only_where_it_is_nothing_else(
    line: str, command: Command, text: str
) -> None:
    said = parse(line)
    assert (said.command, said.text) == (command, text)


@given(st.text())
def test_any_line_says_something_and_only_commands_lose_words(line: str) -> None:
    said = parse(line)
    if said.command is Command.SAY:
        assert said.text == line.strip()
