"""The composition root: the one module that knows both the settings and the engines.

``open_app`` gives an ``App``; the doors parse, call it, and show what comes back. Nothing heavy is
loaded before it is needed: listing knowledge bases opens no model.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from wenqu import settings as settings_module
from wenqu.app_models import DEFAULT_CHAT_MODEL, OCR_MODEL, AppModels
from wenqu.errors import NotFoundError
from wenqu.text.normalize import normalize
from wenqu.types import AnswerFinished, Chunking, Origin, Query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
    from pathlib import Path

    from wenqu.evaluation.report import EvalReport, Ranking
    from wenqu.pipeline.answer import Answerer
    from wenqu.pipeline.ingest import FileOutcome, Ingester, IngestReport
    from wenqu.pipeline.project import Projector
    from wenqu.pipeline.retrieve import Retriever
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.readers.worker import ReadingPool
    from wenqu.settings import Settings
    from wenqu.sources.git import GitSource
    from wenqu.sources.web import WebSource
    from wenqu.stores.bases import DatabaseKnowledgeBases
    from wenqu.stores.blobs import Blobs
    from wenqu.stores.changes import DatabaseChangeLog
    from wenqu.stores.database import Database
    from wenqu.stores.documents import DatabaseDocuments
    from wenqu.types import AnswerEvent, DocumentInfo, KnowledgeBase, SearchHits

    Progress = Callable[[str, int, int], None]

__all__ = ["DEFAULT_BASE", "DEFAULT_CHAT_MODEL", "OCR_MODEL", "AddOptions", "App", "open_app"]

DEFAULT_BASE = "default"
"""The knowledge base that is meant where none is named and there is not just one."""

_EVIDENCE_HITS = 12
"""Hits that the gate looks at and that evidence is chosen from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What is wanted of ``App.add`` beside what to add.

    ``ignore`` has patterns of files to leave out. ``prune`` removes documents whose files are gone
    from the folders, archives and repositories given. ``passwords`` are tried in order on files
    that ask for one. ``depth`` is how many links away from each page pages are added too.
    ``allow_private`` lets pages and repositories of this machine and its networks be asked for.
    """

    ignore: Sequence[str] = ()
    prune: bool = False
    passwords: Sequence[str] = field(default=(), repr=False)
    depth: int = 0
    allow_private: bool = False


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


class App(AppModels):
    """wenqu as an object; ``open_app`` makes it, and says what its parts are."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_download: Progress,
        embedder: Embedder | None,
        chat: ChatModel | None,
    ) -> None:
        super().__init__(settings, on_download=on_download, embedder=embedder, chat=chat)
        self._indexes: Projector | None = None

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

    # Adding and removing

    async def add(
        self,
        kb: str,
        targets: Sequence[str | Path],
        how: AddOptions | None = None,
        *,
        on_found: Callable[[int], None] = lambda _: None,
        on_outcome: Callable[[FileOutcome], None] = lambda _: None,
    ) -> IngestReport:
        """Add files, folders, pages and repositories to a knowledge base, made where missing.

        Args:
            kb: Name of the knowledge base.
            targets: Paths, addresses of pages, and addresses of git repositories.
            how: What else is wanted.
            on_found: Told how many files more there are, whenever some are found.
            on_outcome: Told of each file as soon as its fate is certain.

        Raises:
            NotFoundError: A path does not exist; nothing was done.
            StoreError: The database failed; what was reported before is safe.
            ModelError: The embedder cannot be had or run; likewise.
        """
        from wenqu.pipeline.gather import gather, is_meant

        how = how or AddOptions()
        names = [str(target) for target in targets]
        web, repositories = self._sources(how)
        files = await gather(
            names, ignore=how.ignore, web=web, repositories=repositories, on_found=on_found
        )
        base = await self.ensure_base(kb)
        async with aclosing(files), self._reading_pool(how.passwords) as pool:
            ingester = await self._ingester(self.recognizing(pool.read), base, pool.unpack)
            report = await ingester.add(
                base.id,
                files,
                gone=lambda source: (
                    how.prune and any(is_meant(source, name, web, repositories) for name in names)
                ),
                on_found=on_found,
                on_outcome=on_outcome,
            )
        if how.prune:
            await self._drop_unused_blobs()
        await (await self._projector()).current(base.id)
        return report

    async def base(self, name: str | None) -> KnowledgeBase:
        """Return the knowledge base of that name; without one the only one, else ``default``.

        Raises:
            NotFoundError: There is none of that name.
        """
        return await self.bases.get(name or await self._meant())

    async def base_id(self, name: str | None) -> int:
        """Return the id of what ``base`` returns, without counting what is in it.

        Raises:
            NotFoundError: There is none of that name.
        """
        return await self.bases.id_of(name or await self._meant())

    async def _meant(self) -> str:
        names = list(await self.bases.ids())
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

    async def find_document(self, kb: int, name: str) -> DocumentInfo:
        """Return the document that ``name`` means: an id, a source, or the end of one source.

        Raises:
            NotFoundError: None or more than one is meant.
        """
        from wenqu.pipeline.discover import named

        return named(name, await self.documents.documents(kb))

    async def remove_documents(self, kb: int, document_ids: Sequence[str]) -> int:
        """Remove documents; return how many there were."""
        removed = await self.documents.remove(kb, document_ids)
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
        base = await self.base_id(kb)
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
        from wenqu.pipeline.places import located

        base = await self.base_id(kb)
        found = await self.search(kb, question, top=_EVIDENCE_HITS)
        answerer = await self._answerer(use_llm=use_llm)
        async for event in answerer.answer(normalize(question), found):
            if isinstance(event, AnswerFinished):
                answer = await located(event.answer, base, self.documents)
                yield AnswerFinished(answer=answer)
            else:
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

        ingester = await self._ingester(None, base)
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

    def chunking(self, kb: KnowledgeBase) -> Chunking:
        """Return how the documents of a knowledge base are cut when they are next read."""
        general = self.settings.chunk
        return kb.settings.chunking(
            Chunking(
                strategy=general.strategy, max_tokens=general.max_tokens, overlap=general.overlap
            )
        )

    def _sources(self, how: AddOptions) -> tuple[WebSource, GitSource]:
        from wenqu.sources.git import GitSource
        from wenqu.sources.web import WebLimits, WebSource

        web = self.settings.web
        limits = WebLimits(
            allow_private=how.allow_private,
            max_pages=web.max_pages,
            max_mb=self.settings.read.max_file_mb,
            timeout_s=web.timeout_s,
            delay_s=web.delay_s,
        )
        git = GitSource(allow_private=how.allow_private, timeout_s=web.clone_timeout_s)
        return WebSource(depth=how.depth, limits=limits), git

    def _reading_pool(self, passwords: Sequence[str]) -> ReadingPool:
        from wenqu.protocols import ReadOptions
        from wenqu.readers.worker import ReadingPool

        limits = self.settings.read
        return ReadingPool(
            timeout_s=limits.timeout_s,
            total_timeout_s=limits.total_timeout_s,
            memory_mb=limits.memory_mb,
            max_file_mb=limits.max_file_mb,
            options=ReadOptions(
                passwords=tuple(passwords),
                ocr=limits.ocr,
                ocr_weights=self.ocr_weights,
                max_characters=limits.max_characters,
                max_members=limits.max_members,
                max_unpacked_mb=limits.max_unpacked_mb,
            ),
        )

    async def _ingester(self, read: object, kb: KnowledgeBase, unpack: object = None) -> Ingester:
        from wenqu.pipeline.ingest import Ingester

        embedder = await self.embedder()
        return Ingester(
            documents=self.documents,
            embedder=embedder,
            read=read,  # type: ignore[arg-type]
            unpack=unpack,  # type: ignore[arg-type]
            keep=self.blobs.put,
            chunking=self.chunking(kb),
            recipe=self._recipe(embedder, self.chunking(kb)),
        )

    async def _answerer(self, *, use_llm: bool) -> Answerer:
        from wenqu.pipeline.answer import Answerer

        return Answerer(embedder=await self.embedder(), chat=self.chat_model() if use_llm else None)

    def _recipe(self, embedder: Embedder, chunking: Chunking) -> str:
        from wenqu.readers import default_readers
        from wenqu.text import chunk

        readers = ",".join(reader.name for reader in default_readers())
        ocr = OCR_MODEL if self.settings.read.ocr else ""
        return f"{readers};{ocr};{chunk.fingerprint(chunking)};{embedder.fingerprint}"

    async def _drop_unused_blobs(self) -> None:
        used: set[str] = set()
        for kb in (await self.bases.ids()).values():
            used.update(version.content_hash for version in await self.documents.versions(kb))
        await asyncio.to_thread(self.blobs.keep_only, used)
