"""How a server answers many at once: rounds of clients, and what each of them waited."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from wenqu.errors import WenquError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

__all__ = ["Exchange", "Level", "run_level"]

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question and its answer: seconds to the first piece and to the end, and pieces.

    ``failure`` says what went wrong, where something did; the seconds then are those until it did.
    """

    first_s: float
    total_s: float
    pieces: int
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What came of so many clients at once; ``seconds`` is the time of all its rounds."""

    clients: int
    seconds: float
    exchanges: tuple[Exchange, ...]

    @property
    def succeeded(self) -> tuple[Exchange, ...]:
        """Those that were answered."""
        return tuple(one for one in self.exchanges if one.failure is None)

    @property
    def failures(self) -> dict[str, int]:
        """What went wrong, and how often."""
        said = [one.failure for one in self.exchanges if one.failure is not None]
        return {failure: said.count(failure) for failure in dict.fromkeys(said)}

    def to_json(self) -> dict[str, object]:
        """Return counts, seconds to three decimals, and tokens a second to one.

        A piece of a streamed answer is taken for a token, which it is on most servers. Figures of
        waiting are of answered questions; they are null where there are none.
        """
        good = self.succeeded
        pieces = sum(one.pieces for one in good)
        return {
            "clients": self.clients,
            "succeeded": len(good),
            "failed": len(self.exchanges) - len(good),
            "failures": self.failures,
            "seconds": round(self.seconds, 3),
            "wait_s": _spread([one.total_s for one in good]),
            "first_token_s": _spread([one.first_s for one in good]),
            "tokens_per_second": round(pieces / self.seconds, 1) if self.seconds else 0.0,
        }


async def run_level(
    clients: int,
    rounds: int,
    ask: Callable[[int], AsyncGenerator[str]],
    *,
    on_answer: Callable[[], None] = lambda: None,
) -> Level:
    """Let ``clients`` ask at once, ``rounds`` times one after another each.

    A round does not wait for the others: a client asks again as soon as it was answered, as people
    do who share a server.

    Args:
        clients: How many ask at the same time.
        rounds: Questions of each.
        ask: Number of a question → its answer in pieces.
        on_answer: Told after each answer.
    """

    async def client(number: int) -> list[Exchange]:
        found = []
        for turn in range(rounds):
            found.append(await _exchange(ask(number * rounds + turn)))
            on_answer()
        return found

    begun = perf_counter()
    exchanges = await asyncio.gather(*(client(number) for number in range(clients)))
    return Level(
        clients=clients,
        seconds=perf_counter() - begun,
        exchanges=tuple(one for found in exchanges for one in found),
    )


async def _exchange(answer: AsyncGenerator[str]) -> Exchange:
    begun = perf_counter()
    first = 0.0
    pieces = 0
    failure = None
    try:
        async with aclosing(answer) as stream:
            async for _ in stream:
                first = first or perf_counter() - begun
                pieces += 1
    except WenquError as error:
        failure = error.message("en")
    if failure is None and not pieces:
        failure = "an empty answer"
    total = perf_counter() - begun
    return Exchange(first_s=first or total, total_s=total, pieces=pieces, failure=failure)


def _spread(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    values = np.array(seconds)
    found = {"min": values.min(), "mean": values.mean()}
    found |= {f"p{one}": np.percentile(values, one) for one in _PERCENTILES}
    found["max"] = values.max()
    return {name: round(float(value), 3) for name, value in found.items()}
