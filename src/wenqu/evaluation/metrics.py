"""Retrieval metrics, by ir_measures over trec_eval.

    recall@k   share of a query's relevant documents among its first k: with two relevant ones
               recall@1 is at most .5
    success@k  1 where one of its relevant documents is among the first k, else 0
    MRR@10     1 / rank of the first relevant document, 0 beyond rank 10
    nDCG@10    discounted gain of the grades, log2 of the rank, over the best possible

Each is a mean over the queries that have a relevant document; a query that found nothing counts
as 0 and is never left out.

Source: ir-measur.es, measures R, Success, RR and nDCG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wenqu.types import Qrels, Run

__all__ = ["METRICS", "MORE_METRICS", "documents_of", "measure", "measure_each", "run_of"]

METRICS: Mapping[str, str] = {
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "MRR@10": "RR@10",
    "nDCG@10": "nDCG@10",
}
"""Our name → the name in ir_measures, in the order that reports have."""

MORE_METRICS: Mapping[str, str] = {
    "success@1": "Success@1",
    "success@5": "Success@5",
    "success@10": "Success@10",
}
"""Those that a table leaves out: where each query has one relevant document they are recall."""


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
    each = measure_each(qrels, run)
    return {name: sum(values[name] for values in each.values()) / len(each) for name in METRICS}


def measure_each(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Return every metric of each query of ``qrels``: query id → metric → value."""
    from ir_measures import iter_calc, parse_measure

    spelt = {**METRICS, **MORE_METRICS}
    names = {str(parse_measure(spelling)): name for name, spelling in spelt.items()}
    values = {query: dict.fromkeys(spelt, 0.0) for query in qrels}
    for found in iter_calc([parse_measure(one) for one in spelt.values()], qrels, run):
        values[found.query_id][names[str(found.measure)]] = float(found.value)
    return values
