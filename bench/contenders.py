"""wenqu, LlamaIndex and LangChain + Chroma behind one interface, each in a process of its own.

As a module, ``Child`` starts a contender and talks to it. As a program, this is the contender: it
takes a JSON command a line from standard input and answers each with a line. All three embed with
wenqu's embedder, and it keeps the time, so that what differs is the frameworks. The peers are used
as their guides show, with what they choose when nothing is said.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from machine import MemoryWatch, folder_mb, resident_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from wenqu.app import App
    from wenqu.models.e5 import E5Embedder
    from wenqu.protocols import Vectors

NAMES = ("wenqu", "llamaindex", "langchain")
_MODULES = {
    "wenqu": (
        "wenqu.evaluation.report",
        "wenqu.indexes.local",
        "wenqu.pipeline.ingest",
        "wenqu.pipeline.retrieve",
        "wenqu.readers.worker",
        "wenqu.stores.database",
        "wenqu.stores.documents",
    ),
    "llamaindex": ("llama_index.core", "llama_index.readers.file"),
    "langchain": (
        "chromadb",
        "langchain_chroma",
        "langchain_community.document_loaders",
        "langchain_text_splitters",
    ),
}
_KB = "bench"
_EVALUATED = "set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What adding documents took; ``embed_s`` is how long the embedder was at work.

    ``read_share`` is the share of the chunks' tokens that the embedder reads: what goes beyond its
    ``max_tokens`` is not in any vector.
    """

    documents: int
    chunks: int
    seconds: float
    embed_s: float
    read_share: float
    stages_s: dict[str, float]
    disk_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What questions found: document ids of the hits, best first, and milliseconds a question."""

    documents: list[list[str]]
    ms: list[float]
    embed_ms: list[float]


class TimedEmbedder:
    """wenqu's embedder with a stopwatch; what every contender embeds with."""

    def __init__(self, embedder: E5Embedder) -> None:
        self._embedder = embedder
        self.seconds = 0.0
        self._given: list[str] = []
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self.max_tokens = embedder.max_tokens

    def token_starts(self, text: str) -> Sequence[int]:
        """See the ``Embedder`` protocol."""
        return self._embedder.token_starts(text)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """See the ``Embedder`` protocol."""
        self._note(texts, kind)
        begun = perf_counter()
        try:
            return await self._embedder.embed(texts, kind)
        finally:
            self.seconds += perf_counter() - begun

    def rows(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[list[float]]:
        """Return the vectors as lists: what the peers' interfaces ask for."""
        self._note(texts, kind)
        begun = perf_counter()
        vectors = self._embedder.embed_now(texts, kind)
        self.seconds += perf_counter() - begun
        rows: list[list[float]] = vectors.tolist()
        return rows

    def read_share(self) -> float:
        """Return the share of the passages' tokens that were read; forgets the passages."""
        counts = [len(self.token_starts(text)) for text in self._given]
        self._given.clear()
        # Prefix and end take six tokens of what can be read.
        most = self.max_tokens - 6
        return sum(min(one, most) for one in counts) / (sum(counts) or 1)

    def _note(self, texts: Sequence[str], kind: str) -> None:
        # Counted afterwards, outside of what is timed.
        if kind == "passage":
            self._given.extend(texts)


class Contender(ABC):
    """One framework over one folder of state."""

    def __init__(self, embedder: TimedEmbedder, state: Path, models: Path) -> None:
        self.embedder = embedder
        self.state = state
        self.models = models

    @abstractmethod
    def add_files(self, folder: Path) -> tuple[int, int, dict[str, float]]:
        """Add all files of a folder; return documents, chunks, and seconds a stage where known."""

    @abstractmethod
    def add_corpus(self, dataset: Path) -> tuple[int, int, dict[str, float]]:
        """Add the corpus of a data set; return as ``add_files``."""

    @abstractmethod
    def search(self, question: str, top: int) -> list[str]:
        """Return the document ids of the ``top`` best chunks, best first; one may come twice."""


class Wenqu(Contender):
    """wenqu through its app, as its command line and its server use it."""

    def __init__(self, embedder: TimedEmbedder, state: Path, models: Path) -> None:
        super().__init__(embedder, state, models)
        self._runner = asyncio.Runner()
        self._opened: App | None = None
        self._kb = _KB

    def _app(self) -> App:
        if self._opened is None:
            from wenqu.app import open_app

            opening = open_app(home=self.state, embedder=self.embedder, language="en")
            self._opened = self._runner.run(opening.__aenter__())
        return self._opened

    def add_files(self, folder: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``."""
        begun = perf_counter()
        report = self._runner.run(self._app().add(_KB, [folder]))
        stages = {name: ms / 1e3 for name, ms in report.busy_ms.items()}
        stages["index, start"] = perf_counter() - begun - report.seconds
        done = sum(outcome.chunks > 0 for outcome in report.outcomes)
        return done, report.chunks, stages

    def add_corpus(self, dataset: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``; the set's first question is asked as well."""
        lines = (dataset / "queries.jsonl").read_text("utf-8").splitlines()
        asked = [json.loads(line)["id"] for line in lines]
        rows = (dataset / "qrels.tsv").read_text("utf-8").splitlines()[1:]
        first = next(row for row in rows if row.split("\t")[0] in asked)
        question = next(one for one in lines if json.loads(one)["id"] == first.split("\t")[0])
        small = self.state / _EVALUATED
        small.mkdir(parents=True)
        (small / "corpus.jsonl").symlink_to((dataset / "corpus.jsonl").resolve())
        (small / "queries.jsonl").write_text(question + "\n", "utf-8")
        (small / "qrels.tsv").write_text(first + "\n", "utf-8")
        report = self._runner.run(self._app().measuring.evaluate(small))
        self._kb = f"eval-{_EVALUATED}"
        base = self._runner.run(self._app().bases.get(self._kb))
        return report.documents, base.chunks, {}

    def search(self, question: str, top: int) -> list[str]:
        """See ``Contender``."""
        from wenqu.options import SearchOptions

        found = self._runner.run(self._app().search(self._kb, question, SearchOptions(top=top)))
        return [hit.document.source for hit in found.hits]


class LlamaIndex(Contender):
    """LlamaIndex with its default store, splitter and readers."""

    _index: Any

    def _model(self) -> Any:
        from llama_index.core.base.embeddings.base import BaseEmbedding
        from pydantic import PrivateAttr

        class Wrapped(BaseEmbedding):  # type: ignore[misc]
            _embedder: Any = PrivateAttr()

            def _get_query_embedding(self, query: str) -> list[float]:
                return self._embedder.rows([query], "query")[0]

            async def _aget_query_embedding(self, query: str) -> list[float]:
                return self._get_query_embedding(query)

            def _get_text_embedding(self, text: str) -> list[float]:
                return self._embedder.rows([text], "passage")[0]

            def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
                return self._embedder.rows(texts, "passage")

        model = Wrapped(model_name="multilingual-e5-small")
        model._embedder = self.embedder  # noqa: SLF001
        return model

    def _add(self, documents: list[Any]) -> tuple[int, int, dict[str, float]]:
        from llama_index.core import VectorStoreIndex

        self._index = VectorStoreIndex.from_documents(documents, embed_model=self._model())
        self._index.storage_context.persist(str(self.state))
        own = {node.ref_doc_id for node in self._index.docstore.docs.values()}
        return len(own), len(self._index.docstore.docs), {}

    def add_files(self, folder: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``."""
        from llama_index.core import SimpleDirectoryReader

        documents = SimpleDirectoryReader(str(folder), recursive=True).load_data()
        # A Markdown file comes as a document a section: files are what is counted.
        files = {document.metadata["file_path"] for document in documents}
        return len(files), self._add(documents)[1], {}

    def add_corpus(self, dataset: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``."""
        from llama_index.core import Document

        return self._add([Document(id_=key, text=text) for key, text in corpus(dataset)])

    def search(self, question: str, top: int) -> list[str]:
        """See ``Contender``."""
        nodes = self._index.as_retriever(similarity_top_k=top).retrieve(question)
        return [node.node.ref_doc_id for node in nodes]


class LangChain(Contender):
    """LangChain with a Chroma store on disk, and the splitter that its guides show."""

    _CHARACTERS, _OVERLAP = 1000, 200
    """Source: LangChain's own retrieval guide; the class alone would take 4,000."""

    _store: Any

    def _model(self) -> Any:
        from langchain_core.embeddings import Embeddings

        embedder = self.embedder

        class Wrapped(Embeddings):  # type: ignore[misc]
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return embedder.rows(texts, "passage")

            def embed_query(self, text: str) -> list[float]:
                return embedder.rows([text], "query")[0]

        return Wrapped()

    def _add(self, documents: list[Any]) -> tuple[int, int, dict[str, float]]:
        from langchain_chroma import Chroma
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(
            chunk_size=self._CHARACTERS, chunk_overlap=self._OVERLAP
        )
        chunks = splitter.split_documents(documents)
        self._store = Chroma(embedding_function=self._model(), persist_directory=str(self.state))
        most = self._store._client.get_max_batch_size()  # noqa: SLF001  # no public way to it
        for at in range(0, len(chunks), most):
            self._store.add_documents(chunks[at : at + most])
        return len(documents), len(chunks), {}

    def add_files(self, folder: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``."""
        from langchain_community.document_loaders import DirectoryLoader, TextLoader

        loader = DirectoryLoader(str(folder), loader_cls=TextLoader)
        return self._add(loader.load())

    def add_corpus(self, dataset: Path) -> tuple[int, int, dict[str, float]]:
        """See ``Contender``."""
        from langchain_core.documents import Document

        documents = [
            Document(page_content=text, metadata={"document": key}) for key, text in corpus(dataset)
        ]
        return self._add(documents)

    def search(self, question: str, top: int) -> list[str]:
        """See ``Contender``."""
        hits = self._store.as_retriever(search_kwargs={"k": top}).invoke(question)
        return [hit.metadata["document"] for hit in hits]


def corpus(dataset: Path) -> list[tuple[str, str]]:
    """Return (id, title and text) of a data set's documents: wenqu embeds the title as well."""
    rows = [json.loads(line) for line in (dataset / "corpus.jsonl").open(encoding="utf-8")]
    return [(row["id"], "\n\n".join(filter(None, (row.get("title"), row["text"])))) for row in rows]


def missing(names: Sequence[str]) -> list[str]:
    """Return those contenders whose packages are not installed."""
    return [name for name in names if not all(map(_installed, _MODULES[name]))]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def contender_arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that both benches have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, required=True, help="folder of the embedder's file")
    parser.add_argument("--only", nargs="*", choices=NAMES, default=NAMES, help="contenders")
    parser.add_argument("--rounds", type=int, help="times that each has its turn")
    return parser


def check_installed(names: Sequence[str]) -> None:
    """Leave with code 2, and say how to install them, where contenders are missing."""
    if absent := missing(names):
        sys.stderr.write(
            f"not installed: {', '.join(absent)}. In an environment that has wenqu, run\n"
            "  python -m pip install -r bench/requirements.txt\n"
            "or name with --only those that are installed.\n"
        )
        raise SystemExit(2)


class Child:
    """A contender in a process of its own, and the memory it takes."""

    def __init__(self, name: str, models: Path, state: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, __file__, name, "--models", str(models), "--state", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ANONYMIZED_TELEMETRY": "False", "PYTHONWARNINGS": "ignore"},
        )
        self._memory = MemoryWatch(self._process.pid)
        self.ready_mb = 0.0

    def __enter__(self) -> Self:
        self._memory.__enter__()
        # Loading model and framework is the same work for all, and not what is measured.
        self.tell("warm")
        self.ready_mb = resident_mb(self._process.pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.__exit__(kind, error, trace)
        self._pipe(self._process.stdin).close()
        if self._process.wait() and error is None:
            raise SystemExit(f"{self.name} failed")

    @property
    def peak_mb(self) -> float:
        """The most memory that the process and its children have held together."""
        own = resident_mb(self._process.pid, "VmHWM")
        return max(own, self._memory.peak_mb)

    def add(self, what: Literal["files", "corpus"], path: Path) -> Ingested:
        """Have it add a folder of files, or the corpus of a data set."""
        return Ingested(**self.tell(what, path=str(path)))

    def search(self, questions: Sequence[str], top: int) -> Found:
        """Have it search, one question after another."""
        return Found(**self.tell("search", questions=list(questions), top=top))

    def tell(self, what: str, **values: object) -> dict[str, Any]:
        """Send a command and wait for the answer."""
        pipe = self._pipe(self._process.stdin)
        pipe.write(json.dumps({"do": what, **values}) + "\n")
        pipe.flush()
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise SystemExit(f"{self.name} failed; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise AssertionError
        return pipe


def _answer(name: str, contender: Contender, command: dict[str, Any]) -> dict[str, Any]:
    match command["do"]:
        case "warm":
            for module in _MODULES[name]:
                importlib.import_module(module)
            contender.embedder.rows(["warm"], "query")
            return {}
        case "search":
            return asdict(_search(contender, command["questions"], command["top"]))
        case what:
            return asdict(_add(contender, what, Path(command["path"])))


def _add(contender: Contender, what: str, path: Path) -> Ingested:
    embedded, begun = contender.embedder.seconds, perf_counter()
    add = contender.add_files if what == "files" else contender.add_corpus
    documents, chunks, stages = add(path)
    seconds = perf_counter() - begun
    return Ingested(
        documents=documents,
        chunks=chunks,
        seconds=seconds,
        embed_s=contender.embedder.seconds - embedded,
        read_share=contender.embedder.read_share(),
        stages_s=stages,
        disk_mb=folder_mb(contender.state),
    )


def _search(contender: Contender, questions: Sequence[str], top: int) -> Found:
    found = Found(documents=[], ms=[], embed_ms=[])
    for question in questions:
        embedded, begun = contender.embedder.seconds, perf_counter()
        found.documents.append(contender.search(question, top))
        found.ms.append((perf_counter() - begun) * 1e3)
        found.embed_ms.append((contender.embedder.seconds - embedded) * 1e3)
    return found


def main() -> None:
    """Be a contender until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    # Frameworks print: only answers may go where the parent reads.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    from wenqu.models.catalog import find
    from wenqu.models.e5 import open_embedder

    embedder = open_embedder(find("multilingual-e5-small"), options.models)
    classes: tuple[Callable[..., Contender], ...] = (Wenqu, LlamaIndex, LangChain)
    kinds = dict(zip(NAMES, classes, strict=True))
    contender = kinds[options.name](TimedEmbedder(embedder), options.state, options.models)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(options.name, contender, json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
