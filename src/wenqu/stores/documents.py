"""Documents, chunks and embeddings in the database: a version is visible whole or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, delete, exists, func, insert, select

from wenqu.errors import InputError, NotFoundError, StoreError
from wenqu.protocols import StoredVersion
from wenqu.stores.batches import batched
from wenqu.stores.matching import Described, Names, described, given_days, matching, own_tags
from wenqu.stores.schema import changes, chunks, documents, embeddings, tags
from wenqu.types import Block, Document, DocumentInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.options import SearchFilter
    from wenqu.protocols import PutDocument
    from wenqu.stores.database import Database
    from wenqu.types import Span

__all__ = ["INFO_COLUMNS", "DatabaseDocuments", "document_info", "drop_orphan_embeddings"]


_TAG = re.compile(r"[^\s,;，；、](?:[^\n\r,;，；、]{0,62}[^\s,;，；、])?")
_KNOWN_BASES = 4
"""Knowledge bases of which is kept in memory what filters look at."""


class _Known(NamedTuple):
    """What filters look at of a base, at one state of its change log; ``own`` once it is wanted."""

    head: int
    names: Names
    own: Described | None


class DatabaseDocuments:
    """``DocumentStore`` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, _Known] = {}

    async def versions(self, kb: int) -> Sequence[StoredVersion]:
        """See the protocol."""
        query = (
            select(
                documents.c.id.label("document_id"),
                documents.c.source,
                documents.c.content_hash,
                documents.c.recipe,
            )
            .where(documents.c.kb_id == kb)
            .order_by(documents.c.source)
        )
        return await self._database.read(
            lambda connection: [
                StoredVersion(**row) for row in connection.execute(query).mappings()
            ]
        )

    async def known_embeddings(self, keys: Collection[str], model: str) -> set[str]:
        """See the protocol."""

        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            for some in batched(keys):
                query = select(embeddings.c.key).where(
                    embeddings.c.model == model, embeddings.c.key.in_(some)
                )
                found.update(connection.execute(query).scalars())
            return found

        return await self._database.read(work)

    async def put(self, kb: int, documents: Sequence[PutDocument], model: str) -> None:
        """See the protocol."""

        def work(connection: Connection) -> None:
            for document in documents:
                _put(connection, kb, document, model)

        await self._database.write(work)

    async def remove(self, kb: int, document_ids: Collection[str]) -> int:
        """See the protocol."""

        def work(connection: Connection) -> int:
            removed = sum(_remove(connection, kb, document_id) for document_id in document_ids)
            drop_orphan_embeddings(connection)
            return removed

        return await self._database.write(work)

    async def documents(self, kb: int) -> Sequence[DocumentInfo]:
        """See the protocol."""
        query = select(*INFO_COLUMNS).where(documents.c.kb_id == kb).order_by(documents.c.source)
        return await self._database.read(
            lambda connection: [document_info(row) for row in connection.execute(query)]
        )

    async def document(self, kb: int, document_id: str) -> Document:
        """See the protocol."""
        query = select(documents).where(documents.c.kb_id == kb, documents.c.id == document_id)
        row = await self._database.read(
            lambda connection: connection.execute(query).mappings().one_or_none()
        )
        if row is None:
            raise NotFoundError("error.document_missing", name=document_id)
        return Document(
            id=row["id"],
            source=row["source"],
            title=row["title"],
            language=row["language"],
            text=row["text"],
            blocks=tuple(Block.from_row(block) for block in row["blocks"]),
            meta=row["meta"],
            version=row["version"],
        )

    async def blocks(self, kb: int, document_id: str, span: Span) -> Sequence[Block]:
        """See the protocol."""
        query = select(documents.c.blocks).where(
            documents.c.kb_id == kb, documents.c.id == document_id
        )
        rows = await self._database.read(
            lambda connection: connection.execute(query).scalar_one_or_none() or ()
        )
        # A row begins with its start and end: a long document has many that need not be made.
        return [Block.from_row(row) for row in rows if row[0] < span.end and span.start < row[1]]

    async def matching(self, kb: int, where: SearchFilter) -> Collection[str]:
        """See the protocol."""
        given_days(where)  # refused before anything is looked for

        def work(connection: Connection) -> frozenset[str]:
            names, own = self._known_base(connection, kb, where)
            tagged = _given_tags(connection, kb) if where.tags else {}
            return matching(where, names, own, tagged)

        return await self._database.read(work)

    async def tag(
        self,
        kb: int,
        document_ids: Collection[str],
        *,
        add: Collection[str] = (),
        remove: Collection[str] = (),
    ) -> None:
        """See the protocol."""
        for tag in add:
            if not _TAG.fullmatch(tag):
                raise InputError("error.tag", tag=tag)

        def work(connection: Connection) -> None:
            for some in batched(document_ids):
                here = documents.c.kb_id == kb, documents.c.id.in_(some)
                _tag(
                    connection,
                    kb,
                    connection.execute(select(documents.c.id).where(*here)).scalars().all(),
                    add,
                    remove,
                )

        await self._database.write(work)

    async def tags(self, kb: int) -> Mapping[str, Sequence[str]]:
        """See the protocol."""

        def work(connection: Connection) -> dict[str, Sequence[str]]:
            found = _given_tags(connection, kb)
            query = select(documents.c.id, documents.c.meta).where(documents.c.kb_id == kb)
            for row in connection.execute(query):
                if own := own_tags(row.meta):
                    found[row.id] = list(dict.fromkeys([*found.get(row.id, ()), *own]))
            return dict(found)

        return await self._database.read(work)

    async def vectors(
        self, kb: int, chunk_ids: Collection[str], model: str
    ) -> Mapping[str, NDArray[np.float32]]:
        """See the protocol."""

        def work(connection: Connection) -> dict[str, NDArray[np.float32]]:
            found = {}
            for some in batched(chunk_ids):
                query = (
                    select(chunks.c.id, embeddings.c.vector)
                    .join(embeddings, embeddings.c.key == chunks.c.embedding_key)
                    .where(chunks.c.kb_id == kb, chunks.c.id.in_(some))
                    .where(embeddings.c.model == model)
                )
                for row in connection.execute(query):
                    found[row.id] = np.frombuffer(row.vector, "<f2").astype(np.float32)
            return found

        return await self._database.read(work)

    def _known_base(
        self, connection: Connection, kb: int, where: SearchFilter
    ) -> tuple[Names, Described]:
        """Return what filters look at, read from the database once for each state of the base."""
        query = select(func.coalesce(func.max(changes.c.number), 0)).where(changes.c.kb_id == kb)
        head: int = connection.execute(query).scalar_one()
        known = self._known.get(kb)
        if known is None or known.head != head:
            known = _Known(head, _names(connection, kb), None)
        if known.own is None and (where.tags or where.since or where.until):
            query_meta = select(documents.c.id, documents.c.meta).where(documents.c.kb_id == kb)
            rows = connection.execute(query_meta)
            known = known._replace(own=described((row.id, row.meta) for row in rows))
        # Others may do the same at the same time: each step leaves a whole mapping.
        others = [(base, one) for base, one in self._known.items() if base != kb]
        self._known = {**dict(others[1 - _KNOWN_BASES :]), kb: known}
        return known.names, known.own or Described({}, {})


INFO_COLUMNS = (
    documents.c.id.label("info_id"),
    documents.c.source,
    documents.c.title,
    documents.c.language,
    documents.c.version,
    documents.c.chunk_count,
    documents.c.characters,
)


def document_info(row: Sequence[Any]) -> DocumentInfo:
    """Return the document that a row of ``INFO_COLUMNS`` describes."""
    name, source, title, language, version, chunk_count, characters = row
    return DocumentInfo(
        id=name,
        source=source,
        title=title,
        language=language,
        version=version,
        chunks=chunk_count,
        characters=characters,
    )


def drop_orphan_embeddings(connection: Connection) -> None:
    """Delete the embeddings that no chunk of any knowledge base uses."""
    used = exists().where(chunks.c.embedding_key == embeddings.c.key)
    connection.execute(delete(embeddings).where(~used))


def _put(connection: Connection, kb: int, put: PutDocument, model: str) -> None:
    document = put.document
    last = connection.execute(
        select(func.max(changes.c.version)).where(
            changes.c.kb_id == kb, changes.c.document_id == document.id
        )
    ).scalar()
    version = (last or 0) + 1
    _delete_rows(connection, kb, document.id)
    connection.execute(
        insert(documents).values(
            kb_id=kb,
            id=document.id,
            source=document.source,
            title=document.title,
            language=document.language,
            text=document.text,
            blocks=[block.to_row() for block in document.blocks],
            meta=dict(document.meta),
            version=version,
            content_hash=put.content_hash,
            recipe=put.recipe,
            characters=len(document.text),
            chunk_count=len(put.chunks),
        )
    )
    if put.chunks:
        connection.execute(insert(chunks), _chunk_rows(kb, put))
    _put_embeddings(connection, put, model)
    connection.execute(insert(changes).values(kb_id=kb, document_id=document.id, version=version))


def _chunk_rows(kb: int, put: PutDocument) -> list[dict[str, object]]:
    return [
        {
            "kb_id": kb,
            "id": chunk.id,
            "document_id": chunk.document_id,
            "position": position,
            "start": chunk.start,
            "end": chunk.end,
            "text": chunk.text,
            "heading": list(chunk.heading),
            "pages": list(chunk.pages),
            "header": chunk.header,
            "embedding_key": key,
        }
        for position, (chunk, key) in enumerate(zip(put.chunks, put.embedding_keys, strict=True))
    ]


def _put_embeddings(connection: Connection, put: PutDocument, model: str) -> None:
    # Since the caller looked, another process may have stored some of them, or removed the last
    # chunk that used one which is taken to be here.
    present: set[str] = set()
    for keys in batched(set(put.embedding_keys)):
        present.update(
            connection.execute(
                select(embeddings.c.key).where(
                    embeddings.c.model == model, embeddings.c.key.in_(keys)
                )
            ).scalars()
        )
    if not present.issuperset(set(put.embedding_keys) - put.embeddings.keys()):
        raise StoreError("error.vectors_missing", model=model)
    rows = [
        {"key": key, "model": model, "vector": vector.astype("<f2").tobytes()}
        for key, vector in put.embeddings.items()
        if key not in present
    ]
    if rows:
        connection.execute(insert(embeddings), rows)


def _names(connection: Connection, kb: int) -> Names:
    query = select(documents.c.id, documents.c.source, documents.c.title)
    rows = connection.execute(query.where(documents.c.kb_id == kb)).all()
    return Names(
        [row.id for row in rows],
        [row.source for row in rows],
        [row.title.casefold() for row in rows],
    )


def _given_tags(connection: Connection, kb: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    query = select(tags.c.document_id, tags.c.tag).where(tags.c.kb_id == kb).order_by(tags.c.tag)
    for row in connection.execute(query):
        found.setdefault(row.document_id, []).append(row.tag)
    return found


def _tag(
    connection: Connection,
    kb: int,
    document_ids: Sequence[str],
    add: Collection[str],
    remove: Collection[str],
) -> None:
    """Take all of these tags away, then give those to be added, so that none comes twice."""
    if not document_ids or not (add or remove):
        return
    connection.execute(
        delete(tags).where(
            tags.c.kb_id == kb,
            tags.c.document_id.in_(document_ids),
            tags.c.tag.in_({*add, *remove}),
        )
    )
    rows = [
        {"kb_id": kb, "document_id": document_id, "tag": tag}
        for document_id in document_ids
        for tag in sorted(set(add))
    ]
    if rows:
        connection.execute(insert(tags), rows)


def _remove(connection: Connection, kb: int, document_id: str) -> int:
    if not _delete_rows(connection, kb, document_id):
        return 0
    connection.execute(delete(tags).where(tags.c.kb_id == kb, tags.c.document_id == document_id))
    connection.execute(insert(changes).values(kb_id=kb, document_id=document_id, version=0))
    return 1


def _delete_rows(connection: Connection, kb: int, document_id: str) -> int:
    # Chunks go with their document (ON DELETE CASCADE).
    return connection.execute(
        delete(documents).where(documents.c.kb_id == kb, documents.c.id == document_id)
    ).rowcount
