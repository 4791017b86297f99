"""What a store of gates must do: subclass the suite in a test and implement ``stores``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wenqu.protocols import StoredGate

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from wenqu.protocols import GateStore, KnowledgeBaseStore

    Check = Callable[[GateStore, KnowledgeBaseStore], Coroutine[Any, Any, None]]

__all__ = ["GateStoreContract"]

_GATE = StoredGate(embedder="e5:1", data={"version": 1, "own": {"bias": -0.5}, "about": "问渠"})


class GateStoreContract:
    """Contract suite of ``protocols.GateStore``."""

    def stores(self) -> AbstractAsyncContextManager[tuple[GateStore, KnowledgeBaseStore]]:
        """Open the store under test, empty, beside the knowledge bases of the same database."""
        raise NotImplementedError

    def _run(self, check: Check) -> None:
        async def opened() -> None:
            async with self.stores() as (gates, bases):
                await check(gates, bases)

        asyncio.run(opened())

    def test_a_gate_comes_back_as_it_was_kept(self) -> None:
        async def check(gates: GateStore, bases: KnowledgeBaseStore) -> None:
            kb = (await bases.create("made")).id
            assert await gates.get(kb) is None
            await gates.put(kb, _GATE)
            assert await gates.get(kb) == _GATE

        self._run(check)

    def test_a_later_gate_takes_the_place_of_an_earlier_one(self) -> None:
        async def check(gates: GateStore, bases: KnowledgeBaseStore) -> None:
            kb = (await bases.create("made")).id
            later = StoredGate(embedder="e5:2", data={"version": 1})
            await gates.put(kb, _GATE)
            await gates.put(kb, later)
            assert await gates.get(kb) == later

        self._run(check)

    def test_each_knowledge_base_has_its_own_gate(self) -> None:
        async def check(gates: GateStore, bases: KnowledgeBaseStore) -> None:
            one, other = (await bases.create("one")).id, (await bases.create("other")).id
            await gates.put(one, _GATE)
            assert await gates.get(other) is None
            assert not await gates.delete(other)
            assert await gates.get(one) == _GATE

        self._run(check)

    def test_a_gate_that_is_deleted_is_gone_and_only_once(self) -> None:
        async def check(gates: GateStore, bases: KnowledgeBaseStore) -> None:
            kb = (await bases.create("made")).id
            await gates.put(kb, _GATE)
            assert await gates.delete(kb)
            assert await gates.get(kb) is None
            assert not await gates.delete(kb)

        self._run(check)

    def test_a_gate_goes_with_its_knowledge_base(self) -> None:
        async def check(gates: GateStore, bases: KnowledgeBaseStore) -> None:
            kb = (await bases.create("made")).id
            await gates.put(kb, _GATE)
            await bases.delete("made")
            assert await gates.get(kb) is None

        self._run(check)
