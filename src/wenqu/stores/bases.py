"""Knowledge bases in the database."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from wenqu.errors import ConflictError, InputError, NotFoundError, StoreError
from wenqu.stores.documents import drop_orphan_embeddings
from wenqu.stores.schema import documents, knowledge_bases
from wenqu.text.memory import tokens_of
from wenqu.text.normalize import storable
from wenqu.types import (
    MAX_CHUNK_OVERLAP,
    MAX_CHUNK_TOKENS,
    MAX_PROMPT_TOKENS,
    MIN_CHUNK_TOKENS,
    ChunkStrategy,
    KnowledgeBase,
    KnowledgeBaseSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.stores.database import Database

__all__ = ["DatabaseKnowledgeBases"]

_LIMITS = {
    "chunk_tokens": (MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS),
    "chunk_overlap": (0, MAX_CHUNK_OVERLAP),
}
_ID = select(knowledge_bases.c.id).where(knowledge_bases.c.name == bindparam("name"))
_NAME = re.compile(r"[\w][\w .\-]{0,63}")


class DatabaseKnowledgeBases:
    """``KnowledgeBaseStore`` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, settings: KnowledgeBaseSettings | None = None
    ) -> KnowledgeBase:
        """See the protocol."""
        name = _tidy(name)
        if not _NAME.fullmatch(name):
            raise InputError("error.kb_name", name=repr(name))
        own = _tidy_prompt(settings or KnowledgeBaseSettings())
        said = _settings_row(own)

        def work(connection: Connection) -> KnowledgeBase:
            try:
                row = connection.execute(insert(knowledge_bases).values(name=name, settings=said))
            except IntegrityError:
                raise ConflictError("error.kb_exists", name=name) from None
            key = row.inserted_primary_key
            return KnowledgeBase(id=int(key[0]) if key else 0, name=name, settings=own)

        return await self._database.write(work)

    async def configure(self, name: str, settings: KnowledgeBaseSettings) -> KnowledgeBase:
        """See the protocol."""
        said = _settings_row(_tidy_prompt(settings))

        def work(connection: Connection) -> KnowledgeBase:
            connection.execute(
                update(knowledge_bases)
                .where(knowledge_bases.c.name == _tidy(name))
                .values(settings=said)
            )
            found = _select(connection, name)
            if not found:
                raise NotFoundError("error.kb_missing", name=name)
            return found[0]

        return await self._database.write(work)

    async def get(self, name: str) -> KnowledgeBase:
        """See the protocol."""
        found = await self._database.read(lambda connection: _select(connection, name))
        if not found:
            raise NotFoundError("error.kb_missing", name=name)
        return found[0]

    async def list(self) -> Sequence[KnowledgeBase]:
        """See the protocol."""
        return await self._database.read(lambda connection: _select(connection, None))

    async def id_of(self, name: str) -> int:
        """See the protocol."""
        found = await self._database.remembered(
            ("id", name), lambda connection: connection.scalar(_ID, {"name": _tidy(name)})
        )
        if found is None:
            raise NotFoundError("error.kb_missing", name=name)
        return int(found)

    async def settings_of(self, kb: int) -> KnowledgeBaseSettings:
        """See the protocol."""
        query = select(knowledge_bases.c.name, knowledge_bases.c.settings).where(
            knowledge_bases.c.id == kb
        )
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return KnowledgeBaseSettings() if row is None else _settings(row.name, row.settings)

    async def ids(self) -> Mapping[str, int]:
        """See the protocol."""
        query = select(knowledge_bases.c.name, knowledge_bases.c.id).order_by(
            knowledge_bases.c.name
        )
        return await self._database.read(
            lambda connection: {row.name: row.id for row in connection.execute(query)}
        )

    async def delete(self, name: str) -> KnowledgeBase:
        """See the protocol."""

        def work(connection: Connection) -> KnowledgeBase:
            found = _select(connection, name)
            if not found:
                raise NotFoundError("error.kb_missing", name=name)
            # Documents, chunks and changes go with it (ON DELETE CASCADE).
            connection.execute(delete(knowledge_bases).where(knowledge_bases.c.id == found[0].id))
            drop_orphan_embeddings(connection)
            return found[0]

        return await self._database.write(work)

    async def delete_empty(self, kb: int) -> bool:
        """See the protocol."""
        filled = exists().where(documents.c.kb_id == kb)
        query = delete(knowledge_bases).where(knowledge_bases.c.id == kb, ~filled)
        return await self._database.write(lambda connection: connection.execute(query).rowcount > 0)


def _tidy(name: str) -> str:
    """Return the form of a name that is stored; what cannot be in one becomes a question mark."""
    return unicodedata.normalize("NFC", name).strip().encode("utf-8", "replace").decode()


def _tidy_prompt(settings: KnowledgeBaseSettings) -> KnowledgeBaseSettings:
    """Return the settings with their prompt as it is stored."""
    prompt = settings.prompt
    return settings if prompt is None else replace(settings, prompt=storable(prompt).strip())


def _select(connection: Connection, name: str | None) -> list[KnowledgeBase]:
    query = (
        select(
            knowledge_bases.c.id,
            knowledge_bases.c.name,
            knowledge_bases.c.settings,
            # Of columns that an index has: to read the table would be to read every text.
            func.count(documents.c.kb_id).label("documents"),
            func.coalesce(func.sum(documents.c.chunk_count), 0).label("chunks"),
            func.coalesce(func.sum(documents.c.characters), 0).label("characters"),
        )
        .outerjoin(documents, documents.c.kb_id == knowledge_bases.c.id)
        .group_by(knowledge_bases.c.id, knowledge_bases.c.name)
        .order_by(knowledge_bases.c.name)
    )
    if name is not None:
        query = query.where(knowledge_bases.c.name == _tidy(name))
    return [
        KnowledgeBase(**{**row, "settings": _settings(row["name"], row["settings"])})
        for row in connection.execute(query).mappings()
    ]


def _settings_row(settings: KnowledgeBaseSettings) -> dict[str, object]:
    """Return what is stored: only what the knowledge base says itself."""
    said = {name: value for name, value in asdict(settings).items() if value is not None}
    for name, (least, most) in _LIMITS.items():
        if name in said and not least <= said[name] <= most:
            raise InputError(
                "error.kb_setting", name=name, value=said[name], least=least, most=most
            )
    _check_prompt(settings.prompt)
    return said


def _check_prompt(prompt: str | None) -> None:
    if prompt is None:
        return
    if not prompt:
        raise InputError("error.kb_prompt_empty")
    if (tokens := tokens_of(prompt)) > MAX_PROMPT_TOKENS:
        raise InputError("error.kb_prompt_long", tokens=tokens, most=MAX_PROMPT_TOKENS)


def _settings(name: str, row: Mapping[str, object]) -> KnowledgeBaseSettings:
    """Return the settings in a row; what this version does not know is refused, never ignored."""
    try:
        _refuse_unknown(row)
        strategy = row.get("chunk_strategy")
        settings = replace(
            KnowledgeBaseSettings(**row),  # type: ignore[arg-type]
            chunk_strategy=None if strategy is None else ChunkStrategy(str(strategy)),
        )
        _settings_row(settings)
    except (InputError, TypeError, ValueError) as error:
        raise StoreError("error.kb_settings", name=name, reason=str(error)) from error
    return settings


def _refuse_unknown(row: Mapping[str, object]) -> None:
    unknown = sorted(row.keys() - {field.name for field in fields(KnowledgeBaseSettings)})
    if unknown:
        raise InputError("error.kb_setting_unknown", name=", ".join(unknown))
