"""Finds chunks by words and by meaning at once, and joins both into one ranking."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

from wenqu.errors import InputError
from wenqu.text.fusion import fuse
from wenqu.types import Hit, Origin, Query, SearchHits, Stage, Trace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.pipeline.project import Projector
    from wenqu.protocols import ChangeLog, Embedder, LexicalHits, Scored

    Vector = NDArray[np.float32]

__all__ = ["MAX_QUESTION", "Retriever", "Stopwatch"]

MAX_QUESTION = 4000
"""Characters of a question; more is material, not a question."""


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Collects the stages of a run, in the order in which they ended."""

    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, **detail: object) -> Iterator[dict[str, object]]:
        """Time the block; what it puts into the mapping is kept with the stage."""
        begun = perf_counter()
        yield detail
        self.stages.append(Stage(name=name, ms=(perf_counter() - begun) * 1e3, detail=detail))

    def trace(self) -> Trace:
        """Return what was collected."""
        return Trace(stages=tuple(self.stages))


class Retriever:
    """The one search of wenqu: the command line, the server and the evaluation all run this.

    Args:
        changes: Where chunk ids become chunks.
        projector: Gives indexes that are level with the database.
        embedder: Embeds the question.
        candidates: Chunks taken from each side.
        lexical_weight: Share of the lexical score in the fused one, 0 … 1.
    """

    def __init__(
        self,
        *,
        changes: ChangeLog,
        projector: Projector,
        embedder: Embedder,
        candidates: int,
        lexical_weight: float,
    ) -> None:
        self._changes = changes
        self._projector = projector
        self._embedder = embedder
        self._candidates = candidates
        self._lexical_weight = lexical_weight

    async def search(
        self,
        kb: int,
        query: Query,
        *,
        top: int = 10,
        documents: Collection[str] | None = None,
        order: Origin = Origin.FUSED,
    ) -> SearchHits:
        """Return up to ``top`` hits, best first by the scores of ``order``.

        Args:
            kb: Id of the knowledge base.
            query: What to look for.
            top: Most hits to return.
            documents: Ids of the only documents to look in, where given.
            order: Whose ranking is wanted; every hit carries the scores of all.

        Raises:
            InputError: The question is empty or too long.
            StoreError: The database failed.
            ModelError: The embedder failed.
        """
        check_question(query.text)
        watch = Stopwatch()

        with watch.stage("index"):
            index = await self._projector.current(kb)
        with watch.stage("embed"):
            # Alone: its threads wait for one another, so what runs beside them costs them double.
            vector = (await self._embedder.embed([query.text], "query"))[0]

        async def by_meaning() -> Sequence[Scored]:
            with watch.stage("dense"):
                return await index.dense(vector, self._candidates, documents)

        async def by_words() -> LexicalHits:
            with watch.stage("lexical"):
                return await index.lexical(query.text, self._candidates, documents)

        words, meaning = await asyncio.gather(by_words(), by_meaning())
        with watch.stage("fuse"):
            # What one side found is scored by the other too: fusion compares like with like.
            by_word, by_sense = ({hit.chunk_id for hit in hits} for hits in (words.hits, meaning))
            more_words, more_meaning = await asyncio.gather(
                index.lexical(query.text, 0, also=by_sense - by_word),
                index.dense(vector, 0, also=by_word - by_sense),
            )
            words = replace(words, hits=[*words.hits, *more_words.hits])
            meaning = [*meaning, *more_meaning]
            scores = self._fused(words, meaning)
        with watch.stage("fetch"):
            hits = await self._hits(kb, scores, order, top)
        return SearchHits(hits=hits, trace=watch.trace())

    def _fused(
        self, words: LexicalHits, meaning: Sequence[Scored]
    ) -> dict[Origin, dict[str, float]]:
        lexical = {hit.chunk_id: hit.score for hit in words.hits}
        dense = {hit.chunk_id: hit.score for hit in meaning}
        fused = fuse(lexical, dense, lexical_weight=self._lexical_weight, lexical_limit=words.limit)
        return {Origin.LEXICAL: lexical, Origin.DENSE: dense, Origin.FUSED: fused}

    async def _hits(
        self,
        kb: int,
        scores: Mapping[Origin, Mapping[str, float]],
        order: Origin,
        top: int,
    ) -> tuple[Hit, ...]:
        # Equal scores in the order of chunk ids: the same question always has the same hits.
        ranked = sorted(scores[order].items(), key=lambda item: (-item[1], item[0]))[:top]
        found = await self._changes.chunks(kb, [chunk for chunk, _ in ranked])
        return tuple(
            Hit(
                chunk=found[chunk_id][0],
                document=found[chunk_id][1],
                score=score,
                origin=order,
                scores={origin: one[chunk_id] for origin, one in scores.items() if chunk_id in one},
            )
            for chunk_id, score in ranked
            # A document may have been removed since the index answered.
            if chunk_id in found
        )


def check_question(text: str) -> None:
    """Refuse what cannot be searched for.

    Raises:
        InputError: It is empty or too long.
    """
    if not text.strip():
        raise InputError("error.question_empty")
    if len(text) > MAX_QUESTION:
        raise InputError("error.question_long", length=len(text), limit=MAX_QUESTION)
