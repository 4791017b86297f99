"""A model's library in a process of its own, behind a socket and a key: both ends of that.

The socket lies in a folder that only this user can enter; where there are no Unix sockets the child
takes a free loopback port. So a crash of the library costs one answer and not wenqu; stopping an
answer is closing a connection; and ending the child gives all its memory back. It ends when its
standard input closes: it cannot outlive wenqu, however wenqu ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    import httpx

__all__ = ["KEY_VARIABLE", "READY", "WAITING", "Child", "ChildError", "Parent"]

KEY_VARIABLE = "LLAMACPP_CHILD_KEY"
READY = "ready "
# OpenMP's threads spin while they wait for one another. Where something else runs beside them
# (an ingest, a browser) that cost 0.5 to 2 tokens a second instead of 4.
WAITING = {"OMP_WAIT_POLICY": "passive"}
_TAIL_BYTES = 2000
_ENDING_S = 0.5


class ChildError(Exception):
    """A child could not be started; its text says why."""


class Child:
    """A child that runs: ``url`` and ``transport`` lead to it, ``key`` opens it."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, key: str) -> None:
        self.process = process
        self.key = key
        self.url = ""
        self._folder = folder

    @classmethod
    async def start(cls, module: str, arguments: Sequence[str], *, timeout_s: float) -> Child:
        """Run ``python -m module arguments`` and wait until it is ready.

        Raises:
            ChildError: It ended, or was not ready in time.
        """
        folder, key = Path(tempfile.mkdtemp(prefix="wenqu-")), secrets.token_urlsafe(32)
        try:
            command = [sys.executable, "-P", "-m", module, *arguments]
            command += ["--socket", str(_socket(folder))] if hasattr(socket, "AF_UNIX") else []
            with _log(folder).open("wb") as stderr:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stderr,
                    # The key travels in the environment: other users can read a command line.
                    env={**WAITING, **os.environ, KEY_VARIABLE: key},
                    # Ctrl-C in a terminal goes to the whole group; the child ends when wenqu does.
                    start_new_session=True,
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        child = cls(process, folder, key)
        try:
            await child._await_ready(timeout_s)
        except BaseException:
            await child.close()
            raise
        return child

    def transport(self) -> httpx.AsyncHTTPTransport | None:
        """Return the way to it, or None for the network's."""
        import httpx

        there = _socket(self._folder)
        # A connection kept may be closed by the child just as the next request goes out on it.
        once = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(uds=str(there), limits=once) if there.exists() else None

    @property
    def ended(self) -> bool:
        """Whether it has ended, as far as is known."""
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
            tail = _log(self._folder).read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
            if said := [line.strip() for line in tail.split("\n") if line.strip()]:
                return said[-1]
        code = self.process.returncode
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit {code}"

    async def close(self) -> None:
        """End it and remove its folder."""
        if not self.ended:
            # It holds nothing that must be saved, and a busy library would take seconds to end.
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _await_ready(self, timeout_s: float) -> None:
        stdout = self.process.stdout
        try:
            async with asyncio.timeout(timeout_s):
                while stdout is not None and (line := await stdout.readline()):
                    text = line.decode("utf-8", "replace").strip()
                    if text.startswith(READY):
                        said = text.removeprefix(READY)
                        self.url = f"{said if said.startswith('http') else 'http://child'}/v1"
                        return
                await self.process.wait()
        except TimeoutError:
            raise ChildError(f"{timeout_s:g} s") from None
        raise ChildError(self.last_words())


class Parent:
    """What a child knows of the process that started it; made before a library is loaded.

    Libraries write to file descriptor 1, where the parent waits for one line only: they get
    descriptor 2 in its place.
    """

    def __init__(self, given_socket: str | None) -> None:
        self.key = os.environ.pop(KEY_VARIABLE)
        self._socket = given_socket
        self._says = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def ready(self, address: str) -> None:
        """Tell that requests are taken: at the socket, or at a URL."""
        print(f"{READY}{address}", file=self._says, flush=True)

    def end_with(self) -> NoReturn:
        """Wait until the parent is gone, and end.

        Its folder must not stay. The library needs no clean-up: that would wait for the answer in
        work, and the operating system frees everything.
        """
        sys.stdin.buffer.read()
        if self._socket:
            shutil.rmtree(Path(self._socket).parent, ignore_errors=True)
        os._exit(0)


def _socket(folder: Path) -> Path:
    return folder / "llama.sock"


def _log(folder: Path) -> Path:
    return folder / "log.txt"
