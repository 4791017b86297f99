"""Connections that are kept, against a server that closes them when it likes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from wenqu.models.lanes import Lanes
from wenqu.models.wire import Patience, Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def talked(
    answers: Callable[[int, int], bytes], work: Callable[[str], Awaitable[None]]
) -> list[int]:
    """Do ``work`` with a server's address; return how many requests each connection brought.

    ``answers`` is told which connection asks, and for the how-manieth time; nothing closes it.
    """
    brought: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = len(brought)
        brought.append(0)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                brought[connection] += 1
                said = answers(connection, brought[connection])
                if not said:
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        async with server:
            await work(f"http://{host}:{port}")

    asyncio.run(run())
    return brought


def test_a_kept_connection_that_turns_out_closed_is_replaced() -> None:
    async def work(url: str) -> None:
        wire = Wire(url, "model", api_key=None, patience=Patience())
        for _ in range(2):
            response = await wire.send({})
            assert await wire.whole(response) == b"ok"
            await response.aclose()
        await wire.close()

    assert talked(lambda connection, time: b"" if (connection, time) == (0, 2) else OK, work) == [
        2,
        1,
    ]


def test_a_server_that_closes_a_new_connection_is_not_asked_again() -> None:
    async def work(url: str) -> None:
        async with httpx.AsyncClient(transport=Lanes()) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(url)

    assert talked(lambda *_: b"", work) == [1]
