"""Fits the gate on public sets and tests it on sets it has not seen: docs/adr/0006-gate.md.

    python bench/gate.py --data DIR --models DIR

For each corpus, its own questions should be answered, and those of the other sets, everyday ones
(data/gate.jsonl) and its own without the documents that answer them should not. The last kind and
ClapNQ's unanswerable questions are hard: the documents speak of the same thing. They are reported,
and count little in the fit, since a wrong refusal costs more: a model that is asked can still
abstain.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corpora import HERE, SEED, Lab, arguments, open_lab, translated
from wenqu.pipeline.gate import DEFAULT_MODEL, HITS, features
from wenqu.text.fusion import fuse
from wenqu.text.smalltalk import is_small_talk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from corpora import Shelf
    from wenqu.evaluation.datasets import EvalQuery

    Floats = NDArray[np.float64]

SETS = ("cmrc2018", "lecoqa", "clapnq", "scifact")
LEXICAL_WEIGHT = 0.5
PLENTY = 250
"""Questions of one kind that are asked of one corpus."""
KIND_WEIGHTS = {"own": 1.0, "other": 1.0, "everyday": 1.0, "removed": 0.1, "unanswerable": 0.1}
"""How much a kind counts in the fit, whatever the number of its questions."""
RIDGE = 1e-4


@dataclass(frozen=True, slots=True)
class Example:
    """A question asked of a corpus, and whether it should be answered."""

    corpus: str
    kind: str
    answer: bool
    text: str
    features: dict[str, float]


class Asker:
    """Asks questions of one corpus and keeps their features."""

    def __init__(self, lab: Lab, shelf: Shelf, corpus: str) -> None:
        self._lab, self._shelf, self._corpus = lab, shelf, corpus
        self.examples: list[Example] = []

    async def ask(
        self,
        source: str,
        texts: Sequence[str],
        kind: str,
        *,
        without: Sequence[Collection[str]] | None = None,
        wanted: Sequence[Collection[str]] | None = None,
    ) -> None:
        """Add an example for each text.

        Args:
            source: Where the texts are from; names the cache of their vectors.
            texts: The questions.
            kind: One of ``KIND_WEIGHTS``.
            without: Documents to hide from each.
            wanted: Documents of which one must be found, or the text is left out.
        """
        vectors = await self._lab.vectors(source, texts, "query")
        hidden = without or [()] * len(texts)
        needed = wanted or [()] * len(texts)
        for text, vector, gone, need in zip(texts, vectors, hidden, needed, strict=True):
            found = await self._shelf.candidates(text, vector, without=gone)
            fused = fuse(
                found.lexical,
                found.dense,
                lexical_weight=LEXICAL_WEIGHT,
                lexical_limit=found.limit,
            )
            hits = self._shelf.hits(found, fused, HITS)
            if need and not any(hit.document.id in need for hit in hits):
                continue
            values = features(text, hits)
            example = Example(self._corpus, kind, kind == "own", text, values)
            self.examples.append(example)


def sample(queries: Iterable[EvalQuery], count: int) -> list[EvalQuery]:
    """Return up to ``count`` queries, always the same."""
    queries = sorted(queries, key=lambda query: query.id)
    random.Random(7).shuffle(queries)  # noqa: S311 - a draw that anybody can repeat
    return queries[:count]


def written(kind: str, projects: Collection[str] | None = None) -> list[str]:
    """Return the questions of one kind that were written for wenqu, of some projects or all."""
    rows = [json.loads(line) for line in (HERE / "data/gate.jsonl").open(encoding="utf-8")]
    wanted = [row for row in rows if row["kind"] == kind]
    return [row["text"] for row in wanted if projects is None or row.get("project") in projects]


async def of_set(lab: Lab, name: str, sets: Sequence[str]) -> list[Example]:
    """Ask everything of the corpus of one data set."""
    dataset = lab.dataset(name)
    async with lab.shelf(name) as shelf:
        asker = Asker(lab, shelf, name)
        own = sample(dataset.judged, PLENTY)
        texts = [query.text for query in own]
        await asker.ask(name, texts, "own")
        gone = [{one for one, grade in dataset.qrels[each.id].items() if grade} for each in own]
        await asker.ask(name, texts, "removed", without=gone)
        await asker.ask("gate", written("out_of_scope"), "everyday")
        for other in sets:
            if other != name:
                strangers = sample(lab.dataset(other).judged, PLENTY // (len(sets) - 1))
                await asker.ask(other, [query.text for query in strangers], "other")
        unanswerable = sample((q for q in dataset.queries if not q.answerable), PLENTY)
        if unanswerable:
            await asker.ask(name, [query.text for query in unanswerable], "unanswerable")
    return asker.examples


async def translated_of(lab: Lab, name: str) -> list[Example]:
    """Ask a corpus in the other language; what is not found there is no example of an answer."""
    dataset = translated(lab, name)
    asked = dataset.judged
    async with lab.shelf(name) as shelf:
        asker = Asker(lab, shelf, f"{name} in the other language")
        relevant = [
            {one for one, grade in dataset.qrels[query.id].items() if grade} for query in asked
        ]
        await asker.ask(dataset.name, [query.text for query in asked], "own", wanted=relevant)
        strangers = sample(lab.dataset("lecoqa").judged, 3 * len(asked))
        await asker.ask("lecoqa", [query.text for query in strangers], "other")
        await asker.ask("gate", written("out_of_scope"), "everyday")
    return asker.examples


async def of_seed(lab: Lab, sets: Sequence[str]) -> list[Example]:
    """Ask of the InternLM documentation, which is what users see first."""
    async with lab.shelf(SEED) as shelf:
        asker = Asker(lab, shelf, SEED)
        await asker.ask("gate", written("in_scope", lab.projects), "own")
        await asker.ask("gate", written("out_of_scope"), "everyday")
        for other in sets:
            strangers = sample(lab.dataset(other).judged, 40)
            await asker.ask(other, [query.text for query in strangers], "other")
    return asker.examples


def table(examples: Sequence[Example], names: Sequence[str]) -> Floats:
    """Return one row an example: the features ``names``, and 1 for the bias."""
    return np.array([[*(one.features[name] for name in names), 1.0] for one in examples])


def weights_of(examples: Sequence[Example]) -> Floats:
    """Weigh examples so that kinds, corpora and both answers count as they should."""
    counts: dict[tuple[str, str], int] = {}
    for one in examples:
        counts[one.corpus, one.kind] = counts.get((one.corpus, one.kind), 0) + 1
    weights = np.array([KIND_WEIGHTS[e.kind] / counts[e.corpus, e.kind] for e in examples])
    answers = np.array([one.answer for one in examples])
    weights[answers] /= weights[answers].sum()
    weights[~answers] /= weights[~answers].sum()
    return weights * len(examples) / 2


def fit(examples: Sequence[Example], names: Sequence[str]) -> Floats:
    """Return the coefficients of a ridge logistic regression, the bias last, by Newton's method."""
    rows, weights = table(examples, names), weights_of(examples)
    mean, spread = rows.mean(0), rows.std(0)
    mean[-1], spread[-1] = 0.0, 1.0
    spread[spread == 0] = 1.0
    rows = (rows - mean) / spread
    wanted = np.array([float(one.answer) for one in examples])
    found = np.zeros(rows.shape[1])
    penalty = np.full(rows.shape[1], RIDGE * len(examples))
    penalty[-1] = 0.0
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ found))
        gradient = rows.T @ (weights * (chance - wanted)) + penalty * found
        curvature = (rows.T * (weights * chance * (1 - chance))) @ rows + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004
            break
    coefficients = found / spread
    coefficients[-1] = found[-1] - (found[:-1] * mean[:-1] / spread[:-1]).sum()
    return np.asarray(coefficients)


def auc(scores: Floats, wanted: NDArray[np.bool_]) -> float:
    """Return the chance that an answerable question scores above one that is not."""
    order = np.argsort(np.argsort(scores)) + 1.0
    positive, negative = int(wanted.sum()), int((~wanted).sum())
    if not positive or not negative:
        return float("nan")
    return float((order[wanted].sum() - positive * (positive + 1) / 2) / (positive * negative))


def report(title: str, examples: Sequence[Example], chances: Floats, threshold: float) -> None:
    """Print how well examples are told apart, and what share of each kind is answered."""
    passed = chances >= threshold
    wanted = np.array([one.answer for one in examples])
    easy = np.array([one.kind in {"own", "other", "everyday"} for one in examples])
    shares = {
        kind: np.mean([p for e, p in zip(examples, passed, strict=True) if e.kind == kind])
        for kind in KIND_WEIGHTS
        if any(one.kind == kind for one in examples)
    }
    true = int((passed & wanted & easy).sum())
    f1 = 2 * true / max(1, int((passed & easy).sum()) + int((wanted & easy).sum()))
    shown = "  ".join(f"{kind} {share:.3f}" for kind, share in shares.items())
    print(f"{title:42} auc {auc(chances[easy], wanted[easy]):.3f}  F1 {f1:.3f}  answered: {shown}")


def tell(examples: Sequence[Example], names: Sequence[str], threshold: float) -> None:
    """Fit without each corpus in turn and test on it; then fit on all and print the constants."""
    for corpus in dict.fromkeys(one.corpus for one in examples):
        train = [one for one in examples if one.corpus.split()[0] != corpus.split()[0]]
        test = [one for one in examples if one.corpus == corpus]
        if train and any(one.answer for one in train) and any(one.answer for one in test):
            report(
                f"{corpus} left out", test, chances_of(test, names, fit(train, names)), threshold
            )
    found = fit(examples, names)
    report("fitted on all", examples, chances_of(examples, names, found), threshold)
    print({name: round(float(one), 2) for name, one in zip([*names, "bias"], found, strict=True)})


def chances_of(examples: Sequence[Example], names: Sequence[str], found: Floats) -> Floats:
    """Return the probability that each example should be answered."""
    return np.asarray(1 / (1 + np.exp(-table(examples, names) @ found)))


async def main(options: argparse.Namespace) -> None:
    """Gather, fit, cross-validate, print."""
    lab = open_lab(options)
    sets = [name for name in SETS if name in options.sets]
    examples = [one for name in sets for one in await of_set(lab, name, sets)]
    if "lecoqa" in sets:
        for name in sorted({"cmrc2018", "clapnq"} & set(sets)):
            examples += await translated_of(lab, name)
    if (options.data / SEED).is_dir() and options.projects:
        examples += await of_seed(lab, sets)
    if options.dump:
        with options.dump.open("w", encoding="utf-8") as file:
            for one in examples:
                row = {"corpus": one.corpus, "kind": one.kind, "text": one.text} | one.features
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    own = [one for one in examples if not one.features["foreign"]]
    foreign = [one for one in examples if one.features["foreign"]]
    tested = [one for one in own if "other language" not in one.corpus]
    print("\nA hit is of the question's language")
    for names in (["likeness"], ["likeness", "lead"], ["likeness", "coverage"]):
        print(" + ".join(names))
        tell(tested, names, DEFAULT_MODEL.own.threshold)
    print("\nNone is")
    for names in (["likeness"], ["lead"]):
        print(" + ".join(names))
        tell(foreign, names, DEFAULT_MODEL.foreign.threshold)
    talk = written("not_a_question")
    asked = written("in_scope") + written("out_of_scope")
    print("small talk told:", sum(map(is_small_talk, talk)), "of", len(talk))
    print("questions taken for it:", sum(map(is_small_talk, asked)), "of", len(asked))


if __name__ == "__main__":
    from pathlib import Path

    parser = arguments("Fit and test the gate.")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="data sets to use")
    parser.add_argument("--dump", type=Path, help="file for the examples, JSON lines")
    asyncio.run(main(parser.parse_args()))
