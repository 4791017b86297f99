from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from wenqu.app import open_app
from wenqu.errors import InputError
from wenqu.http.server import serve
from wenqu.messages import catalogue
from wenqu.settings import Settings
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wenqu.types import Message

    Serving = Callable[..., AbstractContextManager[str]]

LEAVE = "员工每年享有十五天年假。"
TRAVEL = "Travel costs are paid within ten days."


def reply(messages: Sequence[Message]) -> str:
    """Quote the first numbered source of the prompt, as an obedient model would."""
    text = messages[-1].text
    return f"{LEAVE}[1]" if "年假" in text else f"{TRAVEL} [1]"


@contextmanager
def asking(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    files = tmp_path_factory.mktemp("files")
    (files / "leave.md").write_text(f"# 请假制度\n\n{LEAVE}病假需要证明。", "utf-8")
    (files / "travel.md").write_text(f"# Travel\n\n{TRAVEL} Taxis need a receipt.", "utf-8")

    async def add() -> None:
        async with open_app(Settings(home=folder), embedder=FakeEmbedder(floor=0.75)) as app:
            await app.bases.create("empty")
            await app.add("handbook", [files])

    asyncio.run(add())
    return folder


@pytest.fixture(scope="module")
def client(home: Path, serving: Serving) -> Iterator[httpx.Client]:
    with serving(home, ScriptedChat(reply), kb="handbook") as url, asking(url) as opened:
        yield opened


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    return [
        (name, json.loads(data))
        for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", response.text)
    ]


def ask(client: httpx.Client, question: str, **more: object) -> httpx.Response:
    body = {"question": question, "kb": "handbook", **more}
    return client.post("/api/ask", json=body)


def test_the_page_and_its_parts_are_served(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        assert client.get(part).status_code == 200


def test_nothing_outside_the_page_is_served(client: httpx.Client) -> None:
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/wenqu.db", "/docs"):
        assert client.get(path).status_code == 404


def test_it_says_that_it_is_well(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({"Accept-Language": "zh-CN,zh;q=0.9"}, "", "zh"),
        ({"Accept-Language": "en-GB"}, "", "en"),
        ({"Accept-Language": "zh-CN"}, "?lang=en", "en"),
        ({"Accept-Language": "fr"}, "", "en"),
    ],
)
def test_the_pages_texts_come_in_the_readers_language(
    client: httpx.Client, headers: dict[str, str], query: str, language: str
) -> None:
    answer = client.get(f"/api/texts{query}", headers=headers).json()
    assert answer["language"] == language
    assert answer["texts"]["ask"] == catalogue()["web.ask"][language]  # type: ignore[index]
    assert answer["stages"]["rerank"] == catalogue()["stage.rerank"][language]  # type: ignore[index]
    assert len(answer["texts"]) == sum(key.startswith("web.") for key in catalogue())


def test_knowledge_bases_are_listed_with_the_one_to_show_first(client: httpx.Client) -> None:
    listed = client.get("/api/kbs").json()
    assert listed["first"] == "handbook"
    assert [base["name"] for base in listed["knowledge_bases"]] == ["empty", "handbook"]
    assert listed["knowledge_bases"][1]["documents"] == 2
    assert listed["knowledge_bases"][1]["prompt"] is None


def test_search_answers_with_hits_and_timings(client: httpx.Client) -> None:
    found = client.get("/api/search", params={"q": "年假", "kb": "handbook", "top": 1}).json()
    assert set(found) == {"hits", "skipped", "timings_ms"}
    assert found["skipped"] == []
    (hit,) = found["hits"]
    assert LEAVE in hit["text"]
    assert set(hit) >= {"document", "title", "page", "text", "start", "end", "scores"}
    assert set(hit["scores"]) - {"levelled", "translated"} == {"lexical", "dense", "fused"}


def test_search_is_narrowed_by_repeatable_conditions(client: httpx.Client) -> None:
    def titles(**conditions: object) -> set[str]:
        asked = {"q": "年假 travel", "kb": "handbook", **conditions}
        return {hit["title"] for hit in client.get("/api/search", params=asked).json()["hits"]}

    assert titles() == {"请假制度", "Travel"}
    assert titles(source="travel.md") == {"Travel"}
    assert titles(source=["travel.md", "leave.*"]) == {"请假制度", "Travel"}
    assert titles(title="请假", tag=[]) == {"请假制度"}
    assert titles(title="请假", source="travel.md") == set()


def test_search_says_why_a_filter_found_nothing(client: httpx.Client) -> None:
    asked = {"q": "年假", "kb": "handbook", "tag": "nobody"}
    found = client.get("/api/search", params=asked).json()
    assert found["hits"] == []
    assert found["skipped"] == [{"stage": "search", "reason": "no document meets the filter"}]


@pytest.mark.parametrize(
    "given", [{"since": "yesterday"}, {"diversity": "2"}, {"rerank": "maybe"}, {"colour": "red"}]
)
def test_a_condition_that_means_nothing_is_refused(
    client: httpx.Client, given: dict[str, str]
) -> None:
    response = client.get("/api/search", params={"q": "年假", "kb": "handbook", **given})
    assert response.status_code == 400
    assert response.json()["hint"]


def test_an_answer_rests_on_the_documents_that_were_asked_for(client: httpx.Client) -> None:
    where = {"title": ["Travel"]}
    answer = ask(client, "员工每年享有多少天年假？", where=where, stream=False).json()
    assert {hit["title"] for hit in answer["hits"]} == {"Travel"}
    assert ask(client, "年假", where={"titel": ["x"]}).status_code == 400


def test_an_answer_comes_as_sources_then_text_then_the_whole(client: httpx.Client) -> None:
    response = ask(client, "员工每年享有多少天年假？")
    assert response.headers["content-type"].startswith("text/event-stream")
    received = events(response)
    names = [name for name, _ in received]
    assert names[0] == "evidence"
    assert names[-1] == "answer"
    assert set(names[1:-1]) == {"text"}
    assert len(names) > 3
    assert "".join(data for name, data in received if name == "text").strip() == f"{LEAVE}[1]"
    answer = received[-1][1]
    assert (answer["outcome"], answer["language"], answer["model"]) == (
        "answered",
        "zh",
        "scripted",
    )
    (citation,) = answer["citations"]
    assert citation["supported"] is True
    assert citation["quote"] in LEAVE
    evidence = received[0][1]
    assert evidence[0]["marker"] == 1
    assert LEAVE in evidence[0]["text"]


def test_an_answer_may_come_whole(client: httpx.Client) -> None:
    response = ask(client, "Within how many days are travel costs paid?", stream=False)
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert (answer["outcome"], answer["language"]) == ("answered", "en")
    assert set(answer) >= {"outcome", "answer", "citations", "hits", "timings_ms"}


def test_an_answer_may_be_quoted_without_a_model(client: httpx.Client) -> None:
    answer = ask(client, "员工每年享有多少天年假？", llm=False, stream=False).json()
    assert answer["model"] is None
    assert LEAVE in answer["answer"]


def test_a_refusal_is_an_outcome_and_has_no_sources(client: httpx.Client) -> None:
    received = events(ask(client, "你好"))
    assert received[0] == ("evidence", [])
    assert received[-1][1]["outcome"] == "not_a_question"
    empty = ask(client, "员工每年享有多少天年假？", kb="empty", stream=False)
    assert empty.status_code == 200
    assert empty.json()["outcome"] == "no_evidence"


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("/api/search?q=a&kb=nowhere", 404, "error.kb_missing"),
        ("/api/search?q=%20&kb=handbook", 400, "error.question_empty"),
        (f"/api/search?kb=handbook&q={'a' * 4001}", 400, "error.question_long"),
        ("/api/search?kb=handbook", 400, "error.request"),
        ("/api/search?q=a&top=0", 400, "error.request"),
        ("/api/search?q=a&topp=3", 400, "error.request"),
    ],
)
def test_an_error_has_its_status_and_says_what_to_do(
    client: httpx.Client, path: str, status: int, key: str
) -> None:
    response = client.get(path, headers={"Accept-Language": "zh"})
    assert response.status_code == status
    error = response.json()
    assert error["error"] == key
    assert re.search("[\u4e00-\u9fff]", error["message"])
    assert error["hint"]
    assert error["retryable"] is False


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("method", "path", "status", "key"),
    [
        ("GET", "/api/nowhere", 404, "error.address"),
        ("POST", "/api/", 404, "error.address"),
        ("GET", "/api/ask", 405, "error.method"),
        ("DELETE", "/api/search", 405, "error.method"),
    ],
)
def test_an_address_or_a_method_that_is_not_there_is_an_error_as_any_other(
    client: httpx.Client, method: str, path: str, status: int, key: str, language: str
) -> None:
    response = client.request(method, path, headers={"Accept-Language": language})
    assert response.status_code == status
    assert ("Allow" in response.headers) == (status == 405)
    error = response.json()
    assert error["error"] == key
    assert path in error["message"]
    assert bool(re.search("[\u4e00-\u9fff]", error["message"])) == (language == "zh")
    assert error["hint"]
    assert error["retryable"] is False


def test_what_is_not_of_the_api_is_missing_in_plain_text(client: httpx.Client) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/plain")


def test_what_is_wrong_with_a_request_is_said_in_the_language_of_its_reader(
    client: httpx.Client,
) -> None:
    said = client.get("/api/search?q=a&top=0", headers={"Accept-Language": "zh"}).json()
    assert said["message"] == "无法理解该请求：top：不得小于 1。"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"question": 1}', "application/json"),
        (b'{"question": "a", "surprise": 1}', "application/json"),
        (b'{"question": "' + b"a" * 70_000 + b'"}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"question": "a"}', "text/plain"),
        (b"question=a", "application/x-www-form-urlencoded"),
    ],
)
def test_a_request_that_is_not_understood_is_refused(
    client: httpx.Client, body: bytes, kind: str
) -> None:
    response = client.post("/api/ask", content=body, headers={"Content-Type": kind})
    assert response.status_code == 400
    assert response.json()["error"] == "error.request"


def test_what_is_wrong_with_a_question_has_a_status_also_when_streaming(
    client: httpx.Client,
) -> None:
    response = ask(client, "a", kb="nowhere")
    assert response.status_code == 404
    assert response.json()["error"] == "error.kb_missing"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_sites_name_for_this_machine_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/api/kbs", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1"])
def test_this_machines_own_names_are_served(client: httpx.Client, host: str) -> None:
    assert client.get("/api/kbs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/kbs", "/nowhere"])
def test_every_response_forbids_what_no_page_of_ours_does(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_reader_who_goes_away_stops_the_model(home: Path, serving: Serving) -> None:
    chat = ScriptedChat("一字一句。" * 2, piece_characters=5, hold_at=1)
    with serving(home, chat) as url, asking(url) as client:
        body = {"question": "员工每年享有多少天年假？", "kb": "handbook"}
        with client.stream("POST", "/api/ask", json=body) as response:
            lines = response.iter_lines()
            assert any(line == "event: text" for line in lines)
        until = time.monotonic() + 120
        while not chat.stopped and time.monotonic() < until:
            time.sleep(0.05)
        assert chat.stopped == 1


def test_a_model_that_fails_at_once_is_replaced_by_quotes(home: Path, serving: Serving) -> None:
    with serving(home, ScriptedChat(reply, fail_after=0)) as url, asking(url) as client:
        received = events(ask(client, "员工每年享有多少天年假？"))
    answer = received[-1][1]
    assert (answer["outcome"], answer["model"]) == ("answered", None)
    assert LEAVE in answer["answer"]
    (skipped,) = answer["skipped"]
    assert skipped["stage"] == "generate"
    # In the language of the question, as the answer is.
    assert skipped["reason"].startswith("scripted 处的对话模型在回答中途出错")


def test_the_page_says_its_address_when_it_is_ready_and_a_taken_port_is_an_error(
    home: Path,
) -> None:
    async def check() -> None:
        async with open_app(Settings(home=home), embedder=FakeEmbedder(floor=0.75)) as app:
            ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            first = asyncio.create_task(
                serve(app, host="127.0.0.1", port=0, kb=None, on_ready=ready.set_result)
            )
            url = await ready
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"{url}/healthz")).json() == {"status": "ok"}
            port = int(url.rsplit(":", 1)[1])
            with pytest.raises(InputError) as caught:
                await serve(app, host="127.0.0.1", port=port, kb=None, on_ready=print)
            assert str(port) in caught.value.message("zh")
            with pytest.raises(InputError) as caught:
                await serve(app, host="192.0.2.1", port=0, kb=None, on_ready=print)
            assert caught.value.key == "error.host"
            first.cancel()
            await asyncio.wait([first])

    asyncio.run(check())


def test_past_the_bound_one_is_told_when_to_come_back(home: Path, serving: Serving) -> None:
    chat, turns = ScriptedChat(reply, hold_at=1), {"waiting": 0, "slots": 1}
    with serving(home, chat, settings={"chat": turns}) as url, asking(url) as client:
        body = {"question": "How soon are travel costs paid?", "kb": "handbook"}
        with client.stream("POST", "/api/ask", json=body) as first:
            lines = first.iter_lines()
            assert any(line == "event: text" for line in lines)
            other = {"question": "员工每年享有几天年假？", "kb": "handbook"}
            with asking(url) as second:
                refused = second.post("/api/ask", json=other)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error"] == "error.busy"
            chat.released.set()
            assert any("travel costs" in line.lower() for line in lines)
