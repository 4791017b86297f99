"""The choice of the engine for a local chat model."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from wenqu.models.llama_engine import Verdict, chosen, tune, verdict
from wenqu.testing.chat import ScriptedChat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.models.llama_engine import Engine
    from wenqu.types import Message


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def last_line(messages: Sequence[Message]) -> str:
    return messages[-1].text.splitlines()[-1]


def tuned(
    model: Path, stock: ScriptedChat, fast: ScriptedChat, unsuited: str | None = None
) -> Verdict:
    chats: dict[Engine, ScriptedChat] = {"llama.cpp": stock, "ik_llama.cpp": fast}
    return asyncio.run(tune(model, chats.__getitem__, objection=unsuited))


def slow() -> ScriptedChat:
    # Slower than the other by more than a busy machine delays what should take no time.
    return ScriptedChat(last_line, piece_characters=30, delay_s=0.1)


def quick() -> ScriptedChat:
    return ScriptedChat(last_line, piece_characters=30)


def test_without_a_verdict_llama_cpp_runs_the_model(model: Path) -> None:
    assert verdict(model) is None
    assert chosen(model) == "llama.cpp"


def test_the_faster_engine_is_chosen_when_it_says_the_same(model: Path) -> None:
    stock, fast = slow(), quick()
    found = tuned(model, stock, fast)
    assert (found.engine, found.reason) == ("ik_llama.cpp", None)
    assert found.prompt_ratio is not None
    assert found.prompt_ratio > 1.2
    assert verdict(model) == found
    assert chosen(model) == "ik_llama.cpp"
    assert stock.closed
    assert fast.closed


def test_both_are_asked_the_same_in_both_languages(model: Path) -> None:
    stock, fast = slow(), quick()
    tuned(model, stock, fast)
    assert stock.prompts == fast.prompts
    asked = "".join(messages[-1].text for messages in stock.prompts)
    assert "仓库" in asked
    assert "Shelf" in asked


def test_an_engine_that_says_something_else_is_not_chosen(model: Path) -> None:
    found = tuned(model, slow(), ScriptedChat("Shelf 15 holds many books."))
    assert found.engine == "llama.cpp"
    assert found.reason is not None
    assert "Shelf 15 holds many books" in found.reason
    assert chosen(model) == "llama.cpp"


def test_an_engine_that_is_not_faster_is_not_chosen(model: Path) -> None:
    found = tuned(model, quick(), slow())
    assert found.engine == "llama.cpp"
    assert found.reason is not None
    assert found.reason.startswith("first word")


def test_an_engine_that_fails_is_not_chosen_and_the_other_not_asked(model: Path) -> None:
    stock = slow()
    found = tuned(model, stock, ScriptedChat(last_line, fail_after=2))
    assert found.engine == "llama.cpp"
    assert found.trials["ik_llama.cpp"].failure == found.reason
    assert stock.prompts == []


def test_a_machine_that_cannot_run_it_asks_neither(model: Path) -> None:
    stock, fast = slow(), quick()
    found = tuned(model, stock, fast, unsuited="CPU: avx2")
    assert (found.engine, found.reason) == ("llama.cpp", "CPU: avx2")
    assert stock.prompts == fast.prompts == []
    assert verdict(model) == found


def test_a_verdict_on_another_file_does_not_hold(model: Path) -> None:
    tuned(model, slow(), quick())
    os.utime(model, ns=(1, 1))
    assert verdict(model) is None
    assert chosen(model) == "llama.cpp"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"trials": {"a": {"b": 1}}}', '{"trials": []}'])
def test_a_broken_verdict_counts_as_none(model: Path, text: str) -> None:
    model.with_name("model.gguf.engine.json").write_text(text, "utf-8")
    assert chosen(model) == "llama.cpp"
