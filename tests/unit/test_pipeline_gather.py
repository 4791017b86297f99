"""Paths, pages and repositories become one stream of files."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import NotFoundError, SourceError
from wenqu.pipeline.gather import gather, is_meant
from wenqu.protocols import MissedFile, SourceFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path


class Pages:
    def takes(self, target: str) -> bool:
        return target.startswith("https:")

    async def files(self, target: str) -> AsyncGenerator[SourceFile | MissedFile, None]:
        for number in range(2):
            yield SourceFile(path=self.folder / f"{number}.html", source=f"{target}/{number}")

    def __init__(self, folder: Path) -> None:
        self.folder = folder


class Copies:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open = False

    def takes(self, target: str) -> bool:
        return target.startswith("git+")

    def root(self, target: str) -> str:
        return target.removeprefix("git+")

    @asynccontextmanager
    async def copy(self, target: str) -> AsyncIterator[tuple[Path, Sequence[Path]]]:
        if target.endswith("gone"):
            raise SourceError("source.failed", url=target, reason="gone")
        self.open = True
        try:
            yield self.folder, [self.folder / "docs"]
        finally:
            self.open = False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "docs/b.md", "docs/c.tmp"):
        (tmp_path / name).write_text("x", "utf-8")
    return tmp_path


def gathered(folder: Path, *targets: str) -> tuple[list[SourceFile | MissedFile], int]:
    told: list[int] = []
    copies = Copies(folder)

    async def work() -> list[SourceFile | MissedFile]:
        files = await gather(
            targets,
            ignore=["*.tmp"],
            web=Pages(folder),
            repositories=copies,
            on_found=told.append,
        )
        return [file async for file in files]

    found = asyncio.run(work())
    assert not copies.open
    return found, sum(told)


def test_targets_of_all_kinds_come_in_one_stream_and_are_counted(folder: Path) -> None:
    found, count = gathered(folder, "https://example.com", "git+ssh://host/x.git", f"{folder}/a.md")
    assert [file.source for file in found] == [
        f"{folder}/a.md",
        "https://example.com/0",
        "https://example.com/1",
        "ssh://host/x.git/docs/b.md",
    ]
    assert count == len(found)


def test_a_repository_that_cannot_be_had_is_one_missed_file(folder: Path) -> None:
    found, count = gathered(folder, "git+ssh://host/gone", f"{folder}/a.md")
    assert [isinstance(one, MissedFile) for one in found] == [False, True]
    assert count == 2


def test_a_path_that_is_not_there_is_said_before_anything_is_done(folder: Path) -> None:
    with pytest.raises(NotFoundError):
        gathered(folder, f"{folder}/nowhere")


@pytest.mark.parametrize(
    ("source", "target", "meant"),
    [
        ("ssh://host/x.git/docs/b.md", "git+ssh://host/x.git", True),
        ("ssh://host/x.github/b.md", "git+ssh://host/x.git", False),
        ("https://example.com/docs/a", "https://example.com/docs/", False),
        ("/data/all.zip/a.md", "/data", True),
        ("/data/all.zip/a.md", "/data/all.zip", True),
        ("/database/a.md", "/data", False),
    ],
)
def test_only_what_a_target_would_find_again_is_taken_for_gone(
    folder: Path, source: str, target: str, *, meant: bool
) -> None:
    assert is_meant(source, target, Pages(folder), Copies(folder)) is meant
