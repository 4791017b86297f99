from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.stores.answers import DatabaseAnswers
from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.database import Database
from wenqu.testing.contracts_answers import AnswerStoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class TestDatabaseAnswers(AnswerStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def stores(self) -> AsyncGenerator[tuple[DatabaseAnswers, DatabaseKnowledgeBases]]:
        database = Database(f"sqlite:///{self.folder}/made.db")
        yield DatabaseAnswers(database), DatabaseKnowledgeBases(database)
        database.close()
