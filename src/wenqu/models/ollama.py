"""Chat over Ollama's own protocol (``/api/chat``), which can what its OpenAI one cannot.

The context is asked for with each request: Ollama's default is short, and it drops the beginning of
a longer prompt without a word. It is one constant, because Ollama loads a model anew for each other
one.

Source: docs/api.md of github.com/ollama/ollama.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx

from wenqu.errors import ChatError
from wenqu.models.wire import Patience, ServerChat, Wire, spoken, turns
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from wenqu.types import Message

__all__ = ["OllamaChat"]

_CONTEXT_TOKENS = 8192
_SEED = 7
_SHOWN_MODELS = 8


class OllamaChat(ServerChat):
    """A ``ChatModel`` on an Ollama server.

    Args:
        base_url: The server's address; a ``/v1`` or ``/api`` at its end is that of its protocols.
        model: Name of the model, as ``ollama list`` shows it.
        api_key: Bearer token of a server behind a gate, or None.
        patience: How long to wait for what; loading a model counts as the first piece.
        context_tokens: Longest prompt and reply together.
        evidence_tokens: Tokens of evidence that the model reads in good time.
        transport: Where requests go, instead of the network.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        patience: Patience | None = None,
        context_tokens: int = _CONTEXT_TOKENS,
        evidence_tokens: int = 2000,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        root = base_url.rstrip("/")
        self._root = root.removesuffix("/v1").removesuffix("/api")
        self._context_tokens = context_tokens
        wire = Wire(
            f"{self._root}/api/chat",
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

        What a reasoning model thinks is not part of the reply.

        Raises:
            ChatError: The server cannot be reached, refuses, is silent too long, or breaks off.
        """
        body = {
            "model": self._model,
            "messages": turns(messages),
            "stream": True,
            "options": {
                "num_predict": max_tokens,
                "num_ctx": self._context_tokens,
                "temperature": 0,
                "seed": _SEED,
            },
        }
        response = await self._wire.send(body)
        try:
            if not response.is_success:
                await self._refuse(response)
            async with contextlib.aclosing(spoken(self._pieces(response, on_usage))) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await response.aclose()

    async def _refuse(self, response: httpx.Response) -> None:
        if response.status_code == httpx.codes.NOT_FOUND:
            there = await self._models()
            if there is not None and self._model not in there:
                await response.aclose()
                raise ChatError(
                    "error.ollama_model",
                    url=self._wire.shown_url,
                    model=self._model,
                    there=", ".join(there[:_SHOWN_MODELS]) or "–",
                )
        await self._wire.refuse(response)

    async def _models(self) -> list[str] | None:
        """Return the names of the models on the server, or None where it does not tell."""
        try:
            listed = json.loads(await self._wire.fetch(f"{self._root}/api/tags"))
            return [str(one["name"]).removesuffix(":latest") for one in listed["models"]]
        except (ChatError, ValueError, LookupError, TypeError):
            return None

    async def _pieces(
        self, response: httpx.Response, on_usage: Callable[[Usage], None] | None
    ) -> AsyncGenerator[str]:
        begun = False
        async with contextlib.aclosing(self._wire.lines(response, lambda: begun)) as lines:
            async for line in lines:
                if not line.strip():
                    continue
                event = self._event(line)
                if piece := self._content(event):
                    begun = True
                    yield piece
                if event.get("done"):
                    if on_usage is not None and (usage := _usage(event)) is not None:
                        on_usage(usage)
                    await self._wire.ended(lines)
                    return
        # Every answer of Ollama's ends with "done"; without it, something on the way cut it off.
        raise self._wire.broken("EOF")

    def _event(self, line: bytes) -> dict[str, Any]:
        try:
            event = json.loads(line)
        except ValueError as error:
            raise self._wire.broken(f"{type(error).__name__}: {error}") from None
        if not isinstance(event, dict):
            raise self._wire.broken(type(event).__name__)
        if event.get("error"):
            raise self._wire.failed(event["error"])
        return event

    def _content(self, event: dict[str, Any]) -> str:
        message = event.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        return content if isinstance(content, str) else ""


def _usage(event: dict[str, Any]) -> Usage | None:
    # A prompt that was known already is not counted again, and its field then left out.
    read, written = event.get("prompt_eval_count", 0), event.get("eval_count")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    return Usage(prompt_tokens=read, completion_tokens=written)
