"""How like its candidates are to a question: products of their vectors, taken by one engine's hand.

An index scores what it finds by its own arithmetic. What is fused, and what the gate weighs, is
scored here for all candidates alike, from vectors that are fetched once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from wenqu.protocols import ChunkVectors
    from wenqu.types import Language

    Vector = NDArray[np.float32]

__all__ = ["Likeness"]


class Likeness:
    """Scores candidates by their vectors."""

    def __init__(self, candidates: ChunkVectors) -> None:
        self._candidates = candidates
        self._rows = {one: row for row, one in enumerate(candidates.chunk_ids)}

    def to(self, vector: Vector, less: Mapping[Language, Vector] | None = None) -> dict[str, float]:
        """Return the products with a vector, less those of ``less`` in a candidate's language."""
        # Not a matrix product, which rounds a row's by the rows beside it.
        products = np.einsum("ij,j->i", self._candidates.vectors, vector)
        if less:
            taken = {language: one @ vector for language, one in less.items()}
            products -= [taken.get(language, 0.0) for language in self._candidates.languages]
        return dict(zip(self._rows, products.tolist(), strict=True))

    def levelled(self, vector: Vector) -> dict[str, float]:
        """Return products that compare across languages, within this index."""
        return self.to(vector, self._candidates.means)

    def of(self, chunk_id: str) -> Vector:
        """Return the vector of a candidate."""
        vector: Vector = self._candidates.vectors[self._rows[chunk_id]]
        return vector

    def foreign(self, language: Language) -> set[str]:
        """Return the candidates that are in another language."""
        languages = zip(self._rows, self._candidates.languages, strict=True)
        return {one for one, own in languages if own != language}
