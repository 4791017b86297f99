"""A first look at many vectors by 8-bit codes, and a proof of what it may have missed.

A vector's code stands for ``centre + step · code``. How far that lies from the vector is known when
the code is made, so a product of codes tells the true product to within a margin (Cauchy and
Schwarz): what falls short by more than that needs no second look. All others are scored exactly. So
the hits are those of comparing with every vector, whatever the codes were made from, and a search
reads half as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import faiss
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["Look", "Sketch", "codes_of", "in_one_thread", "only"]

_LARGEST = 127
_ZERO = 128
"""FAISS keeps a signed code as an unsigned one, so much larger."""
_ROWS_AT_ONCE = 64
"""Few enough for arrays that need no new memory each."""
_ROUNDING = 1e-4
"""More than float32 loses in a sum of a thousand products, for a question of length 1."""


class Look(NamedTuple):
    """A question as codes see it: a true product is offset + unit · product of codes ± margin."""

    code: NDArray[np.float32]
    unit: float
    offset: float
    margin: float


class Sketch(NamedTuple):
    """8-bit codes of vectors, row for row.

    ``centre`` and ``step`` have shape (dimension,); ``residual`` is the longest way from a vector
    to what its code stands for, ``length`` that of the longest code.
    """

    codes: faiss.IndexScalarQuantizer
    centre: NDArray[np.float32]
    step: NDArray[np.float32]
    residual: float
    length: float

    @classmethod
    def of(cls, vectors: faiss.IndexScalarQuantizer) -> Sketch:
        """Make the sketch of at least one vector (100,000 of 384 numbers: a quarter second)."""
        low = np.full(vectors.d, np.inf, np.float32)
        high = -low
        for _, some in _decoded(vectors):
            np.minimum(low, some.min(axis=0), out=low)
            np.maximum(high, some.max(axis=0), out=high)
        centre = (low + high) * np.float32(1 / 2)
        step = (high - low) * np.float32(1 / 2 / _LARGEST)
        step[step == 0] = 1
        a_step = 1 / step
        kept = np.empty((vectors.ntotal, vectors.d), np.uint8)
        residual = length = 0.0
        for start, some in _decoded(vectors):
            np.subtract(some, centre, out=some)
            np.multiply(some, a_step, out=some)
            code = np.rint(some)
            length = max(length, _longest(code))
            np.subtract(some, code, out=some)
            residual = max(residual, _longest(np.multiply(some, step, out=some)))
            kept[start : start + len(some)] = code + _ZERO
        return cls._made(kept, centre, step, residual, length)

    @classmethod
    def load(cls, stored: Mapping[str, NDArray[np.generic]]) -> Sketch | None:
        """Return the sketch among the arrays of a file, or None."""
        if "sketch" not in stored:
            return None
        residual, length = stored["sketch_bounds"].tolist()
        kept = np.asarray(stored["sketch"], np.uint8)
        centre = np.asarray(stored["sketch_centre"], np.float32)
        step = np.asarray(stored["sketch_step"], np.float32)
        return cls._made(kept, centre, step, residual, length)

    @property
    def arrays(self) -> dict[str, Any]:
        """What ``load`` makes it from again."""
        return {
            "sketch": codes_of(self.codes),
            "sketch_centre": self.centre,
            "sketch_step": self.step,
            "sketch_bounds": np.array([self.residual, self.length]),
        }

    @classmethod
    def _made(
        cls,
        kept: NDArray[np.uint8],
        centre: NDArray[np.float32],
        step: NDArray[np.float32],
        residual: float,
        length: float,
    ) -> Sketch:
        codes = faiss.IndexScalarQuantizer(
            kept.shape[1], faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        codes.add_sa_codes(kept)
        return cls(codes, centre, step, residual, length)

    def look(self, vector: NDArray[np.float32]) -> Look:
        """Return how the codes see a question.

        It is coded too: FAISS multiplies codes of 8 bits as whole numbers, twice as fast.
        """
        weighted = vector * self.step
        unit = float(np.abs(weighted).max()) / _LARGEST or 1.0
        code = np.rint(weighted / unit)
        unseen = float(np.linalg.norm(weighted - unit * code)) * self.length
        margin = float(np.linalg.norm(vector)) * (self.residual + _ROUNDING) + unseen
        return Look(code, unit, float(vector @ self.centre), margin)

    def nearest(
        self, look: Look, count: int, allowed: faiss.SearchParameters | None
    ) -> tuple[NDArray[np.int64], float]:
        """Return up to ``count`` rows, and the most that any other could score; -inf with none."""
        products, rows = self.codes.search(look.code[None], count, params=allowed)
        if rows[0][-1] < 0:
            return rows[0][rows[0] >= 0], -np.inf
        return rows[0], look.offset + look.unit * float(products[0][-1]) + look.margin


def in_one_thread() -> None:
    """Have FAISS do what this thread asks for alone: waking others costs more than it saves."""
    faiss.omp_set_num_threads(1)


def only(rows: NDArray[np.bool_]) -> faiss.SearchParameters:
    """Let FAISS look at these rows only."""
    bits = np.packbits(rows, bitorder="little")
    selector = faiss.IDSelectorBitmap(bits)  # type: ignore[arg-type,call-arg]
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]


def codes_of(vectors: faiss.IndexScalarQuantizer) -> NDArray[np.uint8]:
    """Return the codes that FAISS holds, one row a vector, as a view."""
    count, width = vectors.ntotal, vectors.sa_code_size()
    if not count:
        return np.empty((0, width), np.uint8)
    flat: NDArray[np.uint8] = faiss.rev_swig_ptr(vectors.codes.data(), count * width)
    return flat.reshape(count, width)


def _decoded(
    vectors: faiss.IndexScalarQuantizer,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the vectors piece by piece, each with its first row's number."""
    in_one_thread()
    codes = codes_of(vectors)
    for start in range(0, len(codes), _ROWS_AT_ONCE):
        yield start, vectors.sa_decode(codes[start : start + _ROWS_AT_ONCE])


def _longest(rows: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max()))
