"""Measures what is done to candidates: reranking, leaving out what says the same, variety.

    python bench/rerank.py --data DIR --models MODELS --home HOME [--reranker MODEL] SET [SET ...]

HOME is a home where ``wenqu eval`` has made the knowledge base of each set. Everything is compared
with the fused ranking of the same questions in the same run. ``docs/adr/0017`` has figures.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from wenqu.app import open_app
from wenqu.evaluation.datasets import load_dataset
from wenqu.models.rerank_onnx import OnnxReranker
from wenqu.options import SearchOptions
from wenqu.pipeline.diversify import collapsed, diversified
from wenqu.settings import load
from wenqu.types import Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.app import App
    from wenqu.types import Hit

FETCHED = 40
RERANKED = 20
TOP = 10


@dataclass(slots=True)
class Row:
    """What one way of ordering came to."""

    quality: list[tuple[float, float, float]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    likeness: list[float] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)


def main() -> None:
    """Print a row a set and way."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--reranker", type=Path, help="folder of a cross-encoder in ONNX")
    parser.add_argument("--queries", type=int, default=150)
    given = parser.parse_args()
    asyncio.run(measure(given))


async def measure(given: argparse.Namespace) -> None:
    """Measure every set, one after another."""
    settings = load(home=given.home, models={"dir": given.models})
    reranker = OnnxReranker(given.reranker) if given.reranker else None
    if reranker is not None:
        await reranker.load()
    head = ("set", "way", "recall@1", "recall@10", "nDCG@10", "cosine", "out", "ms", "p90")
    print(("{:<12}{:<12}" + "{:>11}" * 7).format(*head))
    async with open_app(settings) as app:
        for name in given.sets:
            rows = await measure_set(app, given, name, reranker)
            for way, row in rows.items():
                print(shown(name, way, row), flush=True)


async def measure_set(
    app: App, given: argparse.Namespace, name: str, reranker: OnnxReranker | None
) -> dict[str, Row]:
    """Ask a set's questions, and order what is found in each way."""
    folder, _, variant = name.partition(":")
    corpus = f"{variant or 'corpus'}.jsonl"
    if not (given.data / folder / corpus).exists():
        corpus += ".gz"
    dataset = load_dataset(given.data / folder, corpus=corpus)
    base = await app.bases.id_of(f"eval-{dataset.name}" + (f"-{variant}" if variant else ""))
    queries = sorted(dataset.judged, key=lambda query: query.id)
    random.Random(0).shuffle(queries)  # noqa: S311  # a sample, the same at each run
    retriever = await app.retriever()
    model = (await app.embedder()).fingerprint
    rows: dict[str, Row] = {}
    how = SearchOptions(top=FETCHED, collapse=False, rerank=False)
    for query in queries[: given.queries]:
        relevant = dataset.qrels[query.id]
        found = await retriever.search(base, Query(text=query.text), how)
        hits = list(found.hits)
        vectors = await app.documents.vectors(base, [hit.chunk.id for hit in hits], model)
        ways = ordered(hits, vectors)
        if reranker is not None:
            begun = perf_counter()
            scores = await reranker.rerank(query.text, hits[:RERANKED])
            spent = perf_counter() - begun
            order = sorted(range(len(scores)), key=lambda place: -scores[place])
            ways["reranked"] = ([hits[place] for place in order] + hits[RERANKED:], spent, 0)
        for way, (these, seconds, left_out) in ways.items():
            row = rows.setdefault(way, Row())
            row.quality.append(quality([hit.document.id for hit in these], relevant))
            row.ms.append(seconds * 1e3)
            row.likeness.append(likeness(these[:TOP], vectors))
            row.left_out.append(left_out)
    return rows


def ordered(
    hits: list[Hit], vectors: Mapping[str, np.ndarray]
) -> dict[str, tuple[list[Hit], float, int]]:
    """Return the hits as each way orders them, seconds, and how many of the best it left out."""
    begun = perf_counter()
    _, left_out = collapsed(hits, TOP)
    spent = perf_counter() - begun
    whole, _ = collapsed(hits, FETCHED)
    ways = {"fused": (hits, 0.0, 0), "collapsed": (whole, spent, left_out)}
    for diversity in (0.3, 0.5):
        begun = perf_counter()
        varied = diversified(whole, vectors, diversity, FETCHED)
        ways[f"mmr {diversity}"] = (varied, perf_counter() - begun, 0)
    return ways


def quality(found: Sequence[str], relevant: Mapping[str, int]) -> tuple[float, float, float]:
    """Return recall@1, recall@10 and nDCG@10 by document, each at its first chunk."""
    ranked = list(dict.fromkeys(found))[:TOP]
    good = [document for document, grade in relevant.items() if grade > 0]
    gain = sum(relevant.get(one, 0) / np.log2(at + 2) for at, one in enumerate(ranked))
    best = sorted(relevant.values(), reverse=True)[:TOP]
    ideal = sum(grade / np.log2(at + 2) for at, grade in enumerate(best))
    recalled = sum(one in ranked for one in good) / len(good)
    return float(bool(ranked) and ranked[0] in good), recalled, float(gain / ideal)


def likeness(hits: Sequence[Hit], vectors: Mapping[str, np.ndarray]) -> float:
    """Return the mean cosine of two of the hits."""
    rows = np.stack([vectors[hit.chunk.id] for hit in hits])
    count = len(rows)
    return float(((rows @ rows.T).sum() - count) / max(count * (count - 1), 1))


def shown(name: str, way: str, row: Row) -> str:
    """Return a row as text."""
    figures = [*np.mean(row.quality, axis=0), np.mean(row.likeness), np.mean(row.left_out)]
    times = [np.median(row.ms), np.percentile(row.ms, 90)]
    return f"{name[:11]:<12}{way:<12}" + "".join(
        [*(f"{figure:>11.4f}" for figure in figures), *(f"{ms:>11.1f}" for ms in times)]
    )


if __name__ == "__main__":
    main()
