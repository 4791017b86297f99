from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from wenqu.app import App, open_app
from wenqu.errors import InputError, ModelMissingError, NotFoundError
from wenqu.settings import load
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import AnswerFinished, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from wenqu.types import Answer, Message

KETTLE = "# Kettle\n\nThe warranty of the kettle lasts two years.\n"
QUESTION = "How long does the warranty of the kettle last?"


def with_app(
    folder: Path,
    work: Callable[[App], Awaitable[None]],
    chat: ScriptedChat | None = None,
    **settings: object,
) -> None:
    async def run() -> None:
        file = folder / "kettle.md"
        file.write_text(KETTLE, "utf-8")
        home = folder / "home"
        given = {"home": home, "embedder": FakeEmbedder(floor=0.7), "chat": chat, **settings}
        async with open_app(**given) as app:  # type: ignore[arg-type]
            await app.add("made", [file])
            await work(app)

    asyncio.run(run())


async def say(app: App, talk: str, line: str) -> Answer:
    events = [event async for event in app.conversing.say(talk, line)]
    last = events[-1]
    assert isinstance(last, AnswerFinished)
    return last.answer


def test_a_conversation_about_documents_keeps_answers_with_their_citations(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        talk = await app.conversing.begin("made")
        answer = await say(app, talk.id, QUESTION)
        assert answer.outcome is Outcome.ANSWERED
        (turn,) = (await app.conversations.get(talk.id)).turns
        assert turn.answer == answer.text
        assert "two years" in turn.detail["citations"][0]["quote"]

    with_app(tmp_path, work)


def test_a_plain_chat_may_ask_the_documents_and_both_join_one_history(tmp_path: Path) -> None:
    chat = ScriptedChat("Hello yourself [1].")

    async def work(app: App) -> None:
        talk = await app.conversing.begin()
        assert (await say(app, talk.id, "Hello!")).outcome is Outcome.CHAT
        assert (await say(app, talk.id, f"/kb {QUESTION}")).outcome is not Outcome.CHAT
        await say(app, talk.id, "And now?")
        told = [message.text for message in chat.prompts[-1]]
        assert told[:2] == ["Hello!", "Hello yourself."]
        assert told[2] == QUESTION
        assert told[-1] == "And now?"

    with_app(tmp_path, work, chat)


def test_the_system_prompt_begins_a_plain_chat(tmp_path: Path) -> None:
    chat = ScriptedChat("Aye.")

    async def work(app: App) -> None:
        talk = await app.conversing.begin()
        await say(app, talk.id, "Who are you?")
        assert (chat.prompts[0][0].role, chat.prompts[0][0].text) == ("system", "You are a pirate.")

    with_app(tmp_path, work, chat, conversation={"system_prompt": "You are a pirate."})


@pytest.mark.parametrize("line", ["/clear", "清空对话历史"])
def test_clearing_begins_anew(tmp_path: Path, line: str) -> None:
    chat = ScriptedChat("Aye.")

    async def work(app: App) -> None:
        talk = await app.conversing.begin()
        await say(app, talk.id, "First.")
        assert [event async for event in app.conversing.say(talk.id, line)] == []
        await say(app, talk.id, "Second.")
        assert [message.text for message in chat.prompts[-1]] == ["Second."]

    with_app(tmp_path, work, chat)


def test_a_turn_is_answered_anew_on_a_branch_of_its_own(tmp_path: Path) -> None:
    chat = ScriptedChat(lambda messages: f"{len(messages)}: {messages[-1].text}")

    async def work(app: App) -> None:
        talk = (await app.conversing.begin()).id
        for line in ("One.", "Two.", "Three."):
            await say(app, talk, line)
        second = (await app.conversations.get(talk)).turns[1]
        async for _ in app.conversing.again(talk, second.id, "Other."):
            pass
        turns = (await app.conversations.get(talk)).turns
        assert [turn.question for turn in turns] == ["One.", "Other."]
        async for _ in app.conversing.again(talk):
            pass
        turns = (await app.conversations.get(talk)).turns
        assert [turn.answer for turn in turns] == ["1: One.", "3: Other."]
        await app.conversations.go_to(talk, second.id)
        assert len((await app.conversations.get(talk)).turns) == 2
        with pytest.raises(NotFoundError):
            async for _ in app.conversing.again(talk, "none"):
                pass

    with_app(tmp_path, work, chat)


def test_a_conversation_is_exported_as_markdown_and_json(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        talk = (await app.conversing.begin("made")).id
        await say(app, talk, QUESTION)
        text = await app.conversing.export(talk, "markdown", "en")
        assert text.startswith(f"# {QUESTION}\n\n> {QUESTION}\n\n")
        assert "“The warranty of the kettle lasts two years.”" in text
        data = json.loads(await app.conversing.export(talk, "json", "zh"))
        assert data["turns"][0]["question"] == QUESTION
        assert data["kb"] == "made"

    with_app(tmp_path, work)


def test_what_cannot_be_said_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    async def work(app: App) -> None:
        talk = (await app.conversing.begin()).id
        with pytest.raises(ModelMissingError):
            await say(app, talk, "Hello")
        with pytest.raises(InputError):
            await say(app, talk, "/kb ")
        with pytest.raises(NotFoundError):
            await say(app, "none", "Hello")
        with pytest.raises(NotFoundError):
            await app.conversing.begin("none")
        assert (await app.conversations.get(talk)).turns == ()

    with_app(tmp_path, work)


@pytest.mark.parametrize(
    ("settings", "stops"),
    [({"slots": 1}, 1), ({"slots": 3}, 1), ({"base_url": "http://127.0.0.1:9/v1"}, 0)],
)
def test_a_summary_in_the_making_gives_way_to_an_answer_on_the_same_machine(
    tmp_path: Path, settings: dict[str, object], stops: int
) -> None:
    def reply(messages: Sequence[Message]) -> str:
        return "要点。" * 300 if is_summary(messages) else "好" * 400

    def is_summary(messages: Sequence[Message]) -> bool:
        return messages[0].role == "system"

    # An answer is one piece; a summary is more, and is not finished by itself.
    chat = ScriptedChat(reply, piece_characters=400, hold_at=1)

    async def work(app: App) -> None:
        talk = (await app.conversing.begin()).id
        for number in range(3):
            await say(app, talk, f"第{number}问")
        while not any(map(is_summary, chat.prompts)):  # noqa: ASYNC110  # the chat tells nobody
            await asyncio.sleep(0.001)
        stopped = chat.stopped
        await say(app, talk, "再问")
        assert chat.stopped == stopped + stops
        assert len((await app.conversations.get(talk)).turns) == 4

    in_force = load(home=tmp_path / "home", chat=settings, conversation={"history_tokens": 400})
    with_app(tmp_path, work, chat, settings=in_force)
