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

from wenqu.indexes.sketch import Sketch, codes_of, in_one_thread, only
from wenqu.protocols import ChunkVectors, Scored
from wenqu.text.language import detect
from wenqu.types import Language

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from wenqu.protocols import Change

__all__ = ["VectorBatch", "VectorIndex"]

_WORTH_SKETCHING = 20_000
"""Rows from which a sketch is made: one and a half milliseconds' work without."""
_LOOKED_AT = 5
"""So many times the hits wanted are scored exactly; nearly always that proves to be enough."""
_MORE = 8
"""So many times more are scored when it does not."""
_FEW = 200
"""Fewer rows than so many times the hits wanted are all scored exactly, which takes less time."""
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
    without rounding, so that they too are the same in whatever order changes came. A ``sketch``
    makes a search of many quicker and changes no hit.
    """

    vectors: faiss.IndexScalarQuantizer
    chunks: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    languages: NDArray[np.uint8]
    sums: NDArray[np.float64]
    sketch: Sketch | None = None

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
                # An index that was written before there were sketches has none.
                Sketch.load(stored) or _sketched(index.vectors),
            )

    def save(self, path: Path) -> None:
        """Write to ``path``, replacing it at once or not at all."""
        new = path.with_name(path.name + ".new")
        with new.open("wb") as file:
            np.savez(
                file,
                dimension=np.int64(self.vectors.d),
                codes=codes_of(self.vectors),
                chunks=self.chunks,
                documents=self.documents,
                languages=self.languages,
                sums=self.sums,
                **(self.sketch.arrays if self.sketch else {}),
            )
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def apply(self, batches: Sequence[VectorBatch]) -> VectorIndex:
        """Return an index that follows the batches; this one stays as it is for its readers."""
        touched = np.concatenate([batch.touched for batch in batches])
        keep = ~np.isin(self.documents, touched)
        old = codes_of(self.vectors)
        codes = np.concatenate([old[keep], *(batch.codes for batch in batches)])
        languages = np.concatenate([self.languages[keep], *(one.languages for one in batches)])
        sums = self.sums - _sums(old[~keep], self.languages[~keep])
        for batch in batches:
            sums += _sums(batch.codes, batch.languages)
        order = np.argsort(languages, kind="stable")
        vectors = self.empty(self.vectors.d).vectors
        if len(codes):
            vectors.add_sa_codes(np.ascontiguousarray(codes[order]))
        return VectorIndex(
            vectors,
            np.concatenate([self.chunks[keep], *(one.chunks for one in batches)])[order],
            np.concatenate([self.documents[keep], *(one.documents for one in batches)])[order],
            languages[order],
            sums,
            _sketched(vectors),
        )

    def search(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None = None,
        *,
        level: bool = False,
    ) -> list[Scored]:
        """Return up to ``top`` chunks by inner product, best first, equal ones in order of ids.

        Args:
            vector: What to look for.
            top: How many chunks are wanted.
            documents: The only ones to look in, where given.
            level: Give levelled scores.
        """
        in_one_thread()
        wanted = np.ones(len(self.chunks), bool)
        if documents is not None:
            wanted = np.isin(self.documents, [np.uint64(int(one, 16)) for one in documents])
        # Each language by itself: within one, levelling changes no order.
        starts = np.searchsorted(self.languages, range(len(_LANGUAGES) + 1)).tolist()
        found = [self._best(vector, top, wanted, slice(*ends)) for ends in pairwise(starts)]
        rows = np.concatenate([rows for rows, _ in found])
        products = np.concatenate([products for _, products in found])
        return self._scored(rows, products, vector, level=level, top=top)

    def of(self, wanted: Collection[str]) -> ChunkVectors:
        """Return the vectors of the chunks ``wanted`` that are here, in the order of their ids."""
        rows = self._rows(wanted)
        return ChunkVectors(
            _names(self.chunks[rows]),
            _languages(self.languages[rows]),
            self._decoded(rows),
            self._means_by_language,
        )

    def _best(
        self, vector: NDArray[np.float32], top: int, wanted: NDArray[np.bool_], rows: slice
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows among ``rows`` that are ``wanted`` and best, with their products."""
        here = np.zeros_like(wanted)
        here[rows] = wanted[rows]
        count = int(np.count_nonzero(here))
        if self.sketch is None or not 0 < _FEW * top <= count:
            return self._exactly(vector, min(top, count), here)
        look, allowed = self.sketch.look(vector), only(here)
        looked_at = _LOOKED_AT * top
        while True:
            near, most = self.sketch.nearest(look, min(looked_at, count + 1), allowed)
            found, products = self._among(vector, top, near)
            if most < products[-1]:
                return found, products
            looked_at *= _MORE

    def _among(
        self, vector: NDArray[np.float32], top: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ``top`` best of at least as many ``rows``, with their products."""
        # In their order, that equal ones come out as if FAISS had passed by all others; and by
        # themselves, for passing by a hundred thousand takes longer than multiplying hundreds.
        rows = np.sort(rows)
        some = self.empty(self.vectors.d).vectors
        some.add_sa_codes(self._halves[rows].view(np.uint8))
        products, places = some.search(vector[None], top)
        return rows[places[0]], products[0]

    def _exactly(
        self, vector: NDArray[np.float32], top: int, here: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ``top`` best of the rows that are ``here``, with their products."""
        if not top:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        products, rows = self.vectors.search(vector[None], top, params=only(here))
        return rows[0], products[0]

    def _rows(self, wanted: Collection[str]) -> NDArray[np.int64]:
        """Return the rows of the chunks ``wanted`` that are here."""
        if not wanted or not len(self.chunks):
            return np.empty(0, np.int64)
        ids = np.array(sorted(int(chunk, 16) for chunk in wanted), np.uint64)
        order, ordered = self._order
        places = np.searchsorted(ordered, ids)
        places = places[ordered[np.minimum(places, len(ordered) - 1)] == ids]
        here: NDArray[np.int64] = order[places]
        return here

    def _scored(
        self,
        rows: NDArray[np.int64],
        products: NDArray[np.float32],
        vector: NDArray[np.float32],
        *,
        level: bool,
        top: int,
    ) -> list[Scored]:
        """Return up to ``top`` chunks by score, best first, equal ones in order of ids."""
        if level:
            products = products - (self._means @ vector)[self.languages[rows]]
        order = np.lexsort((self.chunks[rows], -products))[:top]
        rows = rows[order]
        names, languages = _names(self.chunks[rows]), _languages(self.languages[rows])
        return list(map(Scored, names, products[order].tolist(), languages))

    def _decoded(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of some rows; FAISS turns float16 to float32 faster than NumPy."""
        if not len(rows):
            return np.empty((0, self.vectors.d), np.float32)
        in_one_thread()
        decoded: NDArray[np.float32] = self.vectors.sa_decode(self._halves[rows].view(np.uint8))
        return decoded

    @cached_property
    def _halves(self) -> NDArray[np.float16]:
        """The vectors, shape (n, dimension), as FAISS holds them: a view."""
        return codes_of(self.vectors).view("<f2")

    @cached_property
    def _means(self) -> NDArray[np.float32]:
        """The mean vector of each language, shape (languages, dimension)."""
        counts = np.bincount(self.languages, minlength=len(_LANGUAGES))[:, None]
        overall = self.sums.sum(axis=0) / max(1, len(self.languages))
        means: NDArray[np.float64] = (self.sums + _DOUBT * overall) / (counts + _DOUBT)
        return means.astype(np.float32)

    @cached_property
    def _means_by_language(self) -> dict[Language, NDArray[np.float32]]:
        return dict(zip(_LANGUAGES, self._means, strict=True))

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Rows in the order of their chunk ids, and these ids, which are found by bisection."""
        order = np.argsort(self.chunks)
        return order, self.chunks[order]


def _names(chunks: NDArray[np.uint64]) -> list[str]:
    return list(map("{:016x}".format, chunks.tolist()))


def _languages(codes: NDArray[np.uint8]) -> list[Language]:
    return list(map(_LANGUAGES.__getitem__, codes.tolist()))


def _sketched(vectors: faiss.IndexScalarQuantizer) -> Sketch | None:
    """Return the sketch of the vectors where they are enough to be worth one."""
    return Sketch.of(vectors) if vectors.ntotal >= _WORTH_SKETCHING else None


def _sums(codes: NDArray[np.uint8], languages: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the sum of the coded vectors of each language, shape (languages, dimension)."""
    vectors = codes.view("<f2")
    return np.stack(
        [vectors[languages == one].sum(axis=0, dtype=np.float64) for one in range(len(_LANGUAGES))]
    )
