"""Indexes: projections of the change log that are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.types import (
        Chunk,
        Language,
    )


Sense = tuple[str, ...]
"""One way to say a word in another language: the terms that say it together."""
Senses = tuple[Sense, ...]
"""What a word of a question may be in another language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of the change log with what an index needs to follow it.

    A removal has no chunks. ``vectors`` has one row a chunk, float16.
    """

    number: int
    document_id: str
    title: str
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float16]


class Scored(NamedTuple):
    """A chunk id and its score by one engine, with the chunk's language where that is known."""

    chunk_id: str
    score: float
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class LexicalHits:
    """Chunks by BM25, best first.

    ``limit`` is the most that any text could score for the question: the sum over its terms of
    idf · (k1 + 1). How near the best hit comes to it says how much of the question it covers.
    ``named`` is the share of it, 0 … 1, that a text in other letters than the question's can have:
    that of names, which are looked up by their sound.
    """

    hits: Sequence[Scored]
    limit: float
    named: float = 0.0


@dataclass(frozen=True, slots=True)
class ChunkVectors:
    """Vectors of chunks, a row each, with the chunks' languages.

    ``vectors`` has shape (chunks, dimension), float32. ``means`` are the mean vectors of each
    language over the whole index: a product less that with the mean of the chunk's language is
    *levelled*, so that chunks of different languages compare.
    """

    chunk_ids: Sequence[str]
    languages: Sequence[Language]
    vectors: NDArray[np.float32]
    means: Mapping[Language, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """How far an index has come, and whether it wants to be built anew.

    ``applied`` is the number of the last change that is durable in it. ``worn`` says that what was
    replaced or removed since it was built still weighs on its scores.
    """

    applied: int
    worn: bool = False


class Index(Protocol):
    """A projection of one knowledge base's change log: searched, thrown away, rebuilt."""

    @property
    def state(self) -> IndexState:
        """Its state; cheap."""

    async def apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool = False) -> None:
        """Follow the changes; durable on return, and harmless when applied twice.

        Args:
            batches: Changes, oldest first.
            anew: They are all there is: the index is built beside the one that is searched, and
                takes its place at the end.
        """

    async def lexical(
        self,
        wanted: str | tuple[Senses, ...],
        top: int,
        documents: Collection[str] | None = None,
        also: Collection[str] = (),
    ) -> LexicalHits:
        """Return up to ``top`` chunks by BM25, best first, only of ``documents`` where given.

        The chunks ``also`` that hold a term of what is wanted are scored too, wherever they rank.

        Args:
            wanted: A text; or a text's words as another language says them: a word counts once by
                its best sense, and is as rare as all its senses together.
            top: How many chunks are wanted.
            documents: Ids of the only documents to look in, where given.
            also: Ids of more chunks to score.
        """

    async def dense(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None = None,
        *,
        level: bool = False,
    ) -> Sequence[Scored]:
        """Return up to ``top`` chunks by inner product, best first, only of ``documents``.

        Each says its language. With ``level``, scores are levelled.
        """

    async def vectors(self, chunk_ids: Collection[str]) -> ChunkVectors:
        """Return the vectors of those of ``chunk_ids`` that the index holds."""

    async def close(self) -> None:
        """Free what the index holds."""
