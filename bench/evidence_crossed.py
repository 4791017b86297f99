"""How often the evidence holds the answer where question and document differ in language.

Three corpora of both languages in one index; questions of each in the other language (those of
data/crosslingual.jsonl) and the same ones in their own, searched as users search. Printed are the
share of them whose evidence holds a marked sentence or a given answer of the right document, the
share where a quoted answer does, the share of quotes that do, and the share where any of the hits
that evidence is taken from could: for the choice of sentences as it is, and for one by plain
cosines (no typical question known, as with another embedder).

    python bench/evidence_crossed.py --data DIR --models DIR [--questions 40]
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np

from citation_quality import Cache, KeptEmbedder, bare
from corpora import arguments, open_lab, translated
from gate_lab import Asker, sample
from wenqu.models.questions import typical_questions
from wenqu.pipeline.evidence import DEFAULT_WEIGHTS, MAX_CHUNKS, select
from wenqu.pipeline.quote import quote

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wenqu.protocols import Embedder
    from wenqu.types import Hit

SETS = ("cmrc2018", "clapnq", "expmrc/squad")
TOKENS = 450


class Right:
    """Tells whether a text of a document answers a question."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "answers.jsonl").open(encoding="utf-8")
        self._rows = {row["id"]: row for row in map(json.loads, lines)}
        # ClapNQ's answers are sentences of their own, its evidence the document's.
        self._short = folder.name != "clapnq"

    def __call__(self, question: str, text: str) -> bool:
        """Say whether it holds an answer, or is or holds a marked sentence."""
        row, said = self._rows[question], bare(text)
        marked = [one for each in row.get("evidence", []) for one in _listed(each)]
        golds = row["answers"] if self._short else []
        return any(one and one in said for one in map(bare, golds)) or any(
            one and (one in said or said in one) for one in map(bare, marked)
        )

    def __contains__(self, question: str) -> bool:
        """Whether the set says what answers it."""
        return question in self._rows


def _listed(each: str | list[str]) -> list[str]:
    return each if isinstance(each, list) else [each]


async def judged(
    question: tuple[str, str],
    hits: Sequence[Hit],
    right: Right,
    relevant: set[str],
    ways: Mapping[str, tuple[Embedder, Mapping]],
) -> dict[str, list[float]]:
    """Return in evidence, quoted, share of the quotes, could be: for each way to choose."""
    name, text = question
    could = any(h.document.id in relevant and right(name, h.chunk.text) for h in hits[:MAX_CHUNKS])
    found = {}
    for way, (embedder, typical) in ways.items():
        chosen = await select(text, hits, embedder, TOKENS, DEFAULT_WEIGHTS, typical)
        held = [right(name, e.text) for e in chosen.evidence if e.hit.document.id in relevant]
        quotes = [
            one.hit.document.id in relevant and right(name, one.quote)
            for one in quote(chosen).citations
        ]
        found[way] = [any(held), any(quotes), float(np.mean(quotes)), could]
    return found


async def main(options: argparse.Namespace) -> None:
    """Search, choose, print."""
    lab = open_lab(options)
    embedder = KeptEmbedder(lab.embedder, Cache(options.cache / "citation_quality.sqlite"))
    ways = {
        "levelled": (embedder, typical_questions(embedder.fingerprint)),
        "cosine": (embedder, {}),
    }
    async with lab.shelf(*SETS) as shelf:
        asker = Asker(lab, shelf, shelf.index)
        for name in SETS:
            other, right = translated(lab, name), Right(options.data / name)
            drawn = {query.id for query in sample(other.judged, options.questions)}
            for kind, dataset in (("other", other), ("own", lab.dataset(name))):
                asked = [q for q in dataset.judged if q.id in drawn and q.id in right]
                found = await asker.search(f"{name}-{kind}-mixed", [q.text for q in asked])
                rows = [
                    await judged(
                        (query.id, query.text),
                        hits,
                        right,
                        {one for one, grade in dataset.qrels[query.id].items() if grade > 0},
                        ways,
                    )
                    for query, hits in zip(asked, found, strict=True)
                ]
                for way in ways:
                    shares = np.mean([row[way] for row in rows], axis=0)
                    print(
                        f"{name:12} {kind} language, {len(rows)} questions, {way:8}: in evidence"
                        f" {shares[0]:.3f} of {shares[3]:.3f}, quoted {shares[1]:.3f},"
                        f" quotes right {shares[2]:.3f}",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = arguments(__doc__ or "")
    parser.add_argument("--questions", type=int, default=40, help="questions of each set")
    asyncio.run(main(parser.parse_args()))
