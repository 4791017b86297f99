"""Fits the gate that ships on public sets and tests it on sets it has not seen: ADR 0006.

    python bench/gate.py --data DIR --models DIR

Of each corpus, its own questions should be answered; those of the other sets, everyday ones
(data/gate.jsonl) and those near its topic without an answer (see gate_lab.py) should not. Then the
same of questions in the other language than the documents (``--across`` only that), with the
dictionary and without.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corpora import SEED, arguments, open_lab
from gate_lab import (
    CROSSED,
    SETS,
    Asked,
    of_crossed,
    of_mixed,
    of_seed,
    of_set,
    of_small,
    of_small_crossed,
    written,
)
from wenqu.evaluation.refusal import auc
from wenqu.models.catalog import find
from wenqu.models.dictionary import open_dictionary
from wenqu.pipeline.gate_model import DEFAULT_MODEL, FOREIGN_FEATURES, OWN_FEATURES
from wenqu.text.smalltalk import is_small_talk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from corpora import Lab
    from wenqu.pipeline.gate_model import Logistic
    from wenqu.protocols import Dictionary

    Floats = NDArray[np.float64]

KIND_WEIGHTS = {"own": 1.0, "other": 0.5, "everyday": 0.5, "removed": 0.5, "unanswerable": 0.5}
"""How much a kind counts in the fit, whatever the number of its questions."""
RIDGE = 1.0
NAMES = {"likeness": ("likeness",), "what ships": OWN_FEATURES}


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients around the mean of each feature, as ``gate_model.Logistic`` has them."""

    weights: Floats
    bias: float
    typical: Floats

    def chances(self, rows: Floats) -> Floats:
        """Return the probability that each row should be answered."""
        total = (rows - self.typical) @ self.weights + self.bias
        return np.asarray(1 / (1 + np.exp(-total)))


def table(examples: Sequence[Asked], names: Sequence[str]) -> Floats:
    """Return one row an example."""
    return np.array([[one.example.features[name] for name in names] for one in examples])


def importance(examples: Sequence[Asked]) -> Floats:
    """Weigh examples so that kinds, corpora, sizes and both answers count as they should."""
    cells = [(one.group if one.group != "large" else one.corpus, one.kind) for one in examples]
    counts = Counter(cells)
    weights = np.array([KIND_WEIGHTS[kind] / counts[group, kind] for group, kind in cells])
    own = np.array([one.kind == "own" for one in examples])
    weights[own] /= weights[own].sum()
    weights[~own] /= weights[~own].sum()
    return weights * len(examples) / 2


def fit(examples: Sequence[Asked], names: Sequence[str]) -> Fit:
    """Fit a ridge logistic regression by Newton's method."""
    rows, weights = table(examples, names), importance(examples)
    mean, spread = rows.mean(0), rows.std(0)
    scaled = np.c_[(rows - mean) / spread, np.ones(len(rows))]
    wanted = np.array([float(one.kind == "own") for one in examples])
    found, pull = np.zeros(scaled.shape[1]), np.full(scaled.shape[1], RIDGE)
    pull[-1] = 1e-9
    for _ in range(50):
        chance = 1 / (1 + np.exp(-scaled @ found))
        gradient = scaled.T @ (weights * (chance - wanted)) + pull * found
        curvature = (scaled.T * (weights * chance * (1 - chance))) @ scaled + np.diag(pull)
        found -= np.linalg.solve(curvature, gradient)
    return Fit(found[:-1] / spread, float(found[-1]), mean)


def report(title: str, examples: Sequence[Asked], chances: Floats, threshold: float) -> None:
    """Print the AUC of each kind against its own questions, and what share of it is answered."""
    kinds = np.array([one.kind for one in examples])
    shown = []
    for kind in KIND_WEIGHTS:
        if not (kinds == kind).any():
            continue
        share = f"{kind} {np.mean(chances[kinds == kind] >= threshold):.2f}"
        if kind != "own" and (kinds == "own").any():
            both = (kinds == "own") | (kinds == kind)
            share += f" (auc {auc(chances[both], kinds[both] == 'own'):.3f})"
        shown.append(share)
    print(f"{title:24} answered: {'  '.join(shown)}")


def tell(examples: Sequence[Asked], names: Sequence[str]) -> None:
    """Fit without each corpus in turn and test on it; then fit on all and print the constants."""
    threshold = DEFAULT_MODEL.own.threshold
    for corpus in dict.fromkeys(one.corpus for one in examples):
        found = fit([one for one in examples if one.corpus != corpus], names)
        for small in (False, True):
            held = [
                one
                for one in examples
                if one.corpus == corpus and one.group.startswith("small") == small
            ]
            if held:
                title = f"{corpus}{', small' if small else ''}"
                report(title, held, found.chances(table(held, names)), threshold)
    found = fit(examples, names)
    for name, weight, typical in zip(names, found.weights, found.typical, strict=True):
        print(f"  {name}: {weight:.1f} around {typical:.3f}")
    print(f"  bias {found.bias:.2f}")


async def own(lab: Lab, *, seed: bool) -> None:
    """Gather, fit and cross-validate questions in the language of the documents."""
    examples: list[Asked] = []
    for name in SETS:
        examples += [*await of_set(lab, name), *await of_small(lab, name)]
    if seed:
        examples += await of_seed(lab)
    # What words alone decide has no features; across languages another model decides.
    weighed = [one for one in examples if one.example.features.get("foreign") == 0.0]
    for title, names in NAMES.items():
        print(f"\n{title}: each corpus left out of the fit")
        tell(weighed, names)


async def gathered(lab: Lab, dictionary: Dictionary | None) -> list[Asked]:
    """Ask across languages, corpus by corpus and of a base of both languages."""
    examples = await of_mixed(lab, dictionary)
    for name in CROSSED:
        examples += await of_crossed(lab, name, dictionary)
        examples += await of_small_crossed(lab, name, dictionary)
    return [one for one in examples if one.example.features]


async def across(lab: Lab, dictionary: Dictionary) -> None:
    """Fit what decides on hits in another language, and show all that it changes."""
    known = await gathered(lab, dictionary)
    learned = [one for one in known if one.example.features["foreign"]]
    unaided = await gathered(lab, None)
    print("\nacross languages: each translated set left out of the fit")
    for name in CROSSED:
        found = fit([one for one in learned if not one.corpus.startswith(name)], FOREIGN_FEATURES)
        show([one for one in known if one.corpus == name], found)
    found = fit(learned, FOREIGN_FEATURES)
    values = zip(FOREIGN_FEATURES, found.weights, found.typical, strict=True)
    print(*(f"  {name}: {weight:.1f} around {typical:.3f}" for name, weight, typical in values))
    print(f"  bias {found.bias:.2f}")
    for title, examples in (("what ships", known), ("what ships, no dictionary", unaided)):
        print(f"\nacross languages: {title}")
        for corpus in dict.fromkeys(one.corpus for one in examples):
            show([one for one in examples if one.corpus == corpus], DEFAULT_MODEL.foreign)


def show(examples: Sequence[Asked], judge: Fit | Logistic) -> None:
    """Report by the size of the base; ``judge`` decides where the best hit is foreign."""
    for group in ("large", "small", "mixed"):
        some = [one for one in examples if one.group.startswith(group)]
        if some:
            margins = np.array([_margin(one, judge) for one in some])
            report(f"{some[0].corpus}, {group}", some, margins, 0.0)


def _margin(one: Asked, judge: Fit | Logistic) -> float:
    """Return the log-odds of an answer above the threshold of the model that decides."""
    if not one.example.features["foreign"]:
        decision = one.example.decision
        return _odds(decision.probability) - _odds(decision.threshold)
    if isinstance(judge, Fit):
        chance = float(judge.chances(table([one], FOREIGN_FEATURES))[0])
    else:
        chance = judge.probability(one.example.features)
    return _odds(chance) - _odds(DEFAULT_MODEL.foreign.threshold)


def _odds(chance: float) -> float:
    return float(np.log(chance / (1 - chance)))


async def main(options: argparse.Namespace) -> None:
    """Gather, fit, cross-validate, print."""
    lab = open_lab(options)
    if not options.across:
        await own(lab, seed=(options.data / SEED).is_dir() and bool(options.projects))
    if dictionary := open_dictionary(find("cc-cedict"), options.models):
        await across(lab, dictionary)
    chatter, questions = written("not_a_question"), written("in_scope")
    told = sum(is_small_talk(text) for text in chatter)
    taken = sum(is_small_talk(text) for text in questions)
    print(f"\nsmall talk told: {told} of {len(chatter)}; questions taken for it: {taken}", end=" ")
    print(f"of {len(questions)}")


if __name__ == "__main__":
    parser = arguments(__doc__ or "")
    parser.add_argument("--across", action="store_true", help="only across languages")
    asyncio.run(main(parser.parse_args()))
