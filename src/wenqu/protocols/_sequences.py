"""A language model from below: prompts and replies side by side, read in batches of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

Entry = tuple[int, int, int, bool]
"""A token of a batch: its sequence, its place in it, itself, and whether what follows is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Tokens of the longest prompt with its reply, how many at a time, and tokens of them all."""

    context: int
    sequences: int = 1
    cells: int


class Sequences(Protocol):
    """A model in which ``room.sequences`` prompts and their replies live side by side.

    Blocks, and belongs to one thread at a time.
    """

    room: Room

    @property
    def batch_tokens(self) -> int:
        """Most tokens of the next batch."""

    def decode(self, entries: Sequence[Entry]) -> bool:
        """Read a batch; False where no stretch of cells for all of it is free.

        Places go on from what a sequence holds.
        """

    def likelihoods(self, at: int) -> NDArray[np.float32]:
        """Return the logits of entry ``at`` of the batch, which wanted them; valid until the next.

        One a token of the vocabulary. They may be written to.
        """

    def text(self, token: int) -> bytes:
        """Return what a token says, which may be a part of a character."""

    def ends(self, token: int) -> bool:
        """Say whether a token ends a reply."""

    def trim(self, sequence: int, length: int = 0) -> None:
        """Forget what a sequence holds from place ``length`` on."""

    def share(self, source: int, sequence: int, length: int) -> None:
        """Let an empty sequence begin as another does, with the same cells."""

    def state(self, sequence: int) -> bytes:
        """Return what a sequence holds, or nothing where that cannot be said."""

    def restore(self, sequence: int, state: bytes) -> bool:
        """Put back what ``state`` returned; where that fails the sequence is empty."""
