"""Conversations in the database."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from wenqu.errors import NotFoundError
from wenqu.stores.batches import batched
from wenqu.stores.moments import iso_utc
from wenqu.stores.schema import conversations, turns
from wenqu.types import Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Connection, Row

    from wenqu.stores.database import Database

__all__ = ["DatabaseConversations"]

_ID_BYTES = 8
_TITLE = 80


class DatabaseConversations:
    """``ConversationStore`` on the database.

    Args:
        database: Where they are kept.
        now: Tells the time, with its zone.
    """

    def __init__(
        self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    async def create(self, kb_name: str | None = None, owner: str = "") -> Conversation:
        """See the protocol."""
        now = self._now()
        row = {
            "id": secrets.token_hex(_ID_BYTES),
            "kb_name": kb_name,
            "owner": owner,
            "created_at": now,
            "used_at": now,
        }

        def work(connection: Connection) -> Conversation:
            connection.execute(insert(conversations).values(row))
            return _conversation(_row(connection, str(row["id"])), ())

        return await self._database.write(work)

    async def get(self, conversation: str, owner: str | None = None) -> Conversation:
        """See the protocol."""

        def work(connection: Connection) -> Conversation:
            row = _row(connection, conversation)
            if owner is not None and row.owner != owner:
                raise NotFoundError("error.conversation_missing", id=conversation)
            return _conversation(row, _branch(connection, row))

        return await self._database.read(work)

    async def add(self, conversation: str, turn: Turn) -> None:
        """See the protocol."""
        now = self._now()

        def work(connection: Connection) -> None:
            row = _row(connection, conversation)
            connection.execute(
                insert(turns).values(
                    id=turn.id,
                    conversation_id=conversation,
                    parent_id=turn.parent,
                    question=turn.question,
                    answer=turn.answer,
                    outcome=turn.outcome,
                    answer_id=turn.answer_id,
                    detail=dict(turn.detail),
                    created_at=now,
                )
            )
            title = row.title or " ".join(turn.question.split())[:_TITLE]
            connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation)
                .values(head=turn.id, used_at=now, title=title)
            )

        await self._database.write(work)

    async def go_to(self, conversation: str, turn: str | None) -> None:
        """See the protocol."""

        def work(connection: Connection) -> None:
            known = select(turns.c.id).where(
                turns.c.conversation_id == conversation, turns.c.id == turn
            )
            if turn is not None and connection.scalar(known) is None:
                raise NotFoundError("error.turn_missing", id=turn)
            _row(connection, conversation)
            connection.execute(
                update(conversations).where(conversations.c.id == conversation).values(head=turn)
            )

        await self._database.write(work)

    async def summarise(self, conversation: str, summary: str, turn: str) -> None:
        """See the protocol."""
        said = {"text": summary, "turn": turn}
        query = update(conversations).where(conversations.c.id == conversation)
        await self._database.write(
            lambda connection: connection.execute(query.values(summary=said))
        )

    async def list(self, owner: str | None = None) -> Sequence[Conversation]:
        """See the protocol."""
        query = select(conversations).order_by(conversations.c.used_at.desc(), conversations.c.id)
        if owner is not None:
            query = query.where(conversations.c.owner == owner)
        return await self._database.read(
            lambda connection: [_conversation(row, ()) for row in connection.execute(query)]
        )

    async def delete(self, conversations: Collection[str]) -> int:
        """See the protocol."""
        return await self._database.write(lambda connection: _delete(connection, conversations))

    async def expire(self, before: str, owner: str = "") -> int:
        """See the protocol."""
        query = delete(conversations).where(
            conversations.c.owner == owner,
            conversations.c.used_at < datetime.fromisoformat(before),
        )
        return await self._database.write(lambda connection: connection.execute(query).rowcount)


def _delete(connection: Connection, ids: Collection[str]) -> int:
    return sum(
        connection.execute(delete(conversations).where(conversations.c.id.in_(batch))).rowcount
        for batch in batched(ids)
    )


def _row(connection: Connection, conversation: str) -> Row[tuple[object, ...]]:
    found = connection.execute(
        select(conversations).where(conversations.c.id == conversation)
    ).one_or_none()
    if found is None:
        raise NotFoundError("error.conversation_missing", id=conversation)
    return found


def _branch(connection: Connection, row: Row[tuple[object, ...]]) -> tuple[Turn, ...]:
    """Return the turns from the first to the one that the next will follow."""
    query = select(turns).where(turns.c.conversation_id == row.id)
    by_id = {one.id: _turn(one) for one in connection.execute(query)}
    branch: list[Turn] = []
    at = row.head
    while at in by_id:
        branch.append(by_id.pop(at))
        at = branch[-1].parent
    return tuple(reversed(branch))


def _turn(row: Row[tuple[object, ...]]) -> Turn:
    return Turn(
        id=row.id,
        question=row.question,
        answer=row.answer,
        outcome=row.outcome,
        parent=row.parent_id,
        answer_id=row.answer_id,
        detail=row.detail,
        created_at=iso_utc(row.created_at),
    )


def _conversation(row: Row[tuple[object, ...]], branch: tuple[Turn, ...]) -> Conversation:
    summary = row.summary or {}
    return Conversation(
        id=row.id,
        kb_name=row.kb_name,
        owner=row.owner,
        title=row.title,
        turns=branch,
        summary=summary.get("text", ""),
        summarised=summary.get("turn"),
        created_at=iso_utc(row.created_at),
        used_at=iso_utc(row.used_at),
    )
