from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from wenqu.app_reranking import open_reranking
from wenqu.errors import ModelMissingError, SettingsError
from wenqu.models.rerank_server import ServerReranker
from wenqu.settings import RerankSettings, RetrievalSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.pipeline.rerank import Reranking

SERVER = "http://127.0.0.1:1"


def opened(home: Path, base_url: str | None = None, **given: Any) -> Any:
    settings = Settings(
        home=home,
        retrieval=RetrievalSettings(**given),
        rerank=RerankSettings(base_url=base_url, timeout_s=3),
    )

    async def work() -> Reranking | None:
        found = await open_reranking(settings)
        if found is not None:
            await found.reranker.close()
        return found

    return asyncio.run(work())


def test_none_is_none(tmp_path: Path) -> None:
    assert opened(tmp_path, reranker="none", base_url=SERVER) is None


def test_the_default_is_the_server_with_its_own_time_where_there_is_one(tmp_path: Path) -> None:
    assert opened(tmp_path) is None
    found = opened(tmp_path, base_url=SERVER)
    assert isinstance(found.reranker, ServerReranker)
    assert (found.budget_s, found.candidates, found.language) == (3, 20, None)


def test_what_the_settings_say_counts_before_what_is_usual(tmp_path: Path) -> None:
    given = {"rerank_budget_ms": 700, "rerank_candidates": 9, "reranker_language": "en"}
    found = opened(tmp_path, SERVER, **given)
    assert (found.budget_s, found.candidates, found.language) == (0.7, 9, "en")


@pytest.mark.parametrize("name", ["tiny", "tiny.onnx", "tiny.gguf"])
def test_a_model_is_found_by_its_path_or_in_the_folder_of_models(tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    (models / "tiny").mkdir(parents=True)
    (models / "tiny.onnx").write_bytes(b"")
    (models / "tiny.gguf").write_bytes(b"")
    for wanted in (name, str(models / name)):
        found = opened(tmp_path, reranker=wanted)
        assert (found.reranker.name, found.budget_s) == ("tiny", 2)


def test_a_model_that_cannot_be_opened_says_why_at_each_search(tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    reranker = opened(tmp_path, reranker="tiny").reranker
    for _ in range(2):
        with pytest.raises(ModelMissingError) as caught:
            asyncio.run(reranker.rerank("question", []))
        assert "model.onnx" in caught.value.message("en")


def test_a_name_of_nothing_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(tmp_path, reranker="nowhere")
    assert "retrieval.reranker" in caught.value.message("en")
