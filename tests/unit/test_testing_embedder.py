import asyncio

import pytest

from wenqu.testing.contracts_embedder import EmbedderContract
from wenqu.testing.embedder import FakeEmbedder


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> FakeEmbedder:
        return FakeEmbedder()


def test_the_fake_tells_what_it_embedded() -> None:
    embedder = FakeEmbedder()
    asyncio.run(embedder.embed(["a", "b"], "passage"))
    asyncio.run(embedder.embed(["c"], "query"))
    assert embedder.embedded == ["a", "b", "c"]
