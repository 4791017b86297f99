from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from wenqu.app import open_app
from wenqu.cli.main import app as cli
from wenqu.models.catalog import CATALOG
from wenqu.testing.embedder import FakeEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Examined = Callable[[], dict[str, dict[str, str]]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one knowledge base that was searched."""
    monkeypatch.setenv("WENQU_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("wenqu.app_models.AppModels.embedder", _fake)
    monkeypatch.setattr("wenqu.app_models.AppModels.try_embedder", _tried)
    (tmp_path / "models").mkdir()
    entry = CATALOG["multilingual-e5-small"]
    with (tmp_path / "models" / entry.file).open("wb") as file:
        file.truncate(entry.size)  # as long as it should be, all of it a hole
    monkeypatch.setenv("WENQU_MODELS__DIR", str(tmp_path / "models"))
    (tmp_path / "cup.md").write_text("# Cup\n\nA cup of tea.", "utf-8")

    async def fill() -> None:
        async with open_app(home=tmp_path / "home") as app:
            await app.add("notes", [tmp_path / "cup.md"])
            await app.search("notes", "cup")

    asyncio.run(fill())
    return tmp_path / "home"


async def _fake(_: object) -> FakeEmbedder:
    return FakeEmbedder()


async def _tried(_: object) -> tuple[str, None]:
    return "fake", None


@pytest.fixture
def examined(home: Path) -> Examined:
    del home

    def examine() -> dict[str, dict[str, str]]:
        return {
            check["name"]: check
            for check in json.loads(CliRunner().invoke(cli, ["doctor", "--json"]).stdout)
        }

    return examine


def test_an_index_that_can_be_searched_is_healthy(examined: Examined) -> None:
    check = examined()["search index"]
    assert (check["health"], check["detail"]) == ("good", "notes (built)")


def test_an_index_that_is_not_there_is_built_at_the_next_search(
    home: Path, examined: Examined
) -> None:
    for path in sorted((home / "indexes").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert examined()["search index"]["detail"] == "notes (built at the next search)"


def test_a_folder_of_indexes_that_cannot_be_written_is_found(
    home: Path, examined: Examined
) -> None:
    # A file in its place: a superuser may write to any folder.
    (home / "indexes").rename(home / "elsewhere")
    (home / "indexes").touch()
    check = examined()["search index"]
    assert check["health"] == "bad"
    assert "cannot be written" in check["detail"]
    assert check["hint"]


def test_an_index_whose_folder_cannot_be_used_is_told_with_its_knowledge_base(
    home: Path, examined: Examined
) -> None:
    (manifest,) = (home / "indexes").glob("*/manifest.json")
    manifest.parent.rename(home / "elsewhere")
    manifest.parent.touch()
    found = examined()
    assert found["search index (notes)"]["health"] == "bad"
    assert found["search index (notes)"]["hint"]
    assert "search index" not in found
