from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from wenqu.app import open_app
from wenqu.cli.filters import search_filter
from wenqu.cli.main import app as cli
from wenqu.cli.session import Exit
from wenqu.testing.embedder import FakeEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``wenqu search`` on a knowledge base of three notes, two of which say the same."""
    monkeypatch.setenv("WENQU_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("wenqu.app_models.AppModels.embedder", _fake)
    (tmp_path / "notes").mkdir()
    for name, text in {
        "kettle.md": "# Kettle\\n\\nThe kettle is in the kitchen.",
        "copy.md": "# Kettle\\n\\nThe kettle is in the kitchen!",
        "cup.md": "---\\ntags: [china]\\ndate: 2024-03-05\\n---\\n# Cup\\n\\nA cup of tea.",
    }.items():
        (tmp_path / "notes" / name).write_text(text.replace("\\n", "\n"), "utf-8")

    async def fill() -> None:
        async with open_app(home=tmp_path / "home") as app:
            await app.add("notes", [tmp_path / "notes"])

    asyncio.run(fill())
    return lambda *arguments: CliRunner().invoke(cli, ["search", *arguments])


async def _fake(_: object) -> FakeEmbedder:
    return FakeEmbedder()


def titles(done: Result) -> list[str]:
    assert done.exit_code == 0, done.output
    return [hit["title"] for hit in json.loads(done.stdout)["hits"]]


def test_hits_that_say_the_same_are_left_out_and_counted(run: Run) -> None:
    done = run("kettle")
    assert done.stdout.count("The kettle is in the kitchen") == 1
    assert "1 more says the same" in done.stderr
    # Equal scores are in the order of ids, which come from paths that differ from run to run.
    everything = titles(run("kettle", "--no-collapse", "--json"))
    assert sorted(everything) == ["Cup", "Kettle", "Kettle"]


@pytest.mark.parametrize(
    "given",
    [
        ["--tag", "China"],
        ["--title", "cup"],
        ["--source", "c?p.md"],
        ["--since", "2024-03", "--until", "2024"],
    ],
)
def test_a_search_is_narrowed_to_documents_that_meet_the_filter(run: Run, given: list[str]) -> None:
    assert titles(run("kettle", *given, "--json")) == ["Cup"]


def test_a_filter_that_nothing_meets_is_said_to_be_the_reason(run: Run) -> None:
    done = run("kettle", "--tag", "nobody")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Nothing found that meets the filter.\\n".replace("\\n", "\n")


def test_a_date_that_is_none_is_refused_with_a_hint(run: Run) -> None:
    done = run("kettle", "--since", "spring")
    assert done.exit_code == Exit.UNUSABLE
    assert "2024-03-05" in done.stderr


def test_a_folder_is_meant_from_the_current_one_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(titles(run("kettle", "--folder", "notes", "--json"))) == 2
    assert titles(run("kettle", "--folder", "home", "--json")) == []


def test_an_address_is_a_folder_as_it_stands() -> None:
    assert search_filter(folder=["https://made.example/a"]).folders == ("https://made.example/a",)
    assert not search_filter()
