"""``wenqu models`` as a user calls it."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from wenqu.app_models import AppModels
from wenqu.cli.main import app as cli
from wenqu.models import llama_engine
from wenqu.models.catalog import CATALOG, ModelEntry
from wenqu.models.llama_engine import Verdict
from wenqu.testing.chat import ScriptedChat

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

CHAT = next(entry for entry in CATALOG.values() if entry.role == "chat")
EMBEDDER = next(entry for entry in CATALOG.values() if entry.role == "embedder")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv("WENQU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WENQU_MODELS__DIR", str(models))
    return models


def run(*arguments: str | Path, code: int = 0, said: str | None = None) -> Result:
    done = CliRunner().invoke(cli, ["models", *map(str, arguments)], input=said)
    assert done.exit_code == code, done.output
    return done


def payload(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


@pytest.fixture
def own(folder: Path) -> Path:
    """A GGUF file of 64 x 32 weights of 16 bits, that the catalog does not know."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    head += text("general.architecture") + struct.pack("<I", 8) + text("tiny")
    head += text("general.license") + struct.pack("<I", 8) + text("mit")
    head += text("blk.0.w") + struct.pack("<IQQIQ", 2, 64, 32, 1, 0)
    path = folder / "own-model.gguf"
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(64 * 32 * 2))
    return path


def test_the_list_has_memory_at_each_width_and_what_fits(own: Path) -> None:
    models = {model["name"]: model for model in payload("list")}
    chat = models[CHAT.name]
    assert chat["path"] is None
    assert chat["memory"]["4"] < chat["memory"]["8"] < chat["memory"]["16"]
    assert chat["memory"]["4"] == pytest.approx(chat["needed"], rel=0.05)
    assert chat["fits"] in {"yes", "tight", "no"}
    assert models["multilingual-e5-small"]["memory"] is None
    assert models["own-model"]["path"] == str(own)
    assert models["own-model"]["licence"] == "mit"
    more = {model["name"]: model for model in payload("list", "--context", "8192")}
    assert more[CHAT.name]["needed"] > chat["needed"]


def test_the_list_is_a_table_for_people(own: Path) -> None:
    shown = run("list").output
    assert all(name in shown for name in CATALOG)
    assert own.stem in shown
    assert "16 bit" in shown


def test_a_damaged_file_in_the_folder_hides_no_other(folder: Path, own: Path) -> None:
    (folder / "a-damaged.gguf").write_bytes(b"GGUF????")
    done = run("list", "--json")
    assert own.stem in {model["name"] for model in json.loads(done.stdout)}
    assert "a-damaged.gguf" in done.stderr


def test_a_model_is_shown_by_name_and_by_path(own: Path) -> None:
    shown = payload("show", own)
    assert (shown["parameters"], shown["quantisation"]) == (2048, "F16")
    assert shown["bits_per_weight"] == 16
    assert payload("show", CHAT.name)["sha256"] == CHAT.sha256
    assert "F16" in run("show", own).output
    assert CHAT.sha256 in run("show", CHAT.name).output
    assert "own-model" in run("show", "own-model", code=3).output
    assert run("show", own.with_name("absent.gguf"), code=1).output


def test_removing_asks_first(folder: Path) -> None:
    file = folder / CHAT.file
    file.write_bytes(b"weights")
    run("remove", CHAT.name, said="n\n", code=130)
    assert file.exists()
    run("remove", CHAT.name, said="y\n")
    assert not file.exists()
    assert CHAT.name in run("remove", CHAT.name, "--yes").output
    run("remove", "nothing", "--yes", code=3)


def test_the_engines_are_compared_once_for_each_chat_model_that_is_pulled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def compared(path: Path, open_engine: object, *, objection: str | None) -> Verdict:
        del open_engine, objection
        found = Verdict(engine="ik_llama.cpp", fingerprint="here")
        verdicts.append(path)
        return found

    verdicts: list[Path] = []
    monkeypatch.setattr(llama_engine, "tune", compared)
    monkeypatch.setattr(llama_engine, "unsuited", lambda: None)
    monkeypatch.setattr(llama_engine, "verdict", lambda path: path if path in verdicts else None)
    monkeypatch.setattr(AppModels, "pull", lambda app, name, *_, **__: folder / f"{name}.gguf")
    run("pull", CHAT.name, "--no-tune")
    assert verdicts == []
    assert "ik_llama.cpp" in run("pull", CHAT.name).output
    run("pull", CHAT.name)
    run("pull", EMBEDDER.name)
    assert verdicts == [folder / f"{CHAT.name}.gguf"]


def test_a_local_copy_becomes_the_model_that_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    data = b"weights" * 100
    tiny = ModelEntry(
        name="tiny",
        role="chat",
        licence="MIT",
        file="tiny.gguf",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sources=(),
    )
    monkeypatch.setattr("wenqu.models.catalog.CATALOG", {"tiny": tiny})
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(data)
    # By its size it is known which one it is.
    run("pull", "--from", copy, "--no-tune")
    assert (folder / "tiny.gguf").read_bytes() == data
    run("remove", "tiny", "--yes")
    run("pull", "tiny", "--from", copy, "--link", "--no-tune")
    assert (folder / "tiny.gguf").is_symlink()
    copy.write_bytes(data[:-1] + b"?")
    assert "SHA-256" in run("pull", "tiny", "--from", copy, code=1).output
    other = tmp_path / "other.gguf"
    other.write_bytes(b"other")
    assert "other.gguf" in run("pull", "--from", other, code=3).output
    assert "absent.gguf" in run("pull", "tiny", "--from", tmp_path / "absent.gguf", code=3).output


def test_a_bench_measures_and_closes_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ScriptedChat("word" * 50, delay_s=0.001)
    asked: list[str | None] = []

    def named(_: AppModels, model: str | None) -> ScriptedChat:
        asked.append(model)
        return chat

    monkeypatch.setattr(AppModels, "chat_model_named", named)
    measured = payload("bench", "own.gguf", "--prompt", "20", "--answer", "8", "--runs", "2")
    assert asked == ["own.gguf"]
    assert (measured["model"], measured["runs"], measured["answer_tokens"]) == ("scripted", 2, 8)
    assert min(measured[f"{one}_per_s"] for one in ("prompt", "answer")) > 0
    assert chat.closed
    assert "tokens/s" in run("bench", "--answer", "8").output


def test_a_bench_of_what_is_not_here_says_how_to_get_it() -> None:
    assert f"models pull {CHAT.name}" in run("bench", code=1).output
    assert "absent.gguf" in run("bench", "absent.gguf", code=1).output
