"""Many requests to one chat server, in a time that passes as fast as nothing happens."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

import httpx
import pytest

from wenqu.errors import ChatError
from wenqu.models.openai import OpenAIChat, Patience
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

ASKED = [Message(role="user", text="?")]
PIECE = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
END = b"data: [DONE]\n\n"


class Leaping(selectors.DefaultSelector):
    """Where nothing can be read, it is the time of the next timer at once."""

    now = 0.0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, selectors._EventMask]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.leaping = Leaping()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now


def in_no_time(work: Coroutine[object, object, list[str]]) -> list[str]:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(work)


class Server(httpx.AsyncBaseTransport):
    """Writes ``slots`` answers at a time, ``pieces`` a second apart; more wait or are refused."""

    def __init__(self, slots: int, *, pieces: int = 10, refuses: bool = False) -> None:
        self._free = asyncio.Semaphore(slots)
        self._refuses = refuses
        self._pieces = pieces
        self.stuck: set[int] = set()
        self.asked = self.refused = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        number, self.asked = self.asked, self.asked + 1
        await asyncio.sleep(0.1)
        if self._refuses and self._free.locked():
            self.refused += 1
            return httpx.Response(429, headers={"Retry-After": "1"}, json={})
        if self._refuses:
            await self._free.acquire()
        head = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=head, stream=Reply(self._events(number)))

    async def _events(self, number: int) -> AsyncIterator[bytes]:
        if number in self.stuck:
            await asyncio.sleep(1e6)
        if not self._refuses:
            await self._free.acquire()
        try:
            for _ in range(self._pieces):
                await asyncio.sleep(1)
                yield PIECE
        finally:
            self._free.release()
        yield END


class Reply(httpx.AsyncByteStream):
    def __init__(self, events: AsyncIterator[bytes]) -> None:
        self._events = events

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._events


async def ask(chat: OpenAIChat) -> str:
    try:
        return "".join([piece async for piece in chat.stream(ASKED, 99)])
    except ChatError as error:
        return error.key


def answers(
    make: Callable[[], Server], many: Callable[[Server, OpenAIChat], Awaitable[list[str]]]
) -> list[str]:
    async def run() -> list[str]:
        server = make()
        patience = Patience(first_s=15, next_s=5)
        chat = OpenAIChat(base_url="http://m/v1", model="m", patience=patience, transport=server)
        try:
            return await many(server, chat)
        finally:
            await chat.close()

    return in_no_time(run())


async def together(chat: OpenAIChat, count: int) -> list[str]:
    return list(await asyncio.gather(*(ask(chat) for _ in range(count))))


def test_who_waits_in_the_servers_own_queue_is_not_given_up() -> None:
    def many(_: Server, chat: OpenAIChat) -> Awaitable[list[str]]:
        return together(chat, 8)  # the last begins after some 70 seconds; 15 are allowed

    assert answers(lambda: Server(1), many) == ["a" * 10] * 8


def test_a_server_that_answers_nobody_is_given_up_in_time() -> None:
    async def many(server: Server, chat: OpenAIChat) -> list[str]:
        server.stuck = {0, 1, 2}
        said = await together(chat, 3)
        assert asyncio.get_running_loop().time() == pytest.approx(15, abs=1)
        return said

    assert answers(lambda: Server(9), many) == ["error.chat_timeout"] * 3


def test_those_who_ask_later_do_not_keep_one_waiting_for_a_lost_answer() -> None:
    async def many(server: Server, chat: OpenAIChat) -> list[str]:
        server.stuck = {1}

        async def later() -> None:
            for _ in range(9):
                assert await ask(chat) == "a" * 10

        first = asyncio.create_task(ask(chat))
        await asyncio.sleep(0.1)
        lost = asyncio.create_task(ask(chat))
        await asyncio.sleep(0.1)
        others = asyncio.create_task(later())
        said = [await first, await lost]
        # The last that was asked for within 15 seconds of it, and may stand before it, ends at 20.
        assert asyncio.get_running_loop().time() == pytest.approx(35, abs=1)
        await others
        return said

    assert answers(lambda: Server(9), many) == ["a" * 10, "error.chat_timeout"]


def test_a_key_with_a_limit_answers_all_who_ask_at_once() -> None:
    refused = []

    async def many(server: Server, chat: OpenAIChat) -> list[str]:
        said = await together(chat, 64)
        refused.append(server.refused)
        return said

    assert answers(lambda: Server(8, refuses=True), many) == ["a" * 10] * 64
    # Once at the beginning, and now and then to see whether it takes one more.
    assert 56 <= refused[0] <= 64


def test_a_turn_at_a_limited_server_is_not_lost_with_those_who_leave() -> None:
    async def many(_: Server, chat: OpenAIChat) -> list[str]:
        asked = [asyncio.create_task(ask(chat)) for _ in range(6)]
        await asyncio.sleep(2.5)  # two are being written, four wait for their turn
        asked[2].cancel()
        asked[0].cancel()
        asked[3].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return await together(chat, 2)

    assert answers(lambda: Server(2, refuses=True), many) == ["a" * 10] * 2
