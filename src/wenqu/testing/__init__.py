"""Public fakes, and a contract suite for each protocol: what a third-party engine tests against.

Subclass a suite in your own tests and give it your engine; ``FakeEmbedder`` and ``ScriptedChat``
stand in for models, ``samples`` makes documents. pytest shows the values of a failing assertion
where ``pytest.register_assert_rewrite("wenqu.testing")`` was called before.

Names are imported when they are first used: the suites need pytest, the fakes do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenqu.testing.chat import ScriptedChat
    from wenqu.testing.chunks import check_chunks
    from wenqu.testing.contracts_base import KnowledgeBaseStoreContract
    from wenqu.testing.contracts_chat import ChatModelContract
    from wenqu.testing.contracts_embedder import EmbedderContract
    from wenqu.testing.contracts_filter import DocumentFilterContract
    from wenqu.testing.contracts_index import IndexContract
    from wenqu.testing.contracts_reader import ReaderContract
    from wenqu.testing.contracts_rerank import RerankerContract
    from wenqu.testing.contracts_store import (
        ChangeLogContract,
        DocumentStoreContract,
        Stores,
    )
    from wenqu.testing.embedder import FakeEmbedder
    from wenqu.testing.reranker import FakeReranker

__all__ = [
    "ChangeLogContract",
    "ChatModelContract",
    "DocumentFilterContract",
    "DocumentStoreContract",
    "EmbedderContract",
    "FakeEmbedder",
    "FakeReranker",
    "IndexContract",
    "KnowledgeBaseStoreContract",
    "ReaderContract",
    "RerankerContract",
    "ScriptedChat",
    "Stores",
    "check_chunks",
]

_HOMES = {
    "ChangeLogContract": "contracts_store",
    "ChatModelContract": "contracts_chat",
    "DocumentFilterContract": "contracts_filter",
    "DocumentStoreContract": "contracts_store",
    "EmbedderContract": "contracts_embedder",
    "FakeEmbedder": "embedder",
    "FakeReranker": "reranker",
    "IndexContract": "contracts_index",
    "KnowledgeBaseStoreContract": "contracts_base",
    "ReaderContract": "contracts_reader",
    "RerankerContract": "contracts_rerank",
    "ScriptedChat": "chat",
    "Stores": "contracts_store",
    "check_chunks": "chunks",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
