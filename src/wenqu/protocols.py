"""The seams: what each pluggable part must do. Engines implement these; pipelines see only these.

Every protocol has a contract suite in ``wenqu.testing.contracts`` that each engine, real or fake,
passes. I/O is async; pure computation is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.errors import WenquError
    from wenqu.options import SearchFilter
    from wenqu.types import (
        AnswerRecord,
        Block,
        Chunk,
        Conversation,
        Document,
        DocumentInfo,
        Hit,
        KnowledgeBase,
        KnowledgeBaseSettings,
        Language,
        Message,
        Span,
        Turn,
        Usage,
    )

    Vectors = NDArray[np.float32]
    """Shape (n, dimension), rows of length 1."""

__all__ = [
    "DEFAULT_OPTIONS",
    "AnswerStore",
    "Change",
    "ChangeLog",
    "ChatModel",
    "ConversationStore",
    "DocumentStore",
    "Embedder",
    "GateStore",
    "Index",
    "IndexState",
    "KnowledgeBaseStore",
    "LexicalHits",
    "MissedFile",
    "PutDocument",
    "ReadOptions",
    "Reader",
    "Reranker",
    "Sample",
    "Scored",
    "SourceFile",
    "StoredGate",
    "StoredVersion",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of a file before it is read: enough to choose its reader.

    ``head`` is its first 4 KiB. ``container`` says what a ZIP or OLE file holds, by its members and
    not by its name ("docx", "xls", "zip", …; see ``readers.detect``), and is "" for any other file.
    """

    name: str
    head: bytes
    container: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to be added: where it lies now, and the name it is known by.

    ``source`` is an absolute path, a URL, or the path of an archive followed by that of a member.
    Bytes of a path that are not UTF-8 are written in it by their numbers.
    """

    path: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedFile:
    """A file that was meant, but could not be had."""

    source: str
    error: WenquError


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files are to be read.

    ``passwords`` are tried in order on an encrypted file. ``ocr`` says whether pages without usable
    text are recognised, and ``ocr_weights`` where the weights for it are, if they are here. A
    document of more than ``max_characters`` is refused. ``nesting`` is how deep files inside files
    are read. ``alive`` is called after each part that may take long, such as a recognised page:
    the clock of the time limit then begins anew.
    """

    passwords: tuple[str, ...] = field(default=(), repr=False)
    ocr: bool = True
    ocr_weights: Path | None = None
    max_characters: int = 20_000_000
    nesting: int = 3
    max_members: int = 10_000
    max_unpacked_mb: int = 2000
    alive: Callable[[], None] = field(default=_nothing, repr=False, compare=False)


DEFAULT_OPTIONS = ReadOptions()


class Reader(Protocol):
    """Turns the bytes of one format family into a document."""

    @property
    def name(self) -> str:
        """Name and version: a document is read again when it changes."""

    def accepts(self, sample: Sample) -> bool:
        """Say whether this reader takes such a file: by its content first, by its name last."""

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document in ``data``.

        Raises:
            ReadError: The bytes are not what they seem, ask for a password, hold no text, or more
                of it than allowed.
        """


class Embedder(Protocol):
    """Turns texts into vectors of length 1 whose inner product is their likeness."""

    @property
    def fingerprint(self) -> str:
        """Names weights and preparation: equal fingerprints give interchangeable vectors."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read; what lies beyond is cut off."""

    def token_starts(self, text: str) -> Sequence[int]:
        """Return where each token of ``text`` begins, in code points, ascending."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one row a text, in the order given.

        Raises:
            ModelError: The model cannot be run.
        """


class ChatModel(Protocol):
    """A language model that answers messages, piece by piece."""

    @property
    def name(self) -> str:
        """The model's name, as an answer reports it."""

    @property
    def evidence_tokens(self) -> int:
        """Tokens of evidence that the model reads in good time on this machine."""

    def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        on_usage: Callable[[Usage], None] | None = None,
    ) -> AsyncIterator[str]:
        """Yield the reply in pieces as they come; closing the iterator stops the model.

        Args:
            messages: The conversation so far; the last one is answered.
            max_tokens: Longest reply.
            on_usage: Told, before the reply ends, of the tokens that were read and written, where
                the model says.

        Raises:
            ChatError: The model failed; what was yielded before stands.
        """

    async def close(self) -> None:
        """Free what the model holds."""


class Reranker(Protocol):
    """Looks at a question and each candidate together, which costs more and tells more."""

    @property
    def name(self) -> str:
        """Its name, as a trace reports it."""

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return a score a hit, in the hits' order; higher is better, comparable in one call only.

        Raises:
            ModelError: The model cannot be run.
        """

    async def close(self) -> None:
        """Free what it holds."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of the change log with what an index needs to follow it.

    A removal has no chunks. ``vectors`` has one row a chunk, float16.
    """

    number: int
    document_id: str
    title: str
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk id and its score by one engine, with the chunk's language where that is known."""

    chunk_id: str
    score: float
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class LexicalHits:
    """Chunks by BM25, best first.

    ``limit`` is the most that any text could score for the question: the sum over its terms of
    idf · (k1 + 1). How near the best hit comes to it says how much of the question it covers.
    """

    hits: Sequence[Scored]
    limit: float


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

    async def ids(self) -> Mapping[str, int]:
        """Return the ids of all by name, in the order of names, without counting anything."""

    async def delete(self, name: str) -> KnowledgeBase:
        """Delete it with all its documents, and return what it was.

        Raises:
            NotFoundError: There is none of that name.
        """


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """How far an index has come, and whether it wants to be built anew.

    ``applied`` is the number of the last change that is durable in it. ``worn`` says that what was
    replaced or removed since it was built still weighs on its scores.
    """

    applied: int
    worn: bool = False


class Index(Protocol):
    """A projection of one knowledge base's change log: searched, thrown away, rebuilt."""

    @property
    def state(self) -> IndexState:
        """Its state; cheap."""

    async def apply(self, batches: AsyncIterator[Sequence[Change]], *, anew: bool = False) -> None:
        """Follow the changes; durable on return, and harmless when applied twice.

        Args:
            batches: Changes, oldest first.
            anew: They are all there is: the index is built beside the one that is searched, and
                takes its place at the end.
        """

    async def lexical(
        self,
        text: str,
        top: int,
        documents: Collection[str] | None = None,
        also: Collection[str] = (),
    ) -> LexicalHits:
        """Return up to ``top`` chunks by BM25, best first, only of ``documents`` where given.

        The chunks ``also`` that hold a term of ``text`` are scored too, wherever they rank.
        """

    async def dense(
        self,
        vector: NDArray[np.float32],
        top: int,
        documents: Collection[str] | None = None,
        also: Collection[str] = (),
        *,
        level: bool = False,
    ) -> Sequence[Scored]:
        """Return up to ``top`` chunks by inner product, best first, only of ``documents``.

        The chunks ``also`` that the index holds are scored too, wherever they rank. Each says its
        language. With ``level``, a score is the inner product less that of the mean vector of the
        chunk's language over the index, so that chunks of different languages compare.
        """

    async def vectors(self, chunk_ids: Collection[str]) -> Mapping[str, NDArray[np.float32]]:
        """Return the vectors of those of ``chunk_ids`` that the index holds."""

    async def close(self) -> None:
        """Free what the index holds."""
