"""Conversations: turns about documents and plain ones, in one history."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from wenqu import messages
from wenqu.errors import InputError, ModelMissingError, NotFoundError
from wenqu.options import AskOptions
from wenqu.payloads import conversation_payload
from wenqu.text.conversation import CommandName, command
from wenqu.text.normalize import storable
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from wenqu.app_parts import AppParts
    from wenqu.pipeline.converse import Converser, Summariser
    from wenqu.protocols import ChatModel
    from wenqu.types import AnswerEvent, Conversation, Language, Turn

__all__ = ["Conversing"]


class Ask(Protocol):
    """``App.ask``."""

    def __call__(
        self, kb: str | None, question: str, how: AskOptions | None = None, *, who: str = ""
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer a question from a knowledge base."""


class Conversing:
    """Holds conversations; reached as ``app.conversing``.

    Args:
        app: Whose conversations they are.
        ask: How a question to the documents is answered.
    """

    def __init__(self, app: AppParts, ask: Ask) -> None:
        self._app = app
        self._ask = ask

    async def begin(self, kb: str | None = None, owner: str = "") -> Conversation:
        """Begin a conversation about a knowledge base, or a plain chat without one.

        Conversations of nobody in particular that have been idle for too long are deleted.

        Raises:
            NotFoundError: There is no such knowledge base.
        """
        if kb is not None:
            await self._app.bases.id_of(kb)
        idle = timedelta(minutes=self._app.settings.conversation.idle_minutes)
        await self._app.conversations.expire((datetime.now(UTC) - idle).isoformat())
        return await self._app.conversations.create(kb, owner)

    async def say(
        self,
        conversation: str,
        line: str,
        how: AskOptions | None = None,
        *,
        owner: str | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """Take a line of a conversation, and yield the events of ``App.ask``.

        ``/kb QUESTION`` asks the documents whatever was said before, and then joins the history;
        ``/clear`` forgets what was said, and yields nothing; see ``text.conversation``. Any other
        line is said as it stands. The turn is kept, however it ends.

        Args:
            conversation: Its id.
            line: What the user says.
            how: How to answer from documents; its history is that of the conversation.
            owner: Whose conversation it must be, where given.

        Raises:
            NotFoundError: The conversation or its knowledge base is gone.
            InputError: Nothing is said, or documents are asked where there are none.
            ModelMissingError: A plain chat has no model to talk to.
        """
        talk = await self._app.conversations.get(conversation, owner)
        line = storable(line)
        said = command(line)
        if said is not None and said.name is CommandName.CLEAR:
            await self._app.conversations.go_to(talk.id, None)
            return
        alone = said is not None and said.name is CommandName.BASE
        question = said.rest if said is not None and alone else line.strip()
        if not question:
            raise InputError("error.question_empty")
        if self._app.settings.chat.base_url is None:
            await self.summariser.stop()  # the machine is wanted for an answer
        events = (
            self._chat(talk, question)
            if talk.kb_name is None and not alone
            else self._documents(talk, question, how, alone=alone)
        )
        async with aclosing(self._converser.kept(talk, question, events)) as stream:
            async for event in stream:
                yield event
        if (chat := self._app.chat_model()) is not None:
            self.summariser.begin(await self._app.conversations.get(talk.id), chat)

    async def again(
        self,
        conversation: str,
        turn: str | None = None,
        line: str | None = None,
        how: AskOptions | None = None,
        *,
        owner: str | None = None,
    ) -> AsyncGenerator[AnswerEvent]:
        """Answer a turn anew, on a branch of its own; the old one stays.

        Args:
            conversation: Its id.
            turn: Which turn, of the branch in use; None means the last.
            line: Another question in its place, where given.
            how: How to answer.
            owner: Whose conversation it must be, where given.

        Raises:
            NotFoundError: There is no such turn.
        """
        talk = await self._app.conversations.get(conversation, owner)
        meant = _meant(talk, turn)
        await self._app.conversations.go_to(talk.id, meant.parent)
        said = self.say(talk.id, line or meant.question, how, owner=owner)
        async with aclosing(said) as stream:
            async for event in stream:
                yield event

    async def export(
        self, conversation: str, form: Literal["markdown", "json"], language: Language
    ) -> str:
        """Return a conversation as Markdown, or as JSON.

        Raises:
            NotFoundError: There is none of that id.
        """
        talk = await self._app.conversations.get(conversation)
        if form == "json":
            return json.dumps(conversation_payload(talk), ensure_ascii=False, indent=2) + "\n"
        return _as_markdown(talk, language)

    async def close(self) -> None:
        """Stop what goes on in the background."""
        if "summariser" in self.__dict__:
            await self.summariser.stop()

    @cached_property
    def summariser(self) -> Summariser:
        """What sums up long conversations."""
        from wenqu.pipeline.converse import Summariser

        return Summariser(self._app.conversations, self._app.settings.conversation.history_tokens)

    @cached_property
    def _converser(self) -> Converser:
        from wenqu.pipeline.converse import Converser

        return Converser(
            self._app.conversations, max_tokens=self._app.settings.conversation.max_tokens
        )

    def _told(self, talk: Conversation) -> tuple[Message, ...]:
        from wenqu.pipeline.converse import history

        return history(talk, self._app.settings.conversation.history_tokens)

    async def _chat(self, talk: Conversation, question: str) -> AsyncGenerator[AnswerEvent]:
        chat = self._app.chat_model()
        if chat is None:
            raise ModelMissingError("error.chat_none")
        async with self._app.queue.place(talk.id) as place, place.slot():
            async for event in self._reply(chat, talk, question):
                yield event

    async def _reply(
        self, chat: ChatModel, talk: Conversation, question: str
    ) -> AsyncGenerator[AnswerEvent]:
        system = self._app.settings.conversation.system_prompt
        told = self._told(talk)
        if system:
            told = (Message(role="system", text=system), *told)
        async with aclosing(self._converser.chat(chat, told, question)) as stream:
            async for event in stream:
                yield event

    async def _documents(
        self, talk: Conversation, question: str, how: AskOptions | None, *, alone: bool
    ) -> AsyncGenerator[AnswerEvent]:
        told = () if alone else self._told(talk)
        how = replace(how or AskOptions(), history=told)
        async with aclosing(self._ask(talk.kb_name, question, how, who=talk.id)) as stream:
            async for event in stream:
                yield event


def _meant(talk: Conversation, turn: str | None) -> Turn:
    if turn is None and talk.turns:
        return talk.turns[-1]
    for one in talk.turns:
        if one.id == turn:
            return one
    raise NotFoundError("error.turn_missing", id=turn or "–")


def _as_markdown(talk: Conversation, language: Language) -> str:
    parts = [f"# {talk.title or talk.id}"]
    for turn in talk.turns:
        asked = "\n".join(f"> {line}" for line in turn.question.splitlines())
        parts += [asked, turn.answer]
        sources = [
            f"- [{one['marker']}] {one['title']} ({one['document']}): “{_line(one['quote'])}”"
            for one in turn.detail.get("citations", ())
        ]
        if sources:
            parts += [f"{messages.text('conversation.sources', language)}\n" + "\n".join(sources)]
    return "\n\n".join(parts) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())
