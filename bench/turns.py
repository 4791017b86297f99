"""How long who waits for answers of one local model: the real loop over a model of measured cost.

    python bench/turns.py [--slots 3] [--base 0.038] [--token 0.0126] [--runs 200] [--seed 1]

``wenqu.models.llama_ik_batch`` decides what goes into each step; here a step of n tokens takes
``base + n * token`` seconds, which pass at once. The defaults are those of ik_llama.cpp with the
default model on two cores (docs/adr/0020: 1 to 16 replies at a time). Who asks and when is made up:
questions to documents (150 to 450 tokens to read beyond the fixed instructions, replies of 30 in
the median), plain chats (20 to 120 and 180), at once and one after another by chance.
"""

from __future__ import annotations

import argparse
import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine import percentile
from wenqu.models.llama_ik_batch import Batcher, Job
from wenqu.protocols import Room
from wenqu.testing.toy_model import ToyModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import Entry

_CONTEXT = 4096
_ATONCE_CELLS = 2
_STREAM = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody asks, tokens of the prompt, and tokens of the reply."""

    at: float
    reads: int
    says: int


@dataclass(slots=True)
class Waited:
    """Seconds until the first token and until the last."""

    first: float = 0.0
    last: float = 0.0


class CostlyModel(ToyModel):
    """A model whose steps take as long as they were measured to."""

    batch_tokens = 128

    def __init__(self, room: Room, base: float, token: float) -> None:
        super().__init__(room)
        self.now = 0.0
        self._base, self._token = base, token

    def decode(self, entries: Sequence[Entry]) -> bool:
        """Read a batch, and let the time pass that it takes."""
        self.now += self._base + self._token * len(entries)
        return super().decode(entries)


def waits(asked: Sequence[Asked], slots: int, base: float, token: float) -> list[Waited]:
    """Return what each waited, in the order of ``asked``, which is that of time."""
    room = Room(context=_CONTEXT, sequences=slots, cells=_CONTEXT * min(slots, _ATONCE_CELLS))
    model = CostlyModel(room, base, token)
    batcher = Batcher(model)
    found = [Waited() for _ in asked]
    numbers: dict[int, int] = {}
    jobs = []  # kept, so that no two have the same id
    while len(jobs) < len(asked) or batcher.busy:
        if not batcher.busy:
            model.now = max(model.now, asked[len(jobs)].at)
        while len(jobs) < len(asked) and asked[len(jobs)].at <= model.now:
            one = asked[len(jobs)]
            # No two prompts begin alike: what they have in common is known and not counted.
            prompt = [100 + len(jobs), *range(1, one.reads)]
            job = Job(tokens=prompt, most=one.says, endless=True)
            numbers[id(job)] = len(jobs)
            jobs.append(job)
            batcher.submit(job)
        for job, piece in batcher.step():
            number = numbers[id(job)]
            waited = model.now - asked[number].at
            found[number].first = found[number].first or waited
            found[number].last = max(found[number].last, waited)
            if piece.failure is not None:
                raise piece.failure
    return found


def _question(chance: random.Random, at: float = 0.0) -> Asked:
    return Asked(at, chance.randint(150, 450), max(6, int(chance.lognormvariate(3.4, 0.7))))


def _chat(chance: random.Random, at: float = 0.0) -> Asked:
    return Asked(at, chance.randint(20, 120), max(20, int(chance.lognormvariate(5.2, 0.6))))


def _stream(gap: float, chats: float) -> Callable[[random.Random], list[Asked]]:
    """Return what makes questions at chance times ``gap`` apart, a share of them plain chats."""

    def make(chance: random.Random) -> list[Asked]:
        at, asked = 0.0, []
        for _ in range(_STREAM):
            at += chance.expovariate(1 / gap)
            asked.append((_chat if chance.random() < chats else _question)(chance, at))
        return asked

    return make


_CASES: dict[str, Callable[[random.Random], list[Asked]]] = {
    "2 questions at once": lambda chance: [_question(chance) for _ in range(2)],
    "3 questions at once": lambda chance: [_question(chance) for _ in range(3)],
    "a question, another 3 s later": lambda chance: [_question(chance), _question(chance, 3.0)],
    "a plain chat, a question 3 s later": lambda chance: [_chat(chance), _question(chance, 3.0)],
    "2 plain chats at once": lambda chance: [_chat(chance) for _ in range(2)],
    "3 plain chats at once": lambda chance: [_chat(chance) for _ in range(3)],
    "questions, one in 9 s": _stream(9.0, 0.0),
    "the same, a third plain chats, one in 14 s": _stream(14.0, 1 / 3),
}


def main() -> None:
    """Print a row a case and number of slots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--base", type=float, default=0.038, help="seconds of any step")
    parser.add_argument("--token", type=float, default=0.0126, help="seconds more of each token")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"{'':44}{'slots':>6}{'first s':>9}{'mean s':>9}{'p95 s':>9}{'soonest s':>11}")
    for name, make in _CASES.items():
        for slots in (1, given.slots):
            chance = random.Random(given.seed)  # noqa: S311
            runs = given.runs if name[0].isdigit() or name[:2] == "a " else max(1, given.runs // 8)
            rows = [waits(make(chance), slots, given.base, given.token) for _ in range(runs)]
            last = [one.last for row in rows for one in row]
            first = statistics.mean(one.first for row in rows for one in row)
            soonest = statistics.mean(min(one.last for one in row) for row in rows)
            print(f"{name:44}{slots:>6}{first:>9.2f}{statistics.mean(last):>9.2f}", end="")
            print(f"{percentile(last, 0.95):>9.2f}{soonest:>11.2f}")


if __name__ == "__main__":
    main()
