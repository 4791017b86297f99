"""What ``App`` is made of, and how the parts fit together: stores, indexes, search, answers.

Everything is opened when first used.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from wenqu.app_models import OCR_MODEL, AppModels
from wenqu.errors import NotFoundError
from wenqu.types import Chunking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from wenqu.options import AskOptions
    from wenqu.pipeline.answer import Answerer
    from wenqu.pipeline.gate import Gate
    from wenqu.pipeline.ingest import Ingester
    from wenqu.pipeline.project import Projector
    from wenqu.pipeline.rephrase import Rephraser
    from wenqu.pipeline.rerank import Reranking
    from wenqu.pipeline.retrieve import Retriever
    from wenqu.pipeline.slots import FairQueue
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.readers.worker import ReadingPool
    from wenqu.settings import Settings
    from wenqu.stores.answers import DatabaseAnswers
    from wenqu.stores.bases import DatabaseKnowledgeBases
    from wenqu.stores.blobs import Blobs
    from wenqu.stores.changes import DatabaseChangeLog
    from wenqu.stores.conversations import DatabaseConversations
    from wenqu.stores.database import Database
    from wenqu.stores.documents import DatabaseDocuments
    from wenqu.stores.gates import DatabaseGates
    from wenqu.types import KnowledgeBase

    Progress = Callable[[str, int, int], None]
    Slot = Callable[[], AbstractAsyncContextManager[None]]

__all__ = ["AppParts"]

_WAITING, _WAITING_FOR_SERVER = 20, 200
"""Questions that may wait for a slot of the model on this machine, and of one on a server."""
_REWRITE_S = 8.0
"""Seconds that a model on a server may take to complete a follow-up question."""


class AppParts(AppModels):
    """The part of ``App`` that knows settings and engines."""

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
        self._reranking: Reranking | None = None
        self._reranking_sought = False
        self._reranking_loading = asyncio.Lock()

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
    def gates(self) -> DatabaseGates:
        """Gates that were fitted to a knowledge base."""
        from wenqu.stores.gates import DatabaseGates

        return DatabaseGates(self.database)

    @cached_property
    def answers(self) -> DatabaseAnswers:
        """Answers that were given, and how each came about."""
        from wenqu.stores.answers import DatabaseAnswers

        return DatabaseAnswers(self.database)

    @cached_property
    def conversations(self) -> DatabaseConversations:
        """Conversations and their turns."""
        from wenqu.stores.conversations import DatabaseConversations

        return DatabaseConversations(self.database)

    @cached_property
    def blobs(self) -> Blobs:
        """Original files."""
        from wenqu.stores.blobs import Blobs

        return Blobs(self.settings.home / "blobs")

    @property
    def indexes_dir(self) -> Path:
        """Where the indexes are, a folder a knowledge base; each may be deleted at any time."""
        return self.settings.home / "indexes"

    async def ensure_base(self, name: str) -> KnowledgeBase:
        """Return the knowledge base, created where it is missing.

        Raises:
            InputError: The name cannot be one.
        """
        try:
            return await self.bases.get(name)
        except NotFoundError:
            return await self.bases.create(name)

    async def close(self) -> None:
        """Close everything that was opened."""
        if self._chat is not None:
            await self._chat.close()
        if self._reranking is not None:
            await self._reranking.reranker.close()
        if self._indexes is not None:
            await self._indexes.close()
        if "database" in self.__dict__:
            self.database.close()

    async def projector(self) -> Projector:
        """Return what keeps indexes level with the database."""
        if self._indexes is None:
            from wenqu.indexes.local import LocalIndexes
            from wenqu.pipeline.project import Projector
            from wenqu.text import chunk, tokenize

            embedder = await self.embedder()
            made_with = f"{chunk.FINGERPRINT};{tokenize.FINGERPRINT};{embedder.fingerprint}"
            indexes = LocalIndexes(self.indexes_dir, made_with, embedder.dimension)
            self._indexes = Projector(self.changes, indexes, embedder.fingerprint)
        return self._indexes

    async def retriever(self) -> Retriever:
        """Return the one search."""
        from wenqu.models.questions import typical_questions
        from wenqu.pipeline.candidates import Finder
        from wenqu.pipeline.retrieve import Retriever

        retrieval = self.settings.retrieval
        embedder = await self.embedder()
        finder = Finder(
            embedder=embedder,
            per_side=retrieval.candidates,
            lexical_weight=retrieval.lexical_weight,
            fusion=retrieval.fusion,
            typical=typical_questions(embedder.fingerprint),
            dictionary=await self.dictionary(),
        )
        return Retriever(
            changes=self.changes,
            documents=self.documents,
            projector=await self.projector(),
            finder=finder,
            reranking=await self.reranking(),
        )

    def varied(self, settings: Settings, embedder: Embedder) -> AppParts:
        """Return these parts under other settings of retrieval, with the same database and indexes.

        It is not to be closed: what it shares is closed here.
        """
        other = type(self)(settings, on_download=self._on_download, embedder=embedder, chat=None)
        shared = ("_indexes", "_reranking", "_reranking_sought", "_dictionary", "database")
        other.__dict__.update({name: getattr(self, name) for name in shared})
        return other

    async def reranking(self) -> Reranking | None:
        """Return the reranker in force with its limits, or None where there is none.

        Raises:
            SettingsError: ``retrieval.reranker`` names nothing.
        """
        from wenqu.app_reranking import open_reranking

        async with self._reranking_loading:
            if not self._reranking_sought:
                self._reranking = await open_reranking(self.settings)
                self._reranking_sought = True
            return self._reranking

    def chunking(self, kb: KnowledgeBase) -> Chunking:
        """Return how the documents of a knowledge base are cut when they are next read."""
        general = self.settings.chunk
        return kb.settings.chunking(
            Chunking(
                strategy=general.strategy, max_tokens=general.max_tokens, overlap=general.overlap
            )
        )

    async def made_with(self, model: str | None, prompt: str) -> dict[str, str]:
        """Return what has a say in an answer beside its documents, by name.

        ``prompt`` is the knowledge base's own, where ``model`` was told it.
        """
        from wenqu.text import chunk, tokenize

        return {
            "index": f"{chunk.FINGERPRINT};{tokenize.FINGERPRINT}",
            "embedder": (await self.embedder()).fingerprint,
            "retrieval": self.settings.retrieval.model_dump_json(),
            "rerank": f"{self.settings.rerank.base_url or ''} {self.settings.rerank.model or ''}",
            "answer": self.settings.answer.model_dump_json(),
            "model": model or "",
            "prompt": prompt,
        }

    def reading_pool(self, passwords: Sequence[str]) -> ReadingPool:
        """Return worker processes that read files within the limits of the settings."""
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

    async def ingester(self, read: object, kb: KnowledgeBase, unpack: object = None) -> Ingester:
        """Return what brings files, read by ``read``, into a knowledge base."""
        from wenqu.pipeline.ingest import Ingester

        embedder = await self.embedder()
        return Ingester(
            documents=self.documents,
            embedder=embedder,
            read=read,  # type: ignore[arg-type]
            unpack=unpack,  # type: ignore[arg-type]
            keep=self.blobs.put,
            chunking=self.chunking(kb),
            recipe=self.recipe(embedder, self.chunking(kb)),
        )

    def rephraser(self) -> Rephraser:
        """Return what makes of a question what is searched for."""
        from wenqu.pipeline.rephrase import Rephraser

        budget = self.settings.rewrite.budget_s
        if budget is None:
            budget = _REWRITE_S if self.settings.chat.base_url else 0.0
        return Rephraser(
            chat=self.chat_model(),
            budget_s=budget,
            expand_budget_s=self.settings.rewrite.expand_budget_s,
        )

    async def gate(self, kb: int) -> Gate:
        """Return the gate of a knowledge base: fitted to it, or the one that ships.

        Raises:
            StoreError: What is stored cannot be read.
        """
        from wenqu.pipeline.gate import gate_for

        return gate_for(await self.gates.get(kb), (await self.embedder()).fingerprint)

    @cached_property
    def queue(self) -> FairQueue:
        """Who is answered next."""
        from wenqu.pipeline.slots import FairQueue

        chat = self.settings.chat
        waiting = chat.waiting
        if waiting is None:
            waiting = _WAITING_FOR_SERVER if chat.base_url else _WAITING
        return FairQueue(slots=self.answers_at_once, waiting=waiting)

    async def answerer(self, kb: int, how: AskOptions, slot: Slot = nullcontext) -> Answerer:
        """Return what answers from hits of ``kb``; without a language model it quotes.

        ``slot`` gives the model's turn to write.
        """
        from wenqu.models.questions import typical_questions
        from wenqu.pipeline.answer import Answerer

        chat = self.settings.chat
        embedder = await self.embedder()
        return Answerer(
            embedder=embedder,
            chat=self.chat_model() if how.use_llm else None,
            gate=await self.gate(kb),
            max_tokens=chat.max_tokens,
            evidence_tokens=chat.evidence_tokens,
            # A server's first word may have a queue before it, of which the adapter knows.
            first_token_s=None if chat.base_url else chat.timeout_s,
            slot=slot,
            strict=how.strict or self.settings.answer.strict,
            typical=typical_questions(embedder.fingerprint),
        )

    def recipe(self, embedder: Embedder, chunking: Chunking) -> str:
        """Return what documents depend on beside their bytes: with another they are read again."""
        from wenqu.readers import default_readers
        from wenqu.text import chunk

        readers = ",".join(reader.name for reader in default_readers())
        ocr = OCR_MODEL if self.settings.read.ocr else ""
        return f"{readers};{ocr};{chunk.fingerprint(chunking)};{embedder.fingerprint}"

    async def drop_unused_blobs(self) -> None:
        """Delete the original files that no document comes from any more."""
        used: set[str] = set()
        for kb in (await self.bases.ids()).values():
            used.update(version.content_hash for version in await self.documents.versions(kb))
        await asyncio.to_thread(self.blobs.keep_only, used)
