from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import ModelError, ReadError, SourceError, StoreError
from wenqu.pipeline import ingest
from wenqu.pipeline.discover import discover, is_below
from wenqu.pipeline.ingest import FileOutcome, FileStatus, Ingester
from wenqu.protocols import MissedFile, SourceFile
from wenqu.testing.embedder import FakeEmbedder
from wenqu.testing.samples import document_of
from wenqu.types import Chunking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from wenqu.pipeline.ingest import IngestReport
    from wenqu.testing.contracts_store import Stores
    from wenqu.types import Document

FULL_STOP = "。" * 3
LONG = [f"第{number}段：{'内容' * 30}{FULL_STOP}" for number in range(8)]


async def arriving(
    files: Sequence[SourceFile | MissedFile],
) -> AsyncIterator[SourceFile | MissedFile]:
    for file in files:
        yield file


class Work:
    """A folder of files, a knowledge base, and everything that was asked of them."""

    def __init__(self, stores: Stores, kb: int, folder: Path) -> None:
        self.stores = stores
        self.kb = kb
        self.folder = folder
        self.embedder = FakeEmbedder()
        self.read: list[str] = []
        self.kept: dict[str, str] = {}
        folder.mkdir()

    def write(self, name: str, *paragraphs: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(paragraphs), "utf-8")

    def add(self, *, recipe: str = "recipe:1", prune: bool = False, **more: Any) -> IngestReport:
        return self.ingest(discover([self.folder]), recipe=recipe, prune=prune, **more)

    def ingest(
        self,
        files: Sequence[SourceFile | MissedFile],
        *,
        recipe: str = "recipe:1",
        prune: bool = False,
        on_found: Callable[[int], None] = lambda _: None,
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        ingester = Ingester(
            documents=self.stores.documents,
            embedder=self.embedder,
            read=self._read,
            unpack=self._unpack,
            keep=self._keep,
            chunking=Chunking(max_tokens=40),
            recipe=recipe,
        )
        return asyncio.run(
            ingester.add(
                self.kb,
                arriving(files),
                gone=lambda source: prune and is_below(source, self.folder),
                on_found=on_found,
                on_outcome=on_outcome,
            )
        )

    def texts(self) -> dict[str, str]:
        async def gather() -> dict[str, str]:
            infos = await self.stores.documents.documents(self.kb)
            return {
                Path(info.source).name: (
                    await self.stores.documents.document(self.kb, info.id)
                ).text
                for info in infos
            }

        return asyncio.run(gather())

    async def _read(self, path: Path, source: str) -> Document:
        self.read.append(path.name)
        text = path.read_text("utf-8")  # noqa: ASYNC240  # a few bytes
        if path.suffix == ".zip":
            raise ReadError("read.archive", source=source)
        if text == "unreadable":
            raise ReadError("read.damaged", source=source, reason="made so")
        if text == "unsupported":
            raise ReadError("read.unsupported", source=source, kind="made so")
        return document_of(source, *text.split("\n\n"), title="title")

    async def _unpack(self, path: Path, source: str, into: Path) -> list[SourceFile | MissedFile]:
        """Take a text of ``name=text`` lines for an archive."""
        members: list[SourceFile | MissedFile] = []
        text = path.read_text("utf-8")  # noqa: ASYNC240  # a few bytes
        if text == "broken":
            raise ReadError("read.damaged", source=source, reason="made so")
        for name, _, content in (line.partition("=") for line in text.splitlines()):
            member = into / name
            member.write_text(content.replace("|", "\n"), "utf-8")
            members.append(SourceFile(path=member, source=f"{source}/{name}"))
        return members

    def _keep(self, sha256: str, path: Path) -> None:
        self.kept[path.name] = sha256


@pytest.fixture
def work(stores: Stores, kb: int, tmp_path: Path) -> Work:
    return Work(stores, kb, tmp_path / "files")


def statuses(report: IngestReport) -> dict[str, str]:
    return {Path(one.source).name: one.status.value for one in report.outcomes}


def test_files_become_documents_with_chunks_and_vectors(work: Work) -> None:
    work.write("a.md", "甲", "乙")
    work.write("b.md", *LONG)
    report = work.add()
    assert statuses(report) == {"a.md": "added", "b.md": "added"}
    assert work.texts() == {"a.md": "甲\n\n乙", "b.md": "\n\n".join(LONG)}
    changes = asyncio.run(_changes(work))
    assert report.chunks == sum(len(change.chunks) for change in changes) > 8
    for change in changes:
        assert len(change.vectors) == len(change.chunks)


def test_an_unchanged_file_is_neither_read_nor_embedded_again(work: Work) -> None:
    work.write("a.md", "甲")
    work.add()
    head = asyncio.run(work.stores.changes.head(work.kb))
    read, embedded = list(work.read), list(work.embedder.embedded)
    report = work.add()
    assert statuses(report) == {"a.md": "unchanged"}
    assert report.chunks == 0
    assert (work.read, work.embedder.embedded) == (read, embedded)
    assert asyncio.run(work.stores.changes.head(work.kb)) == head


def test_a_changed_file_replaces_its_old_version(work: Work) -> None:
    work.write("a.md", "old")
    work.add()
    work.write("a.md", "new")
    report = work.add()
    assert statuses(report) == {"a.md": "changed"}
    assert work.texts() == {"a.md": "new"}
    (change,) = asyncio.run(_changes(work))
    assert [chunk.text for chunk in change.chunks] == ["new"]


def test_of_a_changed_file_only_the_new_chunks_are_embedded(work: Work) -> None:
    work.write("a.md", *LONG)
    work.add()
    before = len(work.embedder.embedded)
    work.write("a.md", *LONG[:-1], "一个全新的段落。" * 5)
    work.add()
    assert len(work.embedder.embedded) - before == 1


def test_the_same_text_in_two_files_is_embedded_once(work: Work) -> None:
    for name in ("a.md", "b.md", "c.md"):
        work.write(name, "shared text")
    work.add()
    assert len(work.embedder.embedded) == 1
    assert len(work.texts()) == 3


def test_the_same_text_is_embedded_once_also_across_commits(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_WINDOW", 1)
    for number in range(6):
        work.write(f"{number}.md", "shared text")
    work.add()
    assert len(work.embedder.embedded) == 1
    assert len(work.texts()) == 6


def test_a_file_that_cannot_be_read_costs_only_itself(work: Work) -> None:
    work.write("a.md", "甲")
    work.write("b.md", "unreadable")
    work.write("c.bin", "unsupported")
    work.write("d.md", "丁")
    report = work.add()
    assert statuses(report) == {
        "a.md": "added",
        "b.md": "failed",
        "c.bin": "left_out",
        "d.md": "added",
    }
    (failed,) = (one for one in report.outcomes if one.status is FileStatus.FAILED)
    assert failed.error is not None
    assert failed.error.key == "read.damaged"
    assert set(work.texts()) == {"a.md", "d.md"}


def test_a_file_that_can_no_longer_be_read_keeps_its_last_version(work: Work) -> None:
    work.write("a.md", "good")
    work.add()
    work.write("a.md", "unreadable")
    assert statuses(work.add(prune=True)) == {"a.md": "failed"}
    assert work.texts() == {"a.md": "good"}


def test_a_file_that_is_gone_meanwhile_is_reported(work: Work) -> None:
    work.write("a.md", "甲")
    files = [*discover([work.folder]), SourceFile(path=Path("gone.md"), source="gone.md")]
    report = work.ingest(files)
    assert statuses(report) == {"a.md": "added", "gone.md": "failed"}
    (error,) = (one.error for one in report.outcomes if one.error)
    assert error.key == "read.access"


def test_the_members_of_an_archive_are_documents_of_their_own(work: Work) -> None:
    work.write("all.zip", "a.md=甲\nb.md=unreadable\nin.zip=c.md=乙")
    report = work.add()
    assert {one.source.partition("all.zip/")[2]: one.status.value for one in report.outcomes} == {
        "a.md": "added",
        "b.md": "failed",
        "in.zip/c.md": "added",
    }
    assert statuses(work.add()) == {"a.md": "unchanged", "b.md": "failed", "c.md": "unchanged"}
    work.write("all.zip", "a.md=甲")
    assert statuses(work.add(prune=True)) == {"a.md": "unchanged", "c.md": "removed"}


def test_an_archive_that_can_no_longer_be_opened_keeps_its_members(work: Work) -> None:
    work.write("all.zip", "a.md=甲")
    work.add()
    work.write("all.zip", "broken")
    assert statuses(work.add(prune=True)) == {"all.zip": "failed"}
    assert work.texts() == {"a.md": "甲"}


def test_archives_in_archives_are_opened_only_so_deep(work: Work) -> None:
    work.write("1.zip", "2.zip=3.zip=4.zip=a.md=甲")
    (outcome,) = work.add().outcomes
    assert outcome.error
    assert outcome.error.key == "read.archive_deep"


def test_how_many_files_there_are_grows_with_the_members_of_archives(work: Work) -> None:
    work.write("all.zip", "a.md=甲\nb.md=乙\nc.md=丙")
    told: list[int] = []
    report = work.ingest(discover([work.folder]), on_found=told.append)
    assert 1 + sum(told) == len(report.outcomes) == 3


def test_what_could_not_be_fetched_is_reported_and_costs_nothing_else(work: Work) -> None:
    work.write("a.md", "甲")
    error = SourceError("source.robots", url="https://example.com/")
    missed = MissedFile(source="https://example.com/", error=error)
    report = work.ingest([missed, *discover([work.folder])])
    assert [one.status.value for one in report.outcomes] == ["failed", "added"]


def test_documents_of_files_that_are_gone_are_removed_only_when_asked(work: Work) -> None:
    work.write("a.md", "甲")
    work.write("b.md", "乙")
    work.add()
    (work.folder / "b.md").unlink()
    assert statuses(work.add()) == {"a.md": "unchanged"}
    assert set(work.texts()) == {"a.md", "b.md"}
    assert statuses(work.add(prune=True)) == {"a.md": "unchanged", "b.md": "removed"}
    assert set(work.texts()) == {"a.md"}


def test_documents_in_a_folder_that_cannot_be_looked_into_are_not_taken_for_gone(
    work: Work,
) -> None:
    work.write("open/a.md", "甲")
    work.write("closed/b.md", "乙")
    work.add()
    source = str(work.folder / "closed")
    error = ReadError("read.access", source=source, reason="Permission denied")
    files = [*discover([work.folder / "open"]), MissedFile(source=source, error=error)]
    assert statuses(work.ingest(files, prune=True)) == {"a.md": "unchanged", "closed": "failed"}
    assert set(work.texts()) == {"a.md", "b.md"}


def test_another_recipe_reads_again_but_embeds_nothing_that_is_known(work: Work) -> None:
    work.write("a.md", "甲")
    work.add()
    embedded = len(work.embedder.embedded)
    assert statuses(work.add(recipe="recipe:2")) == {"a.md": "changed"}
    assert work.read == ["a.md", "a.md"]
    assert len(work.embedder.embedded) == embedded


def test_another_embedder_embeds_everything_anew(work: Work) -> None:
    work.write("a.md", "甲")
    work.add()
    work.embedder = FakeEmbedder(fingerprint="fake:2")
    work.add(recipe="recipe:2")
    assert len(work.embedder.embedded) == 1


def test_originals_are_kept_by_their_hash(work: Work) -> None:
    work.write("a.md", "甲")
    work.write("b.md", "unreadable")
    work.add()
    assert work.kept == {"a.md": hashlib.sha256("甲".encode()).hexdigest()}


def test_each_file_is_told_of_once_and_only_after_it_is_stored(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ingest, "_WINDOW", 2)
    for number in range(7):
        work.write(f"{number}.md", f"text {number}")
    told: list[str] = []

    def outcome(one: FileOutcome) -> None:
        # A connection of its own sees only what is committed.
        with closing(sqlite3.connect(tmp_path / "wenqu.db")) as connection:
            stored = connection.execute("SELECT source FROM documents").fetchall()
        assert (one.source,) in stored
        told.append(one.source)

    report = work.add(on_outcome=outcome)
    assert told == [one.source for one in report.outcomes]
    assert len(set(told)) == len(told) == 7


def test_what_was_reported_before_the_database_failed_is_safe(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_WINDOW", 1)
    for number in range(6):
        work.write(f"{number}.md", f"text {number}")
    put = work.stores.documents.put
    calls = 0

    async def failing(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise StoreError("error.store", reason="made so", url="made")
        await put(*arguments)

    monkeypatch.setattr(work.stores.documents, "put", failing)
    told: list[str] = []
    with pytest.raises(StoreError):
        work.add(on_outcome=lambda one: told.append(Path(one.source).name))
    assert sorted(work.texts()) == told == ["0.md", "1.md", "2.md"]
    monkeypatch.undo()
    assert set(statuses(work.add()).values()) == {"added", "unchanged"}
    assert len(work.texts()) == 6


def test_a_failing_embedder_ends_the_run_with_what_was_stored(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_WINDOW", 1)
    for number in range(6):
        work.write(f"{number}.md", f"text {number}")
    embed = work.embedder.embed

    async def failing(texts: Sequence[str], kind: Any) -> Any:
        if "text 3" in texts[0]:
            raise ModelError("error.model_engine", engine="made", reason="made so")
        return await embed(texts, kind)

    monkeypatch.setattr(work.embedder, "embed", failing)
    with pytest.raises(ModelError):
        work.add()
    assert sorted(work.texts()) == ["0.md", "1.md", "2.md"]


def test_an_empty_folder_comes_to_nothing(work: Work) -> None:
    report = work.add()
    assert report.outcomes == ()
    assert report.chunks == 0


def test_documents_without_files_are_added_and_skipped_alike(work: Work) -> None:
    ingester = Ingester(
        documents=work.stores.documents,
        embedder=work.embedder,
        read=work._read,
        unpack=work._unpack,
        keep=work._keep,
        chunking=Chunking(max_tokens=40),
        recipe="recipe:1",
    )
    documents = [document_of("set:1", "one"), document_of("set:2", "two")]
    first = asyncio.run(ingester.replace_all(work.kb, documents))
    changed = [documents[0], document_of("set:2", "two", title="another title")]
    second = asyncio.run(ingester.replace_all(work.kb, changed))
    assert [one.status for one in first.outcomes] == [FileStatus.ADDED] * 2
    assert [one.status for one in second.outcomes] == [FileStatus.UNCHANGED, FileStatus.CHANGED]


def test_a_report_says_how_long_each_stage_was_at_work(work: Work) -> None:
    work.write("a.md", "甲")
    report = work.add()
    assert set(report.busy_ms) == {"hash", "read", "chunk", "keep", "embed", "commit"}
    assert report.seconds > 0


async def _changes(work: Work) -> list[Any]:
    batches = work.stores.changes.changes(work.kb, 0, work.embedder.fingerprint)
    return [change async for batch in batches for change in batch]
