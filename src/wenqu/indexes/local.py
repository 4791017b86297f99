"""The index of one knowledge base on this machine: tantivy for words, FAISS for vectors.

The folder holds ``manifest.json`` (what was applied, with which fingerprints, and which generation
is live) and a folder for each generation with ``lexical/`` and ``vectors.npz``. The manifest is
written last: whatever a crash leaves behind, applying the same changes again gives the same index.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from wenqu.errors import IndexMismatchError, StoreError
from wenqu.indexes.lexical import LexicalIndex
from wenqu.indexes.vectors import VectorBatch, VectorIndex
from wenqu.protocols import IndexState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from wenqu.protocols import Change, ChunkVectors, LexicalHits, Scored, Senses

__all__ = ["LocalIndex", "LocalIndexes", "discard"]

_FORMAT = "local-2"
_WORN_SHARE = 0.1
"""Share of dead entries from which an index wants to be built anew."""
_SMALL = 20_000
"""Chunks up to which it wants that after any replacement: about two seconds' work."""

_LOCK_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """What the index was made with, and how far it has come.

    ``dead`` counts entries replaced or removed since the generation was built: tantivy's document
    frequencies go on counting them, so that scores drift from a fresh index's. ``writing`` is set
    while changes are applied in place: one that stays set tells of a crash, after which tantivy may
    hold entries that nobody counted.
    """

    fingerprint: str
    dimension: int
    generation: int = 0
    applied: int = 0
    dead: int = 0
    writing: bool = False
    format: str = _FORMAT

    @property
    def made_with(self) -> tuple[object, ...]:
        """What must be equal for the index to be of use."""
        return (self.format, self.fingerprint, self.dimension)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is searched; replaced as a whole, so that a search never sees half a change."""

    lexical: LexicalIndex
    vectors: VectorIndex


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder, a full disk say, into an error with a hint."""
    try:
        yield
    except (OSError, ValueError) as error:
        # tantivy says it in a ValueError: "An IO error occurred: …", or "… IoError(Os …)".
        if isinstance(error, ValueError) and "ioerror" not in str(error).lower().replace(" ", ""):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError("error.index_folder", path=str(folder), reason=reason) from error


def discard(folder: Path) -> None:
    """Delete an index; the database can always make it again."""
    shutil.rmtree(folder, ignore_errors=True)


class LocalIndex:
    """``Index`` in a folder; several processes may hold it open, one at a time writes.

    Args:
        folder: Created where it is missing.
        fingerprint: Of chunker, tokeniser and embedder together.
        dimension: Length of a vector.

    Raises:
        IndexMismatchError: It was made with another fingerprint, or is damaged: discard it.
        StoreError: The folder cannot be made or looked into.
    """

    def __init__(self, folder: Path, fingerprint: str, dimension: int) -> None:
        self._folder = folder
        self._writing = asyncio.Lock()
        with _folder_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # Taken in one thread and given back in another, so it must not be bound to a thread.
        self._process_lock = FileLock(folder / "write.lock", thread_local=False)
        wanted = _Manifest(fingerprint=fingerprint, dimension=dimension)
        try:
            with self._process_lock:
                self._manifest = self._stored() or wanted
                self._check(self._manifest, wanted)
                self._parts = self._open(self._manifest)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._mismatch(str(error), fingerprint) from error

    @property
    def state(self) -> IndexState:
        """See the protocol."""
        dead, alive = self._manifest.dead, len(self._parts.vectors.chunks)
        worn = dead > 0 and (alive <= _SMALL or dead > _WORN_SHARE * alive)
        return IndexState(applied=self._manifest.applied, worn=worn or self._manifest.writing)

    async def apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool = False) -> None:
        """See the protocol."""
        async with self._writing:
            await self._lock_out_processes()
            try:
                self._follow_other_process()
                with _folder_errors(self._folder):
                    await self._apply(batches, anew=anew)
            finally:
                self._process_lock.release()

    async def lexical(
        self,
        wanted: str | tuple[Senses, ...],
        top: int,
        documents: Collection[str] | None = None,
        also: Collection[str] = (),
    ) -> LexicalHits:
        """See the protocol."""
        search = self._parts.lexical.search
        if not (top or also):
            return search(wanted, top, documents, also)
        return await asyncio.to_thread(search, wanted, top, documents, also)

    async def dense(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None = None,
        *,
        level: bool = False,
    ) -> Sequence[Scored]:
        """See the protocol."""
        search = self._parts.vectors.search
        return await asyncio.to_thread(
            search, vector.astype(np.float32), top, documents, level=level
        )

    async def vectors(self, chunk_ids: Collection[str]) -> ChunkVectors:
        """See the protocol."""
        # A few hundred rows take less time than it takes to wake a thread.
        return self._parts.vectors.of(chunk_ids)

    async def close(self) -> None:
        """See the protocol."""

    async def _apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool) -> None:
        manifest = self._manifest
        if anew:
            following = manifest.generation + 1
            manifest = replace(manifest, generation=following, applied=0, dead=0, writing=False)
            discard(self._generation(manifest))
        else:
            self._save(replace(manifest, writing=True))
        parts = self._open(manifest) if anew else self._parts
        collected: list[VectorBatch] = []
        applied = manifest.applied
        with parts.lexical.writing() as write:
            async for batch in batches:
                pending = [change for change in batch if change.number > manifest.applied]
                await asyncio.to_thread(write, pending)
                collected.append(
                    await asyncio.to_thread(VectorBatch.of, pending, manifest.dimension)
                )
                applied = max([applied, *(change.number for change in pending)])
        if applied == manifest.applied and not anew:
            self._save(manifest)
            return
        vectors = parts.vectors.apply(collected) if collected else parts.vectors
        added = sum(len(batch.chunks) for batch in collected)
        dead = manifest.dead + len(parts.vectors.chunks) + added - len(vectors.chunks)
        await asyncio.to_thread(vectors.save, self._generation(manifest) / "vectors.npz")
        self._commit(replace(manifest, applied=applied, dead=dead), parts.lexical, vectors)

    async def _lock_out_processes(self) -> None:
        # Asked for again and again rather than awaited in a thread: a thread that gets the lock
        # after its caller was cancelled would keep it for ever.
        while True:
            try:
                self._process_lock.acquire(blocking=False)
            except Timeout:
                await asyncio.sleep(_LOCK_POLL_S)
            except OSError as error:
                raise self._mismatch(str(error), self._manifest.fingerprint) from error
            else:
                return

    def _save(self, manifest: _Manifest) -> None:
        path = self._folder / "manifest.json"
        new = path.with_name("manifest.json.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(manifest), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def _commit(self, manifest: _Manifest, lexical: LexicalIndex, vectors: VectorIndex) -> None:
        self._save(manifest)
        old, self._manifest = self._manifest, manifest
        self._parts = _Parts(lexical, vectors)
        if old.generation != manifest.generation:
            # Other processes may be reading it still: their open files stay good without names.
            discard(self._generation(old))

    def _follow_other_process(self) -> None:
        stored = self._stored()
        if stored is None:
            if self._manifest.applied:
                raise self._mismatch("nothing", self._manifest.fingerprint)
        elif stored != self._manifest:
            self._check(stored, self._manifest)
            self._parts = self._open(stored)
            self._manifest = stored

    def _check(self, found: _Manifest, wanted: _Manifest) -> None:
        if found.made_with != wanted.made_with:
            raise self._mismatch(found.fingerprint, wanted.fingerprint)

    def _open(self, manifest: _Manifest) -> _Parts:
        folder = self._generation(manifest)
        lexical = LexicalIndex(folder / "lexical")
        if not manifest.applied:
            return _Parts(lexical, VectorIndex.empty(manifest.dimension))
        return _Parts(lexical, VectorIndex.load(folder / "vectors.npz"))

    def _generation(self, manifest: _Manifest) -> Path:
        return self._folder / f"generation-{manifest.generation}"

    def _stored(self) -> _Manifest | None:
        path = self._folder / "manifest.json"
        return _Manifest(**json.loads(path.read_text("utf-8"))) if path.exists() else None

    def _mismatch(self, found: str, wanted: str) -> IndexMismatchError:
        return IndexMismatchError(
            "error.index_mismatch", path=str(self._folder), found=found, wanted=wanted
        )


class LocalIndexes:
    """Opens and discards indexes in one folder, each in a folder named by its knowledge base's id.

    Args:
        folder: Where they are.
        fingerprint: Of chunker, tokeniser and embedder together.
        dimension: Length of a vector.
    """

    def __init__(self, folder: Path, fingerprint: str, dimension: int) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._dimension = dimension

    def open(self, kb: int) -> LocalIndex:
        """Open an index, empty where there is none.

        Raises:
            IndexMismatchError: It was made with another fingerprint, or is damaged.
            StoreError: The folder cannot be made or looked into.
        """
        return LocalIndex(self._folder / str(kb), self._fingerprint, self._dimension)

    def discard(self, kb: int) -> None:
        """Delete an index."""
        discard(self._folder / str(kb))
