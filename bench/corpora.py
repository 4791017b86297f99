"""Public evaluation sets in a real index, for fusion.py and gate.py.

Vectors are kept in ``--cache``, so that only the first run has to embed: about ten minutes for all
sets on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from wenqu.errors import ReadError
from wenqu.evaluation.datasets import load_dataset
from wenqu.indexes.local import LocalIndex
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.pipeline.discover import discover
from wenqu.pipeline.likeness import Likeness
from wenqu.protocols import Change
from wenqu.readers import default_readers, read_file
from wenqu.text.chunk import chunk, embedding_key, embedding_text
from wenqu.types import Chunk, Chunking, Document, DocumentInfo, Hit, Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.evaluation.datasets import Dataset
    from wenqu.models.e5 import E5Embedder

CANDIDATES = 100
MAX_TOKENS = 256
SEED = "seed_corpus"
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Candidates:
    """What both sides of the index found: chunk id → score, dense for every candidate."""

    lexical: Mapping[str, float]
    dense: Mapping[str, float]
    limit: float


class Lab:
    """Data sets, and vectors that are computed once.

    Args:
        data: Folder that holds a folder a data set.
        cache: Where vectors are kept.
        embedder: Computes those that are not there.
        projects: Projects of seed_corpus to take.
        documents: Most documents of a set, relevant ones first: a quick look at a large set.
    """

    def __init__(
        self,
        data: Path,
        cache: Path,
        embedder: E5Embedder,
        *,
        projects: Sequence[str],
        documents: int,
    ) -> None:
        self._data = data
        self._cache = cache
        self._embedder = embedder
        self.projects = tuple(projects)
        self._documents = documents
        self._datasets: dict[str, Dataset] = {}
        self._corpora: dict[str, tuple[list[Document], list[Chunk]]] = {}

    @property
    def embedder(self) -> E5Embedder:
        """What computes vectors."""
        return self._embedder

    def dataset(self, name: str) -> Dataset:
        """Return a data set, loaded once; ``set#file`` with another corpus file than its own."""
        if name not in self._datasets:
            folder, _, corpus = name.partition("#")
            whole = load_dataset(self._data / folder, corpus=f"{corpus or 'corpus'}.jsonl")
            relevant = {one for grades in whole.qrels.values() for one in grades}
            order = sorted(whole.documents, key=lambda one: (one.id not in relevant, one.id))
            self._datasets[name] = replace(whole, documents=tuple(order[: self._documents]))
        return self._datasets[name]

    async def vectors(
        self, name: str, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> NDArray[np.float32]:
        """Return one row a text, from the cache where it has it."""
        file = self._cache / f"{name.replace('/', '-')}-{kind}.npz"
        known: dict[str, NDArray[np.float16]] = {}
        if file.exists():
            with np.load(file) as stored:
                known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
        keys = [embedding_key(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            print(f"embedding {len(missing)} of {len(texts)}: {name} {kind}", flush=True)
            made = await self._embedder.embed(list(missing.values()), kind)
            known |= dict(zip(missing, made.astype(np.float16), strict=True))
            self._cache.mkdir(parents=True, exist_ok=True)
            np.savez(file, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
        return np.stack([known[key] for key in keys]).astype(np.float32)

    def corpus(self, name: str) -> tuple[list[Document], list[Chunk]]:
        """Return the documents and chunks of a data set, or of seed_corpus."""
        if name not in self._corpora:
            documents = self._seed() if name == SEED else list(self.dataset(name).documents)
            starts = self._embedder.token_starts
            chunking = Chunking(max_tokens=MAX_TOKENS)
            chunks = [one for each in documents for one in chunk(each, chunking, starts)]
            self._corpora[name] = (documents, chunks)
        return self._corpora[name]

    def _seed(self) -> list[Document]:
        documents = []
        for file in discover([self._data / SEED / project for project in self.projects]):
            try:
                documents.append(read_file(file.path, file.source, default_readers()))
            except ReadError as error:
                print(error)
        return documents

    @asynccontextmanager
    async def shelf(self, *names: str) -> AsyncIterator[Shelf]:
        """Index the corpora ``names`` together."""
        changes: list[Change] = []
        documents: list[Document] = []
        for name in names:
            some, chunks = self.corpus(name)
            titles = {document.id: document.title for document in some}
            texts = [embedding_text(one, titles[one.document_id]) for one in chunks]
            vectors = (await self.vectors(name, texts, "passage")).astype(np.float16)
            rows: dict[str, list[int]] = {}
            for row, one in enumerate(chunks):
                rows.setdefault(one.document_id, []).append(row)
            for document, own in rows.items():
                change = Change(
                    number=len(changes) + 1,
                    document_id=document,
                    title=titles[document],
                    chunks=[chunks[row] for row in own],
                    vectors=vectors[own],
                )
                changes.append(change)
            documents.extend(some)

        async def batches() -> AsyncIterator[Sequence[Change]]:
            yield changes

        with tempfile.TemporaryDirectory() as folder:
            index = LocalIndex(Path(folder), "bench", self._embedder.dimension)
            await index.apply(batches())
            yield Shelf(index, documents, [one for change in changes for one in change.chunks])
            await index.close()


class Shelf:
    """An index with what it was made of; ``queries`` are vectors of questions by their texts."""

    def __init__(
        self, index: LocalIndex, documents: Sequence[Document], chunks: Sequence[Chunk]
    ) -> None:
        self._index = index
        self.queries: dict[str, NDArray[np.float32]] = {}
        self.documents = {document.id: document.info for document in documents}
        self.chunks = {one.id: one for one in chunks}

    @property
    def index(self) -> LocalIndex:
        """The index itself."""
        return self._index

    async def candidates(
        self, question: str, vector: NDArray[np.float32], *, without: Collection[str] = ()
    ) -> Candidates:
        """Search both sides, as the retriever does; as if documents ``without`` were not there."""
        top = CANDIDATES if not without else CANDIDATES + 20
        lexical = await self._index.lexical(question, top)
        words = {
            hit.chunk_id: hit.score for hit in lexical.hits if self._has(hit.chunk_id, without)
        }
        dense = await self._index.dense(vector, top)
        every = {hit.chunk_id for hit in dense if self._has(hit.chunk_id, without)} | words.keys()
        near = Likeness(await self._index.vectors(every)).to(vector)
        return Candidates(words, near, lexical.limit)

    def _has(self, chunk_id: str, without: Collection[str]) -> bool:
        return self.chunks[chunk_id].document_id not in without

    def info(self, chunk_id: str) -> DocumentInfo:
        """Return the document of a chunk."""
        return self.documents[self.chunks[chunk_id].document_id]

    def hits(self, found: Candidates, fused: Mapping[str, float], top: int) -> list[Hit]:
        """Return the best hits, as the retriever would."""
        return [
            Hit(
                chunk=self.chunks[one],
                document=self.info(one),
                score=score,
                origin=Origin.FUSED,
                scores={
                    Origin.FUSED: score,
                    **({Origin.LEXICAL: found.lexical[one]} if one in found.lexical else {}),
                    **({Origin.DENSE: found.dense[one]} if one in found.dense else {}),
                },
            )
            for one, score in sorted(fused.items(), key=lambda item: (-item[1], item[0]))[:top]
        ]


def translated(lab: Lab, name: str) -> Dataset:
    """Return the questions of a data set that data/crosslingual.jsonl has in the other language."""
    rows = [json.loads(line) for line in (HERE / "data/crosslingual.jsonl").open(encoding="utf-8")]
    texts = {row["id"]: row["text"] for row in rows if row["dataset"] == name}
    dataset = lab.dataset(name)
    queries = tuple(
        replace(query, text=texts[query.id]) for query in dataset.queries if query.id in texts
    )
    return replace(dataset, name=f"{name}, translated", queries=queries)


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that both scripts have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, required=True, help="folder of the embedder's file")
    parser.add_argument("--cache", type=Path, default=Path(".bench-cache"), help="vectors")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads for embedding")
    parser.add_argument("--documents", type=int, default=10_000, help="most documents of a set")
    parser.add_argument(
        "--projects",
        nargs="*",
        default=["xtuner", "lmdeploy"],
        help="folders of seed_corpus to take",
    )
    return parser


def open_lab(options: argparse.Namespace) -> Lab:
    """Return the lab that the options ask for."""
    embedder = open_embedder(find("multilingual-e5-small"), options.models, threads=options.threads)
    return Lab(
        options.data,
        options.cache,
        embedder,
        projects=options.projects,
        documents=options.documents,
    )
