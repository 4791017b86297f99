"""What a store of conversations must do: subclass the suite in a test and implement ``store``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.errors import NotFoundError
from wenqu.types import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from wenqu.protocols import ConversationStore

    Check = Callable[[ConversationStore], Coroutine[Any, Any, None]]

__all__ = ["Clock", "ConversationStoreContract", "turn_of"]


class Clock:
    """A time that passes only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, minutes: float) -> str:
        """Let time pass; return the moment it is then, in ISO 8601."""
        self.now += timedelta(minutes=minutes)
        return self.now.isoformat()


def turn_of(name: str, parent: str | None = None) -> Turn:
    """Return a turn whose id, question and answer all say ``name``."""
    return Turn(
        id=name,
        question=f"{name}？",
        answer=f"{name}。",
        outcome="answered",
        parent=parent,
        answer_id=f"record-{name}",
        detail={"model": "made", "citations": [1]},
    )


class ConversationStoreContract:
    """Contract suite of ``protocols.ConversationStore``."""

    def store(self, clock: Clock) -> AbstractAsyncContextManager[ConversationStore]:
        """Open the store under test, empty, with the time that ``clock`` tells."""
        raise NotImplementedError

    def _run(self, check: Check, clock: Clock | None = None) -> None:
        async def opened() -> None:
            async with self.store(clock or Clock()) as store:
                await check(store)

        asyncio.run(opened())

    def test_a_turn_comes_back_as_it_was_kept_and_names_the_conversation(self) -> None:
        async def check(store: ConversationStore) -> None:
            made = await store.create("规章", owner="ann")
            await store.add(made.id, turn_of("甲"))
            found = await store.get(made.id)
            assert (found.kb_name, found.owner, found.title) == ("规章", "ann", "甲？")
            (turn,) = found.turns
            assert turn.created_at == "2026-01-01T00:00:00+00:00"
            assert (turn.question, turn.answer, turn.answer_id) == ("甲？", "甲。", "record-甲")
            assert dict(turn.detail) == {"model": "made", "citations": [1]}

        self._run(check)

    def test_another_branch_hides_turns_and_loses_none(self) -> None:
        async def check(store: ConversationStore) -> None:
            talk = (await store.create()).id
            for name, parent in (("a", None), ("b", "a"), ("c", "b"), ("b2", "a")):
                await store.add(talk, turn_of(name, parent))
            assert [turn.id for turn in (await store.get(talk)).turns] == ["a", "b2"]
            await store.go_to(talk, "c")
            assert [turn.id for turn in (await store.get(talk)).turns] == ["a", "b", "c"]
            await store.go_to(talk, None)
            assert (await store.get(talk)).turns == ()
            await store.add(talk, turn_of("new"))
            assert [turn.id for turn in (await store.get(talk)).turns] == ["new"]

        self._run(check)

    def test_what_is_not_there_is_refused(self) -> None:
        async def check(store: ConversationStore) -> None:
            one, other = (await store.create(owner="ann")).id, (await store.create()).id
            await store.add(other, turn_of("elsewhere"))
            for work in (
                store.get("none"),
                store.get(one, owner="bob"),
                store.add("none", turn_of("a")),
                store.go_to(one, "elsewhere"),
                store.go_to("none", None),
            ):
                with pytest.raises(NotFoundError):
                    await work
            assert (await store.get(one, owner="ann")).id == one

        self._run(check)

    def test_a_summary_says_up_to_which_turn_it_tells(self) -> None:
        async def check(store: ConversationStore) -> None:
            talk = (await store.create()).id
            assert (await store.get(talk)).summarised is None
            await store.add(talk, turn_of("a"))
            await store.summarise(talk, "问了甲。", "a")
            found = await store.get(talk)
            assert (found.summary, found.summarised) == ("问了甲。", "a")

        self._run(check)

    def test_conversations_are_listed_by_owner_the_last_used_first(self) -> None:
        clock = Clock()

        async def check(store: ConversationStore) -> None:
            first = (await store.create(owner="ann")).id
            clock.pass_by(1)
            second = (await store.create(owner="ann")).id
            third = (await store.create(owner="bob")).id
            clock.pass_by(1)
            await store.add(first, turn_of("a"))
            assert [talk.id for talk in await store.list("ann")] == [first, second]
            assert {talk.id for talk in await store.list()} == {first, second, third}

        self._run(check, clock)

    def test_only_what_is_idle_and_of_that_owner_expires(self) -> None:
        clock = Clock()

        async def check(store: ConversationStore) -> None:
            idle, kept = (await store.create()).id, (await store.create(owner="ann")).id
            used = (await store.create()).id
            moment = clock.pass_by(30)
            clock.pass_by(1)
            await store.add(used, turn_of("a"))
            assert await store.expire(moment) == 1
            with pytest.raises(NotFoundError):
                await store.get(idle)
            assert (await store.get(used)).turns
            assert (await store.get(kept)).id == kept

        self._run(check, clock)

    def test_deleting_takes_the_turns_along(self) -> None:
        async def check(store: ConversationStore) -> None:
            talk = (await store.create()).id
            await store.add(talk, turn_of("a"))
            assert await store.delete([talk, "none"]) == 1
            again = (await store.create()).id
            await store.add(again, turn_of("a"))  # its id is free again
            assert [turn.id for turn in (await store.get(again)).turns] == ["a"]

        self._run(check)
