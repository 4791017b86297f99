"""The chat adapter against a real server that speaks the protocol, well and badly."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wenqu.models.openai import OpenAIChat, Patience
from wenqu.testing.counting import COUNT, CountingContract, CountingServer
from wenqu.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

KEY = "sk-secret"


def event(**delta: object) -> str:
    return f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n"


OPENINGS = {
    "thinking": [event(content=it) for it in ("<thi", "nk>嗯……", "</th", "ink>\n\n", "三")],
    "reasoning": [event(reasoning_content="嗯")],
}


class Server(CountingServer):
    """An OpenAI-compatible server."""

    media_type = "text/event-stream"

    def __init__(self) -> None:
        super().__init__()
        self.ports: set[int] = set()
        self.keys: list[str | None] = []
        self.busy = 0

    async def chat(self, request: Request) -> Response:
        if request.client is not None:
            self.ports.add(request.client.port)
        self.keys.append(request.headers.get("authorization"))
        return await super().chat(request)

    def instead(self, model: str, body: dict[str, Any]) -> Response | None:
        if model == "busy" and self.busy:
            self.busy -= 1
            headers = {"Retry-After": "1"}
            return JSONResponse(self.error("busy"), status_code=429, headers=headers)
        if model == "strict" and "stream_options" in body:
            return JSONResponse(self.error("unknown field stream_options"), status_code=400)
        if model == "whole":
            return JSONResponse({"choices": [{"message": {"content": "一口气说完"}}]})
        return super().instead(model, body)

    def client(self, model: str, **given: Any) -> OpenAIChat:
        patience = Patience(first_s=120, next_s=120, retries=0)
        settings = {"base_url": f"{self.url}/v1", "api_key": KEY, "patience": patience}
        return OpenAIChat(model=model, **(settings | given))

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/v1/chat/completions", self.chat, methods=["POST"])]

    def most(self, body: dict[str, Any]) -> int:
        return int(body["max_tokens"])

    def error(self, text: str) -> dict[str, Any]:
        return {"error": {"message": text}}

    def line(self, value: Any) -> str:
        if isinstance(value, str):
            # Not escaped, as some servers send it.
            return event(content="#").replace("#", value)
        said = value.decode() if isinstance(value, bytes) else json.dumps(value)
        return f"data: {said}\n\n"

    def number(self, model: str, number: int) -> str:
        return "一\u2028二\x85" if model == "separators" else super().number(model, number)

    async def opening(self, model: str) -> AsyncIterator[str]:
        yield ": ping\n\n"
        yield event()
        if model == "slow-start":
            await asyncio.sleep(2)
        for line in OPENINGS.get(model, ()):
            yield line

    def end(self, model: str, most: int) -> Iterator[str]:
        if model == "counting":
            usage = {"prompt_tokens": 11, "completion_tokens": most}
            yield self.line({"choices": [], "usage": usage})
        yield "data: [DONE]\n\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server().serving() as one:
        yield one


class TestContract(CountingContract):
    pass


def test_the_request_carries_messages_length_and_key(server: Server) -> None:
    server.said(max_tokens=3)
    body = server.bodies[-1]
    assert body["messages"] == [{"role": "user", "content": "数到三十"}]
    assert (body["max_tokens"], body["temperature"], body["stream"]) == (3, 0, True)
    assert server.keys[-1] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(server: Server) -> None:
    server.said(max_tokens=1, api_key=None)
    assert server.keys[-1] is None


def test_a_server_that_does_not_stream_is_understood(server: Server) -> None:
    assert server.said("whole") == ["一口气说完"]


def test_the_thoughts_of_a_reasoning_model_are_left_out(server: Server) -> None:
    assert "".join(server.said("thinking", max_tokens=1)) == "三1, "


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("401", "error.chat_key"),
        ("403", "error.chat_key"),
        ("404", "error.chat_not_found"),
        ("429", "error.chat_busy"),
        ("400", "error.chat_refused"),
        ("500", "error.chat_server"),
        ("503", "error.chat_server"),
    ],
)
def test_each_refusal_of_a_server_has_its_own_words(server: Server, status: str, key: str) -> None:
    error = server.failure(status)
    assert error.key == key
    assert f"no {status}" in error.message("zh")
    assert error.hint("zh")
    assert error.hint("en")
    assert KEY not in f"{error!r} {error} {error.values}"


def test_an_error_in_the_middle_is_told(server: Server) -> None:
    error = server.failure("failing")
    assert error.key == "error.chat_failed"
    assert "out of memory" in str(error)


@pytest.mark.parametrize("model", ["garbled", "breaking"])
def test_a_stream_that_breaks_is_told(server: Server, model: str) -> None:
    assert server.failure(model).key == "error.chat_broken"


def test_a_silent_server_is_given_up(server: Server) -> None:
    error = server.failure("silent", patience=Patience(next_s=0.3))
    assert (error.key, error.values["seconds"]) == ("error.chat_timeout", 0.3)


def test_the_first_piece_has_a_time_of_its_own(server: Server) -> None:
    error = server.failure("slow-start", patience=Patience(first_s=0.2, next_s=120))
    assert (error.key, error.values["seconds"]) == ("error.chat_timeout", 0.2)
    patient = Patience(first_s=120, next_s=1.5)
    assert server.said("slow-start", max_tokens=2, patience=patient) == ["1, ", "2, "]


def test_a_busy_server_is_asked_again_after_the_time_it_names(server: Server) -> None:
    server.busy = 2
    begun = time.monotonic()
    assert server.said("busy", max_tokens=1, patience=Patience(busy_s=5)) == ["1, "]
    assert time.monotonic() - begun >= 2
    assert server.busy == 0


def test_a_busy_server_is_not_waited_for_longer_than_allowed(server: Server) -> None:
    server.busy = 9
    error = server.failure("busy", patience=Patience(retries=5, busy_s=0.2))
    assert error.key == "error.chat_busy"
    assert server.busy > 9 - 5  # fewer than the retries that it had


@pytest.mark.parametrize("model", ["failing", "breaking", "400", "500"])
def test_what_cannot_be_helped_is_not_asked_again(server: Server, model: str) -> None:
    asked = len(server.bodies)
    server.failure(model, patience=Patience(retries=3))
    assert len(server.bodies) == asked + 1


def test_usage_is_told_where_the_server_counts(server: Server) -> None:
    told: list[Usage] = []
    server.said("counting", max_tokens=4, on_usage=told.append)
    assert told == [Usage(prompt_tokens=11, completion_tokens=4)]


def test_a_server_that_knows_no_usage_is_asked_without(server: Server) -> None:
    told: list[Usage] = []
    assert server.said("strict", max_tokens=2, on_usage=told.append) == ["1, ", "2, "]
    assert told == []
    assert "stream_options" not in server.bodies[-1]


def test_thoughts_in_a_field_of_their_own_are_left_out(server: Server) -> None:
    assert server.said("reasoning", max_tokens=2) == ["1, ", "2, "]


def test_line_separators_in_a_text_end_no_line(server: Server) -> None:
    assert server.said("separators", max_tokens=2) == ["一\u2028二\x85"] * 2


def test_a_connection_serves_one_answer_after_another(server: Server) -> None:
    async def run() -> None:
        async with server.opened() as chat:
            for _ in range(3):
                async for _ in chat.stream(COUNT, 2):
                    pass

    server.ports.clear()
    asyncio.run(run())
    assert len(server.ports) == 1


def test_more_answers_than_a_pool_holds_are_written_at_once(server: Server) -> None:
    async def run() -> list[str]:
        async with server.opened("silent") as chat:
            replies = [chat.stream(COUNT, 2) for _ in range(120)]
            async with asyncio.timeout(300):
                first = await asyncio.gather(*(anext(reply) for reply in replies))
            for reply in replies:
                await reply.aclose()
            return list(first)

    assert asyncio.run(run()) == ["1, "] * 120


def test_a_server_that_is_not_there_is_told_without_its_password(server: Server) -> None:
    error = server.failure("good", base_url="http://user:hunter2@127.0.0.1:9/v1")
    assert error.key == "error.chat_unreachable"
    assert "hunter2" not in f"{error} {error!r}"


def test_an_address_that_is_none_is_told(server: Server) -> None:
    assert server.failure("good", base_url="not an address").key == "error.chat_unreachable"
