"""Reranking with a GGUF cross-encoder on this machine, by llama.cpp in a child process.

The child (``python -m wenqu.models.rerank_llamacpp``) is llama.cpp's own server with its reranking
route, on a Unix socket in a folder that only this user can enter, behind a random key; where there
are no Unix sockets, on a free loopback port. A crash of llama.cpp costs one reranking and not
wenqu. The child ends when its standard input closes: it cannot outlive wenqu.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import ModelError, ModelMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.models.rerank_server import ServerReranker
    from wenqu.types import Hit

__all__ = ["LlamaCppReranker"]

_KEY_VARIABLE = "LLAMACPP_CHILD_KEY"
_READY = "ready "
_TAIL_BYTES = 2000
# A pair must fit in one batch. llama.cpp takes less where the model was trained on less.
_PAIR_TOKENS = 1024
_TEXT_TOKENS = 800
_AT_ONCE = 4
# OpenMP's threads spin while they wait for one another, which slows down what runs beside them.
_WAITING = {"OMP_WAIT_POLICY": "passive"}


class LlamaCppReranker:
    """A ``Reranker`` on a GGUF file; ``load`` starts it, as does the first question.

    One instance belongs to one event loop.

    Args:
        path: The GGUF file, of a model with a ranking head.
        threads: CPU threads; None takes all that this process may use.
        timeout_s: Seconds for loading, and for one answer.
    """

    def __init__(self, path: Path, *, threads: int | None = None, timeout_s: float = 60.0) -> None:
        self._path = path
        self._threads = threads or os.cpu_count() or 1
        self._timeout_s = timeout_s
        self._starting = asyncio.Lock()
        self._child: _Child | None = None

    @property
    def name(self) -> str:
        """The name of its file."""
        return self._path.stem

    async def load(self) -> None:
        """Start the model, so that the first question does not wait for it.

        Raises:
            ModelMissingError: The file is not there.
            ModelError: llama.cpp does not take it.
        """
        await self._ready()

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return the model's score of each hit (a logit), in the hits' order.

        Raises:
            ModelMissingError: The file is not there.
            ModelError: llama.cpp does not take it, ended, or failed.
        """
        child = await self._ready()
        try:
            return await child.client.rerank(question, hits)
        except ModelError:
            if child.process.returncode is not None:
                raise self._broken(child.last_words()) from None
            raise

    async def close(self) -> None:
        """End the child and free its memory."""
        async with self._starting:
            child, self._child = self._child, None
            if child is not None:
                await child.close()

    async def _ready(self) -> _Child:
        async with self._starting:
            if self._child is not None and self._child.process.returncode is not None:
                await self._child.close()
                self._child = None
            if self._child is None:
                self._child = await self._start()
            return self._child

    async def _start(self) -> _Child:
        if not self._path.is_file():
            missing = self._path.name
            raise ModelMissingError("error.reranker_missing", path=self._path, missing=missing)
        folder = Path(tempfile.mkdtemp(prefix="wenqu-"))
        try:
            return await self._spawn(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _spawn(self, folder: Path) -> _Child:
        from wenqu.models.rerank_server import ServerReranker

        key = secrets.token_urlsafe(32)
        sock = folder / "llama.sock" if hasattr(socket, "AF_UNIX") else None
        command = [sys.executable, "-P", "-m", "wenqu.models.rerank_llamacpp"]
        command += ["--model", str(self._path), "--threads", str(self._threads)]
        command += ["--socket", str(sock)] if sock else []
        with (folder / "log.txt").open("wb") as stderr:
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
        child = _Child(process, folder)
        try:
            address = await self._address(child)
        except BaseException:
            await child.close()
            raise
        import httpx

        child.client = ServerReranker(
            base_url=f"{'http://llama.cpp' if sock else address}/v1",
            model=self.name,
            api_key=key,
            timeout_s=self._timeout_s,
            text_tokens=_TEXT_TOKENS,
            transport=httpx.AsyncHTTPTransport(uds=str(sock)) if sock else None,
        )
        return child

    async def _address(self, child: _Child) -> str:
        stdout = child.process.stdout
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                while stdout is not None and (line := await stdout.readline()):
                    text = line.decode("utf-8", "replace").strip()
                    if text.startswith(_READY):
                        return text.removeprefix(_READY)
                await child.process.wait()
                raise self._broken(child.last_words())
        raise self._broken(f"{self._timeout_s:g} s")

    def _broken(self, reason: str) -> ModelError:
        return ModelError("error.reranker_broken", path=self._path, reason=reason)


class _Child:
    """A running child, its folder, and the client that speaks to it."""

    client: ServerReranker

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    def last_words(self) -> str:
        """Return the last line the child wrote, or how it ended."""
        with contextlib.suppress(OSError):
            tail = (self._folder / "log.txt").read_bytes()[-_TAIL_BYTES:]
            if said := [
                line for line in tail.decode("utf-8", "replace").split("\n") if line.strip()
            ]:
                return said[-1].strip()
        return f"exit {self.process.returncode}"

    async def close(self) -> None:
        if hasattr(self, "client"):
            await self.client.close()
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _serve(arguments: Sequence[str]) -> None:
    """Run llama.cpp until standard input closes: what the child process does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args(arguments)
    # llama.cpp writes to file descriptor 1; the parent waits there for one line only.
    says = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    params.hostnames = [given.socket or "127.0.0.1"]
    params.port = 0
    params.api_keys = [os.environ.pop(_KEY_VARIABLE)]
    params.ui = params.endpoint_slots = params.warmup = params.fit_params = False
    params.cors_origins = ""
    params.offline = True
    params.n_parallel = _AT_ONCE
    params.n_ctx = _AT_ONCE * _PAIR_TOKENS
    params.n_batch = params.n_ubatch = _PAIR_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(f"{_READY}{server.listening_address}", file=says, flush=True)
    sys.stdin.buffer.read()
    # wenqu is gone: its folder must not stay; the operating system frees everything else.
    if given.socket:
        shutil.rmtree(Path(given.socket).parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1:])
