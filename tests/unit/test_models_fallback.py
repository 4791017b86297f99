from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ChatError
from wenqu.models.fallback import FallbackChat
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.contracts_chat import ChatModelContract
from wenqu.types import Message, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

QUESTION = [Message(role="user", text="hello")]
COUNTING = ", ".join(map(str, range(1, 31)))


class TestContract(ChatModelContract):
    @asynccontextmanager
    async def model(self) -> AsyncGenerator[FallbackChat]:
        yield FallbackChat([ScriptedChat(fail_after=0), ScriptedChat(COUNTING)])

    @asynccontextmanager
    async def failing_model(self) -> AsyncGenerator[FallbackChat]:
        yield FallbackChat([ScriptedChat(COUNTING, fail_after=2), ScriptedChat(COUNTING)])


def said(chat: FallbackChat, told: list[Usage]) -> str:
    async def run() -> str:
        return "".join([piece async for piece in chat.stream(QUESTION, 9, on_usage=told.append)])

    return asyncio.run(run())


def test_the_first_model_that_can_begin_answers_and_is_named() -> None:
    models = [ScriptedChat(fail_after=0), ScriptedChat("second"), ScriptedChat("third")]
    told: list[Usage] = []
    assert said(FallbackChat(models), told) == "second"
    assert told == [Usage(prompt_tokens=1, completion_tokens=2, model="scripted")]
    assert [len(model.prompts) for model in models] == [1, 1, 0]


def test_a_model_that_fails_in_mid_answer_is_not_followed_by_another() -> None:
    second = ScriptedChat("second")
    with pytest.raises(ChatError):
        said(FallbackChat([ScriptedChat("first one", fail_after=1), second]), [])
    assert second.prompts == []


def test_the_failure_of_the_last_is_told() -> None:
    with pytest.raises(ChatError):
        said(FallbackChat([ScriptedChat(fail_after=0), ScriptedChat(fail_after=0)]), [])


def test_evidence_fits_the_weakest_and_all_are_closed() -> None:
    models = [ScriptedChat(evidence_tokens=2000), ScriptedChat(evidence_tokens=450)]
    chat = FallbackChat(models)
    assert chat.evidence_tokens == 450
    asyncio.run(chat.close())
    assert all(model.closed for model in models)
