"""Fitted gates in the database: at most one a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from wenqu.protocols import StoredGate
from wenqu.stores.schema import gate_models

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wenqu.stores.database import Database

__all__ = ["DatabaseGates"]


class DatabaseGates:
    """``GateStore`` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, kb: int, gate: StoredGate) -> None:
        """See the protocol."""

        def work(connection: Connection) -> None:
            connection.execute(delete(gate_models).where(gate_models.c.kb_id == kb))
            connection.execute(
                insert(gate_models).values(kb_id=kb, embedder=gate.embedder, data=dict(gate.data))
            )

        await self._database.write(work)

    async def get(self, kb: int) -> StoredGate | None:
        """See the protocol."""
        query = select(gate_models.c.embedder, gate_models.c.data).where(gate_models.c.kb_id == kb)

        def work(connection: Connection) -> StoredGate | None:
            row = connection.execute(query).one_or_none()
            return StoredGate(embedder=row.embedder, data=row.data) if row else None

        return await self._database.read(work)

    async def delete(self, kb: int) -> bool:
        """See the protocol."""

        def work(connection: Connection) -> bool:
            gone = connection.execute(delete(gate_models).where(gate_models.c.kb_id == kb))
            return bool(gone.rowcount)

        return await self._database.write(work)
