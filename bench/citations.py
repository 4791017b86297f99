"""How well a citation's support is told, and the constants behind it (wenqu.text.citations).

Pairs of a sentence from a human answer and a passage: the one it was written from (supported), the
most alike of the other passages in the same set (hard) and any other (easy). A logistic model over
the features that ``support`` gives is fitted on all sets but one and judged on that one; the last
line has the constants fitted on all. Human answers also hold sentences that their passage does not
bear out, so the figures are a lower bound. Pairs across languages are measured by crossed.py.

    python bench/citations.py --data ../shared/data --models DIR [--sentences 80]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.readers import choose, default_readers
from wenqu.readers.detect import sample
from wenqu.text.citations import support
from wenqu.text.normalize import normalize
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.protocols import Embedder

_CONSIDERED = 8  # sentences of a passage that are embedded: those that share most words
_SHORTEST, _LONGEST = 10, 300
_CENTRE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sentence, a passage, and whether it was written from it."""

    group: str
    question: str
    sentence: str
    passage: str
    supported: bool
    kind: str


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def split(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [text[span.start : span.end] for span in sentences(text)]


def _pairs(folder: Path, count: int, chance: random.Random) -> Iterator[Pair]:
    corpus = {
        str(d["id"]): normalize(f"{d['title']}\n{d['text']}")
        for d in _lines(folder / "corpus.jsonl")
    }
    questions = {str(q["id"]): str(q["text"]) for q in _lines(folder / "queries.jsonl")}
    qrels: dict[str, list[str]] = {}
    for row in (folder / "qrels.tsv").read_text("utf-8").split("\n"):
        parts = row.split("\t")
        if len(parts) >= 3 and parts[-1] not in {"0", "score"}:  # noqa: PLR2004
            qrels.setdefault(parts[0], []).append(parts[-2])
    words = {name: frozenset(terms(text)) for name, text in corpus.items()}
    answers = [a for a in _lines(folder / "answers.jsonl") if a.get("answers")]
    chance.shuffle(answers)
    made = 0
    for answer in answers:
        gold = [name for name in qrels.get(str(answer["id"]), []) if name in corpus]
        said = [s for s in split(str(answer["answers"][0])) if _SHORTEST <= len(s) <= _LONGEST]  # type: ignore[index]
        if not gold or not said or answer.get("answerable") is False:
            continue
        sentence = chance.choice(said)
        own = frozenset(terms(sentence))
        if len(own) < 4:  # noqa: PLR2004
            continue
        right = max(gold, key=lambda name: len(own & words[name]))
        # DuReader's other pages for a question often say the same: they are no negatives.
        asked = str(answer["id"])
        others = [name for name in corpus if name not in gold and not name.startswith(asked)]
        hard = max(others, key=lambda name: len(own & words[name]) / (len(words[name]) + 50) ** 0.5)
        for name, good, kind in (
            (right, True, "own"),
            (hard, False, "hard"),
            (chance.choice(others), False, "easy"),
        ):
            yield Pair(
                group=folder.name,
                question=questions.get(str(answer["id"]), ""),
                sentence=sentence,
                passage=corpus[name],
                supported=good,
                kind=kind,
            )
        made += 1
        if made >= count:
            return


def blocks(path: Path) -> list[str]:
    """Return the blocks of a file as its reader tells them."""
    data = path.read_bytes()
    reader = choose(default_readers(), sample(path.name, BytesIO(data)))
    if reader is None:
        return []
    document = reader.read(data, path.name)
    return [document.text[b.span.start : b.span.end] for b in document.blocks]


async def _features(pairs: Sequence[Pair], embedder: Embedder) -> np.ndarray:
    """Return words, meaning and missing of each pair."""
    considered: list[list[str]] = []
    for pair in pairs:
        own = set(terms(pair.sentence)) | set(terms(pair.question))
        ranked = sorted(split(pair.passage), key=lambda s: -len(own & set(terms(s))))
        considered.append([s[:_LONGEST] for s in ranked[:_CONSIDERED]] or [pair.passage[:_LONGEST]])
    asked = await embedder.embed([pair.sentence for pair in pairs], "query")
    flat = [s for some in considered for s in some]
    offered = await embedder.embed(flat, "passage")
    rows, at = [], 0
    for pair, vector, some in zip(pairs, asked, considered, strict=True):
        meaning = float((offered[at : at + len(some)] @ vector).max())
        at += len(some)
        found = support(pair.sentence, " ".join(some), meaning)
        rows.append([found.words, meaning - _CENTRE, found.missing])
    return np.array(rows)


def _fit(x: np.ndarray, y: np.ndarray, ridge: float = 0.1) -> np.ndarray:
    """Return bias and weights of a logistic model by Newton's method; meaning is scaled by 10."""
    a = np.column_stack([np.ones(len(x)), x * [1, 10, 1]])
    w = np.zeros(a.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-a @ w))
        penalty = ridge * np.eye(len(w))
        penalty[0, 0] = 0
        h = a.T @ (a * (p * (1 - p))[:, None]) + penalty
        w = w - np.linalg.solve(h, a.T @ (p - y) + penalty @ w)
    return w * [1, 1, 10, 1]


def _probability(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(w[0] + x @ w[1:])))


def _auc(p: np.ndarray, y: np.ndarray) -> float:
    better = (p[y][:, None] > p[~y][None]).mean() + 0.5 * (p[y][:, None] == p[~y][None]).mean()
    return float(better)


def _report(name: str, p: np.ndarray, y: np.ndarray, kinds: np.ndarray) -> None:
    shown = [f"{name:>14}: AUC {_auc(p, y):.3f}; supported, of own, hard and easy passages"]
    for edge in (0.5, 0.8):
        shares = ((p >= edge)[kinds == kind].mean() for kind in ("own", "hard", "easy"))
        shown.append(f"≥{edge}: " + " ".join(f"{share:.2f}" for share in shares))
    print(" | ".join(shown))


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=80)
    given = parser.parse_args()
    chance = random.Random(7)  # noqa: S311 - a sample, not a secret
    pairs: list[Pair] = []
    for name in ("clapnq", "dureader_demo", "lecoqa"):
        pairs += _pairs(given.data / name, given.sentences, chance)
    embedder = open_embedder(find("multilingual-e5-small"), given.models)
    x = await _features(pairs, embedder)
    y = np.array([pair.supported for pair in pairs])
    kinds = np.array([pair.kind for pair in pairs])
    groups = np.array([pair.group for pair in pairs])
    shipped = np.array(
        [
            support(p.sentence, p.passage, m + _CENTRE).probability
            for p, m in zip(pairs, x[:, 1], strict=True)
        ]
    )
    for group in sorted(set(groups)):
        own = groups == group
        print(
            group,
            own.sum(),
            "mean own/hard/easy",
            *(x[own & (kinds == k)].mean(0).round(3) for k in ("own", "hard", "easy")),
        )
        _report("shipped", shipped[own], y[own], kinds[own])
    for group in sorted(set(groups)):
        train, test = groups != group, groups == group
        _report(
            f"without {group}"[:14],
            _probability(_fit(x[train], y[train]), x[test]),
            y[test],
            kinds[test],
        )
    print("same   :", _fit(x, y).round(2))


if __name__ == "__main__":
    asyncio.run(_main())
