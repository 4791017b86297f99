"""Finds chunks by words and by meaning: candidates, then what is to be made of the best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.errors import InputError
from wenqu.options import SearchOptions
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.types import Hit, Origin, SearchHits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wenqu.pipeline.candidates import Finder
    from wenqu.pipeline.project import Projector
    from wenqu.protocols import ChangeLog
    from wenqu.types import Query

__all__ = ["MAX_QUESTION", "Retriever"]

MAX_QUESTION = 4000
"""Characters of a question; more is material, not a question."""

_DEFAULT = SearchOptions()


class Retriever:
    """The one search of wenqu: the command line, the server and the evaluation all run this.

    Args:
        changes: Where chunk ids become chunks.
        projector: Gives indexes that are level with the database.
        finder: Finds candidates in them.
    """

    def __init__(self, *, changes: ChangeLog, projector: Projector, finder: Finder) -> None:
        self._changes = changes
        self._projector = projector
        self._finder = finder

    async def search(
        self,
        kb: int,
        query: Query,
        how: SearchOptions = _DEFAULT,
        *,
        documents: Collection[str] | None = None,
    ) -> SearchHits:
        """Return the best hits, best first.

        Args:
            kb: Id of the knowledge base.
            query: What to look for.
            how: What is wanted; every hit carries the scores of all origins.
            documents: Ids of the only documents to look in, where given.

        Raises:
            InputError: The question is empty or too long.
            StoreError: The database failed.
            ModelError: The embedder failed.
        """
        check_question(query.text)
        watch = Stopwatch()
        with watch.stage("index"):
            index = await self._projector.current(kb)
        found = await self._finder.find(index, query, documents, watch)
        with watch.stage("fetch"):
            hits = await self._hits(kb, found.scores, how.order or Origin.FUSED, how.top)
        return SearchHits(hits=hits, trace=watch.trace())

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
