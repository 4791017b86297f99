"""Which fusion holds on every public set: the figures behind docs/adr/0005-fusion.md.

    python bench/fusion.py --data DIR --models DIR

DIR holds cmrc2018, scifact, lecoqa, dureader_demo and clapnq, each with corpus.jsonl, queries.jsonl
and qrels.tsv. The index, the terms, the chunks and the vectors are wenqu's own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from corpora import Candidates, Lab, arguments, open_lab, translated
from wenqu.evaluation.metrics import documents_of, measure, run_of
from wenqu.text.fusion import fuse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from corpora import Shelf
    from wenqu.evaluation.datasets import Dataset

    Method = Callable[[Candidates], Mapping[str, float]]

TASKS = (
    # corpora that are indexed together, whose questions are asked, in which language
    ("cmrc2018", "cmrc2018", "own"),
    ("scifact", "scifact", "own"),
    ("lecoqa", "lecoqa", "own"),
    ("dureader_demo", "dureader_demo", "own"),
    ("clapnq", "clapnq", "own"),
    ("cmrc2018", "cmrc2018", "other"),
    ("clapnq", "clapnq", "other"),
    ("cmrc2018 clapnq", "cmrc2018", "own"),
    ("cmrc2018 clapnq", "clapnq", "own"),
    ("cmrc2018 clapnq", "cmrc2018", "other"),
    ("cmrc2018 clapnq", "clapnq", "other"),
)
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
_RRF_K = 60
"""Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion, SIGIR 2009."""


def rrf(found: Candidates) -> dict[str, float]:
    """Fuse by ranks alone."""
    fused: dict[str, float] = {}
    for side in (found.lexical, found.dense):
        for rank, one in enumerate(sorted(side, key=lambda key: -side[key]), start=1):
            fused[one] = fused.get(one, 0.0) + 1 / (_RRF_K + rank)
    return fused


def min_max(found: Candidates, weight: float) -> dict[str, float]:
    """Fuse the sides spread over 0 … 1, whatever the lexical side covers."""
    return fuse(found.lexical, found.dense, lexical_weight=weight)


def covered(found: Candidates, weight: float) -> dict[str, float]:
    """Fuse as wenqu does."""
    return fuse(found.lexical, found.dense, lexical_weight=weight, lexical_limit=found.limit)


def z_scores(found: Candidates, weight: float) -> dict[str, float]:
    """Fuse the sides in standard deviations."""
    keys = list(found.dense)
    fused = np.zeros(len(keys))
    for side, share in ((found.lexical, weight), (found.dense, 1 - weight)):
        scores = np.array([side.get(key, 0.0) for key in keys])
        fused += share * (scores - scores.mean()) / (scores.std() + 1e-9)
    return dict(zip(keys, fused.tolist(), strict=True))


def methods() -> dict[str, Method]:
    """Return what is compared, by name."""
    named: dict[str, Method] = {
        "lexical": lambda found: found.lexical,
        "dense": lambda found: found.dense,
        "rrf": rrf,
    }
    for name, method in (("min-max", min_max), ("z", z_scores), ("covered", covered)):
        named |= {f"{name} {weight}": partial(method, weight=weight) for weight in WEIGHTS}
    return named


@dataclass(frozen=True, slots=True)
class Task:
    """Questions, and what both sides found for each."""

    shelf: Shelf
    dataset: Dataset
    found: dict[str, Candidates]

    def score(self, method: Method) -> dict[str, float]:
        """Return the metrics of a method."""
        rankings = {}
        for query, candidates in self.found.items():
            fused = method(candidates)
            chunks = sorted(fused, key=lambda one: (-fused[one], one))
            owners = [(self.shelf.chunks[one].document_id, fused[one]) for one in chunks]
            rankings[query] = [document for document, _ in documents_of(owners)]
        qrels = {query: self.dataset.qrels[query] for query in self.found}
        return measure(qrels, run_of(rankings))


async def ask(lab: Lab, shelf: Shelf, dataset: Dataset) -> Task:
    """Search every judged question of the data set."""
    texts = [query.text for query in dataset.judged]
    vectors = await lab.vectors(dataset.name, texts, "query")
    found = {
        query.id: await shelf.candidates(query.text, vector)
        for query, vector in zip(dataset.judged, vectors, strict=True)
    }
    return Task(shelf, dataset, found)


async def main(options: argparse.Namespace) -> None:
    """Print a table a task."""
    lab = open_lab(options)
    for names, asked, language in TASKS:
        if options.only and asked not in options.only:
            continue
        dataset = lab.dataset(asked) if language == "own" else translated(lab, asked)
        async with lab.shelf(*names.split()) as shelf:
            task = await ask(lab, shelf, dataset)
            shares = [
                max(found.lexical.values(), default=0.0) / (found.limit or 1.0)
                for found in task.found.values()
            ]
            print(
                f"\n{dataset.name} over {names}: {len(task.found)} questions, "
                f"{len(shelf.chunks)} chunks, median coverage {np.median(shares):.2f}"
            )
            for name, method in methods().items():
                metrics = task.score(method)
                print(f"{name:12}", *(f"{key} {value:.4f}" for key, value in metrics.items()))


if __name__ == "__main__":
    parser = arguments("Compare ways to fuse lexical and dense scores.")
    parser.add_argument("--only", nargs="*", help="data sets to ask")
    asyncio.run(main(parser.parse_args()))
