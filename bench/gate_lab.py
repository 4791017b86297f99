"""Questions that a corpus answers and questions that it does not, with their hits: for the gate.

Half of the documents of each public set are taken away, so that there are questions near the topic
without an answer; ClapNQ has its own. Nearer still are questions whose own documents alone are out
of reach. Vectors are kept in ``--cache``.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpora import HERE, SEED, Candidates, Lab, Shelf, translated
from quality import Known
from wenqu.evaluation.calibrate import example_of
from wenqu.indexes.local import LocalIndex
from wenqu.models.questions import typical_questions
from wenqu.pipeline.candidates import Finder
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.protocols import Change
from wenqu.text.chunk import embedding_text
from wenqu.text.language import detect
from wenqu.types import Origin, Query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Sequence

    from wenqu.evaluation.calibrate import GateExample
    from wenqu.evaluation.datasets import EvalQuery
    from wenqu.protocols import Dictionary
    from wenqu.types import Chunk, Document, Hit

__all__ = [
    "CROSSED",
    "SETS",
    "Asked",
    "Posed",
    "hard",
    "near",
    "of_crossed",
    "of_mixed",
    "of_seed",
    "of_set",
    "of_small",
    "of_small_crossed",
    "sample",
    "written",
]

SETS = ("clapnq", "cmrc2018", "expmrc/squad", "dureader_demo", "scifact", "lecoqa")
CROSSED = ("clapnq", "cmrc2018", "expmrc/squad")
"""The sets whose questions were translated into the other language."""
MIXED = "cmrc2018+clapnq+dureader_demo+expmrc/squad"
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


@dataclass(frozen=True, slots=True)
class Posed:
    """A question, own, removed or unanswerable, and what the search found for it."""

    text: str
    kind: str
    hits: Sequence[Hit]

    @property
    def example(self) -> GateExample:
        """What a gate is fitted to."""
        return example_of(self.text, self.hits, accept=self.kind == "own")


class Asker:
    """Asks questions of one shelf, by the search that users get."""

    def __init__(
        self, lab: Lab, shelf: Shelf, index: LocalIndex, dictionary: Dictionary | None
    ) -> None:
        self._lab, self._shelf, self._index = lab, shelf, index
        self._dictionary = dictionary

    async def ask(self, source: str, texts: Sequence[str], *, accept: bool) -> list[GateExample]:
        """Return an example for each text; ``source`` names the cache of their vectors."""
        found = await self.search(source, texts)
        return [
            example_of(text, hits, accept=accept) for text, hits in zip(texts, found, strict=True)
        ]

    async def search(
        self, source: str, texts: Sequence[str], without: Sequence[Collection[str]] = ()
    ) -> list[list[Hit]]:
        """Return the hits of each text, where given without the documents that are its own."""
        vectors = await self._lab.vectors(source, texts, "query")
        finder = Finder(
            embedder=Known(self._lab.embedder, dict(zip(texts, vectors, strict=True))),  # type: ignore[arg-type]
            per_side=CANDIDATES,
            lexical_weight=0.5,
            typical=typical_questions(self._lab.embedder.fingerprint),
            dictionary=self._dictionary,
        )
        every = frozenset(self._shelf.documents)
        reach = [every - set(own) for own in without] or [None] * len(texts)
        return [
            await self._hits(finder, text, within)
            for text, within in zip(texts, reach, strict=True)
        ]

    async def _hits(self, finder: Finder, text: str, within: Collection[str] | None) -> list[Hit]:
        found = await finder.find(self._index, Query(text=text), within, Stopwatch())
        lexical, dense = found.scores[Origin.LEXICAL], found.scores[Origin.DENSE]
        hits = self._shelf.hits(Candidates(lexical, dense, 0.0), found.scores[Origin.FUSED], HITS)
        return [
            replace(
                one,
                scores={o: s[one.chunk.id] for o, s in found.scores.items() if one.chunk.id in s},
            )
            for one in hits
        ]


@asynccontextmanager
async def opened(
    lab: Lab,
    name: str,
    keep: Collection[str] | None = None,
    dictionary: Dictionary | None = None,
) -> AsyncIterator[Asker]:
    """Index a corpus, or several (``a+b``), or only the documents ``keep`` of it."""
    documents: list[Document] = []
    chunks: list[Chunk] = []
    parts = []
    for part in name.split("+"):
        every, whole = lab.corpus(part)
        some = [one for one in every if keep is None or one.id in keep]
        titles = {document.id: document.title for document in some}
        own = [one for one in whole if one.document_id in titles]
        texts = [embedding_text(one, titles[one.document_id]) for one in own]
        parts.append((await lab.vectors(part, texts, "passage")).astype(np.float16))
        documents += some
        chunks += own
    titles = {document.id: document.title for document in documents}
    vectors = np.concatenate(parts)
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
        yield Asker(lab, Shelf(index, documents, chunks), index, dictionary)
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


def _group(name: str, document: Document) -> str:
    """Return what goes with a document; of DuReader, the five that were found for a question."""
    return document.source.rsplit("-d", 1)[0] if name == "dureader_demo" else document.source


def _stays(name: str, document: Document) -> bool:
    """Say whether a document is in the half that stays."""
    group = _group(name, document).encode()
    return hashlib.blake2b(group, digest_size=4).digest()[0] % 2 == 0


def _relevant(lab: Lab, name: str, query: EvalQuery) -> set[str]:
    return {one for one, grade in lab.dataset(name).qrels[query.id].items() if grade > 0}


async def hard(lab: Lab, name: str) -> list[Posed]:
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
    texts = [query.text for query in (*answered, *missing)]
    async with opened(lab, name, keep) as asker:
        found = await asker.search(name, texts)
    kinds = ["own"] * len(answered) + [kind] * len(missing)
    return [Posed(*one) for one in zip(texts, kinds, found, strict=True)]


async def near(lab: Lab, name: str) -> list[Posed]:
    """Ask every other question without its own documents, all others being there."""
    dataset = lab.dataset(name)
    questions = sample(dataset.judged, 2 * PLENTY)
    groups = {one.id: _group(name, one) for one in dataset.documents}
    gone: list[set[str]] = []
    for at, query in enumerate(questions):
        own = {groups[one] for one in _relevant(lab, name, query)} if at % 2 else set()
        gone.append({one for one, group in groups.items() if group in own})
    texts = [query.text for query in questions]
    async with opened(lab, name) as asker:
        found = await asker.search(name, texts, gone)
    kinds = ["removed" if own else "own" for own in gone]
    return [Posed(*one) for one in zip(texts, kinds, found, strict=True)]


async def of_set(lab: Lab, name: str) -> list[Asked]:
    """Ask everything of the corpus of one set."""
    found = [Asked(name, "large", one.kind, one.example) for one in await hard(lab, name)]
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


async def _translated(
    lab: Lab, asker: Asker, name: str, group: str, queries: Sequence[EvalQuery]
) -> list[Asked]:
    """Ask translated questions with their documents, and without."""
    gone = [_relevant(lab, name, query) for query in queries]
    texts = [query.text for query in queries]
    asked = await _with_and_without(asker, translated(lab, name).name, texts, gone)
    return [Asked(name, group, kind, example) for kind, example in asked]


async def _with_and_without(
    asker: Asker, source: str, texts: Sequence[str], gone: Sequence[set[str]]
) -> list[tuple[str, GateExample]]:
    """Ask each text of all documents (``own``), and as if its own were gone (``removed``)."""
    found: list[tuple[str, GateExample]] = []
    for kind, without in (("own", ()), ("removed", gone)):
        hits = await asker.search(source, texts, without)
        for text, some in zip(texts, hits, strict=True):
            found.append((kind, example_of(text, some, accept=kind == "own")))
    return found


async def _foreign_strangers(
    lab: Lab, asker: Asker, name: str, group: str, language: str
) -> list[Asked]:
    """Ask in one language what a corpus in the other does not answer."""
    found = []
    for other in (set(SETS) | {f"{one}@" for one in CROSSED}) - {name, f"{name}@"}:
        base = other.rstrip("@")
        dataset = lab.dataset(base) if other == base else translated(lab, base)
        texts = [query.text for query in sample(dataset.judged, STRANGERS)]
        if detect(texts[0]) == language:
            source = other if other == base else dataset.name
            asked = await asker.ask(source, texts, accept=False)
            found += [Asked(name, group, "other", one) for one in asked]
    everyday = [text for text in written("out_of_scope") if detect(text) == language]
    asked = await asker.ask("gate", everyday, accept=False)
    return found + [Asked(name, group, "everyday", one) for one in asked]


async def of_crossed(lab: Lab, name: str, dictionary: Dictionary | None) -> list[Asked]:
    """Ask a corpus in the other language than its own."""
    queries = translated(lab, name).judged
    async with opened(lab, name, None, dictionary) as asker:
        found = await _translated(lab, asker, name, "large", queries)
        language = detect(queries[0].text)
        return found + await _foreign_strangers(lab, asker, name, "large", language)


async def of_mixed(lab: Lab, dictionary: Dictionary | None) -> list[Asked]:
    """Ask a base of both languages: in the other one, and in one's own without the document."""
    found: list[Asked] = []
    async with opened(lab, MIXED, None, dictionary) as asker:
        for name in CROSSED:
            found += await _translated(lab, asker, name, "mixed", translated(lab, name).judged)
        for name in MIXED.split("+"):
            queries = sample(lab.dataset(name).judged, 100)
            texts = [query.text for query in queries]
            gone = [_relevant(lab, name, query) for query in queries]
            for kind, example in await _with_and_without(asker, name, texts, gone):
                found.append(Asked(f"{name}, own language", "mixed", kind, example))
        everyday = await asker.ask("gate", written("out_of_scope"), accept=False)
    return found + [Asked("everyday", "mixed", "everyday", one) for one in everyday]


async def of_small_crossed(lab: Lab, name: str, dictionary: Dictionary | None) -> list[Asked]:
    """Ask knowledge bases of 1 to 30 documents in the other language than theirs."""
    whole, found = translated(lab, name), []
    draw = random.Random(3)  # noqa: S311 - likewise
    language = detect(whole.judged[0].text)
    everyday = [text for text in written("out_of_scope") if detect(text) == language]
    every = [one.id for one in whole.documents]
    for size in SMALL:
        for _ in range(DRAWS):
            own = draw.sample(whole.judged, min(size, 6))
            keep = {one for query in own for one in _relevant(lab, name, query)}
            keep |= set(draw.sample([one for one in every if one not in keep], size - len(own)))
            gone = [q for q in whole.judged if not _relevant(lab, name, q) & keep]
            async with opened(lab, name, keep, dictionary) as asker:
                for kind, source, texts in (
                    ("own", whole.name, [query.text for query in own]),
                    ("removed", whole.name, [query.text for query in draw.sample(gone, 6)]),
                    ("everyday", "gate", draw.sample(everyday, 4)),
                ):
                    asked = await asker.ask(source, texts, accept=kind == "own")
                    found += [Asked(name, f"small {size}", kind, one) for one in asked]
    return found
