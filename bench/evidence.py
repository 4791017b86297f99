"""How much of what people marked as evidence survives the choice of sentences.

For each ExpMRC question the hits are its own passage and the five others that share most words with
it, nearest to the question first. Prints the share of questions whose marked evidence (its longest
sentence) is kept whole at several sizes, for the shipped weights and for others, beside that of
taking the hits' beginnings in as many tokens; and how often the sentence of the best score is a
marked one (``first``).

    python bench/evidence.py --data DIR --models DIR [--questions 100] [--cache DIR]
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from citation_quality import EMBEDDER, Cache, KeptEmbedder, bare, marked_in, questions_of
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.pipeline.evidence import DEFAULT_WEIGHTS, select
from wenqu.text.chunk import chunk, embedding_text
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms
from wenqu.types import Chunking, Hit, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from citation_quality import Question
    from wenqu.pipeline.evidence import Weights
    from wenqu.protocols import Embedder
    from wenqu.types import Document

SIZES = (100, 200, 450)
OTHERS = 5
WAYS: Mapping[str, Weights] = {
    "shipped": DEFAULT_WEIGHTS,
    "no neighbours": replace(DEFAULT_WEIGHTS, neighbour=0.0),
    "neighbours .15": replace(DEFAULT_WEIGHTS, neighbour=0.15),
    "words .4": replace(DEFAULT_WEIGHTS, words=0.4),
    "words .8": replace(DEFAULT_WEIGHTS, words=0.8),
    "rank 0": replace(DEFAULT_WEIGHTS, rank=0.0),
}


async def _hits(question: Question, documents: Sequence[Document], embedder: Embedder) -> list[Hit]:
    asked = set(terms(question.text))
    others = [one for one in documents if one.id != question.document.id]
    others.sort(key=lambda one: -len(asked & set(terms(one.text))))
    hits = []
    vector = (await embedder.embed([question.text], "query"))[0]
    for document in (question.document, *others[:OTHERS]):
        chunks = chunk(document, Chunking(), embedder.token_starts)
        texts = [embedding_text(one, document.title) for one in chunks]
        scores = (await embedder.embed(texts, "passage")) @ vector
        hits += [
            Hit(chunk=one, document=document.info, score=float(score), origin=Origin.DENSE)
            for one, score in zip(chunks, scores, strict=True)
        ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk.id))


def _beginning(hits: Sequence[Hit], size: int, embedder: Embedder) -> str:
    text = " ".join(hit.chunk.text for hit in hits)
    starts = [*embedder.token_starts(text), len(text)]
    return text[: starts[min(size, len(starts) - 1)]]


async def _measure(given: argparse.Namespace, name: str) -> None:
    cache = Cache(given.cache / "citation_quality.sqlite")
    embedder = KeptEmbedder(open_embedder(find(EMBEDDER), given.models), cache)
    questions, documents = questions_of(given.data / "expmrc" / name, given.questions)
    kept: dict[str, list[list[bool]]] = {way: [] for way in (*WAYS, "beginnings")}
    first: dict[str, list[bool]] = {way: [] for way in WAYS}
    for question in questions:
        marked = question.evidence[0]
        wanted = bare(max((marked[s.start : s.end] for s in sentences(marked)), key=len))
        if wanted not in bare(question.document.text):
            continue
        hits = await _hits(question, documents, embedder)
        for way, weights in WAYS.items():
            row = []
            for size in SIZES:
                chosen = await select(question.text, hits, embedder, size, weights)
                row.append(any(wanted in bare(item.text) for item in chosen.evidence))
            best = max(chosen.sentences, key=lambda one: one.score)
            spans = marked_in(question) if best.hit.document.id == question.document.id else []
            begin = len(bare(question.document.text[: best.span.start]))
            end = begin + len(bare(best.text))
            first[way].append(any(begin < last and start < end for start, last in spans))
            kept[way].append(row)
        kept["beginnings"].append([wanted in bare(_beginning(hits, s, embedder)) for s in SIZES])
    print(f"{name}: {len(kept['beginnings'])} questions; kept at {SIZES} tokens, first")
    for way, rows in kept.items():
        shares = " ".join(f"{share:.3f}" for share in np.mean(rows, axis=0))
        print(f"  {way:>15} {shares}" + (f"  {np.mean(first[way]):.3f}" if way in first else ""))


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--sets", nargs="*", default=["cmrc2018", "squad"])
    parser.add_argument("--cache", type=Path, default=Path(".bench-cache"))
    given = parser.parse_args()
    for name in given.sets:
        await _measure(given, name)


if __name__ == "__main__":
    asyncio.run(_main())
