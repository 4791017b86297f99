"""Finds chunks by words and by meaning: candidates, then what is to be made of the best of them.

Filter, candidates, reranking, leaving out what says the same again, variety: each of these stages
is in the trace. Without the candidates there is no search; every other stage that fails, or runs
out of its time, is skipped and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.errors import InputError
from wenqu.messages import Phrase
from wenqu.options import SearchOptions
from wenqu.pipeline.diversify import collapsed, diversified
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.types import Hit, Origin, SearchHits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wenqu.pipeline.candidates import Finder
    from wenqu.pipeline.project import Projector
    from wenqu.pipeline.rerank import Reranking
    from wenqu.protocols import ChangeLog, DocumentStore
    from wenqu.types import Query

__all__ = ["MAX_QUESTION", "Retriever"]

MAX_QUESTION = 4000
"""Characters of a question; more is material, not a question."""

_DEFAULT = SearchOptions()
_SPARE = 2
"""Hits fetched for each one wanted, where some may be left out because they say the same."""
_VARIETY = 4
"""Hits fetched for each one wanted, where they are chosen for variety."""
_VECTORS_S = 1.0
"""Seconds in which the vectors that variety is measured by must come."""


class Retriever:
    """The one search of wenqu: the command line, the server and the evaluation all run this.

    Args:
        changes: Where chunk ids become chunks.
        documents: Says which documents a filter lets through, and has the vectors of chunks.
        projector: Gives indexes that are level with the database.
        finder: Finds candidates in them.
        reranking: Puts the best of them in order; None leaves them in the fused order.
    """

    def __init__(
        self,
        *,
        changes: ChangeLog,
        documents: DocumentStore,
        projector: Projector,
        finder: Finder,
        reranking: Reranking | None = None,
    ) -> None:
        self._changes = changes
        self._documents = documents
        self._projector = projector
        self._finder = finder
        self._reranking = reranking

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
            how: What is wanted; every hit carries the scores of all origins. With an ``order``
                they are that origin's ranking as it is: not reranked, nothing left out.
            documents: Ids of the only documents to look in, where given.

        Raises:
            InputError: The question is empty or too long, or a date of the filter is none.
            StoreError: The database failed.
            ModelError: The embedder failed.
        """
        check_question(query.text)
        watch = Stopwatch()
        if how.where:
            documents = await self._matching(kb, how, documents, watch)
            if not documents:
                watch.skip("search", Phrase("skip.filter"))
                return SearchHits(hits=(), trace=watch.trace())
        with watch.stage("index"):
            index = await self._projector.current(kb)
        found = await self._finder.find(index, query, documents, watch)
        order, wanted = how.order or Origin.FUSED, self._fetched(how)
        with watch.stage("fetch"):
            hits = await self._hits(kb, found.scores, order, wanted)
        if how.order is None:
            hits = await self._refined(kb, query, hits, how, watch)
        return SearchHits(hits=tuple(hits[: how.top]), trace=watch.trace())

    async def _matching(
        self, kb: int, how: SearchOptions, documents: Collection[str] | None, watch: Stopwatch
    ) -> Collection[str]:
        with watch.stage("filter") as detail:
            matching = await self._documents.matching(kb, how.where)
            if documents is not None:
                matching = [one for one in documents if one in matching]
            detail["documents"] = len(matching)
        return matching

    def _fetched(self, how: SearchOptions) -> int:
        """Return how many hits the stages after the candidates need to see."""
        if how.order is not None:
            return how.top
        spare = _VARIETY if how.diversity else _SPARE if how.collapse else 1
        least = self._reranking.candidates if self._reranking and how.rerank else 0
        return max(spare * how.top, least)

    async def _refined(
        self, kb: int, query: Query, hits: list[Hit], how: SearchOptions, watch: Stopwatch
    ) -> list[Hit]:
        if self._reranking is not None and how.rerank:
            hits = await self._reranking.reranked(query.text, hits, watch)
        if how.collapse:
            with watch.stage("collapse") as detail:
                wanted = len(hits) if how.diversity else how.top
                hits, detail["left_out"] = collapsed(hits, wanted)
        if how.diversity:
            hits = await self._varied(kb, hits, how, watch)
        return hits

    async def _varied(
        self, kb: int, hits: list[Hit], how: SearchOptions, watch: Stopwatch
    ) -> list[Hit]:
        model = self._finder.embedder.fingerprint
        work = self._documents.vectors(kb, [hit.chunk.id for hit in hits], model)
        vectors = await watch.within("vectors", _VECTORS_S, work)
        if vectors is None or how.diversity is None:
            return hits
        with watch.stage("diversify"):
            return diversified(hits, vectors, how.diversity, how.top)

    async def _hits(
        self,
        kb: int,
        scores: Mapping[Origin, Mapping[str, float]],
        order: Origin,
        top: int,
    ) -> list[Hit]:
        # Equal scores in the order of chunk ids: the same question always has the same hits.
        ranked = sorted(scores[order].items(), key=lambda item: (-item[1], item[0]))[:top]
        found = await self._changes.chunks(kb, [chunk for chunk, _ in ranked])
        return [
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
        ]


def check_question(text: str) -> None:
    """Refuse what cannot be searched for.

    Raises:
        InputError: It is empty or too long.
    """
    if not text.strip():
        raise InputError("error.question_empty")
    if len(text) > MAX_QUESTION:
        raise InputError("error.question_long", length=len(text), limit=MAX_QUESTION)
