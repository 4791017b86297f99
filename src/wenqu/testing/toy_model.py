"""A model of no weights, for what shares it out: a next token hangs on all that were read."""

from __future__ import annotations

import zlib
from array import array
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from wenqu.protocols import Entry, Room

__all__ = ["ToyModel"]

_VOCABULARY = 64
_END = 0


class ToyModel:
    """A ``Sequences`` whose likeliest token is a checksum of the sequence.

    So a token that is lost, doubled or another's changes all that follows. It looks after its room
    as the library does, and refuses a batch where ``scattered`` says so.
    """

    batch_tokens = 32

    def __init__(self, room: Room, scattered: Callable[[int], bool] = lambda _: False) -> None:
        self.room = room
        self.batches: list[int] = []
        self._scattered = scattered
        self._held: list[list[int]] = [[] for _ in range(room.sequences)]
        self._wanted: dict[int, tuple[int, ...]] = {}

    def decode(self, entries: Sequence[Entry]) -> bool:
        """Read one batch; an entry out of its place is a mistake of the caller's."""
        if not 0 < len(entries) <= self.batch_tokens:
            raise ValueError(len(entries))
        if len(entries) > 1 and self._scattered(len(entries)):
            return False
        self.batches.append(len(entries))
        self._wanted.clear()
        for at, (sequence, place, token, wanted) in enumerate(entries):
            held = self._held[sequence]
            if place != len(held) or place >= self.room.context:
                raise ValueError(place)
            held.append(token)
            if wanted:
                self._wanted[at] = tuple(held)
        return sum(map(len, self._held)) <= self.room.cells

    def likelihoods(self, at: int) -> NDArray[np.float32]:
        """Return logits that hang on all of the sequence up to an entry that wanted them."""
        logits = np.zeros(_VOCABULARY, np.float32)
        logits[zlib.crc32(array("i", self._wanted[at]).tobytes()) % _VOCABULARY] = 1
        logits[_END] += 0.5
        return logits

    def text(self, token: int) -> bytes:
        """Return the token's number in words of their own."""
        return b"%d " % token

    def ends(self, token: int) -> bool:
        """Say whether it is the one token that does."""
        return token == _END

    def trim(self, sequence: int, length: int = 0) -> None:
        """Forget the end of a sequence."""
        del self._held[sequence][length:]

    def share(self, source: int, sequence: int, length: int) -> None:
        """Copy: that cells are shared is the library's affair."""
        self._held[sequence] = self._held[source][:length]

    def state(self, sequence: int) -> bytes:
        """Return the tokens."""
        return array("i", self._held[sequence]).tobytes()

    def restore(self, sequence: int, state: bytes) -> bool:
        """Put tokens back, where there is room for them."""
        self._held[sequence] = []
        tokens = array("i", state)
        if sum(map(len, self._held)) + len(tokens) > self.room.cells:
            return False
        self._held[sequence] = list(tokens)
        return True
