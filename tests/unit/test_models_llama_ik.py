"""ik_llama.cpp's side of OpenAI's protocol, over a model of no weights."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from wenqu.models.llama_ik import IkError, open_model
from wenqu.models.llama_ik_door import build
from wenqu.models.llama_ik_wants import Spoken, wants
from wenqu.protocols import Room
from wenqu.testing.toy_model import ToyModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from wenqu.models.llama_ik import Turn
    from wenqu.protocols import Entry

ROOM = Room(context=200, sequences=3, cells=600)
COMPLETE = {"prompt": "1, 2,", "max_tokens": 3, "temperature": 0, "ignore_eos": True}
ASKED = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0, "max_tokens": 6}


class ToyChat(ToyModel):
    """A toy that also tokenizes: a character is a token."""

    identity = "toy"

    def tokens(self, turns: Sequence[Turn], *, reply: bool = True) -> list[int]:
        return self.plain("".join(f"{role}:{text}" for role, text in turns) + ">" * reply)

    def plain(self, text: str) -> list[int]:
        return [1 + ord(one) % 60 for one in text]


@asynccontextmanager
async def opened(
    model: ToyChat | None = None, prompts: Path | None = None, key: str | None = "right"
) -> AsyncIterator[httpx.AsyncClient]:
    app = build(model or ToyChat(ROOM), name="toy", key=key, prompts=prompts)
    headers = {"Authorization": "Bearer right"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://child", headers=headers
    ) as client:
        yield client


def run(work: Callable[[httpx.AsyncClient], Awaitable[None]], **given: Any) -> None:
    async def opening() -> None:
        async with opened(**given) as client:
            await work(client)

    asyncio.run(opening())


async def chat(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await client.post("/v1/chat/completions", json={**ASKED, **more})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


@pytest.mark.parametrize("key", ["", "wrong", "rightx"])
@pytest.mark.parametrize("path", ["chat/completions", "completions", "models"])
def test_without_the_key_nothing_is_answered(key: str, path: str) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        method = "GET" if path == "models" else "POST"
        response = await client.request(method, f"/v1/{path}", json=ASKED, headers=headers)
        assert response.status_code == 401
        assert (await client.get("/health", headers=headers)).is_success

    run(work)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"messages": None},
        {"messages": []},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "tool", "content": "?"}]},
        {"messages": [{"role": "user", "content": ["?"]}]},
        {"messages": [{"role": "user", "content": "?"}], "max_tokens": "many"},
        {"messages": [{"role": "user", "content": "?"}], "stop": [""]},
        {"messages": [{"role": "user", "content": "?"}], "tools": [{"type": "function"}]},
        {"messages": [{"role": "user", "content": "?"}], "n": 2},
        {"messages": [{"role": "user", "content": "?" * 200}]},
    ],
)
@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_what_cannot_be_answered_is_refused_at_once(body: Any, more: dict[str, bool]) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        asked = {**body, **more} if isinstance(body, dict) else body
        response = await client.post("/v1/chat/completions", json=asked)
        assert response.status_code == 400
        assert response.json()["error"]["message"]

    run(work)


def test_a_reply_is_the_same_in_one_piece_and_streamed() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        whole = await chat(client)
        said = whole["choices"][0]["message"]["content"]
        assert len(said.split()) == whole["usage"]["completion_tokens"] == 6
        response = await client.post(
            "/v1/chat/completions",
            json={**ASKED, "stream": True, "stream_options": {"include_usage": True}},
        )
        *pieces, end, usage = events(response.text)
        assert "".join(one["choices"][0]["delta"]["content"] for one in pieces) == said
        assert len(pieces) == 6
        assert end["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
        assert usage["usage"] == whole["usage"]

    run(work)


def test_ten_at_once_are_answered_as_one_alone() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        asked = [[{"role": "user", "content": f"hi {at}"}] for at in range(10)]
        alone = [await chat(client, messages=one, ignore_eos=True) for one in asked]
        many = await asyncio.gather(*(chat(client, messages=one, ignore_eos=True) for one in asked))
        assert [one["choices"] for one in many] == [one["choices"] for one in alone]

    run(work)


def test_a_completion_goes_on_from_plain_text() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        body = {**COMPLETE, "prompt": ["1, 2,"]}
        response = await client.post("/v1/completions", json=body)
        assert len(response.json()["choices"][0]["text"].split()) == 3
        response = await client.post("/v1/completions", json={**body, "stream": True})
        assert [one["object"] for one in events(response.text)] == ["text_completion"] * 4

    run(work)


def test_a_reply_ends_before_a_stop() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        whole = (await chat(client, ignore_eos=True))["choices"][0]["message"]["content"]
        third = whole.split()[2]
        stopped = await chat(client, ignore_eos=True, stop=[f" {third} "])
        assert stopped["choices"][0]["message"]["content"] == whole.partition(f" {third} ")[0]
        assert stopped["choices"][0]["finish_reason"] == "stop"

    run(work)


def test_chance_is_the_same_for_the_same_seed_only() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        said = {
            seed: [
                (await chat(client, seed=seed, temperature=9, top_k=0, top_p=1, min_p=0))[
                    "choices"
                ][0]["message"]["content"]
                for _ in range(2)
            ]
            for seed in range(4)
        }
        assert all(one == other for one, other in said.values())
        assert len({one for one, _ in said.values()}) > 1

    run(work)


def test_a_reply_that_nobody_waits_for_frees_its_slot() -> None:
    class Telling(ToyChat):
        def decode(self, entries: Sequence[Entry]) -> bool:
            begun.set()
            assert left.wait(120)
            return super().decode(entries)

    async def work(client: httpx.AsyncClient) -> None:
        body = {**ASKED, "ignore_eos": True, "max_tokens": 190}
        asking = asyncio.ensure_future(client.post("/v1/chat/completions", json=body))
        assert await asyncio.to_thread(begun.wait, 120)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        left.set()
        assert (await chat(client, max_tokens=1))["usage"]["completion_tokens"] == 1
        assert len(model.batches) < 190

    begun, left = threading.Event(), threading.Event()
    model = Telling(Room(context=200, sequences=1, cells=200))
    run(work, model=model)


def test_where_too_many_wait_the_next_is_told_to_come_back() -> None:
    class Stuck(ToyChat):
        def decode(self, entries: Sequence[Entry]) -> bool:
            assert released.wait(120)
            return super().decode(entries)

    async def work(client: httpx.AsyncClient) -> None:
        asking = [
            asyncio.ensure_future(client.post("/v1/completions", json=COMPLETE)) for _ in range(300)
        ]
        try:
            first, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        finally:
            released.set()
        assert {one.result().status_code for one in first} == {503}
        assert {int(one.result().headers["Retry-After"]) > 0 for one in first} == {True}
        answered = [(await one).status_code for one in asking]
        assert set(answered) == {200, 503}
        assert answered.count(200) >= 256
        assert (await client.post("/v1/completions", json=COMPLETE)).status_code == 200

    released = threading.Event()
    run(work, model=Stuck(ROOM))


def test_without_a_key_anybody_is_answered_and_told_the_models_name() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        assert [one["id"] for one in (await client.get("/v1/models")).json()["data"]] == ["toy"]

    run(work, key=None)


def test_a_beginning_is_read_once_for_all_processes(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        warm = {"messages": [{"role": "system", "content": "be brief"}], "warm": True}
        known.append((await client.post("/v1/chat/completions", json=warm)).json()["known"])
        turns = [*warm["messages"], *ASKED["messages"]]  # type: ignore[misc]
        reused.append((await chat(client, messages=turns))["timings"]["cache_n"])

    known: list[bool] = []
    reused: list[int] = []
    for _ in range(2):
        run(work, prompts=tmp_path / "new")
    assert known == [False, True]
    assert reused == [len("system:be brief")] * 2


def test_part_of_a_character_or_of_a_stop_is_not_shown() -> None:
    spoken = Spoken(["问渠"])
    said = [spoken.add(bytes([byte])) for byte in "答问答问渠哪".encode()]
    assert [piece for piece in said if piece] == ["答", "问答"]
    assert spoken.stopped


def test_what_is_left_is_shown_at_the_end() -> None:
    spoken = Spoken(["abc"])
    assert spoken.add(b"xab") == "x"
    assert spoken.add("，".encode()[:2]) == ""
    assert spoken.add(b"", last=True) == "ab\ufffd"


def test_what_is_asked_for_in_vain_is_no_reason_to_refuse() -> None:
    body = {"tools": [], "n": 1, "logprobs": False, "response_format": {"type": "text"}}
    assert wants(body).most is None


def test_another_version_of_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99")
    with pytest.raises(IkError, match="99"):
        open_model(tmp_path / "model.gguf", Room(context=64, cells=64), threads=1)
