"""Puts the best hits in the order of a reranker, where there is one and time for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wenqu.messages import Phrase
from wenqu.text.language import detect
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.pipeline.stopwatch import Stopwatch
    from wenqu.protocols import Reranker
    from wenqu.types import Hit, Language

__all__ = ["Reranking"]

_STAGE = "rerank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """A reranker and what it may cost.

    Args:
        reranker: Scores hits.
        budget_s: Seconds that it may take; then the order stays as it was.
        candidates: Hits that it looks at, from the best on.
        language: The only language of questions that it understands; None for both.
    """

    reranker: Reranker
    budget_s: float
    candidates: int
    language: Language | None = None

    async def reranked(self, question: str, hits: Sequence[Hit], watch: Stopwatch) -> list[Hit]:
        """Return the hits, the reranked ones first; the others follow in their order.

        Args:
            question: What they are to answer.
            hits: Best first.
            watch: Told of the stage, or why it was skipped.
        """
        if self.language is not None and detect(question) != self.language:
            name = self.reranker.name
            watch.skip(_STAGE, Phrase("skip.language", name=name, language=self.language))
            return list(hits)
        looked_at, rest = hits[: self.candidates], hits[self.candidates :]
        if len(looked_at) < 2:  # noqa: PLR2004  # nothing to put in order
            return list(hits)
        work = self.reranker.rerank(question, looked_at)
        scores = await watch.within(_STAGE, self.budget_s, work)
        if scores is None:
            return list(hits)
        scored = [
            replace(
                hit,
                score=float(score),
                origin=Origin.RERANKED,
                scores={**hit.scores, Origin.RERANKED: float(score)},
            )
            for hit, score in zip(looked_at, scores, strict=True)
        ]
        return [*sorted(scored, key=lambda hit: (-hit.score, hit.chunk.id)), *rest]
