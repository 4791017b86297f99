from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ChatError
from wenqu.pipeline.converse import Converser, Summariser, history
from wenqu.stores.conversations import DatabaseConversations
from wenqu.stores.database import Database
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.contracts_conversations import turn_of
from wenqu.types import AnswerFinished, Conversation, Outcome, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[DatabaseConversations]:
    database = Database(f"sqlite:///{folder}/made.db")
    yield DatabaseConversations(database)
    database.close()


def long_talk(turns: int, summarised: str | None = None) -> Conversation:
    made = tuple(
        Turn(
            id=f"t{number}",
            question=f"第{number}问",
            answer="好" * 100,
            outcome="chat",
            parent=f"t{number - 1}" if number else None,
        )
        for number in range(turns)
    )
    summary = "先前谈过年假。" if summarised else ""
    return Conversation(id="made", turns=made, summary=summary, summarised=summarised)


def test_a_plain_turn_is_answered_after_what_was_said_and_kept(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            converser, chat = Converser(store), ScriptedChat("It is blue.")
            talk = await store.create()
            for question in ("What colour is the sky?", "Why?"):
                told = history(talk, 1000)
                events = converser.kept(talk, question, converser.chat(chat, told, question))
                last = [event async for event in events][-1]
                assert isinstance(last, AnswerFinished)
                assert last.answer.outcome is Outcome.CHAT
                assert last.answer.usage.completion_tokens == 3
                talk = await store.get(talk.id)
            asked = [message.text for message in chat.prompts[1]]
            assert asked == ["What colour is the sky?", "It is blue.", "Why?"]
            assert [turn.answer for turn in talk.turns] == ["It is blue.", "It is blue."]
            assert talk.turns[1].parent == talk.turns[0].id

    asyncio.run(run())


def test_what_was_said_when_the_model_failed_is_kept_and_the_conversation_goes_on(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            converser = Converser(store)
            talk = await store.create()
            failing = ScriptedChat("It is blue.", fail_after=2)
            with pytest.raises(ChatError):
                async for _ in converser.kept(talk, "Why?", converser.chat(failing, (), "Why?")):
                    pass
            talk = await store.get(talk.id)
            assert [(turn.answer, turn.outcome) for turn in talk.turns] == [("It is bl", "failed")]
            chat = ScriptedChat("Because.")
            events = converser.kept(talk, "So?", converser.chat(chat, history(talk, 99), "So?"))
            assert [event async for event in events]
            assert [turn.outcome for turn in (await store.get(talk.id)).turns] == ["failed", "chat"]

    asyncio.run(run())


def test_what_was_said_when_the_reader_left_is_kept_and_the_model_stopped(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            converser, chat = Converser(store), ScriptedChat("It is blue.", delay_s=0.001)
            talk = await store.create()
            events = converser.kept(talk, "Why?", converser.chat(chat, (), "Why?"))
            async with aclosing(events) as stream:
                await anext(stream)
            assert chat.stopped == 1
            turns = (await store.get(talk.id)).turns
            assert [(turn.answer, turn.outcome) for turn in turns] == [("It i", "stopped")]

    asyncio.run(run())


def test_a_model_is_told_recent_turns_and_the_rest_in_brief() -> None:
    talk = long_talk(10, summarised="t6")
    told = history(talk, 350)
    assert told[0].role == "system"
    assert "先前谈过年假。" in told[0].text
    assert [message.text for message in told if message.role == "user"] == [
        "第7问",
        "第8问",
        "第9问",
    ]
    everything = history(talk, 10_000)
    assert len(everything) == 20
    assert all(message.role != "system" for message in everything)


def test_a_summary_of_another_branch_is_not_told() -> None:
    talk = long_talk(10, summarised="elsewhere")
    assert all(message.role != "system" for message in history(talk, 350))


def test_old_turns_are_summed_up_beside_the_answers_once_and_then_anew(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            talk = await store.create()
            for turn in long_talk(10).turns:
                await store.add(talk.id, turn)
            chat = ScriptedChat("  要点。 ", delay_s=0.001)
            summariser = Summariser(store, budget=350)
            talk = await store.get(talk.id)
            summariser.begin(talk, chat)
            summariser.begin(talk, chat)
            await summariser.finish()
            talk = await store.get(talk.id)
            assert len(chat.prompts) == 1
            assert (talk.summary, talk.summarised) == ("要点。", "t8")
            assert "第0问" in chat.prompts[0][-1].text
            assert "第9问" not in chat.prompts[0][-1].text
            summariser.begin(talk, chat)
            await summariser.finish()
            assert len(chat.prompts) == 1  # what remains fits
            await summariser.stop()

    asyncio.run(run())


def test_a_short_conversation_is_not_summed_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as store:
            talk = await store.create()
            await store.add(talk.id, turn_of("a"))
            chat = ScriptedChat("要点。")
            summariser = Summariser(store, budget=350)
            summariser.begin(await store.get(talk.id), chat)
            await summariser.finish()
            assert chat.prompts == []

    asyncio.run(run())
