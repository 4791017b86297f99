"""Exact inner-product search over float16 vectors in memory, saved as one file.

An embedder puts texts of one language near each other whatever they say, so a question finds its
own language first. Where scores are *levelled*, each is less what the mean vector of the chunk's
language would score: what is left tells how well a chunk fits among those of its language.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import faiss
import numpy as np

from wenqu.protocols import Scored
from wenqu.text.language import detect
from wenqu.types import Language

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from wenqu.protocols import Change

__all__ = ["VectorBatch", "VectorIndex"]

_WORTH_SHARING = 20_000
"""Rows from which a second thread saves more than it costs to wake: about 1.5 ms of work."""
_LANGUAGES: tuple[Language, ...] = get_args(Language)
_DOUBT = 50
"""Chunks of all languages that a language's mean is mixed with: the mean of a few says little."""


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """The vectors of some changes: rows to add, and the documents whose old rows go."""

    touched: NDArray[np.uint64]
    codes: NDArray[np.uint8]
    chunks: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    languages: NDArray[np.uint8]

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
            np.array(
                [_LANGUAGES.index(detect(c.text)) for change in filled for c in change.chunks],
                np.uint8,
            ),
        )


@dataclass(frozen=True)
class VectorIndex:
    """Vectors with their chunk and document ids, row for row; applying changes gives a new one.

    float16 is what the database keeps, so a rebuilt index scores exactly as this one, which
    trained 8-bit codes would not. ``chunks`` and ``documents`` have shape (n,), uint64;
    ``languages``, uint8, are ascending, so that each language is one range of rows. ``sums`` are
    those of the vectors of each language, shape (languages, dimension): float64 adds float16
    without rounding, so that they too are the same in whatever order changes came.
    """

    vectors: faiss.IndexScalarQuantizer
    chunks: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    languages: NDArray[np.uint8]
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, dimension: int) -> VectorIndex:
        """Return an index of no vectors."""
        vectors = faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        none = np.empty(0, np.uint64)
        sums = np.zeros((len(_LANGUAGES), dimension))
        return cls(vectors, none, none, np.empty(0, np.uint8), sums)

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
            return cls(
                index.vectors,
                stored["chunks"],
                stored["documents"],
                stored["languages"],
                stored["sums"],
            )

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
                languages=self.languages,
                sums=self.sums,
            )
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def apply(self, batches: Sequence[VectorBatch]) -> VectorIndex:
        """Return an index that follows the batches; this one stays as it is for its readers."""
        touched = np.concatenate([batch.touched for batch in batches])
        keep = ~np.isin(self.documents, touched)
        old = self._codes()
        codes = np.concatenate([old[keep], *(batch.codes for batch in batches)])
        languages = np.concatenate([self.languages[keep], *(one.languages for one in batches)])
        sums = self.sums - _sums(old[~keep], self.languages[~keep])
        for batch in batches:
            sums += _sums(batch.codes, batch.languages)
        order = np.argsort(languages, kind="stable")
        new = self.empty(self.vectors.d)
        if len(codes):
            new.vectors.add_sa_codes(np.ascontiguousarray(codes[order]))
        return VectorIndex(
            new.vectors,
            np.concatenate([self.chunks[keep], *(one.chunks for one in batches)])[order],
            np.concatenate([self.documents[keep], *(one.documents for one in batches)])[order],
            languages[order],
            sums,
        )

    def shares(self, workers: int, least: int = _WORTH_SHARING) -> list[range]:
        """Return ranges of rows that together are all, for so many threads to search at once.

        Each is of one language. Fewer rows than ``least`` are not shared out.
        """
        count = len(self.chunks)
        starts = np.searchsorted(self.languages, range(len(_LANGUAGES) + 1)).tolist()
        shares = np.linspace(0, count, (workers if count >= least else 1) + 1, dtype=int).tolist()
        return [range(start, end) for start, end in pairwise(sorted({*starts, *shares}))]

    def search(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None,
        rows: range,
        *,
        level: bool = False,
    ) -> list[Scored]:
        """Return up to ``top`` chunks among ``rows`` by inner product, best first.

        Args:
            vector: What to look for.
            top: How many chunks are wanted.
            documents: The only ones to look in, where given.
            rows: One of the ``shares``.
            level: Give levelled scores.
        """
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
        found = places[0] >= 0
        return self._scored(places[0][found], scores[0][found], vector, level=level)

    def scores(
        self, vector: NDArray[np.float32], wanted: Collection[str], *, level: bool = False
    ) -> list[Scored]:
        """Return the chunks ``wanted`` that are here with their inner products, in no order."""
        rows = self._rows(wanted)
        products = self._decoded(rows) @ vector
        return self._scored(rows, products, vector, level=level)

    def of(self, wanted: Collection[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of the chunks ``wanted`` that are here."""
        rows = self._rows(wanted)
        names = [f"{chunk:016x}" for chunk in self.chunks[rows].tolist()]
        return dict(zip(names, self._decoded(rows), strict=True))

    def _rows(self, wanted: Collection[str]) -> NDArray[np.int64]:
        """Return the rows of the chunks ``wanted`` that are here."""
        if not wanted or not len(self.chunks):
            return np.empty(0, np.int64)
        ids = np.array([int(chunk, 16) for chunk in wanted], np.uint64)
        places = np.searchsorted(self.chunks, ids, sorter=self._order)
        rows = self._order[np.minimum(places, len(self._order) - 1)]
        here: NDArray[np.int64] = rows[self.chunks[rows] == ids]
        return here

    def _decoded(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._codes()[rows].view("<f2").astype(np.float32)
        return vectors

    def _scored(
        self,
        rows: NDArray[np.int64],
        products: NDArray[np.float32],
        vector: NDArray[np.float32],
        *,
        level: bool,
    ) -> list[Scored]:
        languages = self.languages[rows]
        if level:
            products = products - (self._means @ vector)[languages]
        return [
            Scored(f"{chunk:016x}", score, _LANGUAGES[language])
            for chunk, score, language in zip(
                self.chunks[rows].tolist(), products.tolist(), languages.tolist(), strict=True
            )
        ]

    @cached_property
    def _means(self) -> NDArray[np.float32]:
        """The mean vector of each language, shape (languages, dimension)."""
        counts = np.bincount(self.languages, minlength=len(_LANGUAGES))[:, None]
        overall = self.sums.sum(axis=0) / max(1, len(self.languages))
        means: NDArray[np.float64] = (self.sums + _DOUBT * overall) / (counts + _DOUBT)
        return means.astype(np.float32)

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


def _sums(codes: NDArray[np.uint8], languages: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the sum of the coded vectors of each language, shape (languages, dimension)."""
    vectors = codes.view("<f2")
    return np.stack(
        [vectors[languages == one].sum(axis=0, dtype=np.float64) for one in range(len(_LANGUAGES))]
    )
