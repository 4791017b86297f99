from __future__ import annotations

import pytest

from wenqu import testing


@pytest.mark.parametrize("name", testing.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(testing, name).__name__ == name


def test_every_protocol_that_an_engine_implements_has_a_suite() -> None:
    suites = {name.removesuffix("Contract") for name in testing.__all__ if "Contract" in name}
    assert suites == {
        "ChangeLog",
        "ChatModel",
        "DocumentFilter",
        "DocumentStore",
        "Embedder",
        "Index",
        "KnowledgeBaseStore",
        "Reader",
        "Reranker",
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        testing.Nothing  # noqa: B018  # asked for its effect
