"""Reranking by a server: a real one on this machine that speaks each dialect, well and badly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from wenqu.errors import ModelError
from wenqu.models.rerank_server import ServerReranker
from wenqu.testing.contracts_rerank import RerankerContract, hits_of
from wenqu.testing.servers import running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from starlette.requests import Request

KEY = "sk-secret"
QUESTION = "how many days"
TEXTS = ("taxis", "how many days of leave", "how many")


def share(question: str, text: str) -> float:
    words = question.lower().split()
    return sum(word in text.lower() for word in words) / len(words)


class Server:
    """A reranking server; the first part of its path is the dialect that it speaks."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""

    async def rerank(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("authorization"))
        dialect = request.path_params["dialect"]
        if dialect.isdigit():
            return JSONResponse({"detail": f"no {dialect}"}, status_code=int(dialect))
        if dialect == "slow":
            await asyncio.sleep(600)
        if dialect == "tei" and "texts" not in body:
            return PlainTextResponse("missing field `texts` at line 1 column 9", status_code=422)
        texts = body["texts"] if dialect == "tei" else body["documents"]
        scores = [share(body["query"], text) for text in texts]
        order = sorted(range(len(texts)), key=lambda index: -scores[index])
        return self.answer(dialect, [(index, scores[index]) for index in order])

    def answer(self, dialect: str, ranked: list[tuple[int, float]]) -> Response:
        results = [{"index": index, "relevance_score": score} for index, score in ranked]
        plain = [{"index": index, "score": score} for index, score in ranked]
        answers: dict[str, object] = {
            "jina": {"model": "made", "results": [{**one, "document": {}} for one in results]},
            "voyage": {"object": "list", "data": results},
            "llama": {"object": "list", "results": results, "usage": {"total_tokens": 1}},
            "tei": plain,
            "short": {"results": results[:-1]},
            "beyond": {"results": [{**one, "index": 99} for one in results]},
            "nan": {"results": [{**one, "relevance_score": "nan"} for one in results]},
            "empty": {},
            "words": {"results": "sorry"},
        }
        if dialect == "garbled":
            return PlainTextResponse("<html>")
        if dialect == "endless":
            return PlainTextResponse("[" + " " * 5_000_000)
        return JSONResponse(answers[dialect])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    state = Server()
    routes = (Route("/{dialect}/rerank", state.rerank, methods=["POST"]),)
    with running(*routes) as url:
        state.url = url
        yield state


@asynccontextmanager
async def opened(server: Server, dialect: str, **given: Any) -> AsyncGenerator[ServerReranker]:
    settings = {"base_url": f"{server.url}/{dialect}", "model": "made", "timeout_s": 120.0, **given}
    reranker = ServerReranker(**settings)
    try:
        yield reranker
    finally:
        await reranker.close()


def scores(server: Server, dialect: str, **given: Any) -> list[float]:
    async def work() -> list[float]:
        async with opened(server, dialect, **given) as reranker:
            return list(await reranker.rerank(QUESTION, hits_of(*TEXTS)))

    return asyncio.run(work())


class TestServerReranker(RerankerContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.server = server

    @asynccontextmanager
    async def reranker(self) -> AsyncGenerator[ServerReranker]:
        async with opened(self.server, "jina") as reranker:
            yield reranker

    @asynccontextmanager
    async def failing_reranker(self) -> AsyncGenerator[ServerReranker]:
        async with opened(self.server, "500") as reranker:
            yield reranker


@pytest.mark.parametrize("dialect", ["jina", "voyage", "llama", "tei"])
def test_every_dialect_gives_the_scores_in_the_order_of_the_hits(
    server: Server, dialect: str
) -> None:
    assert scores(server, dialect) == [0.0, 1.0, pytest.approx(2 / 3)]


def test_what_is_asked_is_the_question_the_texts_and_a_score_for_each(server: Server) -> None:
    scores(server, "jina", api_key=KEY)
    assert server.bodies[-1] == {
        "model": "made",
        "query": QUESTION,
        "documents": [f"Part 部分\\n{text}".replace("\\n", "\n") for text in TEXTS],
        "top_n": 3,
    }
    assert server.keys[-1] == f"Bearer {KEY}"


def test_that_a_server_wants_its_texts_under_another_name_is_learned_once(server: Server) -> None:
    async def work() -> None:
        async with opened(server, "tei", model=None) as reranker:
            before = len(server.bodies)
            await reranker.rerank(QUESTION, hits_of(*TEXTS))
            assert len(server.bodies) - before == 2
            await reranker.rerank(QUESTION, hits_of(*TEXTS))
            assert len(server.bodies) - before == 3
            assert set(server.bodies[-1]) == {"query", "texts", "truncate"}

    asyncio.run(work())


def test_a_text_is_cut_to_about_the_tokens_that_a_server_takes(server: Server) -> None:
    async def work() -> list[str]:
        async with opened(server, "jina", text_tokens=40) as reranker:
            texts = ("short", "字" * 100, "letters " * 50)
            await reranker.rerank(QUESTION, hits_of(*texts))
            found: list[str] = server.bodies[-1]["documents"]
            return found

    short, chinese, english = asyncio.run(work())
    assert short.endswith("short")
    assert 30 < chinese.count("字") <= 40
    assert 60 < len(english) <= 80


@pytest.mark.parametrize(
    ("dialect", "key"),
    [
        ("401", "error.rerank_key"),
        ("403", "error.rerank_key"),
        ("404", "error.rerank_refused"),
        ("422", "error.rerank_refused"),
        ("429", "error.rerank_refused"),
        ("503", "error.rerank_server"),
        ("short", "error.rerank_broken"),
        ("beyond", "error.rerank_broken"),
        ("nan", "error.rerank_broken"),
        ("empty", "error.rerank_broken"),
        ("words", "error.rerank_broken"),
        ("garbled", "error.rerank_broken"),
        ("endless", "error.rerank_broken"),
    ],
)
def test_a_failure_has_a_name_of_its_own_and_does_not_tell_the_key(
    server: Server, dialect: str, key: str
) -> None:
    with pytest.raises(ModelError) as caught:
        scores(server, dialect, api_key=KEY)
    assert caught.value.key == key
    for locale in ("en", "zh"):
        told = f"{caught.value.message(locale)} {caught.value.hint(locale)}"
        assert KEY not in told
        assert "rerank" in told


def test_a_failure_is_not_tried_again(server: Server) -> None:
    before = len(server.bodies)
    with pytest.raises(ModelError):
        scores(server, "503")
    assert len(server.bodies) == before + 1


def test_a_server_that_is_too_slow_is_given_up(server: Server) -> None:
    with pytest.raises(ModelError) as caught:
        scores(server, "slow", timeout_s=0.2)
    assert caught.value.key == "error.rerank_timeout"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "ftp://127.0.0.1/x"])
def test_a_server_that_is_not_there_is_said_to_be_unreachable(server: Server, url: str) -> None:
    with pytest.raises(ModelError) as caught:
        scores(server, "jina", base_url=url)
    assert caught.value.key == "error.rerank_unreachable"


def test_a_password_in_the_address_is_not_told() -> None:
    async def work() -> None:
        reranker = ServerReranker(base_url="http://me:hidden@127.0.0.1:1/x?key=hidden")
        try:
            with pytest.raises(ModelError) as caught:
                await reranker.rerank(QUESTION, hits_of(*TEXTS))
            assert "hidden" not in caught.value.message("en")
        finally:
            await reranker.close()

    asyncio.run(work())
