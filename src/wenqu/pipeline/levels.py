"""Vectors without what all of their language share, so that sentences of two can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

__all__ = ["levelled", "shared_by"]


def levelled(vectors: NDArray[np.float32], mean: Vector) -> NDArray[np.float32]:
    """Return vectors without what they share with all of their language, at length 1.

    Most of what an embedder says of a sentence is which language it is in, and what it is about;
    only the rest tells, across languages, whether another says the same. Zeros stay zeros.
    """
    rest = np.where(vectors.any(axis=-1, keepdims=True), vectors - mean, 0)
    lengths = np.linalg.norm(rest, axis=-1, keepdims=True)
    return np.asarray(rest / np.where(lengths > 0, lengths, 1), np.float32)


def shared_by(own: NDArray[np.float32], typical: Vector | None) -> Vector:
    """Return what sentences of evidence in one language share.

    A typical question of the language counts as one of them, so that a sentence that is alone is
    not its own mean.
    """
    total = own.sum(axis=0) if typical is None else own.sum(axis=0) + typical
    return np.asarray(total / (len(own) + 1), np.float32)
