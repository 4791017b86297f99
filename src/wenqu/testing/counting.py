"""A chat server that counts, in whatever protocol; and what every client of one must do."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
from starlette.responses import JSONResponse, StreamingResponse

from wenqu.errors import ChatError
from wenqu.testing.contracts_chat import ChatModelContract
from wenqu.testing.servers import running
from wenqu.types import Message

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Sequence,
    )

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from wenqu.protocols import ChatModel
    from wenqu.types import Usage

__all__ = ["COUNT", "CountingContract", "CountingServer"]

COUNT = [Message(role="user", text="数到三十")]
_MOST = 30
_STEP_S, _SILENCE_S = 0.005, 600


class CountingServer(ABC):
    """Counts from 1 in pieces, unless the name of the model that is asked for says otherwise.

    A number is the status of its refusal; ``silent`` stops after the first piece, ``failing`` tells
    of an error there, ``garbled`` says nonsense, ``breaking`` drops the connection. A subclass
    words all that in its protocol, and may know more names.

    ``opened``, ``said`` and ``failure`` ask it; what they are given beyond that is ``client``'s.
    """

    media_type: str

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.cut_off = threading.Event()
        self.url = ""

    async def chat(self, request: Request) -> Response:
        """Answer a request."""
        body = await request.json()
        self.bodies.append(body)
        model = body["model"]
        return self.instead(model, body) or StreamingResponse(
            self._reply(model, self.most(body)), media_type=self.media_type
        )

    def instead(self, model: str, body: dict[str, Any]) -> Response | None:  # noqa: ARG002
        """Return what is answered instead of counting, if anything is."""
        if model.isdigit():
            error = self.error(f"no {model}")
            return JSONResponse(error, status_code=int(model))
        return None

    @abstractmethod
    def client(self, model: str, **given: Any) -> ChatModel:
        """Return a client of the server, which asks for ``model``."""

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the protocol."""

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """Serve until the block ends."""
        with running(*self.routes()) as self.url:
            yield self

    @asynccontextmanager
    async def opened(self, model: str = "good", **given: Any) -> AsyncGenerator[ChatModel]:
        """Give a client; close it at the end."""
        chat = self.client(model, **given)
        try:
            yield chat
        finally:
            await chat.close()

    def said(
        self,
        model: str = "good",
        max_tokens: int = 64,
        on_usage: Callable[[Usage], None] | None = None,
        **given: Any,
    ) -> list[str]:
        """Return the pieces of a reply."""

        async def run() -> list[str]:
            async with self.opened(model, **given) as chat:
                reply = chat.stream(COUNT, max_tokens, on_usage=on_usage)
                return [piece async for piece in reply]

        return asyncio.run(run())

    def failure(self, model: str, **given: Any) -> ChatError:
        """Return what is raised instead of a reply."""
        with pytest.raises(ChatError) as caught:
            self.said(model, **given)
        return caught.value

    @abstractmethod
    def most(self, body: dict[str, Any]) -> int:
        """Return how many tokens a request asks for."""

    @abstractmethod
    def error(self, text: str) -> dict[str, Any]:
        """Return an error as the protocol words it."""

    @abstractmethod
    def line(self, value: Any) -> str:
        """Return a line of the reply: a piece of text, an object, or garbage as bytes."""

    @abstractmethod
    def end(self, model: str, most: int) -> Iterable[str]:
        """Return the lines that end a reply."""

    async def opening(self, model: str) -> AsyncIterator[str]:  # noqa: ARG002
        """Yield lines that come before the first number."""
        none: tuple[str, ...] = ()
        for line in none:
            yield line

    async def _reply(self, model: str, most: int) -> AsyncIterator[str]:
        async for line in self.opening(model):
            yield line
        try:
            for number in range(1, min(most, _MOST) + 1):
                yield self.line(self.number(model, number))
                await asyncio.sleep(_SILENCE_S if model == "silent" else _STEP_S)
                if model == "failing":
                    yield self.line(self.error("out of memory"))
                    return
                if model == "garbled":
                    yield self.line(b"{not json")
                if model == "breaking":
                    raise ConnectionError
            for line in self.end(model, most):
                yield line
        except asyncio.CancelledError:
            self.cut_off.set()
            raise

    def number(self, model: str, number: int) -> str:  # noqa: ARG002
        """Return a piece of the count."""
        return f"{number}, "


class CountingContract(ChatModelContract):
    """Contract suite of a ``ChatModel`` that asks a ``CountingServer``: the fixture ``server``."""

    @pytest.fixture(autouse=True)
    def _server(self, server: CountingServer) -> None:
        self.server = server

    @asynccontextmanager
    async def model(self) -> AsyncGenerator[ChatModel]:
        """Return a client of the model that counts."""
        async with self.server.opened("good") as chat:
            yield chat

    @asynccontextmanager
    async def failing_model(self) -> AsyncGenerator[ChatModel]:
        """Return a client of the one that fails."""
        async with self.server.opened("failing") as chat:
            yield chat

    def test_closing_the_reply_cuts_the_server_off(self) -> None:
        async def run() -> None:
            async with self.server.opened("silent") as chat:
                pieces = cast("AsyncGenerator[str]", chat.stream(COUNT, 64))
                assert await anext(pieces) == "1, "
                self.server.cut_off.clear()
                await pieces.aclose()

        asyncio.run(run())
        assert self.server.cut_off.wait(120)
