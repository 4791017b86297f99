"""Several replies of one model at a time: every step is one batch with a part of each.

A step holds the next token of every reply that is being written and, in what room is left, the
next part of the prompts that are read, the oldest first. The weights are fetched from memory once
for all of them, which is what a step of one token costs. What a prompt has in common with one that
is held already, by whomever, is not read again. A long prompt is not read beside a reply that came
before it and has only begun: such a reply is often over soon, and both would be late.

Everything here blocks and belongs to one thread at a time, but for ``submit`` and ``Job.dropped``.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from wenqu.models.llama_ik import IkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.protocols import Sequences

    Choose = Callable[[NDArray[np.float32]], int]

__all__ = ["Batcher", "Job", "Piece", "Timings", "likeliest"]

# Tokens of prompts in a step that also carries replies, which wait for all of it. So many are read
# nearly as fast, each, as in larger batches (ADR 0020).
_BESIDE_REPLIES = 16
# A reply that has said less has only begun, and may be over soon.
_BEGUN = 64
# What is left of a prompt is short where reading it costs less than writing side by side saves.
_SHORT = 64
_KEPT_BYTES = 256 << 20
# Below this, reading a prompt's beginning again costs less than keeping it.
_WORTH_KEEPING = 64
_STATE = b"wenqu-kv-1\n"
_DIGEST_BYTES = 32
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Tokens and seconds of a reply: ``reused`` of the prompt's tokens were known already."""

    prompt: int
    reused: int
    prompt_s: float
    replied: int
    reply_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A step of a reply; the last one says why it ends, or tells of a failure."""

    text: bytes = b""
    end: Literal["stop", "length"] | None = None
    failure: IkError | None = None


def likeliest(logits: NDArray[np.float32]) -> int:
    """Return the token with the greatest logit."""
    return int(logits.argmax())


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A prompt and how it is to be answered: ``most`` tokens, each picked by ``choose``.

    With ``most`` 0 the prompt is the beginning of others to come: it is read and remembered.
    ``dropped`` is set by whoever no longer waits for it, at any time.
    """

    tokens: Sequence[int]
    most: int
    choose: Choose = likeliest
    endless: bool = False
    dropped: bool = False
    begun: float = field(default_factory=time.perf_counter)
    read: float = 0.0
    reused: int = 0
    replied: int = 0
    slot: int = -1
    next: list[int] = field(default_factory=list)

    @property
    def speaks(self) -> bool:
        """Whether its prompt has been read."""
        return self.read > 0

    def timings(self) -> Timings:
        """Return its figures so far."""
        return Timings(
            prompt=len(self.tokens),
            reused=self.reused,
            prompt_s=self.read - self.begun,
            replied=self.replied,
            reply_s=time.perf_counter() - self.read,
        )


class Batcher:
    """The replies of one model: those being written, and those that wait for a slot."""

    def __init__(self, model: Sequences) -> None:
        self._model = model
        self._room = model.room
        self._held: list[list[int]] = [[] for _ in range(self._room.sequences)]
        self._free = deque(range(self._room.sequences))  # the longest idle first
        self._jobs: list[Job] = []
        self._waiting: deque[Job] = deque()
        self._kept: OrderedDict[tuple[int, ...], bytes] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether another step has anything to do."""
        return bool(self._jobs or self._waiting)

    @property
    def waiting(self) -> int:
        """How many have no slot yet."""
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        """Take a job, to be begun in a step to come.

        Raises:
            IkError: Its prompt leaves no room for a reply.
        """
        if len(job.tokens) >= self._room.context:
            raise IkError(f"{len(job.tokens)} tokens, context {self._room.context}")
        self._waiting.append(job)

    def step(self) -> list[tuple[Job, Piece]]:
        """Send one batch through the model; return what came of it, in any order."""
        for job in [job for job in self._jobs if job.dropped]:
            self._release(job)
        said: list[tuple[Job, Piece]] = []
        try:
            self._admit()
            for job in [job for job in self._jobs if not job.next]:
                self._after(job, -1, said)  # the beginning of a prompt, known already
            if parts := self._parts():
                self._run(parts, said)
        except IkError as error:
            said += [(job, Piece(failure=error)) for job in self._jobs]
            self._forget_all()
        return said

    def knows(self, tokens: Sequence[int]) -> bool:
        """Say whether a prompt's beginning is remembered."""
        return tuple(tokens) in self._kept

    def save(self, tokens: Sequence[int], path: Path) -> None:
        """Write what is remembered of ``tokens``, which a job with ``most`` 0 read, to a file."""
        body = _head(tokens) + self._kept[tuple(tokens)]
        path.write_bytes(hashlib.sha256(body).digest() + body)

    def load(self, tokens: Sequence[int], path: Path) -> bool:
        """Remember ``tokens`` from a file of ``save``; False where it is not that."""
        try:
            data = path.read_bytes()
        except OSError:
            return False
        digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        head = _head(tokens)
        if not body.startswith(head) or hashlib.sha256(body).digest() != digest:
            return False
        self._remember(tuple(tokens), body[len(head) :])
        return True

    # Slots: who has which, and what each holds.

    def _admit(self) -> None:
        """Give slots to those who wait, in their order, as long as all will have room."""
        while self._waiting and self._free:
            job = self._waiting[0]
            if job.dropped:
                self._waiting.popleft()
                continue
            taken = sum(self._needs(other) for other in self._jobs)
            if taken + self._needs(job) > self._room.cells:
                return
            self._waiting.popleft()
            self._place(job)
            self._jobs.append(job)
            self._make_room(taken + self._needs(job))

    def _needs(self, job: Job) -> int:
        return min(len(job.tokens) + job.most, self._room.context)

    def _make_room(self, taken: int) -> None:
        """Empty idle slots, the longest idle first, until ``taken`` more cells are free."""
        idle = sum(len(self._held[slot]) for slot in self._free)
        for slot in self._free:
            if taken + idle <= self._room.cells:
                return
            idle -= len(self._held[slot])
            self._trim(slot, 0)

    def _place(self, job: Job) -> None:
        """Choose a slot, and bring the longest known beginning of the prompt into it.

        The last token is read in any case: the library gives the likelihoods of what it reads only.
        """
        tokens = job.tokens
        job.slot = slot = max(self._free, key=lambda one: _continued(self._held[one], tokens))
        self._free.remove(slot)
        source = max(range(len(self._held)), key=lambda one: _shared(self._held[one], tokens))
        best = max(self._kept, key=lambda kept: _shared(kept, tokens), default=())
        known = _shared(self._held[source], tokens)
        if (length := _shared(best, tokens)) > known and self._restore(slot, best):
            known = length
        elif source != slot:
            self._trim(slot, 0)
            self._model.share(source, slot, known)
            self._held[slot] = list(tokens[:known])
        most = len(tokens) - (job.most > 0)
        job.reused = min(known, most, len(self._held[slot]))
        self._trim(slot, job.reused)
        job.next = list(tokens[job.reused :])

    def _restore(self, slot: int, kept: tuple[int, ...]) -> bool:
        state = self._kept[kept]
        self._kept.move_to_end(kept)
        self._trim(slot, 0)
        if not self._model.restore(slot, state):
            return False
        self._held[slot] = list(kept)
        return True

    def _trim(self, slot: int, length: int) -> None:
        """Keep ``length`` tokens of a slot, and a copy of it all if that is worth it."""
        held = self._held[slot]
        if len(held) - length > _WORTH_KEEPING:
            self._keep(slot)
        if length < len(held):
            self._model.trim(slot, length)
            del held[length:]

    def _keep(self, slot: int) -> None:
        """Remember a slot as it is, unless as much or more of it is remembered or held."""
        held = tuple(self._held[slot])
        others = (tuple(other) for at, other in enumerate(self._held) if at != slot)
        if not any(known[: len(held)] == held for known in (*self._kept, *others)):
            self._remember(held, self._model.state(slot))

    def _remember(self, tokens: tuple[int, ...], state: bytes) -> None:
        if not state:
            return
        self._kept[tokens] = state
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def _release(self, job: Job) -> None:
        self._jobs.remove(job)
        self._free.append(job.slot)

    def _forget_all(self) -> None:
        """Begin anew after a failure: what the library holds now is anybody's guess."""
        self._jobs.clear()
        for slot in range(len(self._held)):
            self._model.trim(slot)
            self._held[slot].clear()
        self._free = deque(range(len(self._held)))

    # Steps: what goes into a batch, and what comes of it.

    def _parts(self) -> list[tuple[Job, int, bool]]:
        """Return the tokens of the next batch: whose, which, and whether a reply follows it."""
        replies = [(job, job.next[0], True) for job in self._jobs if job.speaks]
        room = self._model.batch_tokens
        beside = len(replies) + _BESIDE_REPLIES
        if replies:
            room = min(room, beside)
        parts = replies
        begun = False
        for job in self._jobs:
            if job.speaks:
                begun = begun or job.replied < _BEGUN
            elif not begun or len(job.next) <= _SHORT:
                some = job.next[: max(0, room - len(parts))]
                last = len(job.next) - 1
                parts += [(job, token, at == last) for at, token in enumerate(some)]
                room = min(room, beside)  # one after another: side by side, all would be late
        return parts

    def _run(self, parts: Sequence[tuple[Job, int, bool]], said: list[tuple[Job, Piece]]) -> None:
        """Decode ``parts``; halves of them where free cells lie scattered."""
        places = {id(job): len(self._held[job.slot]) for job, _, _ in parts}
        entries = []
        for job, token, wanted in parts:
            entries.append((job.slot, places[id(job)], token, wanted))
            places[id(job)] += 1
        if not self._model.decode(entries):
            if len(parts) == 1:
                raise IkError("no room")
            middle = len(parts) // 2
            self._run(parts[:middle], said)
            self._run(parts[middle:], said)
            return
        for at, (job, token, wanted) in enumerate(parts):
            self._held[job.slot].append(token)
            del job.next[0]
            if wanted:
                self._after(job, at, said)

    def _after(self, job: Job, at: int, said: list[tuple[Job, Piece]]) -> None:
        """Go on with a job whose tokens have all been read; entry ``at`` tells what follows."""
        job.read = job.read or time.perf_counter()
        if not job.most:
            self._remember(tuple(job.tokens), self._model.state(job.slot))
            self._finish(job, said, "stop")
            return
        token = self._chosen(job, at)
        if token is None:
            self._finish(job, said, "stop")
            return
        job.replied += 1
        job.next = [token]
        said.append((job, Piece(text=self._model.text(token))))
        if job.replied == job.most or len(self._held[job.slot]) + 1 == self._room.context:
            self._finish(job, said, "length")

    def _chosen(self, job: Job, at: int) -> int | None:
        """Return the next token, or None where the reply ends."""
        logits = self._model.likelihoods(at)
        while self._model.ends(token := job.choose(logits)):
            if not job.endless:
                return None
            logits[token] = _NEVER
        return token

    def _finish(
        self, job: Job, said: list[tuple[Job, Piece]], end: Literal["stop", "length"]
    ) -> None:
        self._release(job)
        said.append((job, Piece(end=end)))


def _head(tokens: Sequence[int]) -> bytes:
    return _STATE + len(tokens).to_bytes(4, "little") + array("i", tokens).tobytes()


def _continued(held: Sequence[int], tokens: Sequence[int]) -> int:
    """Return how long ``held`` is where ``tokens`` goes on from it, and -1 where it does not."""
    return len(held) if _shared(held, tokens) == len(held) else -1


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts have in common at their beginning."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))
