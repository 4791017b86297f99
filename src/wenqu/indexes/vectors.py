"""Exact inner-product search over float16 vectors in memory, saved as one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import faiss
import numpy as np

from wenqu.protocols import Scored

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from wenqu.protocols import Change

__all__ = ["VectorBatch", "VectorIndex"]

_WORTH_SHARING = 20_000
"""Rows from which a second thread saves more than it costs to wake: about 1.5 ms of work."""


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """The vectors of some changes: rows to add, and the documents whose old rows go."""

    touched: NDArray[np.uint64]
    codes: NDArray[np.uint8]
    chunks: NDArray[np.uint64]
    documents: NDArray[np.uint64]

    @classmethod
    def of(cls, changes: Sequence[Change], dimension: int) -> VectorBatch:
        """Return the batch that ``changes`` come to."""
        filled = [change for change in changes if change.chunks]
        codes = [np.ascontiguousarray(change.vectors, "<f2").view(np.uint8) for change in filled]
        return cls(
            np.array([int(change.document_id, 16) for change in changes], np.uint64),
            np.concatenate([np.empty((0, 2 * dimension), np.uint8), *codes]),
            np.array([int(c.id, 16) for change in filled for c in change.chunks], np.uint64),
            np.array(
                [int(c.document_id, 16) for change in filled for c in change.chunks], np.uint64
            ),
        )


@dataclass(frozen=True)
class VectorIndex:
    """Vectors with their chunk and document ids, row for row; applying changes gives a new one.

    float16 is what the database keeps, so a rebuilt index scores exactly as this one, which
    trained 8-bit codes would not. ``chunks`` and ``documents`` have shape (n,), uint64.
    """

    vectors: faiss.IndexScalarQuantizer
    chunks: NDArray[np.uint64]
    documents: NDArray[np.uint64]

    @classmethod
    def empty(cls, dimension: int) -> VectorIndex:
        """Return an index of no vectors."""
        vectors = faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        none = np.empty(0, np.uint64)
        return cls(vectors, none, none)

    @classmethod
    def load(cls, path: Path) -> VectorIndex:
        """Read what ``save`` wrote.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not such a file.
        """
        with np.load(path, allow_pickle=False) as stored:
            codes = stored["codes"]
            index = cls.empty(int(stored["dimension"]))
            if len(codes):
                index.vectors.add_sa_codes(codes)
            return cls(index.vectors, stored["chunks"], stored["documents"])

    def save(self, path: Path) -> None:
        """Write to ``path``, replacing it at once or not at all."""
        new = path.with_name(path.name + ".new")
        with new.open("wb") as file:
            np.savez(
                file,
                dimension=np.int64(self.vectors.d),
                codes=self._codes(),
                chunks=self.chunks,
                documents=self.documents,
            )
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def apply(self, batches: Sequence[VectorBatch]) -> VectorIndex:
        """Return an index that follows the batches; this one stays as it is for its readers."""
        touched = np.concatenate([batch.touched for batch in batches])
        keep = ~np.isin(self.documents, touched)
        new = self.empty(self.vectors.d)
        for codes in (self._codes()[keep], *(batch.codes for batch in batches)):
            if len(codes):
                new.vectors.add_sa_codes(np.ascontiguousarray(codes))
        return VectorIndex(
            new.vectors,
            np.concatenate([self.chunks[keep], *(batch.chunks for batch in batches)]),
            np.concatenate([self.documents[keep], *(batch.documents for batch in batches)]),
        )

    def shares(self, workers: int, least: int = _WORTH_SHARING) -> list[range]:
        """Return ranges of rows that together are all, for so many threads to search at once.

        Fewer rows than ``least`` are one range.
        """
        count = len(self.chunks)
        if count < least:
            return [range(count)]
        bounds = np.linspace(0, count, workers + 1, dtype=int).tolist()
        return [range(start, end) for start, end in pairwise(bounds)]

    def search(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None,
        rows: range,
    ) -> list[Scored]:
        """Return up to ``top`` chunks among ``rows`` by inner product, best first."""
        top = min(top, len(rows))
        if not top:
            return []
        # One query is one thread's work here; waking the others costs more than it saves.
        faiss.omp_set_num_threads(1)
        selector: faiss.IDSelector = faiss.IDSelectorRange(rows.start, rows.stop)
        if documents is not None:
            wanted = np.isin(self.documents, [np.uint64(int(one, 16)) for one in documents])
            bits = np.packbits(wanted, bitorder="little")
            bitmap = faiss.IDSelectorBitmap(len(wanted), faiss.swig_ptr(bits))
            selector = faiss.IDSelectorAnd(selector, bitmap)
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, places = self.vectors.search(vector[None], top, params=parameters)
        chunks = self.chunks[places[0][places[0] >= 0]]
        return [
            Scored(_hex(chunk), float(score))
            for chunk, score in zip(chunks, scores[0], strict=False)
        ]

    def scores(self, vector: NDArray[np.float32], wanted: Collection[str]) -> list[Scored]:
        """Return the chunks ``wanted`` that are here with their inner products, in no order."""
        if not wanted or not len(self.chunks):
            return []
        ids = np.array([int(chunk, 16) for chunk in wanted], np.uint64)
        places = np.searchsorted(self.chunks, ids, sorter=self._order)
        rows = self._order[np.minimum(places, len(self._order) - 1)]
        rows = rows[self.chunks[rows] == ids]
        products = self._codes()[rows].view("<f2").astype(np.float32) @ vector
        return [
            Scored(_hex(chunk), float(score))
            for chunk, score in zip(self.chunks[rows], products, strict=True)
        ]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Rows in the order of their chunk ids, so that one is found by bisection."""
        return np.argsort(self.chunks)

    def _codes(self) -> NDArray[np.uint8]:
        """The stored codes, shape (n, 2 · dimension), as a view."""
        count, width = self.vectors.ntotal, self.vectors.sa_code_size()
        if not count:
            return np.empty((0, width), np.uint8)
        flat: NDArray[np.uint8] = faiss.rev_swig_ptr(self.vectors.codes.data(), count * width)
        return flat.reshape(count, width)


def _hex(chunk: np.uint64) -> str:
    return f"{chunk:016x}"
