"""What a line of a conversation may be beside a question: a command, in Chinese or English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from wenqu.text.normalize import fold

__all__ = ["Command", "Said", "parse"]


class Command(StrEnum):
    """What a line asks for."""

    SAY = "say"
    ASK_DOCUMENTS = "ask_documents"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line of a conversation: what it asks for, and the question that is left of it."""

    command: Command
    text: str


_DOCUMENTS = re.compile(r"\s*/(?:kb|知识库)(?:\s+|[:：]\s*|$)(.*)", re.DOTALL | re.IGNORECASE)
_CLEAR = frozenset({"/clear", "/清空", "清空对话历史", "清空历史", "清空对话"})


def parse(line: str) -> Said:
    """Return what a line says.

    ``/kb QUESTION`` (``/知识库``) asks the documents, whatever was said before. ``/clear`` and
    ``清空对话历史`` begin anew. Everything else is said as it stands.
    """
    if match := _DOCUMENTS.fullmatch(line):
        return Said(command=Command.ASK_DOCUMENTS, text=match[1].strip())
    if fold(line).strip().rstrip("。.!！") in _CLEAR:
        return Said(command=Command.CLEAR, text="")
    return Said(command=Command.SAY, text=line.strip())
