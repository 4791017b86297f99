"""What wenqu says as JSON: one shape for the command line, the server and whoever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.messages import Phrase

if TYPE_CHECKING:
    from wenqu.errors import WenquError
    from wenqu.messages import Locale
    from wenqu.types import (
        Answer,
        AnswerRecord,
        Box,
        CheckedSentence,
        Chunk,
        Chunking,
        Citation,
        Conversation,
        Document,
        DocumentInfo,
        Evidence,
        Hit,
        KnowledgeBase,
        SearchHits,
        Trace,
    )

__all__ = [
    "answer_payload",
    "chunk_payload",
    "conversation_payload",
    "document_info_payload",
    "document_payload",
    "error_payload",
    "evidence_payload",
    "knowledge_base_payload",
    "record_payload",
    "search_payload",
    "stages_payload",
]

Payload = dict[str, object]


def search_payload(found: SearchHits) -> Payload:
    """Return hits, best first, the stages that were skipped, and milliseconds a stage."""
    return {
        "hits": [_hit_payload(hit) for hit in found.hits],
        "skipped": _skipped_payload(found.trace, "en"),
        "timings_ms": found.trace.timings_ms,
    }


def _hit_payload(hit: Hit) -> Payload:
    """Return a hit; ``document`` is the source, ``start`` and ``end`` count code points in it.

    ``header`` has the header rows of the table that ``text`` begins inside of, else nothing.
    """
    return {
        "document": hit.document.source,
        "document_id": hit.document.id,
        "title": hit.document.title,
        "heading": list(hit.chunk.heading),
        "page": hit.chunk.page,
        "chunk": hit.chunk.id,
        "header": hit.chunk.header,
        "text": hit.chunk.text,
        "start": hit.chunk.start,
        "end": hit.chunk.end,
        "score": round(hit.score, 6),
        "scores": {origin.value: round(score, 6) for origin, score in hit.scores.items()},
    }


def answer_payload(answer: Answer) -> Payload:
    """Return an answer with all it rests on; ``id`` names its record, null where none is kept."""
    return {
        "id": answer.id,
        "outcome": answer.outcome.value,
        "answer": answer.text,
        "language": answer.language,
        "citations": [citation_payload(citation) for citation in answer.citations],
        "sentences": [_sentence_payload(sentence) for sentence in answer.sentences],
        "hits": [_hit_payload(hit) for hit in answer.hits],
        "model": answer.model,
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
        },
        "skipped": _skipped_payload(answer.trace, answer.language),
        "timings_ms": answer.trace.timings_ms,
    }


def _skipped_payload(trace: Trace, locale: Locale) -> list[Payload]:
    return [
        {
            "stage": stage.name,
            "reason": reason.told(locale) if isinstance(reason, Phrase) else reason,
        }
        for stage in trace.stages
        if (reason := stage.skipped)
    ]


def record_payload(record: AnswerRecord) -> Payload:
    """Return a kept answer: what was asked and how, all that came of it, and each stage."""
    return {
        "number": record.number,
        "id": record.id,
        "created_at": record.created_at,
        "kb": record.kb_name,
        "question": record.question,
        **record.data,
    }


def stages_payload(trace: Trace) -> list[Payload]:
    """Return the stages of a trace, in the order in which they ended."""
    return [
        {
            "name": stage.name,
            "ms": round(stage.ms, 2),
            "skipped": stage.skipped,
            "detail": dict(stage.detail),
        }
        for stage in trace.stages
    ]


def citation_payload(citation: Citation) -> Payload:
    """Return a citation; ``quote`` is exactly what stands at ``start``–``end`` of the document.

    ``boxes`` are where it stands on the pages of a PDF, in points, or of a picture, in pixels.
    """
    return {
        "marker": citation.marker,
        "document": citation.hit.document.source,
        "document_id": citation.hit.document.id,
        "title": citation.hit.document.title,
        "heading": list(citation.chunk.heading),
        "page": citation.page,
        "boxes": [
            {"page": place.page, **_box_payload(place.box)}
            for place in citation.places
            if place.box is not None
        ],
        "chunk": citation.chunk.id,
        "sentence": citation.sentence,
        "quote": citation.quote,
        "start": citation.span.start,
        "end": citation.span.end,
        "supported": citation.supported,
    }


def _sentence_payload(sentence: CheckedSentence) -> Payload:
    """Return a sentence; ``start`` and ``end`` count code points of the answer's text."""
    return {
        "text": sentence.text,
        "start": sentence.span.start,
        "end": sentence.span.end,
        "markers": list(sentence.markers),
        "supported": sentence.supported,
        "missing": list(sentence.missing),
    }


def _box_payload(box: Box) -> Payload:
    return {name: round(getattr(box, name), 2) for name in ("left", "top", "right", "bottom")}


def evidence_payload(evidence: Evidence) -> Payload:
    """Return a numbered source, as it is shown before the first word of an answer.

    It is a hit, but ``text`` has only the sentences of it that the answer may use.
    """
    return {"marker": evidence.marker, **_hit_payload(evidence.hit), "text": evidence.text}


def knowledge_base_payload(kb: KnowledgeBase, chunking: Chunking) -> Payload:
    """Return a knowledge base with its counts, how its documents are cut, and its own prompt."""
    return {
        "name": kb.name,
        "documents": kb.documents,
        "chunks": kb.chunks,
        "characters": kb.characters,
        "chunk_strategy": chunking.strategy.value,
        "chunk_tokens": chunking.max_tokens,
        "chunk_overlap": chunking.shared,
        "prompt": kb.settings.prompt,
    }


def conversation_payload(talk: Conversation) -> Payload:
    """Return a conversation with the turns of the branch in use, oldest first."""
    return {
        "id": talk.id,
        "kb": talk.kb_name,
        "title": talk.title,
        "created_at": talk.created_at,
        "turns": [
            {
                "id": turn.id,
                "question": turn.question,
                "answer": turn.answer,
                "outcome": turn.outcome,
                "answer_id": turn.answer_id,
                "created_at": turn.created_at,
                **turn.detail,
            }
            for turn in talk.turns
        ],
    }


def document_info_payload(info: DocumentInfo) -> Payload:
    """Return a document without its text."""
    return {
        "id": info.id,
        "source": info.source,
        "title": info.title,
        "language": info.language,
        "version": info.version,
        "chunks": info.chunks,
        "characters": info.characters,
    }


def document_payload(document: Document) -> Payload:
    """Return a document with text and metadata."""
    return {
        **document_info_payload(document.info),
        "characters": len(document.text),
        "meta": dict(document.meta),
        "text": document.text,
    }


def chunk_payload(chunk: Chunk) -> Payload:
    """Return a chunk with its span."""
    return {
        "id": chunk.id,
        "start": chunk.start,
        "end": chunk.end,
        "heading": list(chunk.heading),
        "pages": list(chunk.pages),
        "header": chunk.header,
        "text": chunk.text,
    }


def error_payload(error: WenquError, locale: Locale) -> Payload:
    """Return what went wrong and what to do about it."""
    return {
        "error": error.key,
        "message": error.message(locale),
        "hint": error.hint(locale),
        "retryable": error.retryable,
    }
