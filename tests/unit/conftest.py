from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from wenqu.stores.bases import DatabaseKnowledgeBases
from wenqu.stores.changes import DatabaseChangeLog
from wenqu.stores.database import Database
from wenqu.stores.documents import DatabaseDocuments
from wenqu.testing.contracts_store import Stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PIL.Image import Image

    Draw = Callable[..., Image]


@pytest.fixture(scope="session")
def _empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the present schema, made once and copied for each test."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    Database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database(_empty_database: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(_empty_database, tmp_path / "wenqu.db")
    opened = Database(f"sqlite:///{tmp_path / 'wenqu.db'}")
    yield opened
    opened.close()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(
        bases=DatabaseKnowledgeBases(database),
        documents=DatabaseDocuments(database),
        changes=DatabaseChangeLog(database),
    )


@pytest.fixture
def kb(stores: Stores) -> int:
    return asyncio.run(stores.bases.create("made")).id


@pytest.fixture(scope="session")
def drawn() -> Draw:
    """Draw words on paper: (text, left, top) each, in 30 pixels."""
    from PIL import Image, ImageDraw, ImageFont

    def draw(*words: tuple[str, int, int], size: tuple[int, int] = (640, 200)) -> Image:
        image = Image.new("RGB", size, "white")
        pen = ImageDraw.Draw(image)
        for text, left, top in words:
            pen.text((left, top), text, font=ImageFont.load_default(30), fill="black")
        return image

    return draw
