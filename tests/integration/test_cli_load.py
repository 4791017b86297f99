"""``wenqu load`` against real servers: one that speaks OpenAI's protocol, and wenqu itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typer.testing import CliRunner

from wenqu.cli.main import app as cli
from wenqu.cli.session import Exit
from wenqu.testing.servers import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.requests import Request


async def chat(request: Request) -> Response:
    body = await request.json()
    if body["model"] == "full":
        return JSONResponse({"error": {"message": "no room"}}, status_code=503)

    async def pieces() -> AsyncIterator[str]:
        for _ in range(min(body["max_tokens"], 5)):
            await asyncio.sleep(0.001)
            yield f"data: {json.dumps({'choices': [{'delta': {'content': '字'}}]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def ask(request: Request) -> Response:
    question = (await request.json())["question"]
    refused = {"answer": "文档没有说。"}
    events = [("evidence", []), ("text", "一"), ("text", "二"), ("answer", {"answer": "一二"})]
    if "refuse" in question:
        events = [("evidence", []), ("answer", refused)]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return Response(body, media_type="text/event-stream")


@pytest.fixture(scope="module")
def openai() -> Iterator[str]:
    with running(Route("/v1/chat/completions", chat, methods=["POST"])) as url:
        yield url


@pytest.fixture(scope="module")
def wenqu() -> Iterator[str]:
    async def bases(_: Request) -> Response:
        return JSONResponse({"knowledge_bases": []})

    routes = Route("/api/kbs", bases), Route("/api/ask", ask, methods=["POST"])
    with running(*routes) as url:
        yield url


def load(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["load", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_each_number_of_clients_has_its_figures(openai: str) -> None:
    code, out, _ = load(openai, "--clients", "1,4", "--rounds", "2", "--json", "--max-tokens", "3")
    assert code == Exit.DONE
    levels = json.loads(out)["levels"]
    assert [(one["clients"], one["succeeded"], one["failed"]) for one in levels] == [
        (1, 2, 0),
        (4, 8, 0),
    ]
    for level in levels:
        waits = level["wait_s"]
        assert 0 < waits["min"] <= waits["p50"] <= waits["p99"] <= waits["max"]
        assert level["first_token_s"]["min"] <= waits["min"]
        assert level["tokens_per_second"] > 0


def test_a_wenqu_server_is_told_by_itself_and_a_refusal_is_an_answer(
    wenqu: str, tmp_path: Path
) -> None:
    questions = tmp_path / "questions.txt"
    questions.write_text("first?\n\nplease refuse this\n", "utf-8")
    code, out, _ = load(wenqu, "--clients", "3", "--json", "--questions", str(questions))
    assert code == Exit.DONE
    (level,) = json.loads(out)["levels"]
    assert (level["succeeded"], level["failed"]) == (9, 0)


def test_a_server_that_refuses_is_told_and_ends_with_a_code(openai: str) -> None:
    code, _, err = load(f"{openai}/v1", "--kind", "openai", "--model", "full", "--clients", "2")
    assert code == Exit.FAILED
    assert "no room" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--clients", "many"),
        ("--clients", "0"),
        ("--plot", "waits.bmp"),
        ("--questions", "not-there.txt"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_hint(openai: str, arguments: tuple[str, str]) -> None:
    code, _, err = load(openai, *arguments)
    assert code == Exit.UNUSABLE
    assert len(err.splitlines()) >= 2


def test_a_server_that_is_not_there_is_told() -> None:
    code, _, err = load("http://127.0.0.1:9", "--clients", "1")
    assert code == Exit.FAILED
    assert "127.0.0.1:9" in err


@pytest.mark.parametrize("name", ["waits.html", "waits.svg", "waits.png"])
def test_the_waits_are_plotted(openai: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    code, _, _ = load(openai, "--clients", "1,2", "--rounds", "1", "--plot", str(path))
    assert code == Exit.DONE
    assert (
        path.read_bytes()[:4]
        == {
            "waits.html": b"<!do",
            "waits.svg": b"<svg",
            "waits.png": b"\x89PNG",
        }[name]
    )
