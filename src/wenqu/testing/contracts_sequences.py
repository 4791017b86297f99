"""What a model must do in which prompts live side by side: subclass it, implement ``model``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wenqu.protocols import Sequences

__all__ = ["SequencesContract"]

_ONE = tuple(range(10, 22))
_OTHER = tuple(range(30, 36))
# Sums are rounded otherwise in batches of another size.
_NEAR = 0.5


class SequencesContract(ABC):
    """Contract suite of ``protocols.Sequences``."""

    @pytest.fixture
    @abstractmethod
    def model(self) -> Sequences:
        """Return a model with three sequences or more, each empty, and room for 64 tokens."""

    @pytest.fixture(autouse=True)
    def _opened(self, model: Sequences) -> None:
        self._model = model

    def test_sequences_in_one_batch_know_nothing_of_one_another(self) -> None:
        alone = self._read(0, _ONE)
        self._model.trim(0)
        entries = [(1, at, token, at == len(_OTHER) - 1) for at, token in enumerate(_OTHER)]
        entries += [(2, at, token, at == len(_ONE) - 1) for at, token in enumerate(_ONE)]
        assert self._model.decode(entries)
        self._same(self._model.likelihoods(len(entries) - 1), alone)

    def test_what_was_trimmed_has_never_been(self) -> None:
        fresh = self._read(0, _ONE[:4] + _OTHER)
        self._read(1, _ONE)
        self._model.trim(1, 4)
        self._same(self._read(1, _OTHER, at=4), fresh)

    def test_a_shared_beginning_stays_when_its_first_owner_goes_on_or_away(self) -> None:
        fresh = self._read(0, _ONE + _OTHER)
        self._read(1, _ONE)
        self._model.share(1, 2, len(_ONE))
        self._read(1, _OTHER[::-1], at=len(_ONE))
        self._model.trim(1)
        self._same(self._read(2, _OTHER, at=len(_ONE)), fresh)

    def test_a_state_is_put_back_into_any_sequence(self) -> None:
        self._read(0, _ONE)
        state = self._model.state(0)
        fresh = self._read(0, _OTHER, at=len(_ONE))
        self._model.trim(0)
        self._read(1, _OTHER)
        assert self._model.restore(1, state)
        self._same(self._read(1, _OTHER, at=len(_ONE)), fresh)

    def test_a_state_of_shared_cells_is_whole(self) -> None:
        self._read(0, _ONE)
        self._model.share(0, 1, len(_ONE) - 2)
        fresh = self._read(1, _OTHER, at=len(_ONE) - 2)
        state = self._model.state(1)
        self._model.trim(0)
        self._model.trim(1)
        assert self._model.restore(2, state)
        self._model.trim(2, len(_ONE) - 2)
        self._same(self._read(2, _OTHER, at=len(_ONE) - 2), fresh)

    def _read(self, sequence: int, tokens: Sequence[int], at: int = 0) -> NDArray[np.float32]:
        last = len(tokens) - 1
        batch = [(sequence, at + step, token, step == last) for step, token in enumerate(tokens)]
        assert self._model.decode(batch)
        return self._model.likelihoods(last).copy()

    def _same(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
        assert one.argmax() == other.argmax()
        assert float(np.abs(one - other).max()) < _NEAR
