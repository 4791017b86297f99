"""Reads files in a process of their own, so that a file can cost its own error and nothing else.

A parser that crashes, hangs or eats memory takes the child down, never wenqu; the next file gets a
new child. The child imports the readers only, serves many files, and dies with its parent.

Parent and child speak over two pipes: (path, source) one way; a document or an error back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio
import anyio.to_thread

from wenqu.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import IO, Self

    from wenqu.protocols import Reader
    from wenqu.types import Document

__all__ = ["DEFAULT_FACTORY", "ReadingPool", "serve"]

DEFAULT_FACTORY = "wenqu.readers:default_readers"

_START_TIMEOUT_S = 60.0
_FILES_A_WORKER = 2000  # bounds what a leaking parser can hold
_MB = 1 << 20
_PR_SET_PDEATHSIG = 1
_PARENT_CHECK_S = 1.0
_READY = "ready"


class ReadingPool:
    """Reads files in worker processes with limits on size, time and memory.

    Processes start when they are first needed and are used again. Use it as an async context
    manager, or close it.

    Args:
        timeout_s: Seconds that one file may take.
        memory_mb: Memory that reading one file may take, beyond what the process begins with.
        max_file_mb: Files larger than this are refused unopened.
        workers: Files read at once, each in a process of its own.
        factory: ``module:function`` that returns the readers, for the child to import.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 120.0,
        memory_mb: int = 2048,
        max_file_mb: int = 100,
        workers: int = 1,
        factory: str = DEFAULT_FACTORY,
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._max_file_mb = max_file_mb
        self._factory = factory
        self._slots = anyio.Semaphore(workers)
        self._idle: list[_Worker] = []

    async def read(self, path: Path, source: str) -> Document:
        """Read one file; waits while all workers are busy.

        Raises:
            ReadError: The file cannot be read, is too big, or took the worker down or past its
                limits. The pool goes on.
        """
        self._check_size(path, source)
        async with self._slots:
            worker = self._idle.pop() if self._idle else self._start()
            try:
                reply = await anyio.to_thread.run_sync(
                    partial(worker.ask, path, source, self._timeout_s), abandon_on_cancel=True
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

    def _check_size(self, path: Path, source: str) -> None:
        try:
            size = path.stat().st_size
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ReadError("read.access", source=source, reason=reason) from error
        if size > self._max_file_mb * _MB:
            raise ReadError(
                "read.too_big",
                source=source,
                size_mb=round(size / _MB, 1),
                limit_mb=self._max_file_mb,
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
        command = [sys.executable, "-P", "-c", "from wenqu.readers.worker import serve; serve()"]
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

    def ask(self, path: Path, source: str, timeout_s: float) -> Document | ReadError:
        """Let the child read one file. A worker that is ``spent`` after it must not be used again.

        Blocks; call it from a thread.
        """
        try:
            self._wait_until_ready(source)
            self._files += 1
            self._to_child.send((os.fspath(path), source))
            if not self._from_child.poll(timeout_s):
                self.spent = True
                return ReadError("read.timeout", source=source, timeout_s=f"{timeout_s:g}")
            reply = self._from_child.recv()
        except (EOFError, OSError):
            self.spent = True
            return ReadError("read.crashed", source=source, reason=self._end_reason())
        except ReadError as error:
            self.spent = True
            return error
        self.spent = self._files >= _FILES_A_WORKER
        if isinstance(reply, MemoryError):
            self.spent = True
            return ReadError("read.memory", source=source, memory_mb=self._memory_mb)
        return cast("Document | ReadError", reply)

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
                self._from_child.recv() == _READY
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


def serve() -> None:
    """Be the child: read files until the parent closes the pipe. Arguments come by ``sys.argv``."""
    factory, memory_mb, parent, requests, replies = sys.argv[1:]
    _die_with(int(parent))
    _limit(int(memory_mb))
    inbox = Connection(int(requests), writable=False)
    outbox = Connection(int(replies), readable=False)
    readers = _load(factory)
    outbox.send(_READY)
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            path, source = inbox.recv()
            outbox.send(_reply(Path(path), source, readers))


def _load(factory: str) -> Sequence[Reader]:
    from importlib import import_module

    module, _, name = factory.partition(":")
    return cast("Sequence[Reader]", getattr(import_module(module), name)())


def _reply(
    path: Path, source: str, readers: Sequence[Reader]
) -> Document | ReadError | MemoryError:
    from wenqu.readers import read_file

    try:
        document = read_file(path, source, readers)
    except ReadError as error:
        return error
    except MemoryError:
        return MemoryError()
    except Exception as error:  # noqa: BLE001  # the child's outermost loop: a parser's own mistake
        return ReadError("read.crashed", source=source, reason=f"{type(error).__name__}: {error}")
    # A mapping proxy, the default of Document.meta, cannot be sent.
    return replace(document, meta=dict(document.meta))


def _limit(memory_mb: int) -> None:
    """Cap the address space at what is in use now plus the limit, and forbid core files."""
    import resource

    used = 0
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * resource.getpagesize()
    # Not every system can cap the address space; there the time limit still holds.
    with contextlib.suppress(ValueError, OSError):
        limit = used + memory_mb * _MB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(parent: int) -> None:
    """Make sure that this process ends with its parent, also in the middle of a file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was gone before the line above
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)
