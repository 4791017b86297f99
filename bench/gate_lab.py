"""Questions that a corpus answers and questions that it does not, with their hits: for the gate.

Half of the documents of each public set are taken away, so that there are questions near the topic
without an answer; ClapNQ has its own. Vectors are kept in ``--cache``.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpora import HERE, SEED, Candidates, Lab, Shelf
from wenqu.evaluation.calibrate import example_of
from wenqu.indexes.local import LocalIndex
from wenqu.protocols import Change
from wenqu.text.chunk import embedding_text
from wenqu.text.fusion import fuse
from wenqu.text.language import detect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from wenqu.evaluation.calibrate import GateExample
    from wenqu.evaluation.datasets import EvalQuery
    from wenqu.types import Document, Hit

__all__ = ["SETS", "Asked", "hard_questions", "of_seed", "of_set", "of_small", "sample", "written"]

SETS = ("clapnq", "cmrc2018", "expmrc/squad", "dureader_demo", "scifact", "lecoqa")
PLENTY = 300
"""Most questions of one kind that are asked of one corpus."""
STRANGERS = 30
"""Questions of each other set that are asked of one corpus."""
HITS = 12
CANDIDATES = 100
SMALL = (1, 3, 10, 30)
DRAWS = 4
"""Small knowledge bases that are drawn of each size from each set."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was asked of a corpus: own, removed, unanswerable, other or everyday."""

    corpus: str
    group: str
    kind: str
    example: GateExample


class Asker:
    """Asks questions of one shelf."""

    def __init__(self, lab: Lab, shelf: Shelf, index: LocalIndex) -> None:
        self._lab, self._shelf, self._index = lab, shelf, index

    async def ask(self, source: str, texts: Sequence[str], *, accept: bool) -> list[GateExample]:
        """Return an example for each text; ``source`` names the cache of their vectors."""
        vectors = await self._lab.vectors(source, texts, "query")
        return [
            example_of(text, await self._hits(text, vector), accept=accept)
            for text, vector in zip(texts, vectors, strict=True)
        ]

    async def _hits(self, text: str, vector: NDArray[np.float32]) -> list[Hit]:
        """Search as the retriever does: each side scores what the other found."""
        words = await self._index.lexical(text, CANDIDATES)
        lexical = {hit.chunk_id: hit.score for hit in words.hits}
        near = await self._index.dense(vector, CANDIDATES)
        dense = {hit.chunk_id: hit.score for hit in near}
        more = await self._index.lexical(text, 0, also=set(dense) - set(lexical))
        meant = await self._index.dense(vector, 0, also=set(lexical) - set(dense))
        lexical |= {hit.chunk_id: hit.score for hit in more.hits}
        dense |= {hit.chunk_id: hit.score for hit in meant}
        fused = fuse(lexical, dense, lexical_weight=0.5, lexical_limit=words.limit)
        return self._shelf.hits(Candidates(lexical, dense, words.limit), fused, HITS)


@asynccontextmanager
async def opened(lab: Lab, name: str, keep: Collection[str] | None = None) -> AsyncIterator[Asker]:
    """Index a corpus, or only the documents ``keep`` of it."""
    every, chunks = lab.corpus(name)
    documents = [one for one in every if keep is None or one.id in keep]
    titles = {document.id: document.title for document in documents}
    chunks = [one for one in chunks if one.document_id in titles]
    texts = [embedding_text(one, titles[one.document_id]) for one in chunks]
    vectors = (await lab.vectors(name, texts, "passage")).astype(np.float16)
    rows: dict[str, list[int]] = {}
    for row, one in enumerate(chunks):
        rows.setdefault(one.document_id, []).append(row)
    changes = [
        Change(
            number=number,
            document_id=document,
            title=titles[document],
            chunks=[chunks[row] for row in own],
            vectors=vectors[own],
        )
        for number, (document, own) in enumerate(rows.items(), start=1)
    ]

    async def batches() -> AsyncIterator[Sequence[Change]]:
        yield changes

    with tempfile.TemporaryDirectory() as folder:
        index = LocalIndex(Path(folder), "bench", vectors.shape[1])
        await index.apply(batches())
        yield Asker(lab, Shelf(index, documents, chunks), index)
        await index.close()


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


def _stays(name: str, document: Document) -> bool:
    """Say whether a document is in the half that stays; DuReader's five a question go together."""
    source = document.source.rsplit("-d", 1)[0] if name == "dureader_demo" else document.source
    return hashlib.blake2b(source.encode(), digest_size=4).digest()[0] % 2 == 0


def _relevant(lab: Lab, name: str, query: EvalQuery) -> set[str]:
    return {one for one, grade in lab.dataset(name).qrels[query.id].items() if grade > 0}


async def hard_questions(lab: Lab, name: str) -> list[Asked]:
    """Ask what is answered, and what is near the topic and not answered."""
    dataset = lab.dataset(name)
    if name == "clapnq":
        kind, keep = "unanswerable", None
        answered = sample(dataset.judged, PLENTY)
        missing = sample((q for q in dataset.queries if not q.answerable), PLENTY)
    else:
        kind, keep = "removed", {one.id for one in dataset.documents if _stays(name, one)}
        answered = sample((q for q in dataset.judged if _relevant(lab, name, q) & keep), PLENTY)
        missing = sample((q for q in dataset.judged if not _relevant(lab, name, q) & keep), PLENTY)
    async with opened(lab, name, keep) as asker:
        own = await asker.ask(name, [query.text for query in answered], accept=True)
        gone = await asker.ask(name, [query.text for query in missing], accept=False)
    return [Asked(name, "large", "own", one) for one in own] + [
        Asked(name, "large", kind, one) for one in gone
    ]


async def of_set(lab: Lab, name: str) -> list[Asked]:
    """Ask everything of the corpus of one set."""
    found = await hard_questions(lab, name)
    documents = lab.dataset(name).documents
    keep = None if name == "clapnq" else {one.id for one in documents if _stays(name, one)}
    async with opened(lab, name, keep) as asker:
        found += await _strange(lab, asker, name)
    return found


async def _strange(lab: Lab, asker: Asker, name: str) -> list[Asked]:
    everyday = await asker.ask("gate", written("out_of_scope"), accept=False)
    found = [Asked(name, "large", "everyday", one) for one in everyday]
    for other in SETS:
        if other != name:
            texts = [query.text for query in sample(lab.dataset(other).judged, STRANGERS)]
            strangers = await asker.ask(other, texts, accept=False)
            found += [Asked(name, "large", "other", one) for one in strangers]
    return found


async def of_seed(lab: Lab) -> list[Asked]:
    """Ask of the InternLM documentation, which is what users see first."""
    async with opened(lab, SEED) as asker:
        own = await asker.ask("gate", written("in_scope", lab.projects), accept=True)
        return [Asked(SEED, "large", "own", one) for one in own] + await _strange(lab, asker, SEED)


async def of_small(lab: Lab, name: str) -> list[Asked]:
    """Ask of knowledge bases of 1 to 30 documents of a set, drawn at random."""
    dataset, found = lab.dataset(name), []
    draw = random.Random(3)  # noqa: S311 - likewise
    judged = sample(dataset.judged, 200)
    language = detect(judged[0].text)
    everyday = [text for text in written("out_of_scope") if detect(text) == language]
    for size in SMALL:
        for _ in range(DRAWS):
            own = draw.sample(judged, min(size, 6))
            keep = {one for query in own for one in _relevant(lab, name, query)}
            rest = [one.id for one in dataset.documents if one.id not in keep]
            keep |= set(draw.sample(rest, max(0, size - len(own))))
            gone = [q for q in draw.sample(judged, 30) if not _relevant(lab, name, q) & keep][:6]
            async with opened(lab, name, keep) as asker:
                for kind, source, texts in (
                    ("own", name, [query.text for query in own]),
                    ("removed", name, [query.text for query in gone]),
                    ("everyday", "gate", draw.sample(everyday, 4)),
                ):
                    asked = await asker.ask(source, texts, accept=kind == "own")
                    found += [Asked(name, f"small {size}", kind, one) for one in asked]
    return found
