"""Made documents for tests: small, the same at each run, with a vector for every text."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from wenqu.protocols import Change, PutDocument
from wenqu.types import Block, Box, Chunk, Document, Span, chunk_id, document_id

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

__all__ = [
    "DIMENSION",
    "MODEL",
    "change_of",
    "chunks_of",
    "document_of",
    "embedding_key_of",
    "put_of",
    "vector_of",
]

DIMENSION = 16
MODEL = "made:1"


def document_of(source: str, *paragraphs: str, title: str | None = None) -> Document:
    """Return a document whose paragraphs stand on pages of their own, under one heading."""
    blocks: list[Block] = []
    at = 0
    for page, paragraph in enumerate(paragraphs, start=1):
        blocks.append(
            Block(
                span=Span(start=at, end=at + len(paragraph)),
                heading=("Part 部分",),
                page=page,
                box=Box(left=1.5, top=2, right=3, bottom=4.25) if page == 1 else None,
            )
        )
        at += len(paragraph) + 2
    return Document(
        id=document_id(source),
        source=source,
        title=source if title is None else title,
        text="\n\n".join(paragraphs),
        language="en",
        blocks=tuple(blocks),
        meta=MappingProxyType({"format": "made"}),
    )


def chunks_of(document: Document) -> list[Chunk]:
    """Return one chunk a block."""
    return [
        Chunk(
            id=chunk_id(document.id, block.span.start, text),
            document_id=document.id,
            text=text,
            start=block.span.start,
            end=block.span.end,
            heading=block.heading,
            pages=(block.page,) if block.page else (),
        )
        for block in document.blocks
        for text in (document.text[block.span.start : block.span.end],)
    ]


def embedding_key_of(text: str) -> str:
    """Return the key under which the vector of ``text`` is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def vector_of(text: str, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Return a vector of length 1 that depends on ``text`` alone; others are far from it."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def put_of(
    document: Document, *, known: Collection[str] = (), recipe: str = "recipe:1"
) -> PutDocument:
    """Return what stores ``document``, with the vectors of all its chunks but the ``known``."""
    chunks = chunks_of(document)
    keys = [embedding_key_of(chunk.text) for chunk in chunks]
    return PutDocument(
        document=document,
        chunks=chunks,
        embedding_keys=keys,
        embeddings={
            key: vector_of(chunk.text)
            for key, chunk in zip(keys, chunks, strict=True)
            if key not in known
        },
        content_hash=embedding_key_of(document.text),
        recipe=recipe,
    )


def change_of(number: int, document: Document) -> Change:
    """Return the change that an index sees of ``document``; one without blocks is a removal."""
    chunks = chunks_of(document)
    vectors = [vector_of(chunk.text) for chunk in chunks]
    return Change(
        number=number,
        document_id=document.id,
        title=document.title if chunks else "",
        chunks=chunks,
        vectors=np.array(vectors, np.float16).reshape(len(chunks), DIMENSION),
    )
