"""No more requests at a time than a server has shown that it takes.

A key has a limit that nobody tells beforehand. Who asks beyond it gets 429, and would get it again
after the time that the server names, as long as the answers before it are being written. So the
number under way when a server refuses is the limit from then on, and who comes next waits for one
of them to end. Answers that end well raise it again, slowly.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

import httpx

from wenqu.models.lanes import ReleasingStream

__all__ = ["AT_SERVER", "Throttle"]

AT_SERVER = "wenqu.at_server"
"""Extension of a request: told True when it goes to the server, and False when that refused it."""

# A try at one more costs somebody a refusal, and there are few for each.
_ANSWERS_A_TRY = 4


class Throttle(httpx.AsyncBaseTransport):
    """A transport that keeps to a server's limit, once that has told it by 429.

    Belongs to one event loop.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._under_way = 0
        self._most = math.inf
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` when it is its turn; the turn ends when the response is closed."""
        await self._turn()
        tell = request.extensions.get(AT_SERVER, _ignore)
        tell(True)  # noqa: FBT003
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException:
            self._end()
            raise
        refused = response.status_code == httpx.codes.TOO_MANY_REQUESTS
        if refused and self._under_way > 1:
            self._most = self._under_way - 1
        if refused:
            tell(False)  # noqa: FBT003
            self._end()
            return response

        async def end() -> None:
            if response.is_success:
                self._most += 1 / (self._most * _ANSWERS_A_TRY)
            self._end()

        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=ReleasingStream(response, end),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    async def _turn(self) -> None:
        if not self._waiting and self._under_way + 1 <= self._most:
            self._under_way += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._end()  # it came just as its owner left
            raise

    def _end(self) -> None:
        self._under_way -= 1
        while self._waiting and self._under_way + 1 <= self._most:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._under_way += 1
                turn.set_result(None)


def _ignore(there: bool) -> None:  # noqa: FBT001
    pass
