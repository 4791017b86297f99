"""The values that flow between layers: frozen, slotted, keyword-only.

Spans are half-open and count code points of a document's text:
``document.text[chunk.start:chunk.end] == chunk.text`` holds for every chunk.
Nothing here imports anything heavy, so that any module may import it.
"""

from __future__ import annotations

from wenqu.choices import MAX_CHUNK_OVERLAP, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, ChunkStrategy
from wenqu.types._answers import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerRecord,
    AnswerText,
    CheckedSentence,
    Citation,
    Conversation,
    Evidence,
    EvidenceFound,
    Message,
    Outcome,
    Turn,
    Usage,
)
from wenqu.types._documents import (
    MAX_PROMPT_TOKENS,
    Block,
    BlockKind,
    Box,
    Chunk,
    Chunking,
    Document,
    DocumentInfo,
    KnowledgeBase,
    KnowledgeBaseSettings,
    Language,
    Place,
    Span,
    chunk_id,
    document_id,
)
from wenqu.types._search import (
    Hit,
    Origin,
    Qrels,
    Query,
    Run,
    SearchHits,
    Stage,
    Trace,
)

__all__ = [
    "MAX_CHUNK_OVERLAP",
    "MAX_CHUNK_TOKENS",
    "MAX_PROMPT_TOKENS",
    "MIN_CHUNK_TOKENS",
    "Answer",
    "AnswerEvent",
    "AnswerFinished",
    "AnswerRecord",
    "AnswerText",
    "Block",
    "BlockKind",
    "Box",
    "CheckedSentence",
    "Chunk",
    "ChunkStrategy",
    "Chunking",
    "Citation",
    "Conversation",
    "Document",
    "DocumentInfo",
    "Evidence",
    "EvidenceFound",
    "Hit",
    "KnowledgeBase",
    "KnowledgeBaseSettings",
    "Language",
    "Message",
    "Origin",
    "Outcome",
    "Place",
    "Qrels",
    "Query",
    "Run",
    "SearchHits",
    "Span",
    "Stage",
    "Trace",
    "Turn",
    "Usage",
    "chunk_id",
    "document_id",
]
