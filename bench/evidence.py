"""How much of what people marked as evidence survives the choice of sentences.

For each ExpMRC question the hits are its own passage, first, and the five others that share most
words. Prints the share of questions whose marked evidence (its longest sentence) is kept whole at
several sizes, beside that of taking the passages' beginnings in as many tokens.

    python bench/evidence.py --data ../shared/data --models DIR [--questions 40]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from pathlib import Path
from typing import Any

from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.pipeline.evidence import select
from wenqu.text.normalize import normalize
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms
from wenqu.types import Chunk, DocumentInfo, Hit, Origin

_SIZES = (100, 200, 300, 450)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def _hit(name: str, title: str, text: str) -> Hit:
    chunk = Chunk(id=name, document_id=name, text=text, start=0, end=len(text))
    document = DocumentInfo(id=name, source=name, title=title, language="zh")
    return Hit(chunk=chunk, document=document, score=0.0, origin=Origin.FUSED)


def _bare(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


async def _measure(folder: Path, models: Path, count: int) -> None:
    embedder = open_embedder(find("multilingual-e5-small"), models)
    corpus = {
        d["id"]: _hit(d["id"], d["title"], normalize(d["text"]))
        for d in _lines(folder / "corpus.jsonl")
    }
    words = {name: set(terms(hit.chunk.text)) for name, hit in corpus.items()}
    questions = {q["id"]: q["text"] for q in _lines(folder / "queries.jsonl")}
    answers = _lines(folder / "answers.jsonl")
    random.Random(7).shuffle(answers)  # noqa: S311 - a sample, not a secret
    kept = dict.fromkeys(_SIZES, 0)
    begun = dict.fromkeys(_SIZES, 0)
    asked = 0
    for answer in answers:
        marked = normalize(answer["evidence"][0])
        wanted = _bare(max((marked[s.start : s.end] for s in sentences(marked)), key=len))
        own = corpus[answer["doc_id"]]
        if wanted not in _bare(own.chunk.text):
            continue
        question = questions[answer["id"]]
        own_words = set(terms(question))
        alike = sorted(words, key=lambda name: -len(own_words & words[name]))
        hits = [own, *(corpus[name] for name in alike if name != answer["doc_id"])][:6]
        for size in _SIZES:
            chosen = await select(question, hits, embedder, size)
            kept[size] += any(wanted in _bare(item.text) for item in chosen.evidence)
            starts = [*embedder.token_starts(own.chunk.text), len(own.chunk.text)]
            begun[size] += wanted in _bare(own.chunk.text[: starts[min(size, len(starts) - 1)]])
        asked += 1
        if asked == count:
            break
    for size in _SIZES:
        shares = f"chosen {kept[size] / asked:.2f}, beginning {begun[size] / asked:.2f}"
        print(f"{folder.name:>9} {size:4} tokens: {shares}")


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=40)
    given = parser.parse_args()
    for name in ("cmrc2018", "squad"):
        await _measure(given.data / "expmrc" / name, given.models, given.questions)


if __name__ == "__main__":
    asyncio.run(_main())
