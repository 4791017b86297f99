from __future__ import annotations

import asyncio

import pytest

from wenqu.errors import BusyError
from wenqu.pipeline.slots import FairQueue


async def hold_slot(queue: FairQueue, hold: asyncio.Event) -> None:
    async with queue.place("x") as place, place.slot():
        await hold.wait()


async def answer(queue: FairQueue, who: str, name: str, order: list[str]) -> None:
    async with queue.place(who) as place, place.slot():
        order.append(name)
        await asyncio.sleep(0)


def test_turns_go_round_among_those_who_wait_and_each_keeps_its_own_order() -> None:
    async def run() -> list[str]:
        queue, order = FairQueue(slots=1, waiting=20), []
        asked = [("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1"), ("c", "c1")]
        await asyncio.gather(*(answer(queue, who, name, order) for who, name in asked))
        return order

    # a1 had the slot before the others came.
    assert asyncio.run(run()) == ["a1", "a2", "b1", "c1", "a3", "a4"]


def test_no_more_answers_are_written_at_once_than_there_are_slots() -> None:
    async def run() -> int:
        queue = FairQueue(slots=3, waiting=50)
        at_work, most = 0, 0

        async def work() -> None:
            nonlocal at_work, most
            async with queue.place() as place, place.slot():
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(0.001)
                at_work -= 1

        await asyncio.gather(*(work() for _ in range(40)))
        return most

    assert asyncio.run(run()) == 3


def test_past_the_bound_one_is_told_how_many_are_ahead_and_when_to_come_back() -> None:
    async def run() -> BusyError:
        queue = FairQueue(slots=1, waiting=2)
        hold = asyncio.Event()

        tasks = [asyncio.create_task(hold_slot(queue, hold)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as refused:
            async with queue.place():
                pass
        hold.set()
        await asyncio.gather(*tasks)
        async with queue.place() as place, place.slot():
            assert queue.ahead == 1
        return refused.value

    error = asyncio.run(run())
    assert error.values["ahead"] == 3
    assert int(str(error.values["seconds"])) >= 1
    assert error.retryable
    assert "3" in error.message("zh")


def test_who_leaves_while_waiting_or_in_turn_blocks_nobody() -> None:
    async def run() -> list[str]:
        queue, order = FairQueue(slots=1, waiting=9), []
        hold = asyncio.Event()

        holder = asyncio.create_task(hold_slot(queue, hold))
        await asyncio.sleep(0)
        leaving = asyncio.create_task(answer(queue, "a", "a", order))
        staying = asyncio.create_task(answer(queue, "b", "b", order))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(holder, staying)
        # A turn that comes in the very moment its owner is cancelled goes to the next.
        hold.clear()
        holder = asyncio.create_task(hold_slot(queue, hold))
        await asyncio.sleep(0)
        in_turn = asyncio.create_task(answer(queue, "c", "c", order))
        last = asyncio.create_task(answer(queue, "d", "d", order))
        await asyncio.sleep(0)
        hold.set()
        await holder
        in_turn.cancel()
        await asyncio.gather(in_turn, last, return_exceptions=True)
        async with queue.place() as place, place.slot():
            order.append("end")
        return order

    order = asyncio.run(asyncio.wait_for(run(), 120))
    assert order[0] == "b"
    assert order[-2:] == ["d", "end"]


def test_a_failure_frees_slot_and_place() -> None:
    async def run() -> int:
        queue = FairQueue(slots=1, waiting=0)
        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                async with queue.place() as place, place.slot():
                    raise ValueError("broken")
        return queue.ahead

    assert asyncio.run(run()) == 0


def test_who_leaves_in_the_moment_a_slot_becomes_free_takes_none_with_it() -> None:
    async def run() -> list[str]:
        queue, order = FairQueue(slots=1, waiting=9), []
        hold = asyncio.Event()

        holder = asyncio.create_task(hold_slot(queue, hold))
        await asyncio.sleep(0)
        leaving = asyncio.create_task(answer(queue, "a", "a", order))
        await asyncio.sleep(0)
        hold.set()
        leaving.cancel()  # the holder ends before the one who leaves is told
        await asyncio.gather(holder, leaving, return_exceptions=True)
        assert holder.exception() is None
        await answer(queue, "b", "b", order)
        return order

    assert asyncio.run(asyncio.wait_for(run(), 60))[0] == "b"
