"""What every adapter to a chat server needs: requests, waits, retries, lines, and their failures.

A request is sent again only where that is safe and helps: the connection was refused or closed
before anything came, or the server said that it is too busy (429, 502, 503, 504); after the time
that it asks for, else after a growing time with jitter. Once a piece has come nothing is repeated.
A server that refuses some of many is asked less at a time from then on (``throttle``).

Whoever waits for a first piece may be waiting in the server's own queue. So the time for it counts
from the last sign of life in an answer that was asked for earlier, or hardly later: as long as
those get on, it is not the server that is slow. They are so many and no more, so the wait ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, cast

import httpx

from wenqu.errors import ChatError
from wenqu.models.lanes import Lanes
from wenqu.models.throttle import AT_SERVER, Throttle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from wenqu.types import Message

__all__ = ["Patience", "ServerChat", "Wire", "error_text", "spoken", "turns"]

_BACKOFF_S = 0.5
_BUSY = (429, 502, 503, 504)
_REASON_CHARACTERS = 300
_LONGEST_LINE = 1 << 20
_END_S = 0.05
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"
_ASKED = "wenqu.asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what, in seconds.

    ``connect_s`` for a connection, ``first_s`` for the first piece of an answer, ``next_s`` for
    each further one. A request is sent again at most ``retries`` times, and at most ``busy_s`` are
    spent waiting in between.
    """

    connect_s: float = 10.0
    first_s: float = 120.0
    next_s: float = 120.0
    retries: int = 2
    busy_s: float = 20.0

    @property
    def timeouts(self) -> httpx.Timeout:
        """What the HTTP client may wait for at the most."""
        longest = max(self.first_s, self.next_s)
        # Reading has limits of its own, which this one knows nothing of.
        return httpx.Timeout(longest, connect=min(self.connect_s, longest), read=None)


class _Life:
    """When an answer's request was sent to the server, and when it was last heard of."""

    def __init__(self) -> None:
        self.sent = math.inf
        self.heard = asyncio.get_running_loop().time()


class _Asked:
    """An answer that is asked for, among those of the same server in ``lives``."""

    def __init__(self, lives: list[_Life]) -> None:
        self.life = _Life()
        self._lives = lives

    def at_server(self, there: bool) -> None:  # noqa: FBT001  # what ``throttle.AT_SERVER`` is told
        """Note that the request goes to the server now, or that it was refused and waits again."""
        now = self.life.heard = asyncio.get_running_loop().time()
        self.life.sent = now if there else math.inf
        if self.life not in self._lives:
            self._lives.append(self.life)

    @contextlib.asynccontextmanager
    async def waiting(self, seconds: float) -> AsyncGenerator[None]:
        """Give the block ``seconds`` from the last sign of life in those it may have to wait for.

        Not every server keeps the order exactly: who asked a little later may come first.

        Raises:
            TimeoutError: They have passed.
        """
        loop = asyncio.get_running_loop()
        watch: asyncio.TimerHandle | None = None
        async with asyncio.timeout(None) as limit:

            def look() -> None:
                nonlocal watch
                first = (one for one in self._lives if one.sent <= self.life.sent + seconds)
                due = max(one.heard for one in (self.life, *first)) + seconds
                if due > loop.time():
                    watch = loop.call_at(due, look)
                else:
                    limit.reschedule(loop.time())

            look()
            try:
                yield
            finally:
                if watch is not None:
                    watch.cancel()


class Wire:
    """The way to one address of a chat server.

    The key is sent as a bearer token and appears in no error, log or ``repr``.

    Args:
        url: Where answers are asked for.
        model: Name of the model as the server knows it; for what is said of failures.
        api_key: Bearer token, or None for a server that wants none.
        patience: How long to wait for what.
        transport: Where requests go, instead of the network: a Unix socket, or a test's server.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None,
        patience: Patience,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._model = model
        self._patience = patience
        self._lives: list[_Life] = []
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=patience.timeouts,
            transport=_retrying(Throttle(transport or Lanes()), patience),
        )

    @property
    def shown_url(self) -> str:
        """The address, without a password or a key: neither belongs on a screen or in a log."""
        url = httpx.URL(self._url)
        return str(url.copy_with(username=None, password=None, query=None))

    async def send(self, body: Mapping[str, object]) -> httpx.Response:
        """Return the response to ``body``, whatever its status; its content is yet to come.

        Raises:
            ChatError: The server cannot be reached, or does not begin in time.
        """
        asked = _Asked(self._remembered())
        try:
            request = self._client.build_request(
                "POST", self._url, json=body, extensions={AT_SERVER: asked.at_server}
            )
            async with asked.waiting(self._patience.first_s + self._patience.busy_s):
                response = await self._client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error, self._patience.first_s) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.ProtocolError) as error:
            raise ChatError(
                "error.chat_unreachable", url=self.shown_url, reason=str(error) or repr(error)
            ) from None
        asked.life.heard = asyncio.get_running_loop().time()
        response.extensions[_ASKED] = asked
        return response

    def _remembered(self) -> list[_Life]:
        """Return the answers that were heard of so lately that another may wait for them."""
        longest = self._patience.first_s + self._patience.busy_s
        since = asyncio.get_running_loop().time() - longest
        self._lives[:] = (life for life in self._lives if life.heard >= since)
        return self._lives

    async def fetch(self, url: str) -> bytes:
        """Return the content of another page of the same server, with the same key.

        Raises:
            ChatError: It cannot be had.
        """
        try:
            async with asyncio.timeout(self._patience.connect_s):
                response = await self._client.get(url)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error, self._patience.connect_s) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self.broken(str(error) or repr(error)) from None
        if not response.is_success:
            await self.refuse(response)
        return response.content

    async def said(self, response: httpx.Response) -> str:
        """Return what a failed response says; reading it twice is harmless."""
        try:
            async with asyncio.timeout(self._patience.next_s):
                return _reason(await response.aread())
        except (TimeoutError, httpx.TransportError):
            return ""

    async def refuse(self, response: httpx.Response) -> NoReturn:
        """Raise what a failed response means, and close it."""
        reason = await self.said(response)
        await response.aclose()
        key = _failure_key(response.status_code)
        raise ChatError(
            key,
            url=self.shown_url,
            model=self._model,
            status=response.status_code,
            reason=reason or response.reason_phrase,
        )

    async def lines(
        self, response: httpx.Response, begun: Callable[[], bool]
    ) -> AsyncGenerator[bytes]:
        """Yield the lines of a response; ``begun`` says whether the answer has begun.

        Only a line feed ends a line: httpx would also cut at separators that may stand in a JSON
        text, such as U+2028. There is one limit of time a read, and none a line: a token is often
        several lines, and many tokens one read.

        Raises:
            ChatError: The server is silent too long, or breaks off.
        """
        asked: _Asked = response.extensions[_ASKED]
        reads = cast("AsyncGenerator[bytes]", response.aiter_bytes())
        rest = b""
        while True:
            data = await self._read(reads, asked, begun=begun())
            if data is None:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > _LONGEST_LINE:
                raise self.broken(f"> {_LONGEST_LINE} bytes")
        if rest:
            yield rest

    async def ended(self, lines: AsyncGenerator[bytes]) -> None:
        """Read what follows an answer's end, which is nothing: the connection can be used again.

        A server that keeps it open is not waited for.
        """
        with contextlib.suppress(TimeoutError, ChatError):
            async with asyncio.timeout(_END_S):
                async for _ in lines:
                    pass

    async def whole(self, response: httpx.Response) -> bytes:
        """Return the content of a response that comes in one piece.

        Raises:
            ChatError: The server is silent too long, or breaks off.
        """
        asked: _Asked = response.extensions[_ASKED]
        reads = cast("AsyncGenerator[bytes]", response.aiter_bytes())
        whole = b""
        while (data := await self._read(reads, asked, begun=False)) is not None:
            whole += data
        return whole

    def failed(self, error: object) -> ChatError:
        """Return what an error that the server reports in its answer means."""
        return ChatError("error.chat_failed", url=self.shown_url, reason=error_text(error))

    def broken(self, reason: str) -> ChatError:
        """Return what an answer means that is none."""
        return ChatError("error.chat_broken", url=self.shown_url, reason=reason)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _read(
        self, reads: AsyncGenerator[bytes], asked: _Asked, *, begun: bool
    ) -> bytes | None:
        seconds = self._patience.next_s if begun else self._patience.first_s
        limit: AbstractAsyncContextManager[object] = (
            asyncio.timeout(seconds) if begun else asked.waiting(seconds)
        )
        try:
            async with limit:
                data = await anext(reads, None)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error, seconds) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self.broken(str(error) or repr(error)) from None
        asked.life.heard = asyncio.get_running_loop().time()
        return data

    def _timed_out(self, error: Exception, seconds: float) -> ChatError:
        if isinstance(error, httpx.ConnectTimeout):
            return ChatError("error.chat_unreachable", url=self.shown_url, reason="timeout")
        return ChatError("error.chat_timeout", url=self.shown_url, seconds=seconds)


class ServerChat:
    """What chat models on a server have in common; how they speak is their own."""

    def __init__(self, model: str, wire: Wire, evidence_tokens: int) -> None:
        self._model = model
        self._wire = wire
        self._evidence_tokens = evidence_tokens

    @property
    def name(self) -> str:
        """The model's name on its server."""
        return self._model

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time."""
        return self._evidence_tokens

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


def turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages as both interfaces take them."""
    return [{"role": message.role, "content": message.text} for message in messages]


async def spoken(pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """Yield what of a reply's pieces is no leading thought; closing this closes them."""
    thoughts = _ThoughtFilter()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if said := thoughts.feed(piece):
                yield said
    if rest := thoughts.finish():
        yield rest


class _ThoughtFilter:
    """Leaves out a leading ``<think>…</think>``, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._held = ""
        self._mode = "start"

    def feed(self, piece: str) -> str:
        """Return what of the reply is certain to be none, given its next piece."""
        if self._mode == "answer":
            return piece
        self._held += piece
        if self._mode == "start":
            begun = self._held.lstrip()
            if begun.startswith(_THINK_OPEN):
                self._mode = "thinking"
            elif not _THINK_OPEN.startswith(begun):
                return self._release(self._held)
        if self._mode == "thinking":
            _, closed, answer = self._held.partition(_THINK_CLOSE)
            if closed:
                return self._release(answer.lstrip())
        return ""

    def finish(self) -> str:
        """Return what was held back, once the reply has ended."""
        return self._held if self._mode == "start" else ""

    def _release(self, text: str) -> str:
        self._mode, self._held = "answer", ""
        return text


def _retrying(transport: httpx.AsyncBaseTransport, patience: Patience) -> httpx.AsyncBaseTransport:
    if not patience.retries:
        return transport
    from httpx_retries import Retry, RetryTransport

    retry = Retry(
        total=patience.retries,
        allowed_methods=["POST"],
        status_forcelist=_BUSY,
        # Not timeouts: a server that is slow now would have two answers to write.
        retry_on_exceptions=[
            *(httpx.ConnectError, httpx.ConnectTimeout),
            *(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError),
        ],
        backoff_factor=_BACKOFF_S,
        max_backoff_wait=patience.busy_s,
        total_timeout=patience.busy_s,
    )
    return RetryTransport(transport, retry)


def _failure_key(status: int) -> str:
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return "error.chat_key"
    if status == httpx.codes.NOT_FOUND:
        return "error.chat_not_found"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return "error.chat_busy"
    if httpx.codes.is_client_error(status):
        return "error.chat_refused"
    return "error.chat_server"


def _reason(data: bytes) -> str:
    text = data.decode("utf-8", "replace").strip()
    try:
        event = json.loads(text)
    except ValueError:
        return text[:_REASON_CHARACTERS]
    return error_text(event.get("error", event) if isinstance(event, dict) else event)


def error_text(error: object) -> str:
    """Return the words of an error, in whatever form servers give them."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)[:_REASON_CHARACTERS]
