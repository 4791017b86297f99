"""What the composition root does with models."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from wenqu.app import open_app
from wenqu.app_models import AppModels
from wenqu.errors import (
    DownloadError,
    ModelError,
    ModelMissingError,
    NotFoundError,
    SettingsError,
)
from wenqu.models import fetch
from wenqu.models.catalog import find
from wenqu.models.fallback import FallbackChat
from wenqu.models.llamacpp import LlamaCppChat
from wenqu.settings import load
from wenqu.testing.embedder import FakeEmbedder
from wenqu.testing.samples import document_of

if TYPE_CHECKING:
    from pathlib import Path

    from wenqu.app import App
    from wenqu.models.catalog import ModelEntry
    from wenqu.models.fetch import Progress
    from wenqu.types import Document


class Reading:
    """An app whose downloads are counted, and fail where told to."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, *, ocr: bool = True, fails: bool = False
    ) -> None:
        self.pulled: list[str] = []
        self.read: list[str] = []
        self.app = AppModels(
            load(home=home, read={"ocr": ocr}),
            on_download=lambda *_: None,
            embedder=None,
            chat=None,
        )

        def pull(name: str, *_: object, **__: object) -> None:
            self.pulled.append(name)
            if fails:
                raise DownloadError(
                    "error.model_download", name=name, reasons="-", file="-", path="-"
                )

        monkeypatch.setattr(self.app, "pull", pull)

    def all_of(self, *paths: Path) -> None:
        async def read(path: Path, source: str) -> Document:
            assert path.name == source
            self.read.append(source)
            return document_of(source, "text")

        async def work() -> None:
            reading = self.app.recognizing(read)
            await asyncio.gather(*(reading(path, path.name) for path in paths))

        asyncio.run(work())


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    kinds = {"a.md": b"# A", "b.pdf": b"%PDF-1.7\n", "c.png": b"\x89PNG\r\n\x1a\n\0"}
    for name, head in kinds.items():
        (tmp_path / name).write_bytes(head)
    return [tmp_path / name for name in kinds]


def test_weights_for_scans_are_fetched_once_and_not_for_plain_text(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(tmp_path / "home", monkeypatch)
    reading.all_of(files[0])
    assert reading.pulled == []
    reading.all_of(*files)
    assert reading.pulled == ["pp-ocrv6-small"]
    assert sorted(reading.read) == ["a.md", "a.md", "b.pdf", "c.png"]


def test_weights_that_cannot_be_had_keep_no_file_from_being_read(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(tmp_path / "home", monkeypatch, fails=True)
    reading.all_of(*files)
    assert sorted(reading.read) == ["a.md", "b.pdf", "c.png"]
    assert reading.pulled == ["pp-ocrv6-small"]


def test_with_recognition_switched_off_no_weights_are_fetched(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(tmp_path / "home", monkeypatch, ocr=False)
    reading.all_of(*files)
    assert reading.pulled == []
    assert len(reading.read) == 3


def chat_app(home: Path, **chat: object) -> AppModels:
    settings = load(home=home, chat=chat)
    return AppModels(settings, on_download=lambda *_: None, embedder=None, chat=None)


def test_a_fallback_model_stands_behind_the_one_that_is_configured(tmp_path: Path) -> None:
    server = {"base_url": "http://127.0.0.1:9/v1", "model": "first"}
    spare = {"base_url": "http://127.0.0.1:9/v1", "model": "second"}
    alone = chat_app(tmp_path, **server).chat_model()
    assert type(alone).__name__ == "OpenAIChat"
    both = chat_app(tmp_path, **server, fallback=[spare]).chat_model()
    assert isinstance(both, FallbackChat)
    assert both.name == "first"
    # A local model that is not on this machine is no one to ask.
    missing = chat_app(tmp_path, **server, fallback=[{}]).chat_model()
    assert type(missing).__name__ == "OpenAIChat"


def test_the_key_of_a_server_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-secret\n", "utf-8")
    server = {"base_url": "http://127.0.0.1:9/v1", "api_key_file": str(file)}
    assert chat_app(tmp_path, **server).chat_model() is not None
    file.unlink()
    with pytest.raises(SettingsError) as refused:
        chat_app(tmp_path, **server).chat_model()
    assert str(file) in refused.value.message("en")
    assert refused.value.hint("zh")


def test_any_gguf_file_can_be_the_chat_model(tmp_path: Path) -> None:
    file = tmp_path / "own-model.gguf"
    file.touch()
    configured = chat_app(tmp_path, model=str(file)).chat_model()
    assert isinstance(configured, LlamaCppChat)
    assert configured.name == "own-model"
    chosen = chat_app(tmp_path)
    asyncio.run(chosen.use_chat_model(str(file)))
    assert isinstance(chosen.chat_model(), LlamaCppChat)


def test_another_chat_model_answers_as_many_at_once_as_it_can(tmp_path: Path) -> None:
    file = tmp_path / "own-model.gguf"
    file.touch()
    server = {"base_url": "http://127.0.0.1:9/v1", "model": "theirs", "slots": 2}

    async def second_waits(app: App) -> bool:
        async with app.queue.place("a") as place, place.slot(), app.queue.place("b") as other:
            async with asyncio.TaskGroup() as tasks:
                second = tasks.create_task(other.slot().__aenter__())
                await asyncio.sleep(0)
                waits = not second.done()
                second.cancel()
            return waits

    async def work() -> None:
        async with open_app(load(home=tmp_path, chat=server)) as app:
            assert not await second_waits(app)
            await app.use_chat_model(str(file))
            assert await second_waits(app)

    asyncio.run(work())


def test_a_chat_model_that_cannot_be_had_leaves_the_one_in_use(tmp_path: Path) -> None:
    app = chat_app(tmp_path, base_url="http://127.0.0.1:9/v1", model="theirs")
    used = app.chat_model()
    with pytest.raises(ModelMissingError, match="absent"):
        asyncio.run(app.use_chat_model(str(tmp_path / "absent.gguf")))
    assert app.chat_model() is used
    assert app.settings.chat.model == "theirs"
    # A hub's name has a slash and is none of this machine's files.
    asyncio.run(app.use_chat_model("org/model"))
    other = app.chat_model()
    assert other is not None
    assert other.name == "org/model"


def test_a_gguf_file_that_is_not_there_is_told_when_it_is_to_answer(tmp_path: Path) -> None:
    chat = chat_app(tmp_path, model=str(tmp_path / "absent.gguf")).chat_model()
    assert isinstance(chat, LlamaCppChat)
    with pytest.raises(ModelMissingError, match="absent"):
        asyncio.run(chat.warm())


def test_a_file_is_measured_here_though_a_server_is_configured(tmp_path: Path) -> None:
    file = tmp_path / "own-model.gguf"
    app = chat_app(tmp_path, base_url="http://127.0.0.1:9/v1", model="theirs")
    assert app.chat_model_named(None).name == "theirs"
    assert type(app.chat_model_named("another")).__name__ == "OpenAIChat"
    with pytest.raises(ModelMissingError, match="own-model"):
        app.chat_model_named(str(file))
    file.touch()
    assert isinstance(app.chat_model_named(str(file)), LlamaCppChat)
    with pytest.raises(ModelMissingError, match="not on this machine"):
        app.chat_model_named("qwen2.5-coder-1.5b-instruct-q4_k_m")


def test_a_model_that_is_not_here_is_told_with_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError) as refused:
        asyncio.run(chat_app(tmp_path).use_chat_model("qwen2.5-coder-0.5b-instruct-q4_k_m"))
    assert str(tmp_path / "models") in (refused.value.hint("en") or "")


def test_cancelling_a_download_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(entry: ModelEntry, folder: Path, tell: Progress, *_: object, **__: object) -> Path:
        try:
            for done in itertools.count():
                tell(entry.name, done, entry.size)
                begun.set()
                time.sleep(0.01)
        except ModelError:
            ended.set()
        return folder

    monkeypatch.setattr(fetch, "pull", endless)

    async def work() -> None:
        fetching = asyncio.create_task(chat_app(tmp_path).fetch("multilingual-e5-small"))
        assert await asyncio.to_thread(begun.wait, 120)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching

    # asyncio.run waits for the threads that it began: an endless one would be waited for here.
    asyncio.run(work())
    assert ended.is_set()


@pytest.fixture
def cedict(monkeypatch: pytest.MonkeyPatch) -> bytes:
    content = gzip.compress("禁運 禁运 [jin4 yun4] /embargo/".encode())
    entry = replace(find("cc-cedict"), size=len(content))
    monkeypatch.setattr("wenqu.models.catalog.CATALOG", {"cc-cedict": entry})
    return content


def test_the_dictionary_is_used_once_it_is_here_and_prepared_before_the_first_question(
    tmp_path: Path, cedict: bytes
) -> None:
    app = chat_app(tmp_path)
    folder = app.settings.models_dir
    folder.mkdir(parents=True)

    async def work() -> None:
        assert await app.dictionary() is None
        (folder / "cc-cedict.txt.gz").write_bytes(cedict)
        found = await app.dictionary()
        assert found is not None
        assert len(list(folder.glob("*.sqlite"))) == 1
        assert found.translate("embargo") == ((("禁运",),),)
        assert await app.dictionary() is found

    asyncio.run(work())


def test_questions_that_come_at_once_share_one_dictionary(tmp_path: Path, cedict: bytes) -> None:
    app = chat_app(tmp_path)
    app.settings.models_dir.mkdir(parents=True)
    (app.settings.models_dir / "cc-cedict.txt.gz").write_bytes(cedict)

    async def work() -> None:
        one, other = await asyncio.gather(app.dictionary(), app.dictionary())
        assert one is other is not None

    asyncio.run(work())


def test_a_dictionary_that_is_not_wanted_or_damaged_stops_nothing(
    tmp_path: Path, cedict: bytes
) -> None:
    app = chat_app(tmp_path)
    folder = app.settings.models_dir
    folder.mkdir(parents=True)
    (folder / "cc-cedict.txt.gz").write_bytes(b"x" * len(cedict))
    damaged = asyncio.run(app.dictionary())
    assert damaged is not None
    with pytest.raises(ModelError):
        damaged.translate("embargo")
    models = app.settings.models.model_copy(update={"dictionary": "none"})
    app.settings = app.settings.model_copy(update={"models": models})
    other = chat_app(tmp_path)
    other.settings = app.settings
    assert asyncio.run(other.dictionary()) is None


@pytest.mark.parametrize("fails", [False, True])
def test_the_dictionary_comes_with_a_new_embedder_where_it_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    pulled: list[str] = []

    def pull(entry: ModelEntry, *_: object, **__: object) -> Path:
        pulled.append(entry.name)
        if fails and entry.role == "dictionary":
            raise DownloadError(
                "error.model_download", name=entry.name, reasons="-", file="-", path="-"
            )
        return tmp_path / entry.file

    monkeypatch.setattr(fetch, "pull", pull)
    monkeypatch.setattr("wenqu.models.e5.open_embedder", lambda *_: FakeEmbedder())
    asyncio.run(chat_app(tmp_path).embedder())
    assert pulled == ["multilingual-e5-small", "cc-cedict"]


@pytest.mark.parametrize(
    ("chat", "answers"),
    [({"base_url": "http://127.0.0.1:9/v1"}, 64), ({"slots": 2}, 2), ({}, 1)],
)
def test_as_many_answers_are_written_at_once_as_the_model_does_well(
    tmp_path: Path, chat: dict[str, object], answers: int
) -> None:
    settings = load(home=tmp_path, chat=chat)
    app = AppModels(settings, on_download=lambda *_: None, embedder=None, chat=None)
    assert app.answers_at_once == answers


def test_only_a_chat_model_is_taken_for_one(tmp_path: Path) -> None:
    settings = load(home=tmp_path, chat={"model": "multilingual-e5-small"})
    app = AppModels(settings, on_download=lambda *_: None, embedder=None, chat=None)
    with pytest.raises(NotFoundError) as caught:
        app.chat_model()
    assert caught.value.key == "error.model_role"
    assert "qwen" in str(caught.value.values["known"])
    assert "e5" not in str(caught.value.values["known"])
    with pytest.raises(NotFoundError) as unknown:
        app.chat_model_named("nothing")
    assert unknown.value.key == "error.model_unknown"
    assert unknown.value.values["known"] == caught.value.values["known"]
