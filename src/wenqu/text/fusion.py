"""Joins lexical and dense scores into one that holds when either side has nothing to say.

Dense scores are spread over 0 … 1 between the query's worst and best candidate. Lexical scores are
spread the same way, then shrunk by how much of the question they cover: a BM25 score has an upper
limit, the sum over the question's terms of idf · (k1 + 1), and a best candidate far below it has
matched little but common words. So a Chinese question over English documents is ranked by meaning,
and an exact part number by its letters. docs/adr/0005-fusion.md has the measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FULL_COVERAGE", "fuse"]

FULL_COVERAGE = 0.5
"""Share of the limit at which a best lexical score counts in full.

The limit itself is out of reach: it takes endless repetition of each term.
"""


def fuse(
    lexical: Mapping[str, float],
    dense: Mapping[str, float],
    *,
    lexical_weight: float,
    lexical_limit: float | None = None,
) -> dict[str, float]:
    """Return a score between 0 and 1 for each candidate of either side, best first.

    Args:
        lexical: Candidate → BM25; one that is missing has no term of the question.
        dense: Candidate → inner product, for every candidate of both sides; one that is missing is
            taken to be as far off as the worst.
        lexical_weight: Share of the lexical score, 0 … 1.
        lexical_limit: The most BM25 that any text could get for this question; None where the
            engine cannot say, and then the best candidate counts in full.
    """
    best = max(lexical.values(), default=0.0)
    coverage = _coverage(best, lexical_limit)
    low = min(dense.values(), default=0.0)
    spread = max(dense.values(), default=0.0) - low
    lexical_unit = lexical_weight * coverage / best if best > 0 else 0.0
    dense_unit = (1 - lexical_weight) / spread if spread > 0 else 0.0
    fused = {
        candidate: lexical_unit * lexical.get(candidate, 0.0)
        + dense_unit * (dense.get(candidate, low) - low)
        for candidate in {**dense, **lexical}
    }
    return dict(sorted(fused.items(), key=lambda item: -item[1]))


def _coverage(best: float, limit: float | None) -> float:
    if limit is None or limit <= 0:
        return 1.0
    return min(1.0, best / limit / FULL_COVERAGE)
