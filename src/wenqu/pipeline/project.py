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
        known = self._open.get(kb)
        if known is not None and known.state.applied >= head and not known.state.worn:
            return known
        async with self._locks.setdefault(kb, asyncio.Lock()):
            try:
                index = self._open.get(kb) or await self._opened(kb)
                await self._level(index, kb, head)
            except IndexMismatchError:
                # Made otherwise, damaged, or deleted while it was open.
                on_rebuild()
                await self.forget(kb)
                index = await self._opened(kb)
                await self._level(index, kb, head)
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

    async def _opened(self, kb: int) -> Index:
        return await asyncio.to_thread(self._indexes.open, kb)

    async def _level(self, index: Index, kb: int, head: int) -> None:
        if index.state.applied < head:
            await index.apply(self._changes.changes(kb, index.state.applied, self._model))
        if index.state.worn:
            await index.apply(self._changes.changes(kb, 0, self._model), anew=True)
