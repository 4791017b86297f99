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


class TestFakeEmbedderWithFloor(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> FakeEmbedder:
        return FakeEmbedder(floor=0.7)


def test_texts_that_share_nothing_are_as_alike_as_the_floor_says() -> None:
    vectors = asyncio.run(FakeEmbedder(floor=0.7).embed(["alpha", "beta"], "passage"))
    assert float(vectors[0] @ vectors[1]) == pytest.approx(0.7, abs=1e-5)
