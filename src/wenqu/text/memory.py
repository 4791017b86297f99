"""What a model is told of a conversation so far: recent turns as they were, the rest in brief.

Answers are told without their references: ``[2]`` meant a source that the model no longer sees, and
would be copied as one that it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.text.conversation import without_references
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.types import Language, Turn

__all__ = ["messages_of", "recent", "summary_request", "tokens_of"]

_CHARACTERS_A_TOKEN = 4
_TURN_TOKENS = 8  # what a chat template puts around a question and its answer

_SUMMARY = {
    "zh": (
        "请把下面的对话概括成不超过150字的要点，保留人名、数字、结论和尚未解决的问题，不要加入新内容。",
        "已有概要：",
        "问：",
        "答：",
    ),
    "en": (
        "Sum up this conversation in at most 100 words. Keep names, numbers, open questions.",
        "Summary so far: ",
        "Q: ",
        "A: ",
    ),
}
_RECALLED = {"zh": "此前对话的概要：{summary}", "en": "What was said before, in brief: {summary}"}


def tokens_of(text: str) -> int:
    """Return about how many tokens a chat model makes of ``text``; rather too many than too few.

    A Chinese character is taken for one, other text for one every four characters.
    """
    wide = sum(character > "⺀" for character in text)
    return wide + -(-(len(text) - wide) // _CHARACTERS_A_TOKEN)


def recent(turns: Sequence[Turn], budget: int) -> Sequence[Turn]:
    """Return the last turns that fit ``budget`` tokens together, oldest first; always the last."""
    kept = len(turns)
    for turn in reversed(turns):
        budget -= tokens_of(turn.question) + tokens_of(turn.answer) + _TURN_TOKENS
        if budget < 0 and kept < len(turns):
            break
        kept -= 1
    return turns[kept:]


def messages_of(turns: Sequence[Turn], summary: str, language: Language) -> list[Message]:
    """Return the messages that tell a model of ``turns``, after ``summary`` of those before."""
    told = [Message(role="system", text=_RECALLED[language].format(summary=summary))]
    for turn in turns:
        told.append(Message(role="user", text=turn.question))
        told.append(Message(role="assistant", text=without_references(turn.answer)))
    return told if summary else told[1:]


def summary_request(turns: Sequence[Turn], summary: str, language: Language) -> list[Message]:
    """Return what asks a model to sum up ``turns`` together with ``summary`` of those before."""
    instructions, so_far, question, answer = _SUMMARY[language]
    lines = [f"{so_far}{summary}"] if summary else []
    for turn in turns:
        lines += [question + turn.question, answer + without_references(turn.answer)]
    return [
        Message(role="system", text=instructions),
        Message(role="user", text="\n".join(lines)),
    ]
