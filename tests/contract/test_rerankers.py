from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from wenqu.testing.contracts_rerank import RerankerContract
from wenqu.testing.reranker import FakeReranker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class TestFakeReranker(RerankerContract):
    @asynccontextmanager
    async def reranker(self) -> AsyncGenerator[FakeReranker]:
        yield FakeReranker()

    @asynccontextmanager
    async def failing_reranker(self) -> AsyncGenerator[FakeReranker]:
        yield FakeReranker(fails=True)
