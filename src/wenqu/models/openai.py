"""Chat over any OpenAI-compatible server: InternLM, DeepSeek, Qwen, vLLM, Ollama and others.

Only the common core of the protocol is used (``/chat/completions``, streamed as server-sent
events), and answers in one piece are understood too, so that old and half-compatible servers work.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import httpx

from wenqu.models.wire import Patience, ServerChat, Wire, spoken, turns
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from wenqu.types import Message

__all__ = ["OpenAIChat", "Patience"]

_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
_DELIMITED = {"transfer-encoding", "content-length"}


class OpenAIChat(ServerChat):
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
        self._tells_usage = True
        self._extra = dict(extra or {})
        wire = Wire(
            base_url.rstrip("/") + "/chat/completions",
            model,
            api_key=api_key,
            patience=patience or Patience(),
            transport=transport,
        )
        super().__init__(model, wire, evidence_tokens)

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
            "messages": turns(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            **self._extra,
        }
        response = await self._opened(body)
        try:
            async with contextlib.aclosing(spoken(self._pieces(response, on_usage))) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await response.aclose()

    async def _opened(self, body: dict[str, object]) -> httpx.Response:
        """Return the response that an answer comes in; asks for usage where that is understood."""
        if self._tells_usage:
            response = await self._wire.send({**body, "stream_options": {"include_usage": True}})
            if response.is_success:
                return response
            if not await self._wants_no_usage(response):
                await self._wire.refuse(response)
            self._tells_usage = False
        response = await self._wire.send(body)
        if not response.is_success:
            await self._wire.refuse(response)
        return response

    async def _wants_no_usage(self, response: httpx.Response) -> bool:
        if response.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            return False
        return "stream_options" in await self._wire.said(response)

    async def _pieces(
        self, response: httpx.Response, on_usage: Callable[[Usage], None] | None
    ) -> AsyncGenerator[str]:
        tell = on_usage or _ignore
        if "application/json" in response.headers.get("content-type", ""):
            yield self._content(await self._wire.whole(response), "message", tell)
            return
        begun = ended = False
        async with contextlib.aclosing(self._wire.lines(response, lambda: begun)) as lines:
            async for line in lines:
                if not line.startswith(b"data:"):
                    continue
                data = line[len(b"data:") :].strip()
                if data == b"[DONE]":
                    await self._wire.ended(lines)
                    return
                ended = ended or _FINISH.search(data) is not None
                if piece := self._content(data, "delta", tell):
                    begun = True
                    yield piece
        # Some servers end without [DONE]; llama.cpp and vLLM always send it. A connection that
        # breaks raises instead of ending, but for one whose closing is the answer's only end.
        if not ended and not _DELIMITED & response.headers.keys():
            raise self._wire.broken("EOF")

    def _content(self, data: bytes, part: str, tell: Callable[[Usage], None]) -> str:
        """Return the text in one event, or nothing where it carries none; ``tell`` its usage.

        Raises:
            ChatError: The event reports an error, or is not of the protocol.
        """
        try:
            event: Any = json.loads(data)
            if event.get("error"):
                raise self._wire.failed(event["error"])
            if (usage := _usage(event.get("usage"))) is not None:
                tell(usage)
            choices = event.get("choices") or []
            content = (choices[0].get(part) or {}).get("content") if choices else None
        except (ValueError, AttributeError, LookupError, TypeError) as error:
            raise self._wire.broken(f"{type(error).__name__}: {error}") from None
        return content if isinstance(content, str) else ""


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
