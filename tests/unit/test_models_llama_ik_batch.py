"""Several replies at a time, over a model whose every token tells if anything was mixed up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.models.llama_ik import IkError
from wenqu.models.llama_ik_batch import Batcher, Job, _shared
from wenqu.protocols import Room
from wenqu.testing.contracts_sequences import SequencesContract
from wenqu.testing.toy_model import ToyModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.protocols import Entry

PREFIX = list(range(1, 41))


class TestToyModel(SequencesContract):
    @pytest.fixture
    def model(self) -> ToyModel:
        return ToyModel(room(context=64, sequences=3, cells=256))


def room(context: int = 256, sequences: int = 4, cells: int = 1024) -> Room:
    return Room(context=context, sequences=sequences, cells=cells)


def answered(batcher: Batcher, *jobs: Job) -> list[str]:
    """Run until all have been answered; what each of them said."""
    for job in jobs:
        batcher.submit(job)
    said = {id(job): "" for job in jobs}
    while batcher.busy:
        for job, piece in batcher.step():
            assert piece.failure is None
            said[id(job)] = said.get(id(job), "") + piece.text.decode()
    return [said[id(job)] for job in jobs]


def alone(tokens: list[int], most: int, *, endless: bool = False) -> str:
    (said,) = answered(Batcher(ToyModel(room())), Job(tokens=tokens, most=most, endless=endless))
    return said


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 3))
def test_a_reply_is_what_it_would_be_alone(seed: int, slots: int, longest: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - hypothesis picks the seed
    model = ToyModel(
        room(context=160, sequences=slots, cells=160 * min(slots, longest)),
        scattered=lambda _: chance.random() < 0.1,
    )
    batcher = Batcher(model)
    jobs, said, dropped = [], {}, set()
    for number in range(12):
        shared = PREFIX[: chance.choice((0, 10, 40))]
        tokens = shared + [chance.randrange(1, 60) for _ in range(chance.randrange(1, 90))]
        job = Job(tokens=tokens, most=chance.choice((0, 1, 12)), endless=bool(number % 2))
        jobs.append(job)
        said[id(job)] = ""
        batcher.submit(job)
        for _ in range(chance.randrange(4)):
            take_step(batcher, said)
        if chance.random() < 0.15:
            job.dropped = True
            dropped.add(id(job))
    while batcher.busy:
        take_step(batcher, said)
    for job in jobs:
        expected = alone(list(job.tokens), job.most, endless=job.endless) if job.most else ""
        if id(job) in dropped:
            assert expected.startswith(said[id(job)])
        else:
            assert said[id(job)] == expected


def take_step(batcher: Batcher, said: dict[int, str]) -> None:
    for job, piece in batcher.step():
        assert piece.failure is None
        said[id(job)] += piece.text.decode()


def test_replies_are_written_side_by_side_in_one_batch_a_step() -> None:
    model = ToyModel(room())
    jobs = [Job(tokens=[7, number], most=10, endless=True) for number in range(1, 5)]
    answered(Batcher(model), *jobs)
    assert model.batches == [8, *[4] * 9]


def speaking(batcher: Batcher, said: int, most: int = 100) -> Job:
    """Return a job that has just said so many tokens."""
    job = Job(tokens=[1, 2], most=most, endless=True)
    batcher.submit(job)
    while job.replied < said:
        batcher.step()
    return job


def test_a_long_reply_goes_on_while_a_long_prompt_is_read() -> None:
    batcher = Batcher(ToyModel(room()))
    speaker = speaking(batcher, 70)
    reader = Job(tokens=list(range(1, 101)), most=1)
    batcher.submit(reader)
    for expected in (71, 72, 73, 74):
        batcher.step()
        assert speaker.replied == expected
    assert not reader.speaks
    assert len(reader.next) < 100 - 4 * 10


@pytest.mark.parametrize(("most", "waits_until"), [(100, 64), (10, 10)])
def test_a_long_prompt_waits_for_a_reply_before_it_that_may_be_over_soon(
    most: int, waits_until: int
) -> None:
    batcher = Batcher(ToyModel(room()))
    speaker = speaking(batcher, 1, most)
    reader = Job(tokens=[9, *range(1, 100)], most=1)
    batcher.submit(reader)
    while len(reader.next or reader.tokens) == 100:
        batcher.step()
    # The step that began to read it had a token of the reply as well, unless that had ended.
    assert speaker.replied == min(waits_until + 1, most)


def test_a_short_prompt_is_read_beside_a_reply_that_has_only_begun() -> None:
    batcher = Batcher(ToyModel(room()))
    speaker = speaking(batcher, 1)
    reader = Job(tokens=[9, *range(1, 31)], most=5, endless=True)
    batcher.submit(reader)
    while not reader.speaks:
        batcher.step()
    assert speaker.replied == 3


def test_who_asks_later_cannot_hold_up_a_long_prompt() -> None:
    batcher = Batcher(ToyModel(room(sequences=3)))
    first = speaking(batcher, 1)
    long = Job(tokens=[9, *range(1, 151)], most=1)
    batcher.submit(long)
    late = Job(tokens=[8, 7], most=200, endless=True)
    for _ in range(60):
        batcher.step()
    batcher.submit(late)
    while late.replied < 6:
        batcher.step()
    assert first.replied < 80
    assert len(long.next) < 151  # though ``late`` has only begun


def test_of_two_long_prompts_the_first_is_read_first() -> None:
    model = ToyModel(room())
    batcher = Batcher(model)
    jobs = [Job(tokens=[at, *range(1, 101)], most=40, endless=True) for at in (50, 51)]
    for job in jobs:
        batcher.submit(job)
    batcher.step()
    assert [len(job.next) for job in jobs] == [101 - 32, 101]


def test_prompts_are_read_in_the_order_in_which_they_came() -> None:
    batcher = Batcher(ToyModel(room()))
    first, second = (Job(tokens=[at, *range(1, 41)], most=1) for at in (50, 51))
    batcher.submit(first)
    batcher.submit(second)
    ended = []
    while batcher.busy:
        ended += [job for job, piece in batcher.step() if piece.end]
    assert ended == [first, second]


def test_a_common_beginning_is_read_once_whoever_read_it() -> None:
    batcher = Batcher(ToyModel(room()))
    first = Job(tokens=[*PREFIX, 60], most=30, endless=True)
    batcher.submit(first)
    while not first.speaks:
        batcher.step()
    second = Job(tokens=[*PREFIX, 61, 62], most=1)
    answered(batcher, second)
    assert (first.reused, second.reused) == (0, len(PREFIX))


def test_a_question_asked_again_is_read_but_for_its_last_token() -> None:
    batcher = Batcher(ToyModel(room()))
    answered(batcher, Job(tokens=PREFIX, most=5))
    again = Job(tokens=PREFIX, most=5)
    assert answered(batcher, again) == [alone(PREFIX, 5)]
    assert again.reused == len(PREFIX) - 1


def test_what_a_slot_held_comes_back_after_others_used_it() -> None:
    batcher = Batcher(ToyModel(room(sequences=1)))
    long = list(range(1, 120))
    answered(batcher, Job(tokens=long, most=1))
    answered(batcher, Job(tokens=[5, 6, 7], most=1))
    again = Job(tokens=[*long, 9], most=1)
    answered(batcher, again)
    assert again.reused >= len(long)


def test_who_waits_for_room_is_not_overtaken() -> None:
    batcher = Batcher(ToyModel(room(context=100, sequences=3, cells=200)))
    jobs = [Job(tokens=[at, *range(1, 61)], most=30, endless=True) for at in (50, 51, 52)]
    short = Job(tokens=[53], most=1)
    for job in (*jobs, short):
        batcher.submit(job)
    batcher.step()
    assert batcher.waiting == 2
    ended = []
    while batcher.busy:
        ended += [job for job, piece in batcher.step() if piece.end]
    assert ended == [*jobs[:2], short, jobs[2]]


def test_a_dropped_job_frees_its_slot_at_the_next_step() -> None:
    batcher = Batcher(ToyModel(room(sequences=1)))
    first, second = (Job(tokens=[at, 2], most=50, endless=True) for at in (1, 3))
    batcher.submit(first)
    batcher.step()
    batcher.submit(second)
    first.dropped = True
    assert [job for job, _ in batcher.step()] == [second]


def test_a_reply_ends_where_the_model_ends_it_or_the_room_does() -> None:
    said = alone([4, 5], 200)
    assert len(said.split()) < 200
    assert len(alone([4, 5], 200, endless=True).split()) == 200
    full = Job(tokens=[4, 5], most=500, endless=True)
    (text,) = answered(Batcher(ToyModel(room(context=20))), full)
    assert len(text.split()) == full.replied == 18


def test_a_prompt_without_room_for_a_reply_is_refused() -> None:
    batcher = Batcher(ToyModel(room(context=20)))
    with pytest.raises(IkError, match="20 tokens"):
        batcher.submit(Job(tokens=PREFIX[:20], most=1))


def test_a_failure_costs_the_replies_in_work_and_nothing_later() -> None:
    broken = [True]

    class Breaking(ToyModel):
        def decode(self, entries: Sequence[Entry]) -> bool:
            if broken and sum(map(len, self._held)) > 10:
                raise IkError("llama_decode: -3")
            return super().decode(entries)

    batcher = Batcher(Breaking(room()))
    jobs = [Job(tokens=[7, number], most=10, endless=True) for number in range(1, 4)]
    for job in jobs:
        batcher.submit(job)
    failed = []
    while batcher.busy:
        failed += [job for job, piece in batcher.step() if piece.failure]
    assert failed == jobs
    broken.clear()
    assert answered(batcher, Job(tokens=PREFIX, most=5)) == [alone(PREFIX, 5)]


def test_a_beginning_is_kept_in_a_file_for_another_process(tmp_path: Path) -> None:
    first, second = Batcher(ToyModel(room())), Batcher(ToyModel(room()))
    answered(first, Job(tokens=PREFIX, most=0))
    assert first.knows(PREFIX)
    first.save(PREFIX, tmp_path / "good.kv")
    good = (tmp_path / "good.kv").read_bytes()
    (tmp_path / "bad.kv").write_bytes(good[:-1] + b"?")
    assert not second.load(PREFIX, tmp_path / "bad.kv")
    assert not second.load(PREFIX[:-1], tmp_path / "good.kv")
    assert not second.load(PREFIX, tmp_path / "none.kv")
    assert second.load(PREFIX, tmp_path / "good.kv")
    job = Job(tokens=[*PREFIX, 3], most=4)
    assert answered(second, job) == [alone([*PREFIX, 3], 4)]
    assert job.reused == len(PREFIX)


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [([], [1], 0), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 4, 3], 1), ([5], [6], 0)],
)
def test_the_common_beginning_of_two_prompts(one: list[int], other: list[int], length: int) -> None:
    assert _shared(one, other) == _shared(other, one) == length
