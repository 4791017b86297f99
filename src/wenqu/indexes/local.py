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
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock

from wenqu.errors import IndexMismatchError
from wenqu.indexes.lexical import LexicalIndex
from wenqu.indexes.vectors import VectorBatch, VectorIndex
from wenqu.protocols import IndexState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.protocols import Change, LexicalHits, Scored

__all__ = ["LocalIndex", "discard"]

_FORMAT = "local-1"
_WORN_SHARE = 0.1
"""Share of dead entries from which an index wants to be built anew."""
_SMALL = 20_000
"""Chunks up to which it wants that after any replacement: about two seconds' work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """What the index was made with, and how far it has come.

    ``dead`` counts entries replaced or removed since the generation was built: tantivy's document
    frequencies go on counting them, so that scores drift from a fresh index's.
    """

    fingerprint: str
    dimension: int
    generation: int = 0
    applied: int = 0
    dead: int = 0
    format: str = _FORMAT


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is searched; replaced as a whole, so that a search never sees half a change."""

    lexical: LexicalIndex
    vectors: VectorIndex


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
    """

    def __init__(self, folder: Path, fingerprint: str, dimension: int) -> None:
        self._folder = folder
        self._writing = asyncio.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        # Taken in one thread and given back in another, so it must not be bound to a thread.
        self._process_lock = FileLock(folder / "write.lock", thread_local=False)
        wanted = _Manifest(fingerprint=fingerprint, dimension=dimension)
        try:
            with self._process_lock:
                self._manifest = self._stored() or wanted
                found = self._manifest
                same = replace(wanted, generation=0) == replace(
                    found, generation=0, applied=0, dead=0
                )
                if not same:
                    raise self._mismatch(found.fingerprint, fingerprint)
                self._parts = self._open(found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._mismatch(str(error), fingerprint) from error

    @property
    def state(self) -> IndexState:
        """See the protocol."""
        dead, alive = self._manifest.dead, len(self._parts.vectors.chunks)
        worn = dead > 0 and (alive <= _SMALL or dead > _WORN_SHARE * alive)
        return IndexState(applied=self._manifest.applied, worn=worn)

    async def apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool = False) -> None:
        """See the protocol."""
        async with self._writing:
            await asyncio.to_thread(self._process_lock.acquire)
            try:
                self._follow_other_process()
                await self._apply(batches, anew=anew)
            finally:
                self._process_lock.release()

    async def lexical(
        self, text: str, top: int, documents: Collection[str] | None = None
    ) -> LexicalHits:
        """See the protocol."""
        return await asyncio.to_thread(self._parts.lexical.search, text, top, documents)

    async def dense(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None = None,
        also: Collection[str] = (),
    ) -> Sequence[Scored]:
        """See the protocol."""
        return await asyncio.to_thread(self._parts.vectors.search, vector, top, documents, also)

    async def close(self) -> None:
        """See the protocol."""

    async def _apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool) -> None:
        manifest = self._manifest
        if anew:
            manifest = replace(manifest, generation=manifest.generation + 1, applied=0, dead=0)
            discard(self._generation(manifest))
        parts = self._open(manifest) if anew else self._parts
        collected: list[VectorBatch] = []
        applied = manifest.applied
        with parts.lexical.writing() as write:
            async for batch in batches:
                pending = [change for change in batch if change.number > manifest.applied]
                await asyncio.to_thread(write, pending)
                collected.append(VectorBatch.of(pending, manifest.dimension))
                applied = max([applied, *(change.number for change in pending)])
        if applied == manifest.applied and not anew:
            return
        vectors = parts.vectors.apply(collected) if collected else parts.vectors
        added = sum(len(batch.chunks) for batch in collected)
        dead = manifest.dead + len(parts.vectors.chunks) + added - len(vectors.chunks)
        await asyncio.to_thread(vectors.save, self._generation(manifest) / "vectors.npz")
        self._commit(replace(manifest, applied=applied, dead=dead), parts.lexical, vectors)

    def _commit(self, manifest: _Manifest, lexical: LexicalIndex, vectors: VectorIndex) -> None:
        path = self._folder / "manifest.json"
        new = path.with_name("manifest.json.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(manifest), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        old, self._manifest = self._manifest, manifest
        self._parts = _Parts(lexical, vectors)
        if old.generation != manifest.generation:
            # Other processes may be reading it still: their open files stay good without names.
            discard(self._generation(old))

    def _follow_other_process(self) -> None:
        stored = self._stored()
        if stored is not None and stored != self._manifest:
            self._parts = self._open(stored)
            self._manifest = stored

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
