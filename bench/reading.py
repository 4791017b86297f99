"""Who reads in bench/readers.py: wenqu's pool, and other readers in their own interpreters."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, Self

from machine import MemoryWatch, process_tree, resident_mb
from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.worker import ReadingPool
from wenqu.testing.docfiles import everything

if TYPE_CHECKING:
    from wenqu.testing.docfiles import DocFile

TIMEOUT_S = 120.0
SAMPLE_S = 0.05
LINE_BYTES = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of reading a file once: a text, or an error's key and words."""

    text: str | None = None
    key: str = ""
    message: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


class Contender(Protocol):
    """A program that reads files."""

    name: str

    async def read(self, file: DocFile, password: str | None) -> Outcome:
        """Read one file; never raises for what the file is."""

    async def close(self) -> None:
        """End its processes."""


class Wenqu:
    """wenqu's reading pool, one for each way of reading."""

    def __init__(self, ocr_weights: Path | None = None) -> None:
        self.name = "wenqu"
        self._options = replace(
            DEFAULT_OPTIONS, ocr=ocr_weights is not None, ocr_weights=ocr_weights
        )
        self._pool = ReadingPool(options=self._options)

    async def read(self, file: DocFile, password: str | None) -> Outcome:
        """See ``Contender``."""
        if password is None:
            return await self._read(self._pool, file)
        options = replace(self._options, passwords=("not it", password))
        async with ReadingPool(options=options) as pool:
            return await self._read(pool, file)

    async def close(self) -> None:
        """See ``Contender``."""
        await self._pool.close()

    async def _read(self, pool: ReadingPool, file: DocFile) -> Outcome:
        try:
            return Outcome(text=everything(await pool.read(file.path, file.name)))
        except ReadError as error:
            return Outcome(key=error.key, message=str(error))


class Peer:
    """Another reader, in its own interpreter."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self._python = python
        self._process: asyncio.subprocess.Process | None = None

    async def read(self, file: DocFile, password: str | None) -> Outcome:
        """See ``Contender``."""
        try:
            process = self._process or await self._start()
            reply = await asyncio.wait_for(self._ask(process, file, password), TIMEOUT_S)
        except (TimeoutError, EOFError, OSError) as error:
            await self.close()
            return Outcome(key="timeout" if isinstance(error, TimeoutError) else "died")
        if "text" in reply:
            text = reply["text"]
            return Outcome(text=text) if text.strip() else Outcome(key="empty")
        return Outcome(key=reply["error"], message=reply["message"])

    async def close(self) -> None:
        """See ``Contender``."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = process = await asyncio.create_subprocess_exec(
            self._python,
            str(Path(__file__).with_name("peers.py")),
            self.name.split()[0],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_BYTES,
        )
        self.name = (await self._reply(process))["version"]
        return process

    async def _ask(
        self, process: asyncio.subprocess.Process, file: DocFile, password: str | None
    ) -> dict[str, Any]:
        request = json.dumps({"path": str(file.path), "password": password})
        assert process.stdin is not None  # noqa: S101  # a pipe was asked for
        process.stdin.write(request.encode() + b"\n")
        await process.stdin.drain()
        return await self._reply(process)

    async def _reply(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        line = await process.stdout.readline()
        if not line:
            raise EOFError
        return dict(json.loads(line))


class PeakWatch(MemoryWatch):
    """The most that this process's children have held while it watched, by the kernel's count."""

    def __init__(self) -> None:
        super().__init__(os.getpid())

    def __enter__(self) -> Self:
        for pid in process_tree(os.getpid())[1:]:
            # The kernel's mark of a process's peak goes back to what it holds now.
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
        return super().__enter__()

    def _sample(self) -> None:
        last = False
        while not last:
            last = self._done.wait(SAMPLE_S)
            held = sum(resident_mb(pid, "VmHWM") for pid in process_tree(os.getpid())[1:])
            self.peak_mb = max(self.peak_mb, held)


async def timed(contender: Contender, file: DocFile, password: str | None) -> Outcome:
    """Read one file, with the seconds and the memory that it took."""
    with PeakWatch() as watch:
        begin = perf_counter()
        outcome = await contender.read(file, password)
        seconds = perf_counter() - begin
    return replace(outcome, seconds=seconds, peak_mb=watch.peak_mb)
