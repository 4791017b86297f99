"""Many who ask at once: in turn, not without end, and the same question once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING

import pytest

from wenqu.app import App, open_app
from wenqu.errors import BusyError
from wenqu.options import AskOptions
from wenqu.pipeline.record import differences
from wenqu.settings import load
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import AnswerFinished, KnowledgeBaseSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from wenqu.types import Answer, AnswerEvent

QUESTION = "How long does the warranty of the kettle last?"
REPLY = "The warranty of the kettle lasts two years [1]."


def with_app(
    folder: Path,
    work: Callable[[App], Awaitable[None]],
    chat: ScriptedChat,
    *,
    waiting: int = 20,
    cache: int = 0,
) -> None:
    async def run() -> None:
        file = folder / "kettle.md"
        file.write_text("# Kettle\n\nThe warranty of the kettle lasts two years.\n", "utf-8")
        turns = {"waiting": waiting, "slots": 1}
        settings = load(home=folder / "home", chat=turns, answer={"cache": cache})
        async with open_app(settings, embedder=FakeEmbedder(floor=0.7), chat=chat) as app:
            await app.add("made", [file])
            await work(app)

    asyncio.run(run())


async def ask(app: App, question: str, **how: bool) -> Answer:
    return await finished(app.ask("made", question, AskOptions(**how)))  # type: ignore[arg-type]


async def finished(asked: AsyncGenerator[AnswerEvent]) -> Answer:
    *_, last = [event async for event in asked]
    assert isinstance(last, AnswerFinished)
    return last.answer


async def until(has_come: Callable[[], bool]) -> None:
    """Wait for what other tasks bring about; the limit ends nothing but a hang."""
    async with asyncio.timeout(120):
        while not has_come():  # noqa: ASYNC110  # what is looked at tells nobody
            await asyncio.sleep(0.001)


def test_the_same_question_asked_at_once_is_answered_once(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY, hold_at=0)

    async def work(app: App) -> None:
        asked = [app.ask("made", QUESTION) for _ in range(8)]
        await asyncio.gather(*(anext(events) for events in asked))
        chat.released.set()
        answers = await asyncio.gather(*(finished(events) for events in asked))
        assert len(chat.prompts) == 1
        assert len({answer.id for answer in answers}) == 1
        await ask(app, QUESTION)
        assert len(chat.prompts) == 2  # nothing is kept for later

    with_app(tmp_path, work, chat)


def test_answers_are_kept_on_request_until_the_documents_change(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY)

    async def work(app: App) -> None:
        first = await ask(app, QUESTION)
        assert (await ask(app, QUESTION)).id == first.id
        assert len(chat.prompts) == 1
        (tmp_path / "kettle.md").write_text("The warranty of the kettle lasts five years.", "utf-8")
        await app.add("made", [tmp_path / "kettle.md"])
        assert (await ask(app, QUESTION)).id != first.id
        assert len(chat.prompts) == 2

    with_app(tmp_path, work, chat, cache=10)


def test_the_model_is_told_what_its_operator_wants_and_then_the_rules(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY)

    async def work(app: App) -> None:
        await ask(app, QUESTION)
        await app.bases.configure("made", KnowledgeBaseSettings(prompt="You are Ada."))
        await ask(app, QUESTION)
        plain, own = (prompt[0].text for prompt in chat.prompts)
        assert own.startswith("You are Ada.")
        assert own.endswith(plain)
        talk = await app.conversing.begin("made")
        async with aclosing(app.conversing.say(talk.id, QUESTION)) as events:
            assert isinstance([event async for event in events][-1], AnswerFinished)
        assert chat.prompts[2][0].text == own

    with_app(tmp_path, work, chat)


def test_a_kept_answer_is_not_given_under_another_prompt(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY)

    async def work(app: App) -> None:
        first = await ask(app, QUESTION)
        await app.bases.configure("made", KnowledgeBaseSettings(prompt="You are Ada."))
        second = await ask(app, QUESTION)
        assert second.id != first.id
        assert (await ask(app, QUESTION)).id == second.id
        assert len(chat.prompts) == 2

    with_app(tmp_path, work, chat, cache=10)


def test_a_repeated_answer_says_that_the_prompt_is_another(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY)

    async def work(app: App) -> None:
        await ask(app, QUESTION)
        await app.bases.configure("made", KnowledgeBaseSettings(prompt="You are Ada."))
        before, after = await app.replay("last")
        first, second = differences(before, after)
        assert (first.part, first.before, first.after) == ("made_with.prompt", "", "You are Ada.")
        assert second.part == "prompt"
        # Without a model nobody is told anything.
        await ask(app, QUESTION, use_llm=False)
        await app.bases.configure("made", KnowledgeBaseSettings())
        assert not differences(*(await app.replay("last")))

    with_app(tmp_path, work, chat)


def test_a_record_names_the_documents_that_there_were_when_the_question_came(
    tmp_path: Path,
) -> None:
    chat = ScriptedChat(REPLY)

    async def work(app: App) -> None:
        base = await app.base_id("made")
        version = await app.changes.head(base)
        events = app.ask("made", QUESTION)
        await anext(events)
        (tmp_path / "kettle.md").write_text("The warranty of the kettle lasts five years.", "utf-8")
        await app.add("made", [tmp_path / "kettle.md"])
        [_ async for _ in events]
        assert await app.changes.head(base) > version
        assert (await app.answers.get("last")).data["kb_version"] == version

    with_app(tmp_path, work, chat)


def test_answers_are_written_one_after_another_and_say_how_long_they_waited(
    tmp_path: Path,
) -> None:
    chat = ScriptedChat(REPLY, hold_at=0)

    async def work(app: App) -> None:
        asked = [asyncio.create_task(ask(app, f"{QUESTION} {number}")) for number in range(3)]
        await until(lambda: sum(map(len, app.queue._waiting.values())) == 2)
        await asyncio.sleep(0.05)
        assert len(chat.prompts) == 1
        chat.released.set()
        _, *others = sorted([(await one).trace.timings_ms["queue"] for one in asked])
        assert min(others) >= 50

    with_app(tmp_path, work, chat)


def test_past_the_bound_one_is_told_and_an_answer_without_a_model_needs_no_turn(
    tmp_path: Path,
) -> None:
    chat = ScriptedChat(REPLY, hold_at=0)

    async def work(app: App) -> None:
        writing = asyncio.create_task(ask(app, QUESTION))
        await until(lambda: bool(chat.prompts))
        with pytest.raises(BusyError) as refused:
            await ask(app, f"{QUESTION} And of the toaster?")
        assert refused.value.values["ahead"] == 1
        assert (await ask(app, QUESTION, use_llm=False)).model is None
        chat.released.set()
        assert (await writing).model == "scripted"

    with_app(tmp_path, work, chat, waiting=0)


@pytest.mark.parametrize(
    ("chat", "places"), [({}, 1 + 20), ({"base_url": "http://127.0.0.1:9/v1"}, 64 + 200)]
)
def test_a_server_is_given_more_to_answer_and_to_wait_for(
    tmp_path: Path, chat: dict[str, str], places: int
) -> None:
    async def run() -> None:
        async with open_app(load(home=tmp_path, chat=chat)) as app, AsyncExitStack() as held:
            for _ in range(places):
                await held.enter_async_context(app.queue.place())
            with pytest.raises(BusyError):
                await held.enter_async_context(app.queue.place())

    asyncio.run(run())


def test_a_server_may_take_longer_for_a_first_word_than_it_may_be_silent(tmp_path: Path) -> None:
    chat = ScriptedChat(REPLY, hold_at=0)
    given = {"base_url": "http://127.0.0.1:9/v1", "timeout_s": 0.01}

    async def run() -> None:
        file = tmp_path / "kettle.md"
        file.write_text("# Kettle\n\nThe warranty of the kettle lasts two years.\n", "utf-8")
        settings = load(home=tmp_path / "home", chat=given)
        async with open_app(settings, embedder=FakeEmbedder(floor=0.7), chat=chat) as app:
            await app.add("made", [file])
            asked = asyncio.create_task(ask(app, QUESTION))
            await until(lambda: bool(chat.prompts))
            await asyncio.sleep(0.1)  # others are answered first
            chat.released.set()
            assert (await asked).model == "scripted"

    asyncio.run(run())
