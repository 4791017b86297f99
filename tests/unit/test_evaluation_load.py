from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wenqu.errors import ChatError
from wenqu.evaluation.load import Exchange, Level, run_level

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Server:
    """Answers in three pieces; counts how many it answers at once, and fails as it is told."""

    def __init__(self, failing: frozenset[int] = frozenset()) -> None:
        self.at_once = 0
        self.most = 0
        self.asked: list[int] = []
        self._failing = failing

    async def __call__(self, number: int) -> AsyncGenerator[str]:
        self.asked.append(number)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            for piece in "abc":
                await asyncio.sleep(0.001)
                if number in self._failing:
                    raise ChatError("error.chat_failed", url="made", reason="as told")
                yield piece
        finally:
            self.at_once -= 1


def test_every_client_asks_its_questions_and_all_at_once() -> None:
    server = Server()
    told: list[None] = []
    level = asyncio.run(run_level(5, 3, server, on_answer=lambda: told.append(None)))
    assert server.most == 5
    assert sorted(server.asked) == list(range(15))
    assert len(level.succeeded) == len(told) == 15
    assert all(one.pieces == 3 and 0 < one.first_s < one.total_s for one in level.exchanges)


def test_a_failure_is_counted_and_stops_no_other() -> None:
    level = asyncio.run(run_level(4, 2, Server(frozenset({1, 6}))))
    shown = level.to_json()
    assert (shown["succeeded"], shown["failed"]) == (6, 2)
    (reason,) = level.failures
    assert "as told" in reason
    assert level.failures[reason] == 2


def test_an_empty_answer_is_a_failure() -> None:
    async def nothing(_: int) -> AsyncGenerator[str]:
        for piece in ():
            yield piece

    assert asyncio.run(run_level(1, 1, nothing)).failures == {"an empty answer": 1}


def test_figures_are_those_of_what_was_waited() -> None:
    exchanges = tuple(
        Exchange(first_s=second / 10, total_s=float(second), pieces=10) for second in range(1, 101)
    )
    shown = Level(clients=4, seconds=50.0, exchanges=exchanges).to_json()
    assert shown["wait_s"] == {
        "min": 1.0,
        "mean": 50.5,
        "p50": 50.5,
        "p95": 95.05,
        "p99": 99.01,
        "max": 100.0,
    }
    assert shown["tokens_per_second"] == 20.0


def test_where_nothing_was_answered_there_are_no_waits() -> None:
    failed = (Exchange(first_s=1.0, total_s=1.0, pieces=0, failure="gone"),)
    shown = Level(clients=1, seconds=1.0, exchanges=failed).to_json()
    assert shown["wait_s"] is None
    assert shown["tokens_per_second"] == 0.0
