"""Measuring a chat model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ChatError
from wenqu.models.speed import SpeedPlan, measure
from wenqu.testing.chat import ScriptedChat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from wenqu.types import Message, Usage

PLAN = SpeedPlan(prompt_tokens=40, answer_tokens=8, runs=3)


def test_each_run_reads_a_prompt_that_was_never_read_before() -> None:
    chat = ScriptedChat("word" * 20, delay_s=0.001)
    told: list[tuple[int, int]] = []
    asyncio.run(measure(chat, PLAN, lambda *run: told.append(run)))
    prompts = [messages[-1].text for messages in chat.prompts[1:]]
    assert len({prompt[:60] for prompt in prompts}) == PLAN.runs
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_the_tokens_that_the_model_tells_are_what_is_counted() -> None:
    speed = asyncio.run(measure(ScriptedChat("word" * 20, delay_s=0.002), PLAN))
    assert (speed.model, speed.runs, speed.counted) == ("scripted", 3, True)
    assert (speed.prompt_tokens, speed.answer_tokens) == (1, 8)
    # Each piece takes two milliseconds at least, the first as any other.
    assert 0 < speed.answer_per_s <= 500
    assert speed.first_s >= 0.002
    assert speed.prompt_per_s <= 500


def test_pieces_stand_for_tokens_where_the_model_does_not_tell() -> None:
    class Silent(ScriptedChat):
        def stream(
            self,
            messages: Sequence[Message],
            max_tokens: int,
            *,
            on_usage: Callable[[Usage], None] | None = None,
        ) -> AsyncGenerator[str]:
            return super().stream(messages, max_tokens)

    speed = asyncio.run(measure(Silent("word" * 20, delay_s=0.001), PLAN))
    assert not speed.counted
    assert speed.answer_tokens == 8
    assert speed.prompt_tokens > PLAN.prompt_tokens


def test_a_model_that_says_next_to_nothing_cannot_be_measured() -> None:
    with pytest.raises(ChatError, match="too little"):
        asyncio.run(measure(ScriptedChat("one"), PLAN))


def test_a_model_that_fails_is_told() -> None:
    with pytest.raises(ChatError, match="as the script says"):
        asyncio.run(measure(ScriptedChat("word" * 20, fail_after=3), PLAN))
