"""Keeps indexes level with the change log: catches up, rebuilds, replaces what does not fit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from wenqu.errors import IndexMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wenqu.protocols import ChangeLog, Index

__all__ = ["IndexFactory", "Projector"]


class IndexFactory(Protocol):
    """Opens and discards the index of a knowledge base."""

    def open(self, kb: int) -> Index:
        """Open it, empty where there is none.

        Raises:
            IndexMismatchError: It was made in another way than it would be now.
        """

    def discard(self, kb: int) -> None:
        """Delete it."""


class Projector:
    """Gives an index that is level with the database, whatever happened to it.

    Args:
        changes: The log to follow.
        indexes: Opens and discards them.
        model: Fingerprint of the embedder whose vectors they hold.
    """

    def __init__(self, changes: ChangeLog, indexes: IndexFactory, model: str) -> None:
        self._changes = changes
        self._indexes = indexes
        self._model = model
        self._open: dict[int, Index] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    async def current(self, kb: int, on_rebuild: Callable[[], None] = lambda: None) -> Index:
        """Return the index of ``kb``, level with the change log as it was at the call.

        Args:
            kb: Id of the knowledge base.
            on_rebuild: Called when the index has to be made again, which takes its time.

        Raises:
            StoreError: The database failed, or lacks vectors of the embedder.
        """
        head = await self._changes.head(kb)
        index = self._open.get(kb)
        if index is not None and index.state.applied >= head and not index.state.worn:
            return index
        async with self._locks.setdefault(kb, asyncio.Lock()):
            index = self._open.get(kb) or await self._opened(kb, on_rebuild)
            if index.state.applied < head:
                after = index.state.applied
                await index.apply(self._changes.changes(kb, after, self._model))
            if index.state.worn:
                await index.apply(self._changes.changes(kb, 0, self._model), anew=True)
            self._open[kb] = index
        return index

    async def forget(self, kb: int) -> None:
        """Close and delete the index of ``kb``; the next search makes it again."""
        index = self._open.pop(kb, None)
        if index is not None:
            await index.close()
        await asyncio.to_thread(self._indexes.discard, kb)

    async def close(self) -> None:
        """Close all open indexes."""
        for index in self._open.values():
            await index.close()
        self._open.clear()

    async def _opened(self, kb: int, on_rebuild: Callable[[], None]) -> Index:
        try:
            return await asyncio.to_thread(self._indexes.open, kb)
        except IndexMismatchError:
            on_rebuild()
            await asyncio.to_thread(self._indexes.discard, kb)
            return await asyncio.to_thread(self._indexes.open, kb)
