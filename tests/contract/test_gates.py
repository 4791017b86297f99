from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.database import Database
from wenqu.stores.gates import DatabaseGates
from wenqu.testing.contracts_gates import GateStoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class TestDatabaseGates(GateStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def stores(self) -> AsyncGenerator[tuple[DatabaseGates, DatabaseKnowledgeBases]]:
        database = Database(f"sqlite:///{self.folder}/made.db")
        yield DatabaseGates(database), DatabaseKnowledgeBases(database)
        database.close()
