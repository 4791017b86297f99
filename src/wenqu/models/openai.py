"""Chat over any OpenAI-compatible server: InternLM, DeepSeek, Qwen, vLLM, Ollama and others.

Only the common core of the protocol is used (``/chat/completions``, streamed as server-sent
events), and answers in one piece are understood too, so that old and half-compatible servers work.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx

from wenqu.errors import ChatError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence

    from wenqu.types import Message

__all__ = ["OpenAIChat"]

_CONNECT_S = 10.0
_REASON_CHARACTERS = 300
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"


class OpenAIChat:
    """A ``ChatModel`` on a server.

    The key is sent as a bearer token and appears in no error, log or ``repr``.

    Args:
        base_url: Root of the protocol, usually ending in ``/v1``.
        model: Name of the model as the server knows it.
        api_key: Bearer token, or None for a server that wants none.
        timeout_s: Seconds without a piece of the answer after which it counts as failed.
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
        timeout_s: float = 120.0,
        evidence_tokens: int = 2000,
        extra: Mapping[str, object] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._timeout_s = timeout_s
        self._evidence_tokens = evidence_tokens
        self._extra = dict(extra or {})
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s)),
            transport=transport,
        )

    @property
    def name(self) -> str:
        """The model's name on its server."""
        return self._model

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time."""
        return self._evidence_tokens

    async def stream(self, messages: Sequence[Message], max_tokens: int) -> AsyncGenerator[str]:
        """Yield the reply in pieces; closing the iterator closes the connection, which stops it.

        A leading ``<think>…</think>`` of a reasoning model is not part of the reply.

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
        response = await self._send(body)
        try:
            await self._refuse_failure(response)
            async with contextlib.aclosing(self._pieces(response)) as pieces:
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

    async def _send(self, body: Mapping[str, object]) -> httpx.Response:
        try:
            request = self._client.build_request("POST", self._url, json=body)
            async with asyncio.timeout(self._timeout_s):
                return await self._client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error) from None
        except (httpx.TransportError, httpx.InvalidURL, httpx.ProtocolError) as error:
            raise ChatError(
                "error.chat_unreachable", url=self._shown_url, reason=str(error) or repr(error)
            ) from None

    async def _refuse_failure(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                reason = _reason(await response.aread())
        except (TimeoutError, httpx.TransportError):
            reason = ""
        key = _failure_key(response.status_code)
        raise ChatError(
            key,
            url=self._shown_url,
            model=self._model,
            status=response.status_code,
            reason=reason or response.reason_phrase,
        )

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[str]:
        if "application/json" in response.headers.get("content-type", ""):
            yield await self._whole(response)
            return
        lines = response.aiter_lines()
        finished = False
        while not finished:
            line = await self._next_line(lines)
            if line is None:
                # Some servers end without [DONE]; llama.cpp and vLLM always send it, and a
                # connection that breaks raises instead of ending.
                return
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            finished = data == "[DONE]"
            if not finished and (piece := self._content(data, "delta")):
                yield piece

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what goes wrong while a response arrives into a ``ChatError``."""
        try:
            yield
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._timed_out(error) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ChatError(
                "error.chat_broken", url=self._shown_url, reason=str(error) or repr(error)
            ) from None

    async def _next_line(self, lines: AsyncIterator[str]) -> str | None:
        with self._translated():
            async with asyncio.timeout(self._timeout_s):
                return await anext(lines, None)

    async def _whole(self, response: httpx.Response) -> str:
        with self._translated():
            async with asyncio.timeout(self._timeout_s):
                data = await response.aread()
        return self._content(data.decode("utf-8", "replace"), "message")

    def _content(self, data: str, part: str) -> str:
        """Return the text in one event, or nothing where it carries none.

        Raises:
            ChatError: The event reports an error, or is not of the protocol.
        """
        try:
            event: Any = json.loads(data)
            if event.get("error"):
                raise ChatError(
                    "error.chat_failed", url=self._shown_url, reason=_error_text(event["error"])
                )
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

    def _timed_out(self, error: Exception) -> ChatError:
        if isinstance(error, httpx.ConnectTimeout):
            return ChatError("error.chat_unreachable", url=self._shown_url, reason="timeout")
        return ChatError("error.chat_timeout", url=self._shown_url, seconds=self._timeout_s)


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
