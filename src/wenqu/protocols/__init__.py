"""The seams: what each pluggable part must do. Engines implement these; pipelines see only these.

Every protocol has a contract suite in ``wenqu.testing.contracts`` that each engine, real or fake,
passes. I/O is async; pure computation is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.protocols._indexes import (
    Change,
    ChunkVectors,
    Index,
    IndexState,
    LexicalHits,
    Scored,
    Sense,
    Senses,
)
from wenqu.protocols._models import (
    ChatModel,
    Dictionary,
    Embedder,
    Reranker,
)
from wenqu.protocols._reading import (
    DEFAULT_OPTIONS,
    MissedFile,
    Reader,
    ReadOptions,
    Sample,
    SourceFile,
)
from wenqu.protocols._sequences import (
    Entry,
    Room,
    Sequences,
)
from wenqu.protocols._stores import (
    AnswerStore,
    ChangeLog,
    ConversationStore,
    DocumentStore,
    GateStore,
    KnowledgeBaseStore,
    PutDocument,
    StoredGate,
    StoredVersion,
)

if TYPE_CHECKING:
    from wenqu.protocols._models import Vectors as Vectors  # for type checkers alone

__all__ = [
    "DEFAULT_OPTIONS",
    "AnswerStore",
    "Change",
    "ChangeLog",
    "ChatModel",
    "ChunkVectors",
    "ConversationStore",
    "Dictionary",
    "DocumentStore",
    "Embedder",
    "Entry",
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
    "Room",
    "Sample",
    "Scored",
    "Sense",
    "Senses",
    "Sequences",
    "SourceFile",
    "StoredGate",
    "StoredVersion",
]
