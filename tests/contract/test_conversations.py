from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.stores.conversations import DatabaseConversations
from wenqu.stores.database import Database
from wenqu.testing.contracts_conversations import ConversationStoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from wenqu.testing.contracts_conversations import Clock


class TestDatabaseConversations(ConversationStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def store(self, clock: Clock) -> AsyncGenerator[DatabaseConversations]:
        database = Database(f"sqlite:///{self.folder}/made.db")
        yield DatabaseConversations(database, clock)
        database.close()
