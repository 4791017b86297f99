"""Conversations as text: what of them a prompt may hold, and commands that a user types in one.

Pure functions; nothing here knows where conversations are kept.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from wenqu.text.normalize import fold

__all__ = ["Command", "CommandName", "command", "without_references"]

_MARKER = re.compile(r"[ \t]*\[\d{1,3}(?:\s*[,，、–-]\s*\d{1,3})*\]")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SOURCES = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*|\*\*)?"
    r"(?:参考(?:资料|文献|来源)|引用来源|来源|出处|references|sources|citations)"
    r"(?:\*\*)?[ \t]*[:：]?(?:\*\*)?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ENTRY = re.compile(r"[ \t]*(?:[-*•][ \t]*)?(?:\[\d{1,3}\]|\d{1,3}[.、)])[ \t]*\S.*")


class CommandName(StrEnum):
    """What a user may tell a conversation to do."""

    CLEAR = "clear"
    BASE = "kb"
    SOURCES = "sources"
    MODEL = "model"
    RETRY = "retry"
    EXPORT = "export"
    HELP = "help"
    QUIT = "quit"
    UNKNOWN = "unknown"
    """A slash and a word that wenqu does not know."""


class Command(NamedTuple):
    """A command, and what follows it: a question after ``/kb``, a name after ``/model``."""

    name: CommandName
    rest: str


_SPELLINGS = {
    CommandName.CLEAR: "clear reset new 清空 清除 清空对话 清空历史 清空对话历史 新对话",
    CommandName.BASE: "kb base 知识库",
    CommandName.SOURCES: "sources source 来源 出处",
    CommandName.MODEL: "model 模型",
    CommandName.RETRY: "retry again 重试 重新回答",
    CommandName.EXPORT: "export 导出",
    CommandName.HELP: "help ? h 帮助",
    CommandName.QUIT: "quit exit q bye 退出",
}
_NAMES = {word: name for name, words in _SPELLINGS.items() for word in words.split()}
# What clears a conversation without a slash: said by itself, and hardly ever a question.
_CLEARING = frozenset(
    fold(text)
    for text in (
        "清空对话历史",
        "清空历史对话",
        "清空对话",
        "清除对话历史",
        "清空聊天记录",
        "clear the conversation",
        "clear conversation history",
        "clear history",
    )
)
_SLASH = re.compile(r"/(?P<name>[a-z?]+|[\u4e00-\u9fff]+)(?:[\s:：]+(?P<rest>.*))?", re.DOTALL)
_SLASHES = ("/", "／")
_ENDS = "。.!！ \t\n"


def command(text: str) -> Command | None:
    """Return the command that a user typed; None for anything else, such as a path or a question.

    A slash, half or full width, in any case; Chinese or English. ``清空对话历史`` needs no slash.
    """
    plain = text.strip()
    if fold(plain).strip(_ENDS) in _CLEARING:
        return Command(CommandName.CLEAR, "")
    found = _SLASH.fullmatch(fold(plain)) if plain.startswith(_SLASHES) else None
    if found is None:
        return None
    name = _NAMES.get(found["name"], CommandName.UNKNOWN)
    if name is CommandName.UNKNOWN:
        return Command(name, plain)
    # What follows is as it was typed: folding changes names and questions.
    rest = re.split(r"[\s:：]+", plain, maxsplit=1)
    return Command(name, rest[1].strip() if len(rest) > 1 else "")


def without_references(text: str) -> str:
    """Return an answer as a later prompt may hold it: without markers, and sources listed below it.

    A number in brackets inside code stays: there it is code.
    """
    for heading in _SOURCES.finditer(text):
        below = [line for line in text[heading.end() :].splitlines() if line.strip()]
        if below and all(_ENTRY.fullmatch(line) for line in below):
            text = text[: heading.start()].rstrip()
            break
    kept: list[str] = []
    position = 0
    for code in _CODE.finditer(text):
        kept += [_MARKER.sub("", text[position : code.start()]), code[0]]
        position = code.end()
    return "".join([*kept, _MARKER.sub("", text[position:])])
