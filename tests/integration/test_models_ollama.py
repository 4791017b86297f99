"""The adapter to Ollama's own protocol, against a real server that speaks it, well and badly."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wenqu.app import open_app
from wenqu.errors import ChatError
from wenqu.models.ollama import OllamaChat
from wenqu.models.wire import Patience
from wenqu.settings import Settings
from wenqu.testing.counting import COUNT, CountingContract, CountingServer
from wenqu.testing.servers import running
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from starlette.requests import Request


class Server(CountingServer):
    """An Ollama server."""

    media_type = "application/x-ndjson"

    async def tags(self, _: Request) -> Response:
        return JSONResponse({"models": [{"name": "good:latest"}, {"name": "qwen3:4b"}]})

    def instead(self, model: str, body: dict[str, Any]) -> Response | None:
        if model == "missing":
            return JSONResponse(self.error(f"model '{model}' not found"), status_code=404)
        return super().instead(model, body)

    def most(self, body: dict[str, Any]) -> int:
        return int(body["options"]["num_predict"])

    def error(self, text: str) -> dict[str, Any]:
        return {"error": text}

    def line(self, value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode() + "\n"
        said = self._said(content=value) if isinstance(value, str) else value
        return json.dumps(said) + "\n"

    async def opening(self, model: str) -> AsyncIterator[str]:
        if model == "thinking":
            yield self.line(self._said(content="", thinking="嗯……"))
        if model == "list":
            yield self.line([1])

    def end(self, model: str, most: int) -> Iterator[str]:
        if model != "ending":
            end = {"done": True, "prompt_eval_count": 11, "eval_count": most}
            yield self.line({"message": {"content": ""}, **end})

    def _said(self, **message: str) -> dict[str, Any]:
        return {"model": "m", "message": {"role": "assistant", **message}, "done": False}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    state = Server()
    routes = (Route("/api/chat", state.chat, methods=["POST"]), Route("/api/tags", state.tags))
    with running(*routes) as url:
        state.url = url
        yield state


@asynccontextmanager
async def opened(
    server: CountingServer, model: str = "good", end: str = ""
) -> AsyncGenerator[OllamaChat]:
    patience = Patience(first_s=10, next_s=10, retries=0)
    chat = OllamaChat(base_url=server.url + end, model=model, patience=patience)
    try:
        yield chat
    finally:
        await chat.close()


def said(
    server: Server,
    model: str = "good",
    *,
    end: str = "",
    most: int = 3,
    told: list[Usage] | None = None,
) -> list[str]:
    async def run() -> list[str]:
        async with opened(server, model, end) as chat:
            reply = chat.stream(COUNT, most, on_usage=None if told is None else told.append)
            return [piece async for piece in reply]

    return asyncio.run(run())


def failure(server: Server, model: str) -> ChatError:
    with pytest.raises(ChatError) as caught:
        said(server, model)
    return caught.value


class TestContract(CountingContract):
    def opened(self, model: str) -> AbstractAsyncContextManager[OllamaChat]:
        return opened(self.server, model)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/api"])
def test_the_request_carries_messages_and_options_whatever_the_address_ends_in(
    server: Server, end: str
) -> None:
    assert said(server, end=end) == ["1, ", "2, ", "3, "]
    body = server.bodies[-1]
    assert body["messages"] == [{"role": "user", "content": "数到三十"}]
    options = body["options"]
    assert isinstance(options, dict)
    assert (options["num_predict"], options["temperature"]) == (3, 0)
    assert options["num_ctx"] >= 4096


def test_thoughts_in_a_field_of_their_own_are_left_out(server: Server) -> None:
    assert said(server, "thinking", most=1) == ["1, "]


def test_usage_is_told(server: Server) -> None:
    told: list[Usage] = []
    said(server, told=told)
    assert told == [Usage(prompt_tokens=11, completion_tokens=3)]


def test_a_model_that_is_not_there_is_told_with_how_to_get_it(server: Server) -> None:
    error = failure(server, "missing")
    assert error.key == "error.ollama_model"
    assert "good, qwen3:4b" in str(error)
    assert "ollama pull missing" in (error.hint("zh") or "")


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("500", "error.chat_server"),
        ("400", "error.chat_refused"),
        ("failing", "error.chat_failed"),
        ("garbled", "error.chat_broken"),
        ("list", "error.chat_broken"),
        ("ending", "error.chat_broken"),
    ],
)
def test_each_failure_has_its_own_words(server: Server, model: str, key: str) -> None:
    error = failure(server, model)
    assert error.key == key
    assert error.hint("zh")


def test_the_setting_chooses_the_protocol(server: Server, tmp_path: Path) -> None:
    chat = {"base_url": server.url, "api": "ollama", "model": "good"}

    async def run() -> str:
        async with open_app(Settings.model_validate({"home": tmp_path, "chat": chat})) as app:
            model = app.chat_model()
            assert model is not None
            return "".join([piece async for piece in model.stream(COUNT, 2)])

    assert asyncio.run(run()) == "1, 2, "
