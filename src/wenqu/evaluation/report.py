"""Runs every query of a data set through a search and reports how good the rankings were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.evaluation.metrics import METRICS, documents_of, measure, run_of
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from wenqu.evaluation.datasets import Dataset
    from wenqu.types import SearchHits

__all__ = ["EvalReport", "EvalRun", "Ranking", "evaluate", "rankings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What one origin answered to one query.

    ``hits`` has one (document id, score) a chunk, best first; ``ms`` is what a search by that
    origin alone would have cost: for dense, with embedding the query; for fused, all of it.
    """

    hits: Sequence[tuple[str, float]]
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRun:
    """The metrics of one origin over a data set."""

    metrics: Mapping[str, float]
    ms_per_query: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """The outcome of an evaluation; ``queries`` counts those that were measured."""

    dataset: str
    documents: int
    queries: int
    runs: Mapping[Origin, EvalRun]

    def to_json(self) -> dict[str, object]:
        """Return what ``wenqu eval --json`` prints: metrics to 4 decimals, milliseconds to 2."""
        return {
            "dataset": self.dataset,
            "documents": self.documents,
            "queries": self.queries,
            "runs": {
                origin.value: {
                    **{name: round(value, 4) for name, value in run.metrics.items()},
                    "ms_per_query": round(run.ms_per_query, 2),
                }
                for origin, run in self.runs.items()
            },
        }

    def header(self) -> tuple[str, ...]:
        """Return the column names of ``rows``; the first column is the origin."""
        return ("", *METRICS, "ms_per_query")

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row an origin, ready to be shown."""
        return [
            (
                origin.value,
                *(f"{run.metrics[name]:.4f}" for name in METRICS),
                f"{run.ms_per_query:.1f}",
            )
            for origin, run in self.runs.items()
        ]


async def evaluate(
    dataset: Dataset,
    search: Callable[[str], Awaitable[Mapping[Origin, Ranking]]],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Measure ``search`` on the judged queries of ``dataset``, one after another.

    One query is searched beforehand and not counted, so that loading a model is nobody's
    latency. ``ms_per_query`` is the mean of what the search says it took.

    Args:
        dataset: What to ask, and what should be found.
        search: The pipeline's own search: a question → what each origin found.
        on_progress: Told how many queries are done, and of how many.
    """
    queries = dataset.judged
    rankings: dict[Origin, dict[str, list[str]]] = {}
    spent: dict[Origin, float] = {}
    await search(queries[0].text)
    for done, query in enumerate(queries, start=1):
        for origin, ranking in (await search(query.text)).items():
            documents = [document for document, _ in documents_of(ranking.hits)]
            rankings.setdefault(origin, {})[query.id] = documents
            spent[origin] = spent.get(origin, 0.0) + ranking.ms
        if on_progress is not None:
            on_progress(done, len(queries))
    qrels = {query.id: dataset.qrels[query.id] for query in queries}
    runs = {
        origin: EvalRun(
            metrics=measure(qrels, run_of(found)), ms_per_query=spent[origin] / len(queries)
        )
        for origin, found in rankings.items()
    }
    return EvalReport(
        dataset=dataset.name,
        documents=len(dataset.documents),
        queries=len(queries),
        runs=runs,
    )


def rankings(found: SearchHits) -> dict[Origin, Ranking]:
    """Return what each origin found, with what a search by it alone would have cost.

    ``found`` must hold every candidate, not only the best few of one origin.
    """
    ms = found.trace.timings_ms
    shared = ms["index"] + ms["fetch"]
    by_meaning = ms["embed"] + ms["dense"]
    cost = {
        Origin.LEXICAL: shared + ms["lexical"],
        Origin.DENSE: shared + by_meaning,
        # Words and meaning are looked up at the same time.
        Origin.FUSED: shared + ms["fuse"] + max(ms["lexical"], by_meaning),
    }
    return {origin: Ranking(hits=_ranked(found, origin), ms=cost[origin]) for origin in cost}


def _ranked(found: SearchHits, origin: Origin) -> list[tuple[str, float]]:
    scored = [hit for hit in found.hits if origin in hit.scores]
    scored.sort(key=lambda hit: (-hit.scores[origin], hit.chunk.id))
    return [(hit.document.id, hit.scores[origin]) for hit in scored]
