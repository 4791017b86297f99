"""Turns of a conversation: what the model is told of earlier ones, and how each is kept.

A plain turn is answered by the chat model alone; one about documents goes the way of any question,
and may lean on the turns before it. Both join the same conversation. What a model had said when it
failed, or when its reader left, is kept too.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from wenqu.errors import ModelError
from wenqu.payloads import citation_payload
from wenqu.text.language import detect
from wenqu.text.memory import messages_of, recent, summary_request
from wenqu.types import Answer, AnswerFinished, AnswerText, Message, Outcome, Turn, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from wenqu.protocols import ChatModel, ConversationStore
    from wenqu.types import AnswerEvent, Conversation

__all__ = ["Converser", "Summariser", "history"]

_ID_BYTES = 8
_SUMMARY_TOKENS = 250
_log = logging.getLogger("wenqu.converse")


def _turn_id() -> str:
    """Return an id that no other turn has."""
    return secrets.token_hex(_ID_BYTES)


def history(conversation: Conversation, budget: int) -> tuple[Message, ...]:
    """Return what a model is told of a conversation, in about ``budget`` tokens.

    Recent turns are told as they were. Those before them that a summary covers are told by it;
    those between the two are left out: a summary that is late costs memory, never an answer.
    """
    turns = recent(conversation.turns, budget)
    language = detect(turns[-1].question) if turns else "en"
    left_out = conversation.turns[: len(conversation.turns) - len(turns)]
    summary = conversation.summary if _covered(conversation) and left_out else ""
    return tuple(messages_of(turns, summary, language))


class Converser:
    """Answers plain turns, and keeps every turn.

    Args:
        store: Where turns are kept.
        max_tokens: Longest reply of a plain turn.
    """

    def __init__(self, store: ConversationStore, *, max_tokens: int = 800) -> None:
        self._store = store
        self._max_tokens = max_tokens

    async def chat(
        self, chat: ChatModel, told: Sequence[Message], question: str
    ) -> AsyncGenerator[AnswerEvent]:
        """Yield the model's reply to ``question`` after ``told``, and the whole at the end.

        Raises:
            ModelError: The model failed; what it said before stands.
        """
        usages: list[Usage] = []
        prompt = [*told, Message(role="user", text=question)]
        said = ""
        reply = chat.stream(prompt, self._max_tokens, on_usage=usages.append)
        async with aclosing(cast("AsyncGenerator[str]", reply)) as pieces:
            async for piece in pieces:
                said += piece
                yield AnswerText(text=piece)
        usage = usages[-1] if usages else Usage()
        yield AnswerFinished(
            answer=Answer(
                outcome=Outcome.CHAT,
                text=said,
                language=detect(question),
                usage=usage,
                model=usage.model or chat.name,
            )
        )

    async def kept(
        self, conversation: Conversation, question: str, events: AsyncGenerator[AnswerEvent]
    ) -> AsyncGenerator[AnswerEvent]:
        """Pass ``events`` on, and keep the turn they are, however they end.

        Who hears the end of an answer may ask on at once: the turn is kept before that. Raises
        whatever ``events`` raise, once what was said is kept.
        """
        parent = conversation.turns[-1].id if conversation.turns else None
        said = ""
        kept = False
        how = "stopped"
        try:
            async with aclosing(events) as stream:
                async for event in stream:
                    if isinstance(event, AnswerText):
                        said += event.text
                    elif isinstance(event, AnswerFinished):
                        kept = True
                        turn = _turn(question, parent, event.answer, said, how)
                        await asyncio.shield(self._store.add(conversation.id, turn))
                    yield event
        except ModelError:
            how = "failed"
            raise
        finally:
            if said.strip() and not kept:
                turn = _turn(question, parent, None, said, how)
                # Its reader may have left, which cancels what is awaited here, but not this.
                await asyncio.shield(self._store.add(conversation.id, turn))


def _turn(question: str, parent: str | None, answer: Answer | None, said: str, how: str) -> Turn:
    if answer is None:
        return Turn(id=_turn_id(), question=question, answer=said, outcome=how, parent=parent)
    return Turn(
        id=_turn_id(),
        question=question,
        answer=answer.text,
        outcome=answer.outcome.value,
        parent=parent,
        answer_id=answer.id,
        detail={
            "model": answer.model,
            "citations": [citation_payload(citation) for citation in answer.citations],
            "usage": {
                "prompt_tokens": answer.usage.prompt_tokens,
                "completion_tokens": answer.usage.completion_tokens,
            },
        },
    )


class Summariser:
    """Sums up what no longer fits a model's memory, beside the answers and never in their way.

    Belongs to one event loop.

    Args:
        store: Where summaries are kept.
        budget: Tokens of recent turns that a model is told as they are.
    """

    def __init__(self, store: ConversationStore, budget: int) -> None:
        self._store = store
        self._budget = budget
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, conversation: Conversation, chat: ChatModel) -> None:
        """Begin to sum up what has to be, where nobody does already."""
        turns = _unsummed(conversation, self._budget)
        if not turns or conversation.id in self._tasks:
            return
        task = asyncio.create_task(self._sum_up(conversation, turns, chat))
        self._tasks[conversation.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(conversation.id, None))

    async def finish(self) -> None:
        """Wait for what is at work."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Stop what is at work; it is begun again after the next turn."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sum_up(
        self, conversation: Conversation, turns: Sequence[Turn], chat: ChatModel
    ) -> None:
        language = detect(turns[-1].question)
        summary = conversation.summary if _covered(conversation) else ""
        request = summary_request(turns, summary, language)
        try:
            pieces = [piece async for piece in chat.stream(request, _SUMMARY_TOKENS)]
        except ModelError as error:
            _log.warning("a conversation could not be summed up: %s", error)
            return
        if summary := "".join(pieces).strip():
            await self._store.summarise(conversation.id, summary, turns[-1].id)


def _covered(conversation: Conversation) -> int:
    """Return how many turns the summary covers; 0 where it is of another branch."""
    ids = [turn.id for turn in conversation.turns]
    return ids.index(conversation.summarised) + 1 if conversation.summarised in ids else 0


def _unsummed(conversation: Conversation, budget: int) -> Sequence[Turn]:
    """Return the turns that fit no more and that no summary covers, once there are enough.

    Half of the budget is left to recent turns, so that a summary is not made for each turn anew.
    """
    turns = conversation.turns
    covered = _covered(conversation)
    if len(recent(turns[covered:], budget)) == len(turns) - covered:
        return ()
    return turns[covered : len(turns) - len(recent(turns, budget // 2))]
