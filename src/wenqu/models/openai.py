"""Chat over any OpenAI-compatible server: InternLM, DeepSeek, Qwen, vLLM, Ollama and others.

Only the common core of the protocol is used (``/chat/completions``, streamed as server-sent
events), and answers in one piece are understood too, so that old and half-compatible servers work.

A request is sent again only where that is safe and helps: the connection was refused or closed
before anything came, or the server said that it is too busy (429, 502, 503, 504); after the time
that it asks for, else after a growing time with jitter. Once a piece has come nothing is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from wenqu.errors import ChatError
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Mapping,
        Sequence,
    )

    from wenqu.types import Message

__all__ = ["OpenAIChat", "Patience"]

_BACKOFF_S = 0.5
_BUSY = (429, 502, 503, 504)
_REASON_CHARACTERS = 300
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"


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
        return httpx.Timeout(longest, connect=min(self.connect_s, longest))


class OpenAIChat:
    """A ``ChatModel`` on a server.

    The key is sent as a bearer token and appears in no error, log or ``repr``.

    Args:
        base_url: Root of the protocol, usually ending in ``/v1``.
        model: Name of the model as the server knows it.
        api_key: Bearer token, or None for a server that wants none.
        patience: How long to wait for what.
        evidence_tokens: Tokens of evidence that the model reads in good time.
        extra: Further fields of the request, for servers with settings of their own.
        transport: Where requests go, instead of the network: a Unix socket, or a test's server.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        patience: Patience | None = None,
        evidence_tokens: int = 2000,
        extra: Mapping[str, object] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._patience = patience or Patience()
        self._tells_usage = True
        self._evidence_tokens = evidence_tokens
        self._extra = dict(extra or {})
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=self._patience.timeouts,
            transport=_retrying(transport, self._patience),
        )

    @property
    def name(self) -> str:
        """The model's name on its server."""
        return self._model

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time."""
        return self._evidence_tokens

    async def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply in pieces; closing the iterator closes the connection, which stops it.

        What a reasoning model thinks, in a leading ``<think>…</think>`` or in fields of its own, is
        not part of the reply.

        Raises:
            ChatError: The server cannot be reached, refuses, is silent too long, or breaks off.
        """
        body = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            **self._extra,
        }
        thoughts = _ThoughtFilter()
        response = await self._opened(body)
        try:
            async with contextlib.aclosing(self._pieces(response, on_usage)) as pieces:
                async for piece in pieces:
                    if said := thoughts.feed(piece):
                        yield said
            if rest := thoughts.finish():
                yield rest
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _opened(self, body: dict[str, object]) -> httpx.Response:
        """Return the response that an answer comes in; asks for usage where that is understood."""
        if self._tells_usage:
            response = await self._send({**body, "stream_options": {"include_usage": True}})
            if response.is_success:
                return response
            if not await self._wants_no_usage(response):
                await self._refuse(response)
            self._tells_usage = False
        response = await self._send(body)
        if not response.is_success:
            await self._refuse(response)
        return response

    async def _wants_no_usage(self, response: httpx.Response) -> bool:
        if response.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            return False
        return "stream_options" in await self._said(response)

    async def _send(self, body: Mapping[str, object]) -> httpx.Response:
        try:
            request = self._client.build_request("POST", self._url, json=body)
            async with asyncio.timeout(self._patience.first_s + self._patience.busy_s):
                return await self._client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error, self._patience.first_s) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.ProtocolError) as error:
            raise ChatError(
                "error.chat_unreachable", url=self._shown_url, reason=str(error) or repr(error)
            ) from None

    async def _said(self, response: httpx.Response) -> str:
        """Return what a failed response says; reading it twice is harmless."""
        try:
            async with asyncio.timeout(self._patience.next_s):
                return _reason(await response.aread())
        except (TimeoutError, httpx.TransportError):
            return ""

    async def _refuse(self, response: httpx.Response) -> NoReturn:
        reason = await self._said(response)
        await response.aclose()
        key = _failure_key(response.status_code)
        raise ChatError(
            key,
            url=self._shown_url,
            model=self._model,
            status=response.status_code,
            reason=reason or response.reason_phrase,
        )

    async def _pieces(
        self, response: httpx.Response, on_usage: Callable[[Usage], None] | None
    ) -> AsyncGenerator[str]:
        tell = on_usage or _ignore
        if "application/json" in response.headers.get("content-type", ""):
            yield self._content(await self._whole(response), "message", tell)
            return
        lines = response.aiter_lines()
        finished = begun = False
        while not finished:
            line = await self._next_line(lines, begun=begun)
            if line is None:
                # Some servers end without [DONE]; llama.cpp and vLLM always send it, and a
                # connection that breaks raises instead of ending.
                return
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            finished = data == "[DONE]"
            if not finished and (piece := self._content(data, "delta", tell)):
                begun = True
                yield piece

    @contextlib.asynccontextmanager
    async def _within(self, seconds: float) -> AsyncGenerator[None]:
        """Bound a step of a response's arrival; what goes wrong in it becomes a ``ChatError``."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error, seconds) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ChatError(
                "error.chat_broken", url=self._shown_url, reason=str(error) or repr(error)
            ) from None

    async def _next_line(self, lines: AsyncIterator[str], *, begun: bool) -> str | None:
        async with self._within(self._patience.next_s if begun else self._patience.first_s):
            return await anext(lines, None)

    async def _whole(self, response: httpx.Response) -> str:
        async with self._within(self._patience.first_s):
            data = await response.aread()
        return data.decode("utf-8", "replace")

    def _content(self, data: str, part: str, tell: Callable[[Usage], None]) -> str:
        """Return the text in one event, or nothing where it carries none; ``tell`` its usage.

        Raises:
            ChatError: The event reports an error, or is not of the protocol.
        """
        try:
            event: Any = json.loads(data)
            if event.get("error"):
                raise ChatError(
                    "error.chat_failed", url=self._shown_url, reason=_error_text(event["error"])
                )
            if (usage := _usage(event.get("usage"))) is not None:
                tell(usage)
            choices = event.get("choices") or []
            content = (choices[0].get(part) or {}).get("content") if choices else None
        except (ValueError, AttributeError, LookupError, TypeError) as error:
            raise ChatError(
                "error.chat_broken", url=self._shown_url, reason=f"{type(error).__name__}: {error}"
            ) from None
        return content if isinstance(content, str) else ""

    @property
    def _shown_url(self) -> str:
        # A URL may carry a password or a key; neither belongs on a screen or in a log.
        url = httpx.URL(self._url)
        return str(url.copy_with(username=None, password=None, query=None))

    def _timed_out(self, error: Exception, seconds: float) -> ChatError:
        if isinstance(error, httpx.ConnectTimeout):
            return ChatError("error.chat_unreachable", url=self._shown_url, reason="timeout")
        return ChatError("error.chat_timeout", url=self._shown_url, seconds=seconds)


def _retrying(
    transport: httpx.AsyncBaseTransport | None, patience: Patience
) -> httpx.AsyncBaseTransport | None:
    if not patience.retries:
        return transport
    from httpx_retries import Retry, RetryTransport

    retry = Retry(
        total=patience.retries,
        allowed_methods=["POST"],
        status_forcelist=_BUSY,
        # Not timeouts: a server that is slow now would have two answers to write.
        retry_on_exceptions=[httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError],
        backoff_factor=_BACKOFF_S,
        max_backoff_wait=patience.busy_s,
        total_timeout=patience.busy_s,
    )
    return RetryTransport(transport or httpx.AsyncHTTPTransport(), retry)


def _ignore(_: Usage) -> None:
    pass


def _usage(said: object) -> Usage | None:
    """Return the usage in an event, or None where there is none."""
    if not isinstance(said, dict):
        return None
    read, written = said.get("prompt_tokens"), said.get("completion_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    return Usage(prompt_tokens=read, completion_tokens=written)


class _ThoughtFilter:
    """Leaves out a leading ``<think>…</think>``, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._held = ""
        self._mode = "start"

    def feed(self, piece: str) -> str:
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
        return self._held if self._mode == "start" else ""

    def _release(self, text: str) -> str:
        self._mode, self._held = "answer", ""
        return text


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
    return _error_text(event.get("error", event) if isinstance(event, dict) else event)


def _error_text(error: object) -> str:
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)[:_REASON_CHARACTERS]
