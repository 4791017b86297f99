"""A file costs its own error and nothing else. The bad readers here are imported by the child."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import ReadError
from wenqu.readers.worker import ReadingPool

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.types import Document

BAD_READERS = """
    import ctypes, os, time
    from wenqu.types import Document, document_id

    class BadReader:
        name = "bad/1"
        def accepts(self, sample):
            return True
        def read(self, data, source, options):
            word = data.decode().strip()
            if word == "segfault":
                ctypes.string_at(0)
            elif word == "exit":
                os._exit(3)
            elif word == "hang":
                time.sleep(600)
            elif word == "parts":
                for _ in range(7):
                    time.sleep(0.5)
                    options.alive()
            elif word == "spin":
                while True:
                    pass
            elif word == "memory":
                kept = [bytearray(1 << 20) for _ in range(1 << 16)]
            elif word == "deep":
                def fall():
                    fall()
                fall()
            elif word == "mistake":
                raise ZeroDivisionError("oops")
            return Document(
                id=document_id(source), source=source, title=str(os.getpid()), text=word,
                language="en",
            )

    def readers():
        return (BadReader(),)
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "bad_readers_of_test.py").write_text(textwrap.dedent(BAD_READERS), "utf-8")
    monkeypatch.syspath_prepend(folder)
    return "bad_readers_of_test:readers"


def read_all(pool: ReadingPool, folder: Path, *words: str) -> list[Document | ReadError]:
    """Read one file a word, one after another, and close the pool."""

    async def work() -> list[Document | ReadError]:
        outcomes: list[Document | ReadError] = []
        async with pool:
            for number, word in enumerate(words):
                path = folder / f"{number}.txt"
                path.write_text(word, "utf-8")
                try:
                    outcomes.append(await pool.read(path, path.name))
                except ReadError as error:
                    outcomes.append(error)
        return outcomes

    return asyncio.run(work())


def test_one_process_reads_many_files(tmp_path: Path, factory: str) -> None:
    first, second, third = read_all(ReadingPool(factory=factory), tmp_path, "a", "b", "c")
    assert {d.title for d in (first, second, third)} == {first.title}
    assert [d.text for d in (first, second, third)] == ["a", "b", "c"]
    assert first.title != str(os.getpid())


@pytest.mark.parametrize(
    ("word", "key", "said"),
    [
        ("segfault", "read.crashed", "SIGSEGV"),
        ("exit", "read.crashed", "exit 3"),
        ("mistake", "read.crashed", "ZeroDivisionError"),
        ("deep", "read.damaged", "nested too deeply"),
        ("hang", "read.timeout", "3"),
        ("spin", "read.timeout", "3"),
        ("memory", "read.memory", "256"),
    ],
)
def test_a_bad_file_costs_its_own_error_and_the_next_is_read(
    tmp_path: Path, factory: str, word: str, key: str, said: str
) -> None:
    # What is not bad takes no time: three seconds are enough for it on a busy machine, too.
    pool = ReadingPool(factory=factory, timeout_s=3 if "timeout" in key else 120, memory_mb=256)
    before, bad, after = read_all(pool, tmp_path, "before", word, "after")
    assert before.text == "before"
    assert isinstance(bad, ReadError)
    assert bad.key == key
    assert said in str(bad)
    assert bad.hint("zh")
    assert after.text == "after"


def test_a_file_that_is_too_big_starts_no_process(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_bytes(b"x" * ((1 << 20) + 1))
    pool = ReadingPool(max_file_mb=1, factory="no.such:module")
    with pytest.raises(ReadError) as caught:
        asyncio.run(pool.read(path, "big.txt"))
    assert caught.value.key == "read.too_big"


def test_a_file_that_is_gone_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        asyncio.run(ReadingPool().read(tmp_path / "gone.txt", "gone.txt"))
    assert caught.value.key == "read.access"


def test_a_child_that_cannot_start_says_why(tmp_path: Path) -> None:
    (outcome,) = read_all(ReadingPool(factory="no_such_module:readers"), tmp_path, "a")
    assert isinstance(outcome, ReadError)
    assert outcome.key == "read.worker"
    assert "no_such_module" in str(outcome)


def test_files_are_read_side_by_side_by_several_workers(tmp_path: Path, factory: str) -> None:
    async def work() -> set[str]:
        paths = [tmp_path / f"{number}.txt" for number in range(4)]
        for path in paths:
            path.write_text("word", "utf-8")
        async with ReadingPool(factory=factory, workers=2) as pool:
            documents = await asyncio.gather(*(pool.read(path, path.name) for path in paths))
        return {document.title for document in documents}

    assert len(asyncio.run(work())) == 2


@pytest.mark.parametrize(("total_s", "outcome"), [(60, "parts"), (1, "read.timeout")])
def test_the_clock_begins_anew_with_each_part_but_not_for_ever(
    tmp_path: Path, factory: str, total_s: float, outcome: str
) -> None:
    pool = ReadingPool(factory=factory, timeout_s=3, total_timeout_s=total_s)
    (read,) = read_all(pool, tmp_path, "parts")
    assert (read.key if isinstance(read, ReadError) else read.text) == outcome


def test_a_cancelled_read_kills_its_process_and_leaves_the_pool_usable(
    tmp_path: Path, factory: str
) -> None:
    hang, fine = tmp_path / "hang.txt", tmp_path / "fine.txt"
    hang.write_text("hang", "utf-8")
    fine.write_text("fine", "utf-8")

    async def work() -> Document:
        async with ReadingPool(factory=factory, timeout_s=60) as pool:
            await pool.read(fine, "fine.txt")
            task = asyncio.create_task(pool.read(hang, "hang.txt"))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await pool.read(fine, "fine.txt")

    assert asyncio.run(work()).text == "fine"


def test_the_child_dies_when_its_parent_is_killed_in_mid_file(tmp_path: Path, factory: str) -> None:
    hang, fine = tmp_path / "spin.txt", tmp_path / "fine.txt"
    hang.write_text("spin", "utf-8")
    fine.write_text("fine", "utf-8")
    program = f"""
        import asyncio
        from pathlib import Path
        from wenqu.readers.worker import ReadingPool
        async def main():
            async with ReadingPool(factory={factory!r}) as pool:
                print((await pool.read(Path({str(fine)!r}), "fine")).title, flush=True)
                await pool.read(Path({str(hang)!r}), "spin")
        asyncio.run(main())
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)  # it lives
        parent.send_signal(signal.SIGKILL)
    assert ends(child)


def ends(pid: int) -> bool:
    """Wait until a process is gone, or a zombie that nobody here can reap."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
