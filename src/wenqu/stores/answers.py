"""Answers in the database, with how each came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from wenqu.errors import NotFoundError
from wenqu.stores.moments import iso_utc
from wenqu.stores.schema import answers
from wenqu.types import AnswerRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from wenqu.stores.database import Database

__all__ = ["DatabaseAnswers"]

_LAST = "last"
_MAX_NUMBER = 2**31  # a longer run of digits is the beginning of an id


class DatabaseAnswers:
    """``AnswerStore`` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: AnswerRecord) -> None:
        """See the protocol."""
        row = {
            "id": record.id,
            "kb_id": record.kb,
            "kb_name": record.kb_name,
            "question": record.question,
            "outcome": record.outcome,
            "record": dict(record.data),
        }
        await self._database.write(lambda connection: connection.execute(insert(answers), row))

    async def get(self, name: str) -> AnswerRecord:
        """See the protocol."""
        wanted = name.strip()

        def work(connection: Connection) -> AnswerRecord:
            for meant in _meanings(wanted):
                query = select(answers).where(meant).order_by(answers.c.number.desc()).limit(2)
                found = connection.execute(query).all()
                if len(found) == 1 or (found and wanted == _LAST):
                    return _record(found[0])
                if found:
                    raise NotFoundError("error.answer_ambiguous", name=name)
            raise NotFoundError("error.answer_missing", name=name)

        return await self._database.read(work)

    async def list(self, kb: int | None = None, top: int | None = None) -> Sequence[AnswerRecord]:
        """See the protocol."""
        query = select(answers).order_by(answers.c.number.desc()).limit(top)
        if kb is not None:
            query = query.where(answers.c.kb_id == kb)
        return await self._database.read(
            lambda connection: [_record(row) for row in connection.execute(query)]
        )

    async def forget(self, kb: int | None = None) -> int:
        """See the protocol."""
        query = delete(answers)
        if kb is not None:
            query = query.where(answers.c.kb_id == kb)
        return await self._database.write(lambda connection: connection.execute(query).rowcount)


def _meanings(name: str) -> list[ColumnElement[bool]]:
    """Return what a name may mean, the surest first."""
    if name == _LAST:
        return [answers.c.number > 0]
    meanings = [answers.c.id == name]
    if name.isascii() and name.isdecimal() and int(name) < _MAX_NUMBER:
        meanings.append(answers.c.number == int(name))
    if name:
        meanings.append(answers.c.id.startswith(name, autoescape=True))
    return meanings


def _record(row: Row[tuple[object, ...]]) -> AnswerRecord:
    return AnswerRecord(
        number=row.number,
        id=row.id,
        kb=row.kb_id,
        kb_name=row.kb_name,
        question=row.question,
        outcome=row.outcome,
        data=row.record,
        created_at=iso_utc(row.created_at),
    )
