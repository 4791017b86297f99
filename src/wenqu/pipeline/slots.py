"""Shares the few slots of a chat model among many who ask: in turn, and never without end.

Who asks takes a place before any work is done, or is told at once that too many wait. A place
becomes a slot when its turn comes. Turns go round among those who wait, and within one of them in
the order of asking: who sends ten questions at once does not keep another from asking one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from wenqu.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["FairQueue", "Place"]

_GUESS_S = 15.0
"""Seconds that an answer is taken to last until one has been seen."""
_MEMORY = 0.8
"""Weight of what was known of that before, against the answer that just ended."""


class FairQueue:
    """A queue for ``slots`` answers at a time.

    Belongs to one event loop.

    Args:
        slots: Answers that are written at the same time.
        waiting: Most places that may wait for a slot; the next is refused.
    """

    def __init__(self, slots: int, waiting: int) -> None:
        self._slots = slots
        self._most = waiting
        self._free = slots
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._places = 0
        self._lasting_s = _GUESS_S

    @property
    def ahead(self) -> int:
        """How many would be answered before one who asks now."""
        return self._places

    @asynccontextmanager
    async def place(self, who: str = "") -> AsyncGenerator[Place]:
        """Hold a place for ``who`` while the block runs.

        Raises:
            BusyError: Too many wait; it says how many, and when to come back.
        """
        if self._places >= self._slots + self._most:
            rounds = self._places / self._slots
            after = max(1, round(rounds * self._lasting_s / 2))
            raise BusyError("error.busy", ahead=self._places, seconds=after)
        self._places += 1
        try:
            yield Place(self, who)
        finally:
            self._places -= 1

    @asynccontextmanager
    async def _slot(self, who: str) -> AsyncGenerator[None]:
        await self._turn(who)
        begun = monotonic()
        try:
            yield
        finally:
            lasted = monotonic() - begun
            self._lasting_s = _MEMORY * self._lasting_s + (1 - _MEMORY) * lasted
            self._pass_on()

    async def _turn(self, who: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(who, turn)
            else:
                self._pass_on()  # it came just as its owner left
            raise

    def _leave(self, who: str, turn: asyncio.Future[None]) -> None:
        own = self._waiting.get(who, deque())
        if turn in own:  # unless it was passed over meanwhile
            own.remove(turn)
            if not own:
                del self._waiting[who]

    def _pass_on(self) -> None:
        """Give the slot that became free to the next in turn."""
        while self._waiting:
            who, own = next(iter(self._waiting.items()))
            turn = own.popleft()
            if own:
                self._waiting.move_to_end(who)
            else:
                del self._waiting[who]
            if not turn.cancelled():  # its owner is leaving at this very moment
                turn.set_result(None)
                return
        self._free += 1


class Place:
    """A place in a queue, which ``FairQueue.place`` gives."""

    def __init__(self, queue: FairQueue, who: str) -> None:
        self._queue = queue
        self._who = who

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Wait for a slot, and hold it while the block runs."""
        async with self._queue._slot(self._who):  # noqa: SLF001  # two halves of one thing
            yield
