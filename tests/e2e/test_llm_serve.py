"""``wenqu llm serve`` as clients meet it: OpenAI's own, LangChain's and LlamaIndex's."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from wenqu.models.llama_engine import unsuited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
KEY = "sk-made"
PROMPT = "Count from 1 to 9, with commas, and nothing else."

TRANSFORMERS = os.environ.get("TEST_TRANSFORMERS_BIN")
"""The ``bin`` folder of an environment with transformers[serving] and torch."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["llama.cpp", "ik_llama.cpp"])
def url(request: pytest.FixtureRequest, models_dir: Path) -> Iterator[str]:
    if not (models_dir / f"{MODEL}.gguf").is_file():
        pytest.skip("the default chat model is not here: `wenqu models pull` fetches it")
    if request.param == "ik_llama.cpp" and (reason := unsuited()) is not None:
        pytest.skip(reason)
    told = {"WENQU_MODELS__DIR": str(models_dir), "LLM_SERVE_KEY": KEY}
    wanted = ("--engine", request.param, "--parallel", "3", "--context", "1024")
    with served(*wanted, **told) as address:
        yield address


@contextmanager
def served(*arguments: str, **told: str) -> Iterator[str]:
    """Run ``wenqu llm serve`` until the block ends; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "wenqu", "llm", "serve", "--port", str(port), *arguments]
    own = {name: value for name, value in os.environ.items() if not name.startswith("WENQU_")}
    with subprocess.Popen(command, env={**own, **told}) as process:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/health", process)
        yield f"{address}/v1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health", trust_env=False)


def free_port() -> int:
    """A port below those that systems hand out by themselves, so that nobody is given it."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    pytest.fail("no port is free")


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            if httpx.get(address, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail("it was not ready in time")


def test_openais_client_asks_streams_completes_and_lists(url: str) -> None:
    with openai.OpenAI(base_url=url, api_key=KEY, timeout=120) as client:
        assert MODEL in [model.id for model in client.models.list()]
        asked = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=8,
            temperature=0,
        )
        said = asked.choices[0].message.content
        assert said is not None
        assert said.startswith("1")
        assert asked.usage is not None
        assert asked.usage.completion_tokens > 0
        pieces = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=8,
            temperature=0,
            stream=True,
        )
        streamed = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
        assert "".join(streamed) == said
        assert len(streamed) > 2
        completed = client.completions.create(
            model=MODEL, prompt="1, 2, 3,", max_tokens=4, temperature=0
        )
        assert "4" in completed.choices[0].text


def test_langchain_asks_and_streams(url: str) -> None:
    chat = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_tokens=8, temperature=0)  # type: ignore[arg-type,call-arg]
    assert str(chat.invoke(PROMPT).content).startswith("1")
    assert len([piece for piece in chat.stream(PROMPT) if piece.content]) > 2


def test_llamaindex_asks_and_streams(url: str) -> None:
    chat = OpenAILike(
        model=MODEL, api_base=url, api_key=KEY, is_chat_model=True, max_tokens=8, temperature=0
    )
    message = ChatMessage(role="user", content=PROMPT)
    assert str(chat.chat([message]).message.content).startswith("1")
    assert len([piece for piece in chat.stream_chat([message]) if piece.delta]) > 2


def test_several_are_answered_at_a_time(url: str) -> None:
    async def run() -> list[list[float]]:
        async with openai.AsyncOpenAI(base_url=url, api_key=KEY, timeout=240) as client:

            async def ask(number: int) -> list[float]:
                pieces = await client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": f"Count from {number} to 100."}],
                    max_tokens=60,  # enough that the last to come begins before the first ends
                    stream=True,
                )
                return [time.monotonic() async for piece in pieces if piece.choices]

            return await asyncio.gather(*(ask(number) for number in range(3)))

    times = asyncio.run(run())
    # Each began before any other had ended: they were written side by side.
    assert max(one[0] for one in times) < min(one[-1] for one in times)


def test_without_the_key_nothing_is_answered(url: str) -> None:
    with (
        openai.OpenAI(base_url=url, api_key="sk-other", timeout=30) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hi"}], max_tokens=1
        )


@pytest.mark.skipif(
    TRANSFORMERS is None, reason="set TEST_TRANSFORMERS_BIN to a bin folder with transformers"
)
def test_a_tiny_model_is_served_by_transformers(tmp_path: Path) -> None:
    bin_folder, model = str(TRANSFORMERS), tmp_path / "tiny"
    writer = Path(__file__).with_name("tiny_transformer.py")
    subprocess.run([f"{bin_folder}/python", writer, model], check=True)  # ours
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    with (
        served(str(model), "--backend", "transformers", PATH=path) as url,
        openai.OpenAI(base_url=url, api_key="none", timeout=60) as client,
    ):
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
        name = str(model)
        whole = client.chat.completions.create(model=name, messages=messages, max_tokens=5)
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 5
        pieces = client.chat.completions.create(
            model=name, messages=messages, max_tokens=5, stream=True
        )
        assert [piece for piece in pieces if piece.choices and piece.choices[0].delta.content]
        assert client.models.list()
