"""Asks an index by words and by meaning at once, and joins both into one ranking of chunk ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wenqu.text.fusion import fuse
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.pipeline.stopwatch import Stopwatch
    from wenqu.protocols import Embedder, Index, LexicalHits, Scored
    from wenqu.types import Query

    Vector = NDArray[np.float32]

__all__ = ["Candidates", "Finder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Chunk ids with their scores by origin, and the vector of the question."""

    scores: Mapping[Origin, Mapping[str, float]]
    vector: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds candidates.

    Args:
        embedder: Embeds the question.
        per_side: Chunks taken from each side.
        lexical_weight: Share of the lexical score in the fused one, 0 … 1.
    """

    embedder: Embedder
    per_side: int
    lexical_weight: float

    async def find(
        self,
        index: Index,
        query: Query,
        documents: Collection[str] | None,
        watch: Stopwatch,
    ) -> Candidates:
        """Return the candidates for a query.

        Args:
            index: Where to look.
            query: What to look for.
            documents: Ids of the only documents to look in, where given.
            watch: Told of the stages embed, dense, lexical and fuse.

        Raises:
            ModelError: The embedder failed.
        """
        with watch.stage("embed"):
            # Alone: its threads wait for one another, so what runs beside them costs them double.
            vector = (await self.embedder.embed([query.text], "query"))[0]

        async def by_meaning() -> Sequence[Scored]:
            with watch.stage("dense"):
                return await index.dense(vector, self.per_side, documents)

        async def by_words() -> LexicalHits:
            with watch.stage("lexical"):
                return await index.lexical(query.text, self.per_side, documents)

        words, meaning = await asyncio.gather(by_words(), by_meaning())
        with watch.stage("fuse"):
            # What one side found is scored by the other too: fusion compares like with like.
            by_word, by_sense = ({hit.chunk_id for hit in hits} for hits in (words.hits, meaning))
            more_words, more_meaning = await asyncio.gather(
                index.lexical(query.text, 0, also=by_sense - by_word),
                index.dense(vector, 0, also=by_word - by_sense),
            )
            words = replace(words, hits=[*words.hits, *more_words.hits])
            scores = self._fused(words, [*meaning, *more_meaning])
        return Candidates(scores=scores, vector=vector)

    def _fused(
        self, words: LexicalHits, meaning: Sequence[Scored]
    ) -> dict[Origin, dict[str, float]]:
        lexical = {hit.chunk_id: hit.score for hit in words.hits}
        dense = {hit.chunk_id: hit.score for hit in meaning}
        fused = fuse(lexical, dense, lexical_weight=self.lexical_weight, lexical_limit=words.limit)
        return {Origin.LEXICAL: lexical, Origin.DENSE: dense, Origin.FUSED: fused}
