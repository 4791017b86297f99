"""Help as a terminal shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from wenqu.cli.main import app
from wenqu.messages import text

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = list(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("ask", "--help"), "cli.option.kb"),
        (("kb", "set", "-h"), "cli.kb.prompt.help"),
        ((), "cli.tune.help"),
    ],
)
def test_chinese_help_is_not_cut_off_in_a_narrow_terminal(
    command: tuple[str, ...], key: str
) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "wenqu", *command],
        env={**os.environ, "WENQU_LANGUAGE": "zh", "COLUMNS": "80"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    ).stdout
    # Lines of a table stand between its borders, and words may be broken.
    whole = "".join("".join(line.strip("│ ").split()) for line in shown.splitlines())
    assert "".join(text(key, "zh").split()) in whole.replace("│", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_loaded_when_it_is_named_has_help_of_its_own(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert f" {name} [OPTIONS]" in shown.output
    assert text(f"cli.{name}.help", "en").split(".")[0] in shown.output
    assert "--install-completion" not in shown.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "No such command 'nowhere'"),
        (["kb", "nowhere"], "No such command 'nowhere'"),
        (["serch"], "Did you mean 'search'"),
        (["--nowhere"], "No such option: --nowhere"),
        (["ask", "--nowhere", "a"], "No such option: --nowhere"),
    ],
)
def test_what_is_not_there_is_a_wrong_command_line(arguments: list[str], said: str) -> None:
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert shown.exit_code == 2
    assert said in shown.output


def test_the_home_is_taken_before_the_command_and_after_it(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for arguments in (
        ["--home", str(before), "kb", "create", "made"],
        ["kb", "create", "made", "--home", str(after)],
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (before / "wenqu.db").exists()
    assert (after / "wenqu.db").exists()
