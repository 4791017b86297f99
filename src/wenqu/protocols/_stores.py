"""Stores: the truth that everything else is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.options import SearchFilter
    from wenqu.protocols._indexes import Change
    from wenqu.types import (
        AnswerRecord,
        Block,
        Chunk,
        Conversation,
        Document,
        DocumentInfo,
        KnowledgeBase,
        KnowledgeBaseSettings,
        Span,
        Turn,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """What the store knows of a document: enough to tell whether a source must be read again."""

    document_id: str
    source: str
    content_hash: str
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDocument:
    """A document version to be made visible, whole or not at all.

    ``embeddings`` holds only those not stored yet: embedding key → vector. ``embedding_keys`` has
    one key a chunk, in the chunks' order.
    """

    document: Document
    chunks: Sequence[Chunk]
    embedding_keys: Sequence[str]
    embeddings: Mapping[str, NDArray[np.float32]]
    content_hash: str
    recipe: str


class KnowledgeBaseStore(Protocol):
    """Knowledge bases by name."""

    async def create(
        self, name: str, settings: KnowledgeBaseSettings | None = None
    ) -> KnowledgeBase:
        """Create an empty knowledge base, which follows the general settings but for its own.

        Raises:
            ConflictError: There is one of that name.
            InputError: The name is empty, too long, or has control characters or slashes; or a
                setting is out of bounds.
        """

    async def configure(self, name: str, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """Replace its settings; what is stored in it stays as it is.

        Raises:
            NotFoundError: There is none of that name.
            InputError: A setting is out of bounds.
        """

    async def get(self, name: str) -> KnowledgeBase:
        """Return it with its counts.

        Raises:
            NotFoundError: There is none of that name.
        """

    async def list(self) -> Sequence[KnowledgeBase]:
        """Return all with their counts, by name."""

    async def id_of(self, name: str) -> int:
        """Return its id without counting anything, which each question needs.

        Raises:
            NotFoundError: There is none of that name.
        """

    async def settings_of(self, kb: int) -> KnowledgeBaseSettings:
        """Return its own settings without counting anything; none where there is no such one."""

    async def ids(self) -> Mapping[str, int]:
        """Return the ids of all by name, in the order of names, without counting anything."""

    async def delete(self, name: str) -> KnowledgeBase:
        """Delete it with all its documents, and return what it was.

        Raises:
            NotFoundError: There is none of that name.
        """

    async def delete_empty(self, kb: int) -> bool:
        """Delete it where no document is in it, and return whether that was so."""


class DocumentStore(Protocol):
    """The documents of knowledge bases: the truth that indexes are made from."""

    async def versions(self, kb: int) -> Sequence[StoredVersion]:
        """Return what is stored, by source."""

    async def known_embeddings(self, keys: Collection[str], model: str) -> set[str]:
        """Return those of ``keys`` that have a vector of ``model`` already."""

    async def put(self, kb: int, documents: Sequence[PutDocument], model: str) -> None:
        """Make the versions visible in one transaction, each replacing its document's last.

        Raises:
            StoreError: Nothing was written.
        """

    async def remove(self, kb: int, document_ids: Collection[str]) -> int:
        """Remove documents in one transaction; return how many there were."""

    async def documents(self, kb: int) -> Sequence[DocumentInfo]:
        """Return all documents without their text, by source."""

    async def document(self, kb: int, document_id: str) -> Document:
        """Return one document, whole.

        Raises:
            NotFoundError: There is none of that id.
        """

    async def blocks(self, kb: int, document_id: str, span: Span) -> Sequence[Block]:
        """Return a document's blocks that share characters with ``span``, in order.

        There are none when there is no such document.
        """

    async def matching(self, kb: int, where: SearchFilter) -> Collection[str]:
        """Return the ids of the documents that ``where`` lets through.

        Raises:
            InputError: A date in it is none.
        """

    async def tag(
        self,
        kb: int,
        document_ids: Collection[str],
        *,
        add: Collection[str] = (),
        remove: Collection[str] = (),
    ) -> None:
        """Give tags to documents and take others away; they stay when a document is put again.

        Ids of no document are passed over.

        Raises:
            InputError: A tag is empty, too long, or has a comma or a line end; nothing was done.
        """

    async def tags(self, kb: int) -> Mapping[str, Sequence[str]]:
        """Return the tags of documents by id, in order: those given, then a document's own.

        Documents without tags are left out.
        """

    async def vectors(
        self, kb: int, chunk_ids: Collection[str], model: str
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the vectors of chunks by ``model``, of those that have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGate:
    """A gate that was fitted to a knowledge base, as plain data.

    ``embedder`` is the fingerprint of the one it was fitted with: it holds for no other.
    """

    embedder: str
    data: Mapping[str, object]


class GateStore(Protocol):
    """Fitted gates, at most one a knowledge base; deleting that deletes it."""

    async def put(self, kb: int, gate: StoredGate) -> None:
        """Keep the gate in place of any earlier one."""

    async def get(self, kb: int) -> StoredGate | None:
        """Return the gate, or None where none was fitted."""

    async def delete(self, kb: int) -> bool:
        """Forget the gate; return whether there was one."""


class ChangeLog(Protocol):
    """What indexes follow, and how hits become chunks again."""

    async def head(self, kb: int) -> int:
        """Return the number of the last change, 0 before the first."""

    def changes(self, kb: int, after: int, model: str) -> AsyncIterator[Sequence[Change]]:
        """Yield the net changes after number ``after``, oldest first, in batches.

        A document that changed more than once appears once, in its present state.
        """

    async def chunks(
        self, kb: int, chunk_ids: Collection[str]
    ) -> Mapping[str, tuple[Chunk, DocumentInfo]]:
        """Return the chunks that exist among ``chunk_ids``, with their documents."""

    async def document_chunks(self, kb: int, document_id: str) -> Sequence[Chunk]:
        """Return the chunks of one document, in order; none when there is no such document."""


class AnswerStore(Protocol):
    """Answers that were given, with how each came about."""

    async def put(self, record: AnswerRecord) -> None:
        """Keep a record; its number and time are given by the store.

        Raises:
            StoreError: It was not kept.
        """

    async def get(self, name: str) -> AnswerRecord:
        """Return the record that is meant: by id or its beginning, by number, or ``last``.

        Raises:
            NotFoundError: None is meant, or more than one.
        """

    async def list(self, kb: int | None = None, top: int | None = None) -> Sequence[AnswerRecord]:
        """Return the latest ``top`` records, newest first, all without it; of ``kb`` if given."""

    async def forget(self, kb: int | None = None) -> int:
        """Delete all records, those of ``kb`` where given; return how many there were."""


class ConversationStore(Protocol):
    """Conversations with all their turns, also those of branches that were left."""

    async def create(self, kb_name: str | None = None, owner: str = "") -> Conversation:
        """Begin a conversation; plain chat without a knowledge base."""

    async def get(self, conversation: str, owner: str | None = None) -> Conversation:
        """Return it with the turns of the branch in use; of ``owner`` where given.

        Raises:
            NotFoundError: There is none of that id, or it is another's.
        """

    async def add(self, conversation: str, turn: Turn) -> None:
        """Keep a turn after its parent, and make its branch the one in use.

        Raises:
            NotFoundError: The conversation is gone.
        """

    async def go_to(self, conversation: str, turn: str | None) -> None:
        """Make the branch that ends with ``turn`` the one in use; None goes before the first.

        Raises:
            NotFoundError: There is no such turn.
        """

    async def summarise(self, conversation: str, summary: str, turn: str) -> None:
        """Keep what tells of the turns up to ``turn``."""

    async def list(self, owner: str | None = None) -> Sequence[Conversation]:
        """Return all without their turns, the last used first; those of ``owner`` where given."""

    async def delete(self, conversations: Collection[str]) -> int:
        """Delete them with their turns; return how many there were."""

    async def expire(self, before: str, owner: str = "") -> int:
        """Delete those of ``owner`` that were last used before a moment in ISO 8601."""
