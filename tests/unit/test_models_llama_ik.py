"""The child of ik_llama.cpp, as far as it goes without a model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from wenqu.models.llama_ik import IkError, _shared, open_model
from wenqu.models.llama_ik_child import build

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.models.llama_ik import IkModel

NO_MODEL = cast("IkModel", None)


def answer(body: Any, key: str = "right") -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(build(NO_MODEL, "right"))
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://child") as client:
            return await client.post("/v1/chat/completions", json=body, headers=headers)

    return asyncio.run(run())


@pytest.mark.parametrize("key", ["", "wrong", "rightx"])
def test_without_the_key_nothing_is_answered(key: str) -> None:
    assert answer({"messages": [{"role": "user", "content": "?"}]}, key).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"messages": None},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "tool", "content": "?"}]},
        {"messages": [{"role": "user", "content": ["?"]}]},
        {"messages": [{"role": "user", "content": "?"}], "max_tokens": "many"},
    ],
)
def test_what_is_no_request_is_refused(body: Any) -> None:
    response = answer(body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [([], [1], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 4, 3], 1), ([5], [6], 0)],
)
def test_the_common_beginning_of_two_prompts(one: list[int], other: list[int], length: int) -> None:
    assert _shared(one, other) == _shared(other, one) == length


def test_another_version_of_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99")
    with pytest.raises(IkError, match="99"):
        open_model(tmp_path / "model.gguf", context=64, threads=1)
