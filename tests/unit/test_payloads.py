from __future__ import annotations

import json
from types import MappingProxyType

from wenqu import payloads
from wenqu.errors import DownloadError, NotFoundError
from wenqu.testing.samples import chunks_of, document_of
from wenqu.types import (
    Answer,
    Box,
    CheckedSentence,
    Chunking,
    ChunkStrategy,
    Citation,
    Evidence,
    Hit,
    KnowledgeBase,
    Origin,
    Outcome,
    Place,
    SearchHits,
    Span,
    Stage,
    Trace,
    Usage,
)

DOCUMENT = document_of("/书/桥.pdf", "赵州桥建于隋代。", title="桥")
CHUNK = chunks_of(DOCUMENT)[0]
HIT = Hit(
    chunk=CHUNK,
    document=DOCUMENT.info,
    score=0.87654321,
    origin=Origin.FUSED,
    scores=MappingProxyType(
        {Origin.LEXICAL: 3.14159265, Origin.DENSE: 0.91234567, Origin.FUSED: 0.87654321}
    ),
)
TRACE = Trace(
    stages=(Stage(name="lexical", ms=1.239), Stage(name="generate", ms=2.0, skipped="no model"))
)
TIMINGS = {"lexical": 1.24, "generate": 2.0, "total": 3.24}
HIT_PAYLOAD = {
    "document": "/书/桥.pdf",
    "document_id": DOCUMENT.id,
    "title": "桥",
    "heading": ["Part 部分"],
    "page": 1,
    "chunk": CHUNK.id,
    "header": "",
    "text": "赵州桥建于隋代。",
    "start": 0,
    "end": 8,
    "score": 0.876543,
    "scores": {"lexical": 3.141593, "dense": 0.912346, "fused": 0.876543},
}


def test_search_prints_hits_and_timings() -> None:
    payload = payloads.search_payload(SearchHits(hits=(HIT,), trace=TRACE))
    skipped = [{"stage": "generate", "reason": "no model"}]
    assert payload == {"hits": [HIT_PAYLOAD], "skipped": skipped, "timings_ms": TIMINGS}
    assert json.loads(json.dumps(payload)) == payload


def test_an_answer_prints_outcome_text_citations_hits_and_timings() -> None:
    citation = Citation(
        marker=1,
        hit=HIT,
        sentence="它建于隋代 [1]。",
        quote="建于隋代",
        span=Span(start=3, end=7),
        supported=True,
        places=(
            Place(page=2, box=Box(left=72, top=100.126, right=300.5, bottom=112)),
            Place(page=3),
        ),
    )
    answer = Answer(
        outcome=Outcome.ANSWERED,
        text="它建于隋代 [1]。",
        sentences=(
            CheckedSentence(
                span=Span(start=0, end=10),
                text="它建于隋代。",
                markers=(1,),
                supported=False,
                missing=("隋代",),
            ),
        ),
        language="zh",
        citations=(citation,),
        hits=(HIT,),
        trace=TRACE,
        usage=Usage(prompt_tokens=3, completion_tokens=2),
    )
    payload = payloads.answer_payload(answer)
    assert payload == {
        "id": None,
        "outcome": "answered",
        "answer": "它建于隋代 [1]。",
        "language": "zh",
        "citations": [
            {
                "marker": 1,
                "document": "/书/桥.pdf",
                "document_id": DOCUMENT.id,
                "title": "桥",
                "heading": ["Part 部分"],
                "page": 2,
                "boxes": [{"page": 2, "left": 72, "top": 100.13, "right": 300.5, "bottom": 112}],
                "chunk": CHUNK.id,
                "sentence": "它建于隋代 [1]。",
                "quote": "建于隋代",
                "start": 3,
                "end": 7,
                "supported": True,
            }
        ],
        "sentences": [
            {
                "text": "它建于隋代。",
                "start": 0,
                "end": 10,
                "markers": [1],
                "supported": False,
                "missing": ["隋代"],
            }
        ],
        "hits": [HIT_PAYLOAD],
        "model": None,
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "skipped": [{"stage": "generate", "reason": "no model"}],
        "timings_ms": TIMINGS,
    }
    assert json.loads(json.dumps(payload)) == payload
    assert DOCUMENT.text[3:7] == "建于隋代"


def test_evidence_prints_its_hit_with_only_what_an_answer_may_use() -> None:
    evidence = Evidence(marker=2, hit=HIT, text="建于隋代。", spans=(Span(start=3, end=8),))
    payload = payloads.evidence_payload(evidence)
    assert payload == {"marker": 2, **HIT_PAYLOAD, "text": "建于隋代。"}


def test_documents_print_with_and_without_their_text() -> None:
    info = payloads.document_info_payload(DOCUMENT.info)
    assert set(info) == {
        "id",
        "source",
        "title",
        "language",
        "version",
        "chunks",
        "characters",
    }
    whole = payloads.document_payload(DOCUMENT)
    assert whole["text"] == DOCUMENT.text
    assert whole["characters"] == len(DOCUMENT.text)
    assert whole["meta"] == {"format": "made"}
    assert payloads.chunk_payload(CHUNK) == {
        "id": CHUNK.id,
        "start": 0,
        "end": 8,
        "heading": ["Part 部分"],
        "pages": [1],
        "header": "",
        "text": "赵州桥建于隋代。",
    }


def test_a_knowledge_base_prints_its_counts_and_how_it_cuts_documents() -> None:
    base = KnowledgeBase(id=7, name="规章", documents=1, chunks=2, characters=3)
    chunking = Chunking(strategy=ChunkStrategy.RECURSIVE, max_tokens=64, overlap=50)
    assert payloads.knowledge_base_payload(base, chunking) == {
        "name": "规章",
        "documents": 1,
        "chunks": 2,
        "characters": 3,
        "chunk_strategy": "recursive",
        "chunk_tokens": 64,
        "chunk_overlap": 32,
        "prompt": None,
    }


def test_an_error_prints_what_to_do_in_the_users_language() -> None:
    payload = payloads.error_payload(NotFoundError("error.kb_missing", name="规章"), "zh")
    assert payload["error"] == "error.kb_missing"
    assert payload["message"] == "没有名为 规章 的知识库。"
    assert "wenqu add" in str(payload["hint"])
    assert payload["retryable"] is False
    download = DownloadError("error.model_write", path="a", reason="b")
    assert payloads.error_payload(download, "en")["retryable"] is True
