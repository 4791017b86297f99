"""Reads files in a process of their own, so that a file can cost its own error and nothing else.

A parser that crashes, hangs or eats memory takes the child down, never wenqu; the next file gets a
new child. The child imports the readers only, serves many files, and dies with its parent.

Parent and child speak JSON over two pipes (see ``wire``); ``child`` is the other side.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS, MissedFile, SourceFile
from wenqu.readers.wire import ALIVE, OUT_OF_MEMORY, READY, Request, reply_of
from wenqu.types import Document

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import IO, Self

    from wenqu.protocols import ReadOptions
    from wenqu.readers.unpack import Member

__all__ = ["DEFAULT_FACTORY", "ReadingPool"]

DEFAULT_FACTORY = "wenqu.readers:default_readers"

_START_TIMEOUT_S = 60.0
_FILES_A_WORKER = 2000  # bounds what a leaking parser can hold
_MB = 1 << 20


class ReadingPool:
    """Reads files in worker processes with limits on size, time and memory.

    Processes start when they are first needed and are used again. Use it as an async context
    manager, or close it.

    Args:
        timeout_s: Seconds that one file may take, or one part of it where its reader reports them.
        total_timeout_s: Seconds that one file may take with all its parts.
        memory_mb: Memory that reading one file may take, beyond what the process begins with.
        max_file_mb: Files larger than this are refused unopened.
        workers: Files read at once, each in a process of its own.
        options: How files are to be read.
        factory: ``module:function`` that returns the readers, for the child to import.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 120.0,
        total_timeout_s: float = 1800.0,
        memory_mb: int = 2048,
        max_file_mb: int = 100,
        workers: int = 1,
        options: ReadOptions = DEFAULT_OPTIONS,
        factory: str = DEFAULT_FACTORY,
    ) -> None:
        self._limits_s = (timeout_s, total_timeout_s)
        self._memory_mb = memory_mb
        self._max_file_mb = max_file_mb
        self._options = options
        self._factory = factory
        self._slots = anyio.Semaphore(workers)
        self._idle: list[_Worker] = []

    async def read(self, path: Path, source: str) -> Document:
        """Read one file; waits while all workers are busy.

        Raises:
            ReadError: The file cannot be read, is too big, or took the worker down or past its
                limits; ``read.archive`` where it is an archive, to be unpacked. The pool goes on.
        """
        self._check_size(path, source, self._max_file_mb)
        reply = await self._asked(Request(path=path, source=source, options=self._options))
        if not isinstance(reply, Document):
            raise _not_understood(source)
        return reply

    async def unpack(self, path: Path, source: str, into: Path) -> list[SourceFile | MissedFile]:
        """Write the members of an archive into an empty folder; return them in its order.

        A member's source is that of the archive, a slash, and its own name.

        Raises:
            ReadError: It is damaged, too big, or holds more than allowed. The pool goes on.
        """
        self._check_size(path, source, self._options.max_unpacked_mb)
        request = Request(path=path, source=source, options=self._options, into=into)
        reply = await self._asked(request)
        if isinstance(reply, Document):
            raise _not_understood(source)
        return [_file(source, member) for member in reply]

    async def _asked(self, request: Request) -> Document | list[Member]:
        async with self._slots:
            worker = self._idle.pop() if self._idle else self._start()
            try:
                reply = await anyio.to_thread.run_sync(
                    partial(worker.ask, request, self._limits_s), abandon_on_cancel=True
                )
            except BaseException:
                # Also a cancellation: the thread that waits is freed by the pipe's end.
                worker.kill()
                raise
            if worker.spent:
                worker.kill()
            else:
                self._idle.append(worker)
        if isinstance(reply, ReadError):
            raise reply
        return reply

    async def close(self) -> None:
        """End the worker processes."""
        while self._idle:
            self._idle.pop().kill()

    async def __aenter__(self) -> Self:
        """Return the pool."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        await self.close()

    def _check_size(self, path: Path, source: str, limit_mb: int) -> None:
        try:
            size = path.stat().st_size
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ReadError("read.access", source=source, reason=reason) from error
        if size > limit_mb * _MB:
            raise ReadError(
                "read.too_big",
                source=source,
                size_mb=round(size / _MB, 1),
                limit_mb=limit_mb,
            )

    def _start(self) -> _Worker:
        # On the event loop's own thread, which lives as long as the pool: Linux kills a child when
        # the thread that started it ends.
        return _Worker(self._factory, self._memory_mb)


class _Worker:
    """The parent's side of one child process."""

    def __init__(self, factory: str, memory_mb: int) -> None:
        from_parent, to_child = os.pipe()
        from_child, to_parent = os.pipe()
        self._memory_mb = memory_mb
        self._files = 0
        self._ready = False
        self._complaint: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        command = [sys.executable, "-P", "-c", "from wenqu.readers.child import serve; serve()"]
        arguments = [factory, str(memory_mb), str(os.getpid()), str(from_parent), str(to_parent)]
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command + arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaint,
                pass_fds=(from_parent, to_parent),
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            os.close(from_parent)
            os.close(to_parent)
        self._to_child = Connection(to_child, readable=False)
        self._from_child = Connection(from_child, writable=False)
        self.spent = False

    def ask(
        self, request: Request, limits_s: tuple[float, float]
    ) -> Document | list[Member] | ReadError:
        """Let the child do one thing. A worker that is ``spent`` after it must not be used again.

        Blocks; call it from a thread.
        """
        source = request.source
        try:
            self._wait_until_ready(source)
            self._files += 1
            self._to_child.send_bytes(request.to_bytes())
            data = self._answer(source, limits_s)
            self.spent = self._files >= _FILES_A_WORKER
            if data != OUT_OF_MEMORY:
                return reply_of(data)
            self.spent = True
            return ReadError("read.memory", source=source, memory_mb=self._memory_mb)
        except ReadError as error:
            self.spent = True
            return error
        except (EOFError, OSError):
            self.spent = True
            return ReadError("read.crashed", source=source, reason=self._end_reason())
        except (ValueError, KeyError, TypeError):
            self.spent = True
            return _not_understood(source)

    def _answer(self, source: str, limits_s: tuple[float, float]) -> bytes:
        part_s, total_s = limits_s
        end = time.monotonic() + total_s
        while True:
            left_s = min(part_s, end - time.monotonic())
            if left_s <= 0 or not self._from_child.poll(left_s):
                limit = part_s if left_s == part_s else total_s
                raise ReadError("read.timeout", source=source, timeout_s=f"{limit:g}")
            data = self._from_child.recv_bytes()
            if data != ALIVE:
                return data

    def kill(self) -> None:
        """End the child, whatever it does, and free what was held for it."""
        self._process.kill()
        self._process.wait()
        for part in (self._to_child, self._from_child, self._complaint):
            with contextlib.suppress(OSError):
                part.close()

    def _wait_until_ready(self, source: str) -> None:
        """Wait for a new child's sign: starting up does not count as reading."""
        if self._ready:
            return
        try:
            self._ready = self._from_child.poll(_START_TIMEOUT_S) and (
                self._from_child.recv_bytes() == READY
            )
        except (EOFError, OSError):
            self._ready = False
        if not self._ready:
            self._complaint.seek(0)
            lines = self._complaint.read().decode(errors="replace").strip().splitlines()
            raise ReadError("read.worker", source=source, reason=lines[-1] if lines else "timeout")

    def _end_reason(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "no answer"
        if code < 0:
            with contextlib.suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit {code}"


def _file(source: str, member: Member) -> SourceFile | MissedFile:
    named = f"{source}/{member.name}"
    if member.path is None:
        error = member.error or ReadError("read.damaged", source=named, reason="?")
        return MissedFile(source=named, error=error)
    return SourceFile(path=member.path, source=named)


def _not_understood(source: str) -> ReadError:
    return ReadError("read.crashed", source=source, reason="the worker's reply makes no sense")
