"""Connections for many streams at a time: each has a lane of its own, and a free one is used again.

httpx keeps its connections in one pool, whose every step looks at all of them, and of which there
may be a hundred: with two hundred streams that was a third of the work, and half of them waited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["Lanes", "ReleasingStream"]

_KEPT = 20


class Lanes(httpx.AsyncBaseTransport):
    """A transport that opens as many connections as there are requests, and keeps a few."""

    def __init__(self) -> None:
        self._verify = httpx.create_ssl_context()
        self._limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._used: set[httpx.AsyncHTTPTransport] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; its lane is free again when the response is closed."""
        lane = self._free.pop() if self._free else self._new()
        self._used.add(lane)

        async def release() -> None:
            await self._release(lane)

        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            await release()
            raise
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=ReleasingStream(response, release),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        lanes, self._free = [*self._free, *self._used], []
        self._used.clear()
        for lane in lanes:
            await lane.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify, limits=self._limits)

    async def _release(self, lane: httpx.AsyncHTTPTransport) -> None:
        self._used.discard(lane)
        if len(self._free) < _KEPT:
            self._free.append(lane)
        else:
            await lane.aclose()


class ReleasingStream(httpx.AsyncByteStream):
    """A response's content, which gives back once what it took up, when it is first closed."""

    def __init__(self, response: httpx.Response, release: Callable[[], Awaitable[None]]) -> None:
        if not isinstance(response.stream, httpx.AsyncByteStream):  # pragma: no cover - it is one
            raise TypeError(type(response.stream).__name__)
        self._stream = response.stream
        self._release: Callable[[], Awaitable[None]] | None = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        """Close it, and give that back."""
        release, self._release = self._release, None
        try:
            await self._stream.aclose()
        finally:
            if release is not None:
                await release()
