"""The same answer for all who ask the same at once, and, on request, for those who ask later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

__all__ = ["Sharing"]

Event = TypeVar("Event")


class _Run(Generic[Event]):
    """One run of an answer: what came so far, who reads it, and how it ended."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.news = asyncio.Condition()
        self.readers = 0
        self.ended = False
        self.error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None


class Sharing(Generic[Event]):
    """Streams that are made once for each key, however many read them.

    Who comes late gets what came so far at once, then the rest as it comes. A run ends when its
    last reader leaves. Belongs to one event loop.

    Args:
        kept: Finished streams that are kept for later readers, the least recently read dropped
            first; 0 keeps none.
    """

    def __init__(self, kept: int = 0) -> None:
        self._most_kept = kept
        self._running: dict[str, _Run[Event]] = {}
        self._kept: OrderedDict[str, tuple[Event, ...]] = OrderedDict()

    async def events(
        self, key: str, make: Callable[[], AsyncGenerator[Event]]
    ) -> AsyncGenerator[Event]:
        """Yield the stream of ``key``; ``make`` makes it where nobody has it made already.

        Raises whatever the stream raises, to each of its readers.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            for event in self._kept[key]:
                yield event
            return
        run = self._running.get(key)
        if run is None:
            run = self._running[key] = _Run()
            run.task = asyncio.create_task(self._produce(key, run, make))
        run.readers += 1
        try:
            async for event in _follow(run):
                yield event
        finally:
            run.readers -= 1
            if not run.readers and not run.ended and run.task is not None:
                self._forget(key, run)
                run.task.cancel()
                await asyncio.wait([run.task])

    async def _produce(
        self, key: str, run: _Run[Event], make: Callable[[], AsyncGenerator[Event]]
    ) -> None:
        try:
            async with aclosing(make()) as events:
                async for event in events:
                    async with run.news:
                        run.events.append(event)
                        run.news.notify_all()
            self._keep(key, run)
        except BaseException as error:  # noqa: BLE001  # it is each reader's, whatever it is
            run.error = error
        finally:
            self._forget(key, run)
            async with run.news:
                run.ended = True
                run.news.notify_all()

    def _keep(self, key: str, run: _Run[Event]) -> None:
        if not self._most_kept:
            return
        self._kept[key] = tuple(run.events)
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)

    def _forget(self, key: str, run: _Run[Event]) -> None:
        if self._running.get(key) is run:
            del self._running[key]


async def _follow(run: _Run[Event]) -> AsyncGenerator[Event]:
    position = 0
    while True:
        async with run.news:
            while position == len(run.events) and not run.ended:
                await run.news.wait()
        while position < len(run.events):
            yield run.events[position]
            position += 1
        if run.ended and position == len(run.events):
            if run.error is not None:
                raise run.error
            return
