"""Measures a chat model: how fast it reads a prompt, how fast it writes, how soon it begins.

From outside, as a user has it, so that a model of this machine and one of a server are measured
alike: reading is all that passes before the first piece, writing all that comes after it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, cast

from wenqu.errors import ChatError
from wenqu.types import Message, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from wenqu.protocols import ChatModel

__all__ = ["Speed", "SpeedPlan", "measure"]

# Words of one token each in the usual vocabularies, in an order that no prompt cache has seen.
_WORDS = ("time", "year", "people", "way", "day", "man", "thing", "life", "world", "school")
_ASK = "Write the whole numbers from 1 to 1000 in order, one on each line, and nothing else.\n\n"
_LEAST_PIECES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedPlan:
    """Roughly how long a prompt, how long an answer (both in tokens), and how often."""

    prompt_tokens: int = 256
    answer_tokens: int = 64
    runs: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The medians of some runs, each with a prompt that the model has not read before.

    ``load_s`` is how long the model took to start and answer one word; what is loaded already
    takes next to nothing. ``counted`` is False where the model did not tell its tokens: then those
    read are estimated, and pieces stand for those written.
    """

    model: str
    runs: int
    prompt_tokens: int
    answer_tokens: int
    load_s: float
    first_s: float
    prompt_per_s: float
    answer_per_s: float
    counted: bool


@dataclass(frozen=True, slots=True)
class _Run:
    read: int
    written: int
    first_s: float
    rest_s: float
    counted: bool


async def measure(
    chat: ChatModel, plan: SpeedPlan, on_run: Callable[[int, int], None] = lambda *_: None
) -> Speed:
    """Measure a model; ``on_run`` is told how many runs are done, and of how many.

    Raises:
        ChatError: The model failed, or wrote too little to be measured.
    """
    begun = time.perf_counter()
    await _run(chat, "1", 1)
    load_s = time.perf_counter() - begun
    runs = []
    for number in range(plan.runs):
        on_run(number, plan.runs)
        run = await _run(chat, _prompt(plan.prompt_tokens), plan.answer_tokens)
        if run.written < _LEAST_PIECES or not run.rest_s:
            raise ChatError("error.bench_short", model=chat.name)
        runs.append(run)
    return Speed(
        model=chat.name,
        runs=plan.runs,
        prompt_tokens=round(median(run.read for run in runs)),
        answer_tokens=round(median(run.written for run in runs)),
        load_s=load_s,
        first_s=median(run.first_s for run in runs),
        prompt_per_s=median(run.read / run.first_s for run in runs),
        # The first token was written in the time of the prompt.
        answer_per_s=median((run.written - 1) / run.rest_s for run in runs),
        counted=all(run.counted for run in runs),
    )


def _prompt(tokens: int) -> str:
    """Return a prompt of about so many tokens that begins as none before it."""
    words = [secrets.choice(_WORDS) for _ in range(tokens)]
    # Shuffled at its very beginning too: a cache that knows the first words would spare reading.
    return f"{' '.join(words)}\n\n{_ASK}"


async def _run(chat: ChatModel, prompt: str, most: int) -> _Run:
    told: list[Usage] = []
    begun = time.perf_counter()
    first_s = 0.0
    pieces = 0
    stream = chat.stream([Message(role="user", text=prompt)], most, on_usage=told.append)
    async with contextlib.aclosing(cast("AsyncGenerator[str]", stream)) as reply:
        async for _ in reply:
            first_s = first_s or time.perf_counter() - begun
            pieces += 1
    ended_s = time.perf_counter() - begun
    usage = told[-1] if told else Usage()
    counted = bool(usage.prompt_tokens and usage.completion_tokens)
    return _Run(
        read=usage.prompt_tokens if counted else len(prompt.split()),
        written=usage.completion_tokens if counted else pieces,
        first_s=first_s or ended_s,
        rest_s=ended_s - first_s if first_s else 0.0,
        counted=counted,
    )
