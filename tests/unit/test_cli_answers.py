from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from wenqu.app import App, open_app
from wenqu.cli import session
from wenqu.cli.main import app as cli
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import AnswerFinished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

QUESTION = "How long does the warranty of the kettle last?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home whose only answer is from ``kettle.md`` beside it."""
    file = tmp_path / "kettle.md"
    file.write_text("# Kettle\n\nThe warranty of the kettle lasts two years.", "utf-8")

    async def fill() -> None:
        async with open_app(home=tmp_path / "home", embedder=FakeEmbedder(floor=0.7)) as app:
            await app.add("made", [file])
            async for _ in app.ask("made", QUESTION):
                pass

    asyncio.run(fill())
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on that home, with the fake embedder."""
    monkeypatch.setenv("WENQU_HOME", str(folder / "home"))
    monkeypatch.setattr(App, "embedder", _embedder)

    def run_it(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return run_it


async def _embedder(_: App) -> FakeEmbedder:
    return FakeEmbedder(floor=0.7)


def test_the_log_lists_the_answer_and_trace_shows_how_it_came_about(
    run: Callable[..., Result],
) -> None:
    listed = run("log", "--json")
    kept = json.loads(listed.stdout)
    assert kept["question"] == QUESTION
    shown = run("trace", kept["id"]).stdout
    for part in (QUESTION, "lexical", "dense", "Search by words", "may answer this", "two years"):
        assert part in shown
    assert json.loads(run("trace", kept["id"], "--json").stdout) == kept


def test_a_replay_of_what_has_not_changed_is_the_same(run: Callable[..., Result]) -> None:
    result = run("replay", "last", "--json")
    assert result.exit_code == session.Exit.DONE
    assert json.loads(result.stdout)["same"] is True


def test_a_replay_after_the_documents_changed_says_what_differs(
    run: Callable[..., Result], folder: Path
) -> None:
    file = folder / "kettle.md"
    file.write_text("# Kettle\n\nThe warranty of the kettle lasts five years.", "utf-8")
    assert run("add", str(file), "--kb", "made").exit_code == session.Exit.DONE
    result = run("replay", "last", "--json")
    assert result.exit_code == session.Exit.DIFFERENT
    changed = {one["part"]: one for one in json.loads(result.stdout)["differences"]}
    assert {"documents", "hits", "evidence"} <= set(changed)
    assert "five years" in changed["evidence"]["after"]
    shown = run("replay", "last").stdout
    assert "-[1] The warranty of the kettle lasts two years." in shown
    assert "+[1] The warranty of the kettle lasts five years." in shown


def test_a_replay_does_not_enter_the_log_and_forgetting_empties_it(
    run: Callable[..., Result],
) -> None:
    run("replay")
    assert len(run("log", "--json").stdout.splitlines()) == 1
    assert run("log", "--forget").exit_code == session.Exit.DONE
    assert run("log", "--json").stdout == ""
    missing = run("trace", "last")
    assert missing.exit_code == session.Exit.UNUSABLE


def test_nothing_is_kept_where_that_is_not_wanted(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("The kettle is red.", "utf-8")

    async def ask() -> None:
        settings = {"answer": {"keep": False}}
        home = tmp_path / "home"
        async with open_app(home=home, embedder=FakeEmbedder(floor=0.7), **settings) as app:
            await app.add("made", [file])
            events = [event async for event in app.ask("made", "What colour is the kettle?")]
            last = events[-1]
            assert isinstance(last, AnswerFinished)
            assert last.answer.id is None
            assert await app.answers.list() == []

    asyncio.run(ask())
