"""The adapter to Ollama's own protocol, against a real server that speaks it, well and badly."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wenqu.app import open_app
from wenqu.models.ollama import OllamaChat
from wenqu.models.wire import Patience
from wenqu.settings import Settings
from wenqu.testing.counting import COUNT, CountingContract, CountingServer
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import BaseRoute


class Server(CountingServer):
    """An Ollama server."""

    media_type = "application/x-ndjson"

    async def tags(self, _: Request) -> Response:
        return JSONResponse({"models": [{"name": "good:latest"}, {"name": "qwen3:4b"}]})

    def instead(self, model: str, body: dict[str, Any]) -> Response | None:
        if model == "missing":
            return JSONResponse(self.error(f"model '{model}' not found"), status_code=404)
        return super().instead(model, body)

    def client(self, model: str, **given: Any) -> OllamaChat:
        patience = Patience(first_s=120, next_s=120, retries=0)
        address = self.url + given.get("end", "")
        return OllamaChat(base_url=address, model=model, patience=patience)

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/api/chat", self.chat, methods=["POST"]), Route("/api/tags", self.tags)]

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
    with Server().serving() as one:
        yield one


class TestContract(CountingContract):
    pass


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/api"])
def test_the_request_carries_messages_and_options_whatever_the_address_ends_in(
    server: Server, end: str
) -> None:
    assert server.said(max_tokens=3, end=end) == ["1, ", "2, ", "3, "]
    body = server.bodies[-1]
    assert body["messages"] == [{"role": "user", "content": "数到三十"}]
    options = body["options"]
    assert isinstance(options, dict)
    assert (options["num_predict"], options["temperature"]) == (3, 0)
    assert options["num_ctx"] >= 4096


def test_thoughts_in_a_field_of_their_own_are_left_out(server: Server) -> None:
    assert server.said("thinking", max_tokens=1) == ["1, "]


def test_usage_is_told(server: Server) -> None:
    told: list[Usage] = []
    server.said(max_tokens=3, on_usage=told.append)
    assert told == [Usage(prompt_tokens=11, completion_tokens=3)]


def test_a_model_that_is_not_there_is_told_with_how_to_get_it(server: Server) -> None:
    error = server.failure("missing")
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
    error = server.failure(model)
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
