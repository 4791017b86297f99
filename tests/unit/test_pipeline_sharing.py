from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from wenqu.pipeline.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Source:
    """Counts how often it was started and stopped, and gives three pieces."""

    def __init__(self, *, failing: bool = False) -> None:
        self.started = 0
        self.stopped = 0
        self._failing = failing

    async def __call__(self) -> AsyncGenerator[int]:
        self.started += 1
        finished = False
        try:
            for piece in range(3):
                await asyncio.sleep(0.001)
                yield piece
            if self._failing:
                raise ValueError("as told")
            finished = True
        finally:
            self.stopped += not finished


async def read(sharing: Sharing[int], source: Source, key: str = "q") -> list[int]:
    return [event async for event in sharing.events(key, source)]


def test_the_same_asked_at_once_by_many_is_made_once_and_read_whole_by_each() -> None:
    async def run() -> None:
        sharing, source = Sharing[int](), Source()
        found = await asyncio.gather(*(read(sharing, source) for _ in range(50)))
        assert found == [[0, 1, 2]] * 50
        assert source.started == 1

    asyncio.run(run())


def test_who_comes_late_gets_all_that_came_before() -> None:
    async def run() -> None:
        sharing, source = Sharing[int](), Source()
        first = sharing.events("q", source)
        assert await anext(first) == 0
        late = await read(sharing, source)
        assert late == [0, 1, 2]
        assert [event async for event in first] == [1, 2]
        assert source.started == 1

    asyncio.run(run())


def test_one_who_leaves_takes_nothing_from_the_others_and_the_last_stops_the_run() -> None:
    async def run() -> None:
        sharing, source = Sharing[int](), Source()
        async with aclosing(sharing.events("q", source)) as leaving:
            await anext(leaving)
            staying = asyncio.create_task(read(sharing, source))
            await asyncio.sleep(0)
        assert await staying == [0, 1, 2]
        assert source.stopped == 0
        async with aclosing(sharing.events("q", source)) as alone:
            await anext(alone)
        assert (source.started, source.stopped) == (2, 1)
        assert await read(sharing, source) == [0, 1, 2]

    asyncio.run(run())


def test_a_failure_reaches_every_reader_and_is_not_kept() -> None:
    async def run() -> None:
        sharing, source = Sharing[int](kept=5), Source(failing=True)
        found = await asyncio.gather(
            *(read(sharing, source) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(one, ValueError) for one in found)
        with pytest.raises(ValueError, match="as told"):
            await read(sharing, source)
        assert source.started == 2

    asyncio.run(run())


def test_finished_streams_are_kept_only_on_request_and_the_least_read_goes_first() -> None:
    async def run() -> None:
        source = Source()
        sharing = Sharing[int]()
        await read(sharing, source)
        await read(sharing, source)
        assert source.started == 2
        kept, source = Sharing[int](kept=2), Source()
        for key in ("a", "b", "a", "c", "a"):
            assert await read(kept, source, key) == [0, 1, 2]
        assert source.started == 3
        await read(kept, source, "b")
        assert source.started == 4

    asyncio.run(run())
