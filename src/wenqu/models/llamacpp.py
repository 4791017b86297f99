"""Chat with a GGUF file on this machine, by llama.cpp in a child process.

The child (``python -m wenqu.models.llamacpp``) runs llama.cpp's own server on a Unix socket in a
folder that only this user can enter, behind a random key; where there are no Unix sockets it takes
a free loopback port. wenqu speaks to it as to any OpenAI-compatible server. So a crash of
llama.cpp costs one answer and not wenqu; stopping an answer is closing a connection; and closing
the model gives all its memory back. The child ends when its standard input closes: it cannot
outlive wenqu, however wenqu ends.

Where ``llama_engine`` found ik_llama.cpp to read prompts faster, the child is
``wenqu.models.llama_ik_child``; should that one fail, llama.cpp takes its place.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import ChatError, ModelMissingError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from wenqu.models.llama_engine import Engine
    from wenqu.models.openai import OpenAIChat
    from wenqu.types import Message, Usage

__all__ = ["LlamaCppChat"]

_log = logging.getLogger(__name__)

_KEY_VARIABLE = "LLAMACPP_CHILD_KEY"
_READY = "ready "
_MODULES: Mapping[Engine, str] = {
    "llama.cpp": "wenqu.models.llamacpp",
    "ik_llama.cpp": "wenqu.models.llama_ik_child",
}
_TAIL_BYTES = 2000
_ENDING_S = 0.5
# A request is dropped between batches only: at 30 prompt tokens a second, batches of 64 let a
# closed answer free the model within about 2 s, where llama.cpp's 2048 took 45 s on a busy
# machine. Prompt speed was the same.
_BATCH_TOKENS = 64
# States of earlier prompts kept in memory: the fixed prefixes of both languages come back at once.
_PROMPT_CACHE_MIB = 256
_SEED = 7
# OpenMP's threads spin while they wait for one another. Where something else runs beside them
# (an ingest, a browser) that cost 0.5 to 2 tokens a second instead of 4.
_WAITING = {"OMP_WAIT_POLICY": "passive"}


class LlamaCppChat:
    """A ``ChatModel`` on a GGUF file; nothing is loaded before the first ``stream`` or ``warm``.

    One instance belongs to one event loop. Questions are answered one after another: on a CPU two
    at once would make both wait longer for their first word.

    Args:
        path: The GGUF file.
        name: What an answer calls the model.
        threads: CPU threads; None takes all that this process may use.
        context_tokens: Longest prompt and reply together.
        evidence_tokens: Tokens of evidence that the model reads in good time.
        timeout_s: Seconds without a piece of the answer, or of loading, that count as failed.
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
        evidence_tokens: int = 450,
        timeout_s: float = 120.0,
        engine: Engine | None = None,
        prompts: Path | None = None,
    ) -> None:
        self._path = path
        self._name = name or path.stem
        self._threads = threads or _usable_cpus()
        self._context_tokens = context_tokens
        self._evidence_tokens = evidence_tokens
        self._timeout_s = timeout_s
        self._engine = engine
        self._prompts = prompts
        self._starting = asyncio.Lock()
        self._child: _Child | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time."""
        return self._evidence_tokens

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
        child = await self._ready()
        try:
            reply = child.chat.stream(messages, max_tokens, on_usage=on_usage)
            async with contextlib.aclosing(reply) as pieces:
                async for piece in pieces:
                    yield piece
        except ChatError:
            if await child.has_ended():
                self._engine = "llama.cpp"  # whatever it was, this one is known not to do that
                raise ChatError("error.llamacpp_ended", reason=child.last_words()) from None
            raise

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Load the model and read the beginning of prompts, so that the first answer comes sooner.

        ik_llama.cpp keeps what it read in the folder of prompts, and takes it from there.

        Raises:
            ModelMissingError: The file is not there.
            ChatError: llama.cpp cannot be started.
        """
        child = await self._ready()
        if messages:
            async with contextlib.aclosing(child.warmer.stream(messages, 1)) as pieces:
                async for _ in pieces:
                    pass

    async def close(self) -> None:
        """End the child and free its memory."""
        async with self._starting:
            child, self._child = self._child, None
            if child is not None:
                await child.close()

    async def _ready(self) -> _Child:
        async with self._starting:
            if self._child is not None and self._child.ended:
                await self._child.close()
                self._child = None
            if self._child is None:
                self._child = await self._start()
            return self._child

    async def _start(self) -> _Child:
        if not self._path.is_file():
            raise ModelMissingError("error.llamacpp_missing", path=self._path)
        if self.engine != "llama.cpp":
            try:
                return await self._start_on(self.engine)
            except ChatError as error:
                _log.warning("%s cannot be used: %s", self.engine, error)
            self._engine = "llama.cpp"
        return await self._start_on("llama.cpp")

    async def _start_on(self, engine: Engine) -> _Child:
        folder = Path(tempfile.mkdtemp(prefix="wenqu-"))
        try:
            return await self._spawn(folder, engine)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _spawn(self, folder: Path, engine: Engine) -> _Child:
        key = secrets.token_urlsafe(32)
        sock = folder / "llama.sock" if hasattr(socket, "AF_UNIX") else None
        log = folder / "log.txt"
        command = [sys.executable, "-P", "-m", _MODULES[engine], "--model", str(self._path)]
        command += ["--context", str(self._context_tokens), "--threads", str(self._threads)]
        command += ["--socket", str(sock)] if sock else []
        if engine == "ik_llama.cpp" and self._prompts is not None:
            command += ["--prompts", str(self._prompts)]
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                # The key travels in the environment: other users can read a command line.
                env={**_WAITING, **os.environ, _KEY_VARIABLE: key},
                # Ctrl-C in a terminal goes to the whole group; the child ends when wenqu does.
                start_new_session=True,
            )
        child = _Child(process, folder, log)
        try:
            address = await self._address(child)
        except BaseException:
            await child.close()
            raise
        child.chat = self._client(address, key, sock)
        warm = {"warm": True} if engine == "ik_llama.cpp" else {}
        child.warmer = self._client(address, key, sock, **warm)
        return child

    async def _address(self, child: _Child) -> str:
        stdout = child.process.stdout
        if stdout is None:  # pragma: no cover - asked for above
            raise ChatError("error.llamacpp_start", path=self._path, reason="no output")
        try:
            async with asyncio.timeout(self._timeout_s):
                while line := await stdout.readline():
                    text = line.decode("utf-8", "replace").strip()
                    if text.startswith(_READY):
                        return text.removeprefix(_READY)
        except TimeoutError:
            raise ChatError(
                "error.llamacpp_start", path=self._path, reason=f"{self._timeout_s:g} s"
            ) from None
        await child.process.wait()
        raise ChatError("error.llamacpp_start", path=self._path, reason=child.last_words())

    def _client(self, address: str, key: str, sock: Path | None, **extra: bool) -> OpenAIChat:
        import httpx

        from wenqu.models.openai import OpenAIChat, Patience

        return OpenAIChat(
            base_url=f"{'http://llama.cpp' if sock else address}/v1",
            model=self._name,
            api_key=key,
            patience=Patience(first_s=self._timeout_s, next_s=self._timeout_s, retries=0),
            evidence_tokens=self._evidence_tokens,
            extra={"cache_prompt": True, "seed": _SEED, **extra},
            transport=httpx.AsyncHTTPTransport(uds=str(sock)) if sock else None,
        )


class _Child:
    """A running child, its folder, and the client that speaks to it."""

    chat: OpenAIChat
    warmer: OpenAIChat

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, log: Path) -> None:
        self.process = process
        self._folder = folder
        self._log = log

    @property
    def ended(self) -> bool:
        return self.process.returncode is not None

    async def has_ended(self) -> bool:
        """Say whether it ended; the news of a crash comes a moment after the broken connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                await self.process.wait()
        return self.ended

    def last_words(self) -> str:
        """Return the last line the child wrote, or how it ended."""
        with contextlib.suppress(OSError):
            lines = self._log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").split("\n")
            if said := [line.strip() for line in lines if line.strip()]:
                return said[-1]
        code = self.process.returncode
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit {code}"

    async def close(self) -> None:
        if hasattr(self, "chat"):
            await self.chat.close()
        if hasattr(self, "warmer"):
            await self.warmer.close()
        if not self.ended:
            # It holds nothing that must be saved, and a busy llama.cpp would take seconds to end.
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows: no affinity to respect


def _serve(arguments: Sequence[str]) -> None:
    """Run llama.cpp until standard input closes: what the child process does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket")
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args(arguments)
    # llama.cpp writes to file descriptor 1; the parent waits there for one line only.
    says = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.hostnames = [given.socket or "127.0.0.1"]
    params.port = 0
    params.api_keys = [os.environ.pop(_KEY_VARIABLE)]
    params.ui = params.endpoint_slots = params.warmup = params.fit_params = False
    params.cors_origins = ""
    params.offline = True
    params.n_ctx = given.context
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(f"{_READY}{server.listening_address}", file=says, flush=True)
    sys.stdin.buffer.read()
    # wenqu is gone. Its folder must not stay, but llama.cpp needs no clean-up: that would wait for
    # the answer in work, and the operating system frees everything.
    if given.socket:
        shutil.rmtree(Path(given.socket).parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1:])
