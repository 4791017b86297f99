"""Killing an ingest at any moment and running it again ends as if nothing had happened.

A moment is a step of the run, not a time: a slow machine is killed in the same places.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wenqu import open_app
from wenqu.app import AddOptions
from wenqu.options import SearchOptions
from wenqu.payloads import search_payload
from wenqu.testing.embedder import FakeEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.pipeline.ingest import IngestReport

pytestmark = pytest.mark.slow

SEED = 20240607
KILLS_WHILE_ADDING = 12
KILLS_WHILE_CHANGING = 8
QUESTIONS = (
    "年假有几天",
    "第 7 号设备的检修周期",
    "travel costs",
    "XK-2007",
    "部门 3 章节 2",
    "桥",
)

CHILD = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from wenqu import open_app
from wenqu.app import AddOptions
from wenqu.pipeline import ingest
from wenqu.testing.embedder import FakeEmbedder

home, files, last, after_s = *sys.argv[1:3], int(sys.argv[3]), float(sys.argv[4])
steps, lock = 0, threading.Lock()

def step(*_):
    global steps
    with lock:
        steps += 1
        if steps == last:
            if after_s:
                threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

def watch(name, arguments):
    if name == "os.rename" or (name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        step()

class MarkingEmbedder(FakeEmbedder):
    async def embed(self, texts, kind):
        step()
        return await super().embed(texts, kind)

async def main():
    async with open_app(home=Path(home), embedder=MarkingEmbedder()) as app:
        sys.addaudithook(watch)
        event.listen(Engine, "commit", step)
        await app.add("made", [files], AddOptions(prune=True))

ingest._WINDOW = 8  # many commits, so many moments between them
asyncio.run(main())
print(steps)
"""


def write_files(folder: Path) -> None:
    folder.mkdir()
    for number in range(30):
        parts = [f"# 部门 {number} 手册" if number % 2 else f"# Handbook of unit {number}"]
        for part in range(5):
            parts += [
                f"## 章节 {part}" if number % 2 else f"## Section {part}",
                f"第 {number} 号设备 XK-{2000 + number} 的检修周期为 {part + 3} 个月，"
                f"员工每年享有 {10 + part} 天年假。"
                if number % 2
                else f"Unit {number} pays travel costs within {part + 2} days. The rest of rule "
                f"{part} is the same for every unit of the company.",
            ]
        (folder / f"{number:02}.md").write_text("\n\n".join(parts), "utf-8")


def change_files(folder: Path) -> None:
    for number in range(0, 30, 5):
        (folder / f"{number:02}.md").write_text(f"# 新的 {number}\n\n全部重写：过桥须知。", "utf-8")
    for number in range(3, 30, 9):
        (folder / f"{number:02}.md").unlink()
    (folder / "new.md").write_text("# 新增\n\nA new file about travel costs.", "utf-8")


def run_child(home: Path, files: Path, last: int = 0, after_s: float = 0.0) -> int | None:
    """Run to the end and return its steps; or None when it was killed ``after_s`` its ``last``."""
    command = [sys.executable, "-c", CHILD, str(home), str(files), str(last), str(after_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return None if done.returncode else int(done.stdout)


def finish(home: Path, files: Path) -> IngestReport:
    async def work() -> IngestReport:
        async with open_app(home=home, embedder=FakeEmbedder()) as app:
            return await app.add("made", [files], AddOptions(prune=True))

    return asyncio.run(work())


def state_of(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows but times and change numbers, and the originals that are kept."""
    queries = {
        "knowledge_bases": "SELECT id, name FROM knowledge_bases",
        "documents": "SELECT id, source, title, language, text, blocks, meta, version, "
        "content_hash, recipe, characters, chunk_count FROM documents ORDER BY id",
        "chunks": "SELECT * FROM chunks ORDER BY id",
        "embeddings": "SELECT * FROM embeddings ORDER BY key",
    }
    with closing(sqlite3.connect(home / "wenqu.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        state = {name: connection.execute(query).fetchall() for name, query in queries.items()}
    blobs = (path for path in (home / "blobs").glob("??/*") if not path.name.startswith("."))
    state["blobs"] = sorted((path.name, path.read_bytes()) for path in blobs)
    return state


def hits_of(home: Path) -> list[object]:
    async def work() -> list[object]:
        async with open_app(home=home, embedder=FakeEmbedder()) as app:
            return [
                search_payload(await app.search("made", question, SearchOptions(top=30)))["hits"]
                for question in QUESTIONS
            ]

    return asyncio.run(work())


def moments(count: int, steps: int, seed: int) -> list[tuple[int, float]]:
    """A step in each of ``count`` equal parts of the run; every other with some seconds more."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    return [
        (1 + int((part + chance.random()) * steps / count), part % 2 * chance.random() * 0.02)
        for part in range(count)
    ]


def check_kills(folder: Path, files: Path, before: Path | None, kills: int, seed: int) -> None:
    def start(name: str) -> Path:
        home = folder / name
        if before is not None:
            shutil.copytree(before, home)
        return home

    undisturbed = start("undisturbed")
    steps = run_child(undisturbed, files)
    assert steps is not None
    state, hits = state_of(undisturbed), hits_of(undisturbed)
    assert all(hits)
    killed = 0
    for number, (step, after_s) in enumerate(moments(kills, steps, seed)):
        home = start(f"killed-{number}")
        killed += run_child(home, files, step, after_s) is None
        finish(home, files)
        assert state_of(home) == state, f"killed {after_s:.3f} s after step {step} of {steps}"
        assert hits_of(home) == hits, f"killed {after_s:.3f} s after step {step} of {steps}"
    # A run may be over before its moment comes; most must have been killed for this to mean much.
    assert killed > kills // 2
    shutil.rmtree(undisturbed / "indexes")
    assert hits_of(undisturbed) == hits


def test_an_ingest_that_is_killed_at_any_moment_can_be_run_again(tmp_path: Path) -> None:
    files = tmp_path / "files"
    write_files(files)
    check_kills(tmp_path, files, None, KILLS_WHILE_ADDING, SEED)


def test_an_update_that_is_killed_at_any_moment_can_be_run_again(tmp_path: Path) -> None:
    files, before = tmp_path / "files", tmp_path / "before"
    write_files(files)
    finish(before, files)
    change_files(files)
    check_kills(tmp_path, files, before, KILLS_WHILE_CHANGING, SEED + 1)


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    files = tmp_path / "files"
    write_files(files)
    steps = run_child(tmp_path / "undisturbed", files)
    assert steps is not None
    home = tmp_path / "killed"
    stored = 0
    for share in (0.4, 0.6, 0.8):
        run_child(home, files, int(steps * share))
        with closing(sqlite3.connect(home / "wenqu.db")) as connection:
            stored = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        if stored:
            break
    report = finish(home, files)
    assert stored > 0
    assert sum(one.status.value == "unchanged" for one in report.outcomes) == stored
