from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.changes import DatabaseChangeLog
from wenqu.stores.database import Database
from wenqu.stores.documents import DatabaseDocuments
from wenqu.stores.schema import metadata
from wenqu.testing.contracts_base import KnowledgeBaseStoreContract
from wenqu.testing.contracts_filter import DocumentFilterContract
from wenqu.testing.contracts_store import (
    ChangeLogContract,
    DocumentStoreContract,
    Stores,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

POSTGRES = os.environ.get("WENQU_TEST_POSTGRES_URL")


class OnBothDatabases:
    url: str

    @pytest.fixture(
        autouse=True,
        params=[
            "sqlite",
            pytest.param(
                "postgresql",
                marks=pytest.mark.skipif(
                    not POSTGRES, reason="set WENQU_TEST_POSTGRES_URL to an empty database"
                ),
            ),
        ],
    )
    def _database(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/made.db"
        if request.param == "postgresql":
            self.url = str(POSTGRES)

    @asynccontextmanager
    async def stores(self) -> AsyncGenerator[Stores]:
        database = Database(self.url)
        await database.write(_empty)
        yield Stores(
            bases=DatabaseKnowledgeBases(database),
            documents=DatabaseDocuments(database),
            changes=DatabaseChangeLog(database),
        )
        database.close()


def _empty(connection: object) -> None:
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())  # type: ignore[attr-defined]


class TestDatabaseKnowledgeBases(OnBothDatabases, KnowledgeBaseStoreContract):
    pass


class TestDatabaseDocuments(OnBothDatabases, DocumentStoreContract):
    pass


class TestDatabaseFilters(OnBothDatabases, DocumentFilterContract):
    pass


class TestDatabaseChangeLog(OnBothDatabases, ChangeLogContract):
    pass
