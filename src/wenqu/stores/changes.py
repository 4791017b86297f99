"""The change log that indexes follow, and the way back from a chunk id to its chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, bindparam, func, select

from wenqu.errors import StoreError
from wenqu.protocols import Change
from wenqu.stores.batches import batched
from wenqu.stores.documents import INFO_COLUMNS, document_info
from wenqu.stores.schema import changes, chunks, documents, embeddings
from wenqu.types import Chunk, DocumentInfo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from wenqu.stores.database import Database

__all__ = ["DatabaseChangeLog"]

_DOCUMENTS_IN_A_BATCH = 200


class DatabaseChangeLog:
    """``ChangeLog`` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self, kb: int) -> int:
        """See the protocol."""
        found = await self._database.remembered(
            ("head", kb), lambda c: c.execute(_HEAD, {"kb": kb}).scalar()
        )
        return int(found or 0)

    async def changes(self, kb: int, after: int, model: str) -> AsyncIterator[Sequence[Change]]:
        """See the protocol."""
        last = func.max(changes.c.number)
        query = (
            select(last.label("number"), changes.c.document_id)
            .where(changes.c.kb_id == kb, changes.c.number > after)
            .group_by(changes.c.document_id)
            .order_by(last)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        for some in batched(rows, _DOCUMENTS_IN_A_BATCH):
            numbers = {row.document_id: row.number for row in some}
            yield await self._database.read(
                lambda c, numbers=numbers: _load(c, kb, numbers, model)  # type: ignore[misc]
            )

    async def chunks(
        self, kb: int, chunk_ids: Collection[str]
    ) -> Mapping[str, tuple[Chunk, DocumentInfo]]:
        """See the protocol."""

        def work(connection: Connection) -> dict[str, tuple[Chunk, DocumentInfo]]:
            found = {}
            for some in batched(chunk_ids):
                for row in connection.execute(_CHUNKS, {"kb": kb, "ids": some}):
                    chunk = _chunk(row)
                    found[chunk.id] = chunk, document_info(row[len(_CHUNK_COLUMNS) :])
            return found

        return await self._database.read(work)

    async def document_chunks(self, kb: int, document_id: str) -> Sequence[Chunk]:
        """See the protocol."""
        query = (
            select(*_CHUNK_COLUMNS)
            .where(chunks.c.kb_id == kb, chunks.c.document_id == document_id)
            .order_by(chunks.c.position)
        )
        return await self._database.read(lambda c: [_chunk(row) for row in c.execute(query)])


_CHUNK_COLUMNS = (
    chunks.c.id,
    chunks.c.document_id,
    chunks.c.text,
    chunks.c.start,
    chunks.c.end,
    chunks.c.heading,
    chunks.c.pages,
    chunks.c.header,
)
# Every search runs these two: made once, they take half as long.
_HEAD = select(func.coalesce(func.max(changes.c.number), 0)).where(
    changes.c.kb_id == bindparam("kb")
)
_CHUNKS = (
    select(*_CHUNK_COLUMNS, *INFO_COLUMNS)
    .join(
        documents,
        (documents.c.kb_id == chunks.c.kb_id) & (documents.c.id == chunks.c.document_id),
    )
    .where(chunks.c.kb_id == bindparam("kb"), chunks.c.id.in_(bindparam("ids", expanding=True)))
)


def _load(connection: Connection, kb: int, numbers: Mapping[str, int], model: str) -> list[Change]:
    titles = {
        row.id: row.title
        for row in connection.execute(
            select(documents.c.id, documents.c.title).where(
                documents.c.kb_id == kb, documents.c.id.in_(numbers)
            )
        )
    }
    query = (
        select(*_CHUNK_COLUMNS, embeddings.c.vector)
        .outerjoin(
            embeddings,
            (embeddings.c.key == chunks.c.embedding_key) & (embeddings.c.model == model),
        )
        .where(chunks.c.kb_id == kb, chunks.c.document_id.in_(numbers))
        .order_by(chunks.c.document_id, chunks.c.position)
    )
    found: dict[str, list[tuple[Chunk, bytes]]] = {document_id: [] for document_id in numbers}
    for row in connection.execute(query):
        if row.vector is None:
            raise StoreError("error.vectors_missing", model=model)
        found[row.document_id].append((_chunk(row), row.vector))
    return [
        Change(
            number=number,
            document_id=document_id,
            title=titles.get(document_id, ""),
            chunks=[chunk for chunk, _ in found[document_id]],
            vectors=np.array(
                [np.frombuffer(vector, "<f2") for _, vector in found[document_id]], np.float16
            ),
        )
        for document_id, number in numbers.items()
    ]


def _chunk(row: Sequence[Any]) -> Chunk:
    """Return the chunk that a row describes which begins with ``_CHUNK_COLUMNS``.

    By place: every search makes a few dozen, and by name each column takes several times as long.
    """
    name, document_id, text, start, end, heading, pages, header = row[: len(_CHUNK_COLUMNS)]
    return Chunk(
        id=name,
        document_id=document_id,
        text=text,
        start=start,
        end=end,
        heading=tuple(heading),
        pages=tuple(pages),
        header=header,
    )
