"""Brings files into a knowledge base: read, chunk, embed what is new, commit.

Three things go on at once: files are read and cut ahead, chunks are embedded, and what was
embedded before is committed; so the embedder, which costs most, never waits. A document becomes
visible whole or not at all, and a run that is killed goes on where it was when it is repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from wenqu.errors import ReadError
from wenqu.protocols import MissedFile, PutDocument, SourceFile
from wenqu.text.chunk import chunk, embedding_key, embedding_text

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Mapping,
        Sequence,
    )

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.errors import WenquError
    from wenqu.protocols import DocumentStore, Embedder, StoredVersion
    from wenqu.types import Chunk, Chunking, Document

    Unpack = Callable[[Path, str, Path], Awaitable[Sequence[SourceFile | MissedFile]]]

__all__ = ["FileOutcome", "FileStatus", "IngestReport", "Ingester", "document_hash"]

T = TypeVar("T")

_WINDOW = 128
"""Chunks embedded and committed together: enough to sort by length, little to lose in a crash."""
_LEFT_OUT = frozenset({"read.unsupported", "read.empty"})
"""What is wrong with a file that nobody would call a document: no failure."""
_MAX_NESTING = 3
"""Archives inside archives that are opened."""
_READ_AHEAD = 64
"""Documents read before the embedder has asked for them."""


def document_hash(document: Document) -> str:
    """Return the content hash that a document of no file is stored under."""
    told = f"{document.title}\0{document.text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()


class FileStatus(StrEnum):
    """What became of a file."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    LEFT_OUT = "left_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file; ``error`` says why, where it failed."""

    source: str
    status: FileStatus
    chunks: int = 0
    error: WenquError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What became of all files.

    ``busy_ms`` has the milliseconds that each stage was at work; stages overlap, so their sum may
    be more than ``seconds``.
    """

    outcomes: tuple[FileOutcome, ...]
    seconds: float
    busy_ms: Mapping[str, float]

    def count(self, status: FileStatus) -> int:
        """Return how many files ended so."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def chunks(self) -> int:
        """Chunks of the documents that were added or changed."""
        return sum(outcome.chunks for outcome in self.outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A document ready to be embedded; ``texts`` and ``keys`` have one entry a chunk."""

    document: Document
    chunks: Sequence[Chunk]
    texts: Sequence[str]
    keys: Sequence[str]
    content_hash: str
    replaces: bool


@dataclass(slots=True)
class _Progress:
    """What one run has come to so far; ``unread`` has the sources that may hold others."""

    tell: Callable[[FileOutcome], None]
    tell_more: Callable[[int], None] = lambda _: None
    here: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    outcomes: list[FileOutcome] = field(default_factory=list)
    busy_ms: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=perf_counter)

    def report(self) -> IngestReport:
        return IngestReport(
            outcomes=tuple(self.outcomes),
            seconds=perf_counter() - self.begun,
            busy_ms=self.busy_ms,
        )

    def fail(self, source: str, error: WenquError) -> None:
        left_out = error.key in _LEFT_OUT
        status = FileStatus.LEFT_OUT if left_out else FileStatus.FAILED
        self.unread.add(source)
        self.end(FileOutcome(source=source, status=status, error=error))

    def end(self, outcome: FileOutcome) -> None:
        self.outcomes.append(outcome)
        self.tell(outcome)

    async def timed(self, stage: str, work: Awaitable[T]) -> T:
        begun = perf_counter()
        try:
            return await work
        finally:
            spent = (perf_counter() - begun) * 1e3
            self.busy_ms[stage] = self.busy_ms.get(stage, 0.0) + spent


async def _unopened(path: Path, source: str, into: Path) -> Sequence[SourceFile | MissedFile]:
    """Refuse archives."""
    del path, into
    raise ReadError("read.archive", source=source)


class Ingester:
    """Adds and removes documents.

    Args:
        documents: Where they are kept.
        embedder: Embeds their chunks.
        read: Reads a file under a source name; raises ``ReadError`` when it cannot, with the key
            ``read.archive`` where it must be unpacked.
        keep: Keeps a copy of an original file under its SHA-256.
        chunking: How to cut documents.
        recipe: Names everything a document's chunks depend on; another one has it read again.
        unpack: Writes the members of an archive, with its source name, into an empty folder.
    """

    def __init__(
        self,
        *,
        documents: DocumentStore,
        embedder: Embedder,
        read: Callable[[Path, str], Awaitable[Document]],
        keep: Callable[[str, Path], None],
        chunking: Chunking,
        recipe: str,
        unpack: Unpack = _unopened,
    ) -> None:
        self._documents = documents
        self._embedder = embedder
        self._read = read
        self._unpack = unpack
        self._keep = keep
        self._chunking = chunking
        self._recipe = recipe

    async def add(
        self,
        kb: int,
        files: AsyncIterable[SourceFile | MissedFile],
        *,
        gone: Callable[[str], bool] = lambda _: False,
        on_found: Callable[[int], None] = lambda _: None,
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        """Bring the knowledge base level with the files.

        Args:
            kb: Id of the knowledge base.
            files: What to add. One that cannot be read costs nothing but itself, and what was
                known of it before stays.
            gone: Says which stored sources to remove where no file is named so any more.
            on_found: Told how many files more there are than was known: members of archives.
            on_outcome: Told of each file as soon as its fate is certain.

        Raises:
            StoreError: The database failed; what was reported before is safe.
            ModelError: The embedder failed; likewise.
        """
        progress = _Progress(on_outcome, on_found)
        stored = await self._stored(kb)
        await self._ingest(kb, self._prepared(files, stored, progress), progress)
        # What is below an archive or a repository that could not be opened may still be there.
        unsure = tuple(source.rstrip("/") + "/" for source in progress.unread)
        left = [old for old in stored.values() if old.source not in progress.here]
        left = [old for old in left if gone(old.source) and not old.source.startswith(unsure)]
        await self._remove(kb, left, progress)
        return progress.report()

    async def replace_all(
        self,
        kb: int,
        documents: Sequence[Document],
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        """Make documents that come from no file, such as an evaluation corpus, all there is.

        What is stored under another source is removed; see ``add`` for the rest.
        """
        progress = _Progress(on_outcome)
        stored = await self._stored(kb)
        here = {document.source for document in documents}
        await self._remove(kb, [old for old in stored.values() if old.source not in here], progress)
        await self._ingest(kb, self._prepared_documents(documents, stored, progress), progress)
        return progress.report()

    async def _stored(self, kb: int) -> dict[str, StoredVersion]:
        return {version.source: version for version in await self._documents.versions(kb)}

    async def _remove(self, kb: int, old: Sequence[StoredVersion], progress: _Progress) -> None:
        if old:
            await self._documents.remove(kb, [version.document_id for version in old])
        for version in old:
            progress.end(FileOutcome(source=version.source, status=FileStatus.REMOVED))

    async def _ingest(
        self, kb: int, prepared: AsyncIterator[_Prepared], progress: _Progress
    ) -> None:
        storing: asyncio.Task[None] | None = None
        on_their_way: set[str] = set()  # keys of the window that is being stored meanwhile
        try:
            async with aclosing(_windows(_run_ahead(prepared, _READ_AHEAD))) as windows:
                async for window in windows:
                    vectors = await self._embed(window, on_their_way, progress)
                    if storing is not None:
                        await storing
                    on_their_way = {key for one in window for key in one.keys}
                    storing = asyncio.create_task(self._store(kb, window, vectors, progress))
            if storing is not None:
                await storing
        finally:
            if storing is not None and not storing.done():
                # A commit that has begun is let finish: it is whole or not at all either way.
                await asyncio.wait([storing])

    async def _prepared(
        self,
        files: AsyncIterable[SourceFile | MissedFile],
        stored: Mapping[str, StoredVersion],
        progress: _Progress,
        depth: int = 0,
    ) -> AsyncIterator[_Prepared]:
        async for file in files:
            progress.here.add(file.source)
            if isinstance(file, MissedFile):
                progress.fail(file.source, file.error)
                continue
            try:
                prepared = await self._prepare_file(file, stored.get(file.source), progress)
            except ReadError as error:
                if error.key != "read.archive":
                    progress.fail(file.source, error)
                    continue
                async with aclosing(self._members(file, progress, depth)) as members:
                    async for one in self._prepared(members, stored, progress, depth + 1):
                        yield one
                continue
            if prepared is None:
                progress.end(_unchanged(file.source))
            else:
                yield prepared

    async def _members(
        self, file: SourceFile, progress: _Progress, depth: int
    ) -> AsyncGenerator[SourceFile | MissedFile, None]:
        """Yield the files of an archive; they are there until the next one is asked for."""
        if depth >= _MAX_NESTING:
            error = ReadError("read.archive_deep", source=file.source)
            yield MissedFile(source=file.source, error=error)
            return
        with TemporaryDirectory(prefix="wenqu-") as folder:
            try:
                unpacking = self._unpack(file.path, file.source, Path(folder))
                members = await progress.timed("unpack", unpacking)
            except ReadError as error:
                yield MissedFile(source=file.source, error=error)
                return
            progress.tell_more(len(members) - 1)
            for member in members:
                yield member

    async def _prepared_documents(
        self,
        documents: Sequence[Document],
        stored: Mapping[str, StoredVersion],
        progress: _Progress,
    ) -> AsyncIterator[_Prepared]:
        for document in documents:
            content_hash = document_hash(document)
            old = stored.get(document.source)
            if self._same(old, content_hash):
                progress.end(_unchanged(document.source))
                continue
            chunks = await asyncio.to_thread(self._chunk, document)
            yield _prepare(document, chunks, content_hash, replaces=old is not None)

    async def _prepare_file(
        self, file: SourceFile, old: StoredVersion | None, progress: _Progress
    ) -> _Prepared | None:
        content_hash = await progress.timed("hash", asyncio.to_thread(_hash, file.path))
        if self._same(old, content_hash):
            return None
        document = await progress.timed("read", self._read(file.path, file.source))
        chunks = await progress.timed("chunk", asyncio.to_thread(self._chunk, document))
        await progress.timed("keep", asyncio.to_thread(self._keep, content_hash, file.path))
        return _prepare(document, chunks, content_hash, replaces=old is not None)

    def _same(self, old: StoredVersion | None, content_hash: str) -> bool:
        return old is not None and (old.content_hash, old.recipe) == (content_hash, self._recipe)

    def _chunk(self, document: Document) -> list[Chunk]:
        return chunk(document, self._chunking, self._embedder.token_starts)

    async def _embed(
        self, window: Sequence[_Prepared], on_their_way: Collection[str], progress: _Progress
    ) -> dict[str, NDArray[np.float32]]:
        texts = {
            key: text
            for prepared in window
            for key, text in zip(prepared.keys, prepared.texts, strict=True)
            if key not in on_their_way
        }
        known = await self._documents.known_embeddings(texts, self._embedder.fingerprint)
        unseen = [key for key in texts if key not in known]
        if not unseen:
            return {}
        vectors = await progress.timed(
            "embed", self._embedder.embed([texts[key] for key in unseen], "passage")
        )
        return dict(zip(unseen, vectors, strict=True))

    async def _store(
        self,
        kb: int,
        window: Sequence[_Prepared],
        vectors: Mapping[str, NDArray[np.float32]],
        progress: _Progress,
    ) -> None:
        puts = [
            PutDocument(
                document=prepared.document,
                chunks=prepared.chunks,
                embedding_keys=prepared.keys,
                embeddings={key: vectors[key] for key in prepared.keys if key in vectors},
                content_hash=prepared.content_hash,
                recipe=self._recipe,
            )
            for prepared in window
        ]
        await progress.timed("commit", self._documents.put(kb, puts, self._embedder.fingerprint))
        for prepared in window:
            status = FileStatus.CHANGED if prepared.replaces else FileStatus.ADDED
            source, chunks = prepared.document.source, len(prepared.chunks)
            progress.end(FileOutcome(source=source, status=status, chunks=chunks))


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReadError("read.access", source=str(path), reason=reason) from error


def _unchanged(source: str) -> FileOutcome:
    return FileOutcome(source=source, status=FileStatus.UNCHANGED)


def _prepare(
    document: Document, chunks: Sequence[Chunk], content_hash: str, *, replaces: bool
) -> _Prepared:
    texts = [embedding_text(one, document.title) for one in chunks]
    return _Prepared(
        document=document,
        chunks=chunks,
        texts=texts,
        keys=[embedding_key(text) for text in texts],
        content_hash=content_hash,
        replaces=replaces,
    )


async def _windows(
    prepared: AsyncGenerator[_Prepared, None],
) -> AsyncGenerator[list[_Prepared], None]:
    window: list[_Prepared] = []
    size = 0
    async with aclosing(prepared) as documents:
        async for document in documents:
            window.append(document)
            size += len(document.chunks)
            if size >= _WINDOW:
                yield window
                window, size = [], 0
    if window:
        yield window


async def _run_ahead(items: AsyncIterator[T], size: int) -> AsyncGenerator[T, None]:
    """Yield the items in order while a task fetches up to ``size`` more of them."""
    queue: asyncio.Queue[T | None] = asyncio.Queue(size)

    async def fetch() -> None:
        try:
            async for item in items:
                await queue.put(item)
        finally:
            await queue.put(None)

    task = asyncio.create_task(fetch())
    try:
        while (item := await queue.get()) is not None:
            yield item
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
