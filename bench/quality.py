"""How well wenqu finds what answers, beside the hybrid retrievers of LlamaIndex and LangChain.

    python bench/quality.py --data DIR --models DIR [--tasks TASK ...] [--queries 300]

A task is a data set whose questions are asked; ``set@other`` asks those that were translated into
the other language, ``set+set:asked`` searches several corpora in one index, and ``set#file``
another corpus file of the set (``lecoqa#corpus_full --documents 100000``).

Everything runs on the same documents with the same embedder; 100 candidates a side, documents
ranked by their best chunk. The peers are set up as their guides show: ``default`` with the tokens
that their BM25 makes when nothing is said, ``words`` with jieba's words, lower-cased, which their
guides do not show but a Chinese user would have to find out about. ``BM25`` is what people compare
with: rank_bm25 as it comes (k1 1.5, b .75) over those words of whole documents, asked with every
word of the question.
"""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from corpora import arguments, open_lab, translated
from wenqu.evaluation.datasets import sampled
from wenqu.evaluation.metrics import METRICS, documents_of, measure, run_of
from wenqu.models.catalog import find
from wenqu.models.dictionary import open_dictionary
from wenqu.models.questions import typical_questions
from wenqu.pipeline.candidates import Finder
from wenqu.pipeline.stopwatch import Stopwatch
from wenqu.types import Origin, Query

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from corpora import Lab, Shelf
    from wenqu.evaluation.datasets import Dataset
    from wenqu.protocols import Dictionary, Embedder, Vectors
    from wenqu.types import Document

    Rankings = dict[str, list[str]]

_MIXED = "cmrc2018+clapnq+dureader_demo+expmrc/squad"
TASKS = (
    "cmrc2018",
    "scifact",
    "lecoqa",
    "dureader_demo",
    "clapnq",
    "expmrc/squad",
    "cmrc2018@other",
    "clapnq@other",
    "expmrc/squad@other",
    f"{_MIXED}:cmrc2018@other",
    f"{_MIXED}:clapnq@other",
    f"{_MIXED}:expmrc/squad@other",
    f"{_MIXED}:cmrc2018",
    f"{_MIXED}:clapnq",
)
TOP = 100
_MODULES = (
    "bm25s",
    "langchain_classic.retrievers",
    "langchain_community.retrievers",
    "llama_index.core",
    "llama_index.retrievers.bm25",
    "rank_bm25",
)


@dataclass(frozen=True, slots=True)
class Known:
    """An embedder of texts whose vectors are there already."""

    embedder: Embedder
    vectors: dict[str, Vectors]

    async def embed(self, texts: Sequence[str], kind: str) -> Vectors:
        """See the ``Embedder`` protocol."""
        import numpy as np

        del kind
        return np.stack([self.vectors[text] for text in texts])


def _titled(title: str, text: str) -> str:
    """Return what is embedded: the title, as wenqu says it, before the text."""
    return "\n".join(filter(None, (title, text)))


def words(text: str) -> list[str]:
    """Return jieba's words, lower-cased."""
    cut: Callable[[str], Iterable[str]] = importlib.import_module("rjieba").cut
    return [word.lower() for word in cut(text) if any(map(str.isalnum, word))]


def ranked(documents: Iterable[tuple[str, float]]) -> list[str]:
    """Return documents by their best chunk."""
    return [one for one, _ in documents_of(documents)]


async def of_wenqu(
    shelf: Shelf, dataset: Dataset, embedder: Embedder, dictionary: Dictionary | None
) -> dict[str, Rankings]:
    """Return what each way of wenqu ranks: lexical and dense alone, both, both by ranks."""
    found: dict[str, Rankings] = {}
    typical = typical_questions(embedder.fingerprint)
    known = Known(embedder, shelf.queries)
    for name, options in (
        ("weighted", {"typical": typical, "dictionary": dictionary}),
        ("no dictionary", {"typical": typical}),
        ("rrf", {"typical": typical, "fusion": "rrf"}),
    ):
        finder = Finder(embedder=known, per_side=TOP, lexical_weight=0.5, **options)  # type: ignore[arg-type]
        for query in dataset.judged:
            asked = Query(text=query.text)
            scores = (await finder.find(shelf.index, asked, None, Stopwatch())).scores
            ways = {f"wenqu {name}": Origin.FUSED}
            if name == "weighted":
                ways |= {"wenqu lexical": Origin.LEXICAL, "wenqu dense": Origin.DENSE}
            for way, origin in ways.items():
                order = sorted(scores[origin].items(), key=lambda item: (-item[1], item[0]))
                chunks = [(shelf.chunks[one].document_id, score) for one, score in order]
                found.setdefault(way, {})[query.id] = ranked(chunks)
    return found


def of_bm25(dataset: Dataset, documents: Sequence[Document]) -> dict[str, Rankings]:
    """Return what plain BM25 ranks."""
    import numpy as np
    from rank_bm25 import BM25Okapi

    bm25 = BM25Okapi([words(_titled(one.title, one.text)) for one in documents])
    found: Rankings = {}
    for query in dataset.judged:
        order = np.argsort(-bm25.get_scores(words(query.text)), kind="stable")[:TOP]
        found[query.id] = [documents[at].id for at in order]
    return {"BM25": found}


class LlamaIndex:
    """VectorIndexRetriever and BM25Retriever in a QueryFusionRetriever."""

    name = "LlamaIndex"

    def __init__(self, documents: Sequence[Document]) -> None:
        from llama_index.core import Document as LlamaDocument
        from llama_index.core.node_parser import SentenceSplitter

        given = [LlamaDocument(id_=one.id, text=_titled(one.title, one.text)) for one in documents]
        self.nodes = SentenceSplitter().get_nodes_from_documents(given)
        self.texts = [node.get_content() for node in self.nodes]

    def ways(self, vectors: dict[str, Vectors]) -> dict[str, Callable[[str], list[str]]]:
        """Return a search for each way, by name."""
        from llama_index.core import VectorStoreIndex
        from llama_index.core.llms import MockLLM
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever

        index = VectorStoreIndex(self.nodes, embed_model=_llama_model(vectors))
        dense = index.as_retriever(similarity_top_k=TOP)
        top = min(TOP, len(self.nodes))
        bm25 = BM25Retriever.from_defaults(nodes=self.nodes, similarity_top_k=top)
        sides = {"default": bm25, "words": _llama_words(self.nodes, top)}

        def search(retriever: Any) -> Callable[[str], list[str]]:
            return lambda text: [hit.node.ref_doc_id for hit in retriever.retrieve(text)]

        found = {"vector": search(dense)}
        for tokens, side in sides.items():
            for mode in ("reciprocal_rerank", "relative_score"):
                both = QueryFusionRetriever(
                    [dense, side],
                    llm=MockLLM(),
                    mode=mode,
                    num_queries=1,
                    similarity_top_k=TOP,
                    use_async=False,
                )
                found[f"{mode}, {tokens}"] = search(both)
        return found


def _llama_model(vectors: dict[str, Vectors]) -> Any:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from pydantic import PrivateAttr

    class Wrapped(BaseEmbedding):  # type: ignore[misc]
        _known: Any = PrivateAttr()

        def _get_query_embedding(self, query: str) -> list[float]:
            row: list[float] = self._known["query: " + query].tolist()
            return row

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            row: list[float] = self._known[text].tolist()
            return row

    model = Wrapped(model_name="multilingual-e5-small")
    model._known = vectors  # noqa: SLF001
    return model


def _llama_words(nodes: Sequence[Any], top: int) -> Any:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
    from llama_index.retrievers.bm25 import BM25Retriever

    cut = [TextNode(id_=node.node_id, text=" ".join(words(node.get_content()))) for node in nodes]
    bm25 = BM25Retriever.from_defaults(
        nodes=cut,
        similarity_top_k=top,
        token_pattern=r"(?u)\S+",  # noqa: S106  # no password
        skip_stemming=True,
    )
    by_id = {node.node_id: node for node in nodes}

    class Words(BaseRetriever):  # type: ignore[misc]
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            hits = bm25.retrieve(" ".join(words(query_bundle.query_str)))
            return [NodeWithScore(node=by_id[hit.node.node_id], score=hit.score) for hit in hits]

    return Words()


class LangChain:
    """A vector store and BM25Retriever in an EnsembleRetriever."""

    name = "LangChain"

    def __init__(self, documents: Sequence[Document]) -> None:
        from langchain_core.documents import Document as LangChainDocument
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
        given = [
            LangChainDocument(
                page_content=one.text, metadata={"document": one.id, "title": one.title}
            )
            for one in documents
        ]
        self.chunks = splitter.split_documents(given)
        for chunk in self.chunks:
            # Split with the text, a title becomes a chunk of its own wherever the text is long, and
            # the ensemble counts each such chunk anew: that would be our doing, not LangChain's.
            chunk.page_content = _titled(chunk.metadata["title"], chunk.page_content)
        self.texts = [chunk.page_content for chunk in self.chunks]

    def ways(self, vectors: dict[str, Vectors]) -> dict[str, Callable[[str], list[str]]]:
        """Return a search for each way, by name."""
        from langchain_classic.retrievers import EnsembleRetriever
        from langchain_community.retrievers import BM25Retriever
        from langchain_core.embeddings import Embeddings
        from langchain_core.vectorstores import InMemoryVectorStore

        class Wrapped(Embeddings):  # type: ignore[misc]
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return [vectors[text].tolist() for text in texts]

            def embed_query(self, text: str) -> list[float]:
                row: list[float] = vectors["query: " + text].tolist()
                return row

        store = InMemoryVectorStore.from_documents(self.chunks, Wrapped())
        dense = store.as_retriever(search_kwargs={"k": TOP})

        def search(retriever: Any) -> Callable[[str], list[str]]:
            return lambda text: [hit.metadata["document"] for hit in retriever.invoke(text)]

        found = {"vector": search(dense)}
        for tokens, more in (("default", {}), ("words", {"preprocess_func": words})):
            bm25 = BM25Retriever.from_documents(self.chunks, k=TOP, **more)
            both = EnsembleRetriever(retrievers=[bm25, dense], weights=[0.5, 0.5])
            found[f"ensemble, {tokens}"] = search(both)
        return found


async def of_peer(peer: LlamaIndex | LangChain, lab: Lab, dataset: Dataset) -> dict[str, Rankings]:
    """Return what each way of a peer ranks."""
    name = f"{dataset.name}-{peer.name.lower()}"
    rows = await lab.vectors(name, peer.texts, "passage")
    vectors = dict(zip(peer.texts, rows, strict=True))
    texts = [query.text for query in dataset.judged]
    asked = await lab.vectors(dataset.name, texts, "query")
    vectors |= {f"query: {text}": row for text, row in zip(texts, asked, strict=True)}
    found: dict[str, Rankings] = {}
    for way, search in peer.ways(vectors).items():
        found[f"{peer.name} {way}"] = {
            query.id: list(dict.fromkeys(search(query.text))) for query in dataset.judged
        }
    return found


def show(dataset: Dataset, found: dict[str, Rankings]) -> None:
    """Print a row a way; ``error`` is what it misses of nDCG@10 over what wenqu misses."""
    qrels = {query.id: dataset.qrels[query.id] for query in dataset.judged}
    scores = {way: measure(qrels, run_of(rankings)) for way, rankings in found.items()}
    missed = 1 - scores["wenqu weighted"]["nDCG@10"]
    print(f"{'':40}" + "".join(f"{name:>11}" for name in METRICS) + f"{'error':>8}")
    for way, one in scores.items():
        ratio = (1 - one["nDCG@10"]) / missed if missed else float("nan")
        print(f"{way:40}" + "".join(f"{one[name]:11.4f}" for name in METRICS) + f"{ratio:8.2f}")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


async def main(options: argparse.Namespace) -> None:
    """Print a table a data set."""
    if not options.alone and (absent := [name for name in _MODULES if not _installed(name)]):
        raise SystemExit(f"not installed: {', '.join(absent)}; see bench/requirements.txt")
    lab = open_lab(options)
    dictionary = open_dictionary(find("cc-cedict"), options.models)
    for task in options.tasks:
        names, _, asked = task.rpartition(":")
        base, _, other = asked.partition("@")
        corpora = (names or base).split("+")
        whole = translated(lab, base) if other else lab.dataset(base)
        dataset = sampled(replace(whole, queries=whole.judged), options.queries)
        async with lab.shelf(*corpora) as shelf:
            texts = [query.text for query in dataset.judged]
            rows = await lab.vectors(dataset.name, texts, "query")
            shelf.queries = dict(zip(texts, rows, strict=True))
            found = await of_wenqu(shelf, dataset, lab.embedder, dictionary)
        documents = [one for name in corpora for one in lab.dataset(name).documents]
        if _installed("rank_bm25"):
            found |= of_bm25(dataset, documents)
        for kind in () if options.alone else (LlamaIndex, LangChain):
            found |= await of_peer(kind(documents), lab, dataset)
        print(f"\n{task}: {len(dataset.judged)} questions, {len(documents)} documents")
        show(dataset, found)


if __name__ == "__main__":
    parser = arguments("Compare what wenqu and its peers find.")
    parser.add_argument("--tasks", nargs="*", default=TASKS, help="what to ask of what")
    parser.add_argument("--queries", type=int, default=300, help="questions of each set")
    parser.add_argument(
        "--alone",
        action="store_true",
        help="wenqu and BM25 without the peers",
    )
    asyncio.run(main(parser.parse_args()))
