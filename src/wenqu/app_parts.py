"""What ``App`` is made of, and how the parts fit together: stores, indexes, search, answers.

Everything is opened when first used.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from wenqu.app_models import OCR_MODEL, AppModels
from wenqu.errors import NotFoundError
from wenqu.types import Chunking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wenqu.pipeline.answer import Answerer
    from wenqu.pipeline.ingest import Ingester
    from wenqu.pipeline.project import Projector
    from wenqu.pipeline.retrieve import Retriever
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.readers.worker import ReadingPool
    from wenqu.settings import Settings
    from wenqu.stores.bases import DatabaseKnowledgeBases
    from wenqu.stores.blobs import Blobs
    from wenqu.stores.changes import DatabaseChangeLog
    from wenqu.stores.conversations import DatabaseConversations
    from wenqu.stores.database import Database
    from wenqu.stores.documents import DatabaseDocuments
    from wenqu.types import KnowledgeBase

    Progress = Callable[[str, int, int], None]

__all__ = ["AppParts"]


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
        from wenqu.pipeline.candidates import Finder
        from wenqu.pipeline.retrieve import Retriever

        retrieval = self.settings.retrieval
        finder = Finder(
            embedder=await self.embedder(),
            per_side=retrieval.candidates,
            lexical_weight=retrieval.lexical_weight,
        )
        return Retriever(changes=self.changes, projector=await self.projector(), finder=finder)

    def chunking(self, kb: KnowledgeBase) -> Chunking:
        """Return how the documents of a knowledge base are cut when they are next read."""
        general = self.settings.chunk
        return kb.settings.chunking(
            Chunking(
                strategy=general.strategy, max_tokens=general.max_tokens, overlap=general.overlap
            )
        )

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

    async def answerer(self, *, use_llm: bool) -> Answerer:
        """Return what answers from hits; without ``use_llm``, or a model, it quotes."""
        from wenqu.pipeline.answer import Answerer

        return Answerer(embedder=await self.embedder(), chat=self.chat_model() if use_llm else None)

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
