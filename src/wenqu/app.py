"""The composition root: the one module that knows both the settings and the engines.

``open_app`` gives an ``App``; the doors parse, call it, and show what comes back. Nothing heavy is
loaded before it is needed: listing knowledge bases opens no model.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from wenqu import settings as settings_module
from wenqu.errors import NotFoundError
from wenqu.text.normalize import normalize
from wenqu.types import Origin, Query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from pathlib import Path

    from wenqu.evaluation.report import EvalReport, Ranking
    from wenqu.models.catalog import ModelEntry
    from wenqu.pipeline.answer import Answerer
    from wenqu.pipeline.ingest import FileOutcome, Ingester, IngestReport
    from wenqu.pipeline.project import Projector
    from wenqu.pipeline.retrieve import Retriever
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.settings import Settings
    from wenqu.stores.bases import DatabaseKnowledgeBases
    from wenqu.stores.blobs import Blobs
    from wenqu.stores.changes import DatabaseChangeLog
    from wenqu.stores.database import Database
    from wenqu.stores.documents import DatabaseDocuments
    from wenqu.types import AnswerEvent, DocumentInfo, KnowledgeBase, SearchHits

    Progress = Callable[[str, int, int], None]

__all__ = ["DEFAULT_BASE", "DEFAULT_CHAT_MODEL", "App", "open_app"]

DEFAULT_BASE = "default"
"""The knowledge base that is meant where none is named and there is not just one."""

DEFAULT_CHAT_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
_EVIDENCE_HITS = 12
"""Hits that the gate looks at and that evidence is chosen from."""


@asynccontextmanager
async def open_app(
    settings: Settings | None = None,
    *,
    on_download: Progress = lambda *_: None,
    embedder: Embedder | None = None,
    chat: ChatModel | None = None,
    **overrides: object,
) -> AsyncIterator[App]:
    """Open wenqu, and close what it opened at the end.

    Args:
        settings: The settings in force; None reads them from environment, wenqu.toml and defaults.
        on_download: Told of a model's download: its name, bytes so far, bytes in all.
        embedder: Used instead of the configured one.
        chat: Used instead of the configured one; closed at the end.
        overrides: Settings that the caller sets, such as ``home``.

    Raises:
        SettingsError: A setting is unknown or wrong.
        StoreError: The database cannot be opened.
    """
    in_force = settings or settings_module.load(**overrides)
    app = App(in_force, on_download=on_download, embedder=embedder, chat=chat)
    try:
        yield app
    finally:
        await app.close()


class App:
    """wenqu as an object; ``open_app`` makes it, and says what its parts are."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_download: Progress,
        embedder: Embedder | None,
        chat: ChatModel | None,
    ) -> None:
        self.settings = settings
        self._on_download = on_download
        self._embedder = embedder
        self._chat = chat
        self._indexes: Projector | None = None
        self._loading = asyncio.Lock()

    # What is stored

    @cached_property
    def database(self) -> Database:
        """The truth; opened, and its schema brought up to date, at first use."""
        from wenqu.stores.database import Database

        return Database(self.settings.database_url)

    @cached_property
    def bases(self) -> DatabaseKnowledgeBases:
        """Knowledge bases by name."""
        from wenqu.stores.bases import DatabaseKnowledgeBases

        return DatabaseKnowledgeBases(self.database)

    @cached_property
    def documents(self) -> DatabaseDocuments:
        """Documents of knowledge bases."""
        from wenqu.stores.documents import DatabaseDocuments

        return DatabaseDocuments(self.database)

    @cached_property
    def changes(self) -> DatabaseChangeLog:
        """The change log, and chunks by id."""
        from wenqu.stores.changes import DatabaseChangeLog

        return DatabaseChangeLog(self.database)

    @cached_property
    def blobs(self) -> Blobs:
        """Original files."""
        from wenqu.stores.blobs import Blobs

        return Blobs(self.settings.home / "blobs")

    @property
    def indexes_dir(self) -> Path:
        """Where the indexes are, a folder a knowledge base; each may be deleted at any time."""
        return self.settings.home / "indexes"

    # Models

    async def embedder(self) -> Embedder:
        """Return the embedder, fetching its model where it is not on this machine.

        Raises:
            ModelError: It cannot be had or run.
        """
        async with self._loading:
            if self._embedder is None:
                from wenqu.models.catalog import find
                from wenqu.models.e5 import open_embedder

                entry = find(self.settings.models.embedder)
                await asyncio.to_thread(self.pull, entry.name)
                self._embedder = await asyncio.to_thread(
                    open_embedder,
                    entry,
                    self.settings.models_dir,
                    self.settings.models.embedder_engine,
                    self.settings.models.threads,
                )
            return self._embedder

    async def try_embedder(self) -> tuple[str, str | None]:
        """Embed a word; return the engine that did, and why it was not the first choice, if so.

        Raises:
            ModelError: The model cannot be had or run.
        """
        from wenqu.models.e5 import E5Embedder

        embedder = await self.embedder()
        await embedder.embed(["wenqu"], "query")
        if isinstance(embedder, E5Embedder):
            return embedder.engine, embedder.note
        return type(embedder).__name__, None

    def chat_model(self) -> ChatModel | None:
        """Return the chat model, or None where none is configured or on this machine."""
        if self._chat is None:
            self._chat = self._new_chat_model()
        return self._chat

    def pull(self, name: str) -> Path:
        """Return the file of a model, fetching it where it is not on this machine; blocks.

        Raises:
            NotFoundError: The catalog has no such model.
            DownloadError: No source has it, or what came is not what was asked for.
        """
        from wenqu.models.catalog import find
        from wenqu.models.fetch import pull

        return pull(find(name), self.settings.models_dir, self._on_download)

    def models(self) -> list[tuple[ModelEntry, Path | None]]:
        """Return the models of the catalog, each with its file where it is on this machine."""
        from wenqu.models.catalog import CATALOG
        from wenqu.models.fetch import located

        return [(entry, located(entry, self.settings.models_dir)) for entry in CATALOG.values()]

    def verify(self, entry: ModelEntry) -> bool:
        """Say whether a model's file has the right hash; reads all of it."""
        from wenqu.models.fetch import verify

        return verify(entry, self.settings.models_dir)

    def _new_chat_model(self) -> ChatModel | None:
        chat = self.settings.chat
        if chat.base_url is not None:
            from wenqu.models.openai import OpenAIChat

            return OpenAIChat(
                base_url=chat.base_url,
                model=chat.model or "default",
                api_key=chat.api_key.get_secret_value() if chat.api_key else None,
                timeout_s=chat.timeout_s,
            )
        from wenqu.models.catalog import find
        from wenqu.models.fetch import located

        entry = find(chat.model or DEFAULT_CHAT_MODEL)
        path = located(entry, self.settings.models_dir)
        if path is None:
            return None
        from wenqu.models.llamacpp import LlamaCppChat

        return LlamaCppChat(
            path, name=entry.name, threads=self.settings.models.threads, timeout_s=chat.timeout_s
        )

    # Adding and removing

    async def add(
        self,
        kb: str,
        paths: Sequence[Path],
        *,
        ignore: Sequence[str] = (),
        prune: bool = False,
        on_found: Callable[[int], None] = lambda _: None,
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        """Add files and folders to a knowledge base, which is created where it is missing.

        Args:
            kb: Name of the knowledge base.
            paths: Files and folders.
            ignore: Patterns of files and folders to leave out.
            prune: Remove documents whose files are gone from the folders in ``paths``.
            on_found: Told how many files there are, before the first is read.
            on_outcome: Told of each file as soon as its fate is certain.

        Raises:
            NotFoundError: A path does not exist; nothing was done.
            StoreError: The database failed; what was reported before is safe.
            ModelError: The embedder cannot be had or run; likewise.
        """
        from wenqu.pipeline.discover import discover, is_below
        from wenqu.readers.worker import ReadingPool

        files = await asyncio.to_thread(discover, paths, ignore)
        on_found(len(files))
        base = await self.ensure_base(kb)
        limits = self.settings.read
        async with ReadingPool(
            timeout_s=limits.timeout_s,
            memory_mb=limits.memory_mb,
            max_file_mb=limits.max_file_mb,
        ) as pool:
            ingester = await self._ingester(pool.read)
            report = await ingester.add(
                base.id,
                files,
                gone=lambda source: prune and any(is_below(source, path) for path in paths),
                on_outcome=on_outcome,
            )
        if prune:
            await self._drop_unused_blobs()
        await (await self._projector()).current(base.id)
        return report

    async def base(self, name: str | None) -> KnowledgeBase:
        """Return the knowledge base of that name; without one the only one, else ``default``.

        Raises:
            NotFoundError: There is none of that name.
        """
        return await self.bases.get(name or await self._meant())

    async def _meant(self) -> str:
        names = await self.bases.names()
        return names[0] if len(names) == 1 else DEFAULT_BASE

    async def ensure_base(self, name: str) -> KnowledgeBase:
        """Return the knowledge base, created where it is missing.

        Raises:
            InputError: The name cannot be one.
        """
        try:
            return await self.bases.get(name)
        except NotFoundError:
            return await self.bases.create(name)

    async def delete_base(self, name: str) -> KnowledgeBase:
        """Delete a knowledge base with its documents and its index; return what it was.

        Raises:
            NotFoundError: There is none of that name.
        """
        from wenqu.indexes.local import discard

        base = await self.bases.delete(name)
        await asyncio.to_thread(discard, self.indexes_dir / str(base.id))
        await self._drop_unused_blobs()
        return base

    async def find_document(self, kb: KnowledgeBase, name: str) -> DocumentInfo:
        """Return the document that ``name`` means: an id, a source, or the end of one source.

        Raises:
            NotFoundError: None or more than one is meant.
        """
        from wenqu.pipeline.discover import named

        return named(name, await self.documents.documents(kb.id))

    async def remove_documents(self, kb: KnowledgeBase, document_ids: Sequence[str]) -> int:
        """Remove documents; return how many there were."""
        removed = await self.documents.remove(kb.id, document_ids)
        await self._drop_unused_blobs()
        return removed

    # Asking

    async def search(
        self,
        kb: str | None,
        text: str,
        *,
        top: int = 10,
        order: Origin = Origin.FUSED,
    ) -> SearchHits:
        """Return the best hits of a knowledge base.

        Raises:
            NotFoundError: There is no such knowledge base.
            InputError: The question is empty or too long.
        """
        base = await self.bases.id_of(kb or await self._meant())
        retriever = await self._retriever()
        query = Query(text=normalize(text))
        return await retriever.search(base, query, top=top, order=order)

    async def ask(
        self, kb: str | None, question: str, *, use_llm: bool = True
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer a question from a knowledge base: sources first, then text, then the whole.

        Args:
            kb: Name of the knowledge base; see ``base``.
            question: In Chinese or English; the answer is in the same language.
            use_llm: Whether a language model may write; without one the best sentences are quoted.

        Raises:
            NotFoundError: There is no such knowledge base.
            InputError: The question is empty or too long.
        """
        found = await self.search(kb, question, top=_EVIDENCE_HITS)
        answerer = await self._answerer(use_llm=use_llm)
        async for event in answerer.answer(normalize(question), found):
            yield event

    # Measuring

    async def evaluate(
        self,
        folder: Path,
        *,
        corpus: str = "corpus.jsonl",
        on_progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> EvalReport:
        """Measure retrieval on a data set, with the search that users get.

        Its corpus becomes the knowledge base ``eval-NAME``, made once and kept.

        Args:
            folder: The data set.
            corpus: Which corpus file of it to take.
            on_progress: Told of a phase ("documents", "queries"), how many are done, of how many.

        Raises:
            NotFoundError: A file of the set is not there.
            InputError: The set is malformed.
        """
        from wenqu.evaluation.datasets import load_dataset
        from wenqu.evaluation.report import evaluate, rankings

        dataset = await asyncio.to_thread(lambda: load_dataset(folder, corpus=corpus))
        stem = corpus.removesuffix(".gz").removesuffix(".jsonl")
        suffix = "" if stem == "corpus" else f"-{stem}"
        base = await self.ensure_base(f"eval-{dataset.name}{suffix}")
        done = 0

        def count(_: FileOutcome) -> None:
            nonlocal done
            done += 1
            on_progress("documents", done, len(dataset.documents))

        ingester = await self._ingester(None)
        await ingester.replace_all(base.id, dataset.documents, count)
        retriever = await self._retriever()

        async def search(question: str) -> dict[Origin, Ranking]:
            top = 3 * self.settings.retrieval.candidates
            return rankings(await retriever.search(base.id, Query(text=question), top=top))

        return await evaluate(
            dataset, search, on_progress=lambda done, of: on_progress("queries", done, of)
        )

    async def close(self) -> None:
        """Close everything that was opened."""
        if self._chat is not None:
            await self._chat.close()
        if self._indexes is not None:
            await self._indexes.close()
        if "database" in self.__dict__:
            self.database.close()

    # How the parts fit together

    async def _projector(self) -> Projector:
        if self._indexes is None:
            from wenqu.indexes.local import LocalIndexes
            from wenqu.pipeline.project import Projector
            from wenqu.text import chunk, tokenize

            embedder = await self.embedder()
            made_with = f"{chunk.FINGERPRINT};{tokenize.FINGERPRINT};{embedder.fingerprint}"
            indexes = LocalIndexes(self.indexes_dir, made_with, embedder.dimension)
            self._indexes = Projector(self.changes, indexes, embedder.fingerprint)
        return self._indexes

    async def _retriever(self) -> Retriever:
        from wenqu.pipeline.retrieve import Retriever

        return Retriever(
            changes=self.changes,
            projector=await self._projector(),
            embedder=await self.embedder(),
            candidates=self.settings.retrieval.candidates,
            lexical_weight=self.settings.retrieval.lexical_weight,
        )

    async def _ingester(self, read: object) -> Ingester:
        from wenqu.pipeline.ingest import Ingester

        embedder = await self.embedder()
        return Ingester(
            documents=self.documents,
            embedder=embedder,
            read=read,  # type: ignore[arg-type]
            keep=self.blobs.put,
            max_tokens=self.settings.chunk.max_tokens,
            recipe=self._recipe(embedder),
        )

    async def _answerer(self, *, use_llm: bool) -> Answerer:
        from wenqu.pipeline.answer import Answerer

        return Answerer(embedder=await self.embedder(), chat=self.chat_model() if use_llm else None)

    def _recipe(self, embedder: Embedder) -> str:
        from wenqu.readers import default_readers
        from wenqu.text import chunk

        readers = ",".join(reader.name for reader in default_readers())
        tokens = self.settings.chunk.max_tokens
        return f"{readers};{chunk.FINGERPRINT};{tokens};{embedder.fingerprint}"

    async def _drop_unused_blobs(self) -> None:
        used: set[str] = set()
        for base in await self.bases.list():
            used.update(version.content_hash for version in await self.documents.versions(base.id))
        await asyncio.to_thread(self.blobs.keep_only, used)
