"""Chat with a GGUF file on this machine, by llama.cpp in a child process.

The child (``python -m wenqu.models.llamacpp``; see ``child``) runs llama.cpp's own server. wenqu
speaks to it as to any OpenAI-compatible server.

Where ``llama_engine`` found ik_llama.cpp to read prompts faster, the child is
``wenqu.models.llama_ik_child``; should that one fail, llama.cpp takes its place.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.errors import ChatError, ModelMissingError
from wenqu.models.child import Parent
from wenqu.models.llama_set_up import parameters, serve_parent
from wenqu.models.memory import cores

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from wenqu.models.child import Child
    from wenqu.models.llama_engine import Engine
    from wenqu.models.openai import OpenAIChat
    from wenqu.types import Message, Usage

__all__ = ["LlamaCppChat"]

_log = logging.getLogger(__name__)

_MODULES: Mapping[Engine, str] = {
    "llama.cpp": "wenqu.models.llamacpp",
    "ik_llama.cpp": "wenqu.models.llama_ik_child",
}
# A request is dropped between batches only: at 30 prompt tokens a second, batches of 64 let a
# closed answer free the model within about 2 s, where llama.cpp's 2048 took 45 s on a busy
# machine. Prompt speed was the same.
_BATCH_TOKENS = 64
# States of earlier prompts kept in memory: the fixed prefixes of both languages come back at once.
_PROMPT_CACHE_MIB = 256
_SEED = 7
_EVIDENCE_TOKENS = 450


class LlamaCppChat:
    """A ``ChatModel`` on a GGUF file; nothing is loaded before the first ``stream`` or ``warm``.

    One instance belongs to one event loop. llama.cpp answers one question after another: two at
    once would make both wait longer for their first word. ik_llama.cpp answers ``slots`` at a time.

    Args:
        path: The GGUF file.
        name: What an answer calls the model.
        threads: CPU threads; None takes all that this process may use.
        context_tokens: Longest prompt and reply together.
        timeout_s: Seconds without a piece of the answer, or of loading, that count as failed.
        slots: Answers written at a time by ik_llama.cpp.
        engine: What runs the model; None takes what ``wenqu models tune`` found best here.
        prompts: A folder for beginnings of prompts that were read (see ``warm``), so that another
            process need not read them again; None keeps none.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        threads: int | None = None,
        context_tokens: int = 4096,
        timeout_s: float = 120.0,
        slots: int = 1,
        engine: Engine | None = None,
        prompts: Path | None = None,
    ) -> None:
        self._path = path
        self._name = name or path.stem
        self._threads = threads or cores()
        self._context_tokens = context_tokens
        self._timeout_s = timeout_s
        self._slots = slots
        self._engine = engine
        self._prompts = prompts
        self._starting = asyncio.Lock()
        self._running: _Running | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time."""
        return _EVIDENCE_TOKENS

    @property
    def engine(self) -> Engine:
        """What runs the model, or would if it were asked now."""
        if self._engine is None:
            from wenqu.models.llama_engine import chosen

            self._engine = chosen(self._path)
        return self._engine

    async def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncGenerator[str]:
        """Yield the reply in pieces; closing the iterator stops the model and frees it.

        Raises:
            ModelMissingError: The file is not there.
            ChatError: llama.cpp cannot be started, ended, or failed; the next call starts it anew.
        """
        running = await self._ready()
        try:
            reply = running.chat.stream(messages, max_tokens, on_usage=on_usage)
            async with contextlib.aclosing(reply) as pieces:
                async for piece in pieces:
                    yield piece
        except ChatError:
            if await running.child.has_ended():
                self._engine = "llama.cpp"  # whatever it was, this one is known not to do that
                raise ChatError("error.llamacpp_ended", reason=running.child.last_words()) from None
            raise

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Load the model and read the beginning of prompts, so that the first answer comes sooner.

        ik_llama.cpp keeps what it read in the folder of prompts, and takes it from there.

        Raises:
            ModelMissingError: The file is not there.
            ChatError: llama.cpp cannot be started.
        """
        running = await self._ready()
        if messages:
            async with contextlib.aclosing(running.warmer.stream(messages, 1)) as pieces:
                async for _ in pieces:
                    pass

    async def close(self) -> None:
        """End the child and free its memory."""
        async with self._starting:
            running, self._running = self._running, None
            if running is not None:
                await running.close()

    async def _ready(self) -> _Running:
        async with self._starting:
            if self._running is not None and self._running.child.ended:
                await self._running.close()
                self._running = None
            if self._running is None:
                self._running = await self._start()
            return self._running

    async def _start(self) -> _Running:
        if not self._path.is_file():
            raise ModelMissingError("error.llamacpp_missing", path=self._path)
        if self.engine != "llama.cpp":
            try:
                return await self._start_on(self.engine)
            except ChatError as error:
                _log.warning("%s cannot be used: %s", self.engine, error)
            self._engine = "llama.cpp"
        return await self._start_on("llama.cpp")

    async def _start_on(self, engine: Engine) -> _Running:
        from wenqu.models.child import Child, ChildError

        arguments = ["--model", str(self._path), "--threads", str(self._threads)]
        arguments += ["--context", str(self._context_tokens)]
        if engine == "ik_llama.cpp":
            arguments += ["--slots", str(self._slots)]
            arguments += ["--prompts", str(self._prompts)] if self._prompts is not None else []
        try:
            child = await Child.start(_MODULES[engine], arguments, timeout_s=self._timeout_s)
        except ChildError as error:
            reason = str(error)
            raise ChatError("error.llamacpp_start", path=self._path, reason=reason) from None
        warm = {"warm": True} if engine == "ik_llama.cpp" else {}
        return _Running(child, self._client(child), self._client(child, **warm))

    def _client(self, child: Child, **extra: bool) -> OpenAIChat:
        from wenqu.models.openai import OpenAIChat, Patience

        return OpenAIChat(
            base_url=child.url,
            model=self._name,
            api_key=child.key,
            patience=Patience(first_s=self._timeout_s, next_s=self._timeout_s, retries=0),
            evidence_tokens=_EVIDENCE_TOKENS,
            extra={"cache_prompt": True, "seed": _SEED, **extra},
            transport=child.transport(),
        )


@dataclass(frozen=True, slots=True)
class _Running:
    """A child, the client that asks it, and the one that lets it read what is to come."""

    child: Child
    chat: OpenAIChat
    warmer: OpenAIChat

    async def close(self) -> None:
        await self.chat.close()
        await self.warmer.close()
        await self.child.close()


def _serve(arguments: Sequence[str]) -> None:
    """Run llama.cpp until standard input closes: what the child process does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket")
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args(arguments)
    parent = Parent(given.socket)

    params = parameters(given.model, threads=given.threads, batch=_BATCH_TOKENS)
    params.n_ctx = given.context
    params.n_parallel = 1
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    serve_parent(params, given.socket, parent)


if __name__ == "__main__":
    _serve(sys.argv[1:])
