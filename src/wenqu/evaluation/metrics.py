"""Retrieval metrics, by ir_measures over trec_eval.

    recall@k   share of a query's relevant documents among its first k: with two relevant ones
               recall@1 is at most .5 (it is success@1 only where there is just one)
    MRR@10     1 / rank of the first relevant document, 0 beyond rank 10
    nDCG@10    discounted gain of the grades, log2 of the rank, over the best possible

Each is a mean over the queries that have a relevant document; a query that found nothing counts
as 0 and is never left out.

Source: ir-measur.es, measures R, RR and nDCG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wenqu.types import Qrels, Run

__all__ = ["METRICS", "documents_of", "measure", "run_of"]

METRICS: Mapping[str, str] = {
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "MRR@10": "RR@10",
    "nDCG@10": "nDCG@10",
}
"""Our name → the name in ir_measures, in the order that reports have."""


def documents_of(chunks: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Turn chunk hits (document id, score) into documents, best first.

    A document has the score of its best chunk; among equal scores the first given stays first.
    """
    best: dict[str, float] = {}
    for document, score in chunks:
        best[document] = max(score, best.get(document, score))
    return sorted(best.items(), key=lambda item: -item[1])


def run_of(rankings: Mapping[str, Sequence[str]]) -> Run:
    """Turn rankings (query id → document ids, best first) into a TREC run.

    trec_eval sorts by score and then by id, backwards. Scores made from ranks leave it no ties, so
    that what is measured is the order that was served.
    """
    return {
        query: {document: 1.0 / (rank + 1) for rank, document in enumerate(documents)}
        for query, documents in rankings.items()
    }


def measure(qrels: Qrels, run: Run) -> dict[str, float]:
    """Return every metric of ``METRICS``, a mean over the queries of ``qrels``, between 0 and 1."""
    from ir_measures import calc_aggregate, parse_measure

    measures = {name: parse_measure(spelling) for name, spelling in METRICS.items()}
    values = calc_aggregate(list(measures.values()), qrels, run)
    return {name: float(values[parsed]) for name, parsed in measures.items()}
