from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from wenqu.app import open_app
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


def reply(messages: Sequence[Message]) -> str:
    if "<doc" in messages[-1].text:
        return f"{LEAVE}[1]"
    return f"第{len(messages)}句"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, serving: Serving) -> Iterator[httpx.Client]:
    home, files = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("files")
    (files / "leave.md").write_text(f"# 请假制度\n\n{LEAVE}病假需要证明。", "utf-8")
    _add(home, files)
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        httpx.Client(base_url=url, timeout=120, trust_env=False) as opened,
    ):
        yield opened


def _add(home: Path, files: Path) -> None:
    async def add() -> None:
        async with open_app(Settings(home=home), embedder=FakeEmbedder(floor=0.75)) as app:
            await app.add("handbook", [files])

    asyncio.run(add())


def begin(client: httpx.Client, kb: str | None = None) -> str:
    response = client.post("/api/conversations", json={"kb": kb})
    assert response.status_code == 201
    return f"/api/conversations/{response.json()['id']}"


def say(client: httpx.Client, talk: str, text: str, **more: object) -> httpx.Response:
    return client.post(f"{talk}/say", json={"text": text, "stream": False, **more})


def test_a_plain_chat_and_questions_to_documents_share_one_history(client: httpx.Client) -> None:
    talk = begin(client)
    assert say(client, talk, "你好呀").json()["outcome"] == "chat"
    asked = say(client, talk, "/kb 员工每年享有几天年假？").json()
    assert asked["outcome"] == "answered"
    assert asked["citations"][0]["quote"] == LEAVE
    assert say(client, talk, "然后呢").json()["answer"] == "第5句"
    turns = client.get(talk).json()["turns"]
    assert [turn["outcome"] for turn in turns] == ["chat", "answered", "chat"]
    assert turns[1]["citations"][0]["marker"] == 1


def test_an_answer_is_streamed_as_events(client: httpx.Client) -> None:
    talk = begin(client)
    response = client.post(f"{talk}/say", json={"text": "你好呀"})
    assert re.findall(r"event: (\w+)", response.text) == ["text", "answer"]


def test_a_turn_is_answered_anew_and_the_conversation_is_cleared(client: httpx.Client) -> None:
    talk = begin(client)
    for text in ("一", "二"):
        say(client, talk, text)
    first = client.get(talk).json()["turns"][0]["id"]
    again = client.post(f"{talk}/again", json={"turn": first, "text": "三", "stream": False})
    assert again.json()["answer"] == "第1句"
    assert [turn["question"] for turn in client.get(talk).json()["turns"]] == ["三"]
    assert say(client, talk, "清空对话历史").json() == {"cleared": True}
    assert client.get(talk).json()["turns"] == []


def test_a_conversation_is_exported_and_deleted(client: httpx.Client) -> None:
    talk = begin(client)
    say(client, talk, "你好呀")
    exported = client.get(f"{talk}/export")
    assert exported.headers["content-type"].startswith("text/markdown")
    assert exported.text.startswith("# 你好呀\n\n> 你好呀\n\n第1句")
    assert client.get(f"{talk}/export?form=json").json()["turns"][0]["answer"] == "第1句"
    assert client.delete(talk).status_code == 204
    assert client.get(talk).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/conversations", {"kb": "none"}, 404),
        ("/api/conversations", {"other": 1}, 400),
        ("/api/conversations/none/say", {"text": "hi"}, 404),
        ("/api/conversations/none/again", {}, 404),
    ],
)
def test_what_is_not_there_has_its_own_status(
    client: httpx.Client, path: str, body: dict[str, object], status: int
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == status
    assert response.json()["hint"]


def test_saying_nothing_is_refused_and_not_kept(client: httpx.Client) -> None:
    talk = begin(client)
    assert say(client, talk, "  ").status_code == 400
    assert client.get(talk).json()["turns"] == []
