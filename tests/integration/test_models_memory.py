"""What is told of a model's memory, against what the default model takes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wenqu.models.gguf import read_gguf
from wenqu.models.llama_engine import unsuited
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.types import Message

if TYPE_CHECKING:
    from wenqu.models.llama_engine import Engine

MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
CONTEXT = 4096
QUESTION = [Message(role="user", text="Count from 1 to 10.")]


def the_child() -> Path:
    """Return where the kernel tells of the process that runs the model."""
    own = f"PPid:\t{os.getpid()}\n"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if own in (folder / "status").read_text() and MODEL in (folder / "cmdline").read_text():
                return folder
        except OSError:
            continue  # it has ended
    raise AssertionError("no child runs the model")


def bytes_in_use(process: Path) -> int:
    """Return the bytes that cannot be taken from it without harm.

    That is its own memory, and of the model's file the pages that it has read since references
    were cleared.
    """
    kilobytes, of_model, referenced = 0, False, 0
    for line in (process / "smaps").read_text().splitlines():
        match line.split():
            case [name, number, "kB"] if name == "Referenced:":
                referenced = int(number)
            case [name, number, "kB"] if name == "Anonymous:":
                own = int(number)
                kilobytes += max(referenced, own) if of_model else own
            case [place, *_] if "-" in place:
                of_model = line.endswith(".gguf")
    return kilobytes * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("engine", ["llama.cpp", "ik_llama.cpp"])
def test_the_default_model_takes_no_more_memory_than_is_told_and_not_much_less(
    models_dir: Path, engine: Engine
) -> None:
    path = models_dir / MODEL
    if not path.is_file() or (engine == "ik_llama.cpp" and unsuited()):
        pytest.skip("the default chat model or its engine is not here")

    async def run() -> int:
        chat = LlamaCppChat(path, context_tokens=CONTEXT, timeout_s=300, engine=engine)
        try:
            [_ async for _ in chat.stream(QUESTION, 2)]
            child = the_child()
            (child / "clear_refs").write_text("1")
            [_ async for _ in chat.stream(QUESTION, 4)]
            return bytes_in_use(child)
        finally:
            await chat.close()

    taken, told = asyncio.run(run()), read_gguf(path).memory(CONTEXT)
    assert 0.6 * told < taken <= told
