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


def shown(language: str, *arguments: str, width: int = 80) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wenqu", *arguments],
        env={**os.environ, "WENQU_LANGUAGE": language, "COLUMNS": str(width)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("ask", "--help"), "cli.option.kb"),
        (("kb", "set", "-h"), "cli.kb.prompt.help"),
        (("--help",), "cli.tune.help"),
    ],
)
def test_chinese_help_is_whole_and_within_a_narrow_terminal(
    command: tuple[str, ...], key: str, width: int
) -> None:
    lines = shown("zh", *command, width=width).stdout.splitlines()
    assert "".join(text(key, "zh").split()) in "".join("".join(line.split()) for line in lines)
    # Neither how it is called nor the values that an option takes are broken.
    broken = [line for line in lines if not line.startswith("用法") and "|" not in line]
    assert max(sum(1 + (letter > "\u2e80") for letter in line) for line in broken) <= width


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["kb", "create", "--help"]])
def test_chinese_help_has_no_english_words_of_typers(arguments: list[str]) -> None:
    help_text = shown("zh", *arguments).stdout
    assert help_text.startswith("用法：")
    assert "选项" in help_text
    foreign = ("Usage", "Options", "OPTIONS", "Commands", "Arguments", "default", "required", "<")
    words = help_text.replace("名为 default 的", "")
    assert [word for word in (*foreign, "Show this") if word in words] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask"], "缺少参数 QUESTION"),
        (["ask", "a", "b"], "多出了：b"),
        (["ask", "a", "--nowhere"], "没有选项 --nowhere。"),
        (["ask", "a", "--hom"], "没有选项 --hom。是不是要用：--home"),
        (["nowhere"], "没有命令 nowhere。"),
        (["serch"], "没有命令 serch。是不是要用：search"),
        (["search", "--top"], "选项 --top 需要一个值"),
        (["ask", "a", "--strict=1"], "选项 --strict 不带值"),
        (["search", "a", "--top", "b"], "--top / -n 的值有误：应为整数。"),
        (["search", "a", "--top", "0"], "--top / -n 的值有误：不得小于 1。"),
        (["kb", "create", "a", "--chunk-strategy", "b"], "有误：可用的值为 auto, heading"),
        (["kb", "set", "a", "--prompt", "b", "--prompt-file", "c"], "只能用一种。\n"),
        (["models", "remove"], "remove [选项] NAMES...\n错误：缺少参数 NAMES。"),
    ],
)
def test_a_wrong_command_line_is_told_in_chinese(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = shown("zh", "--home", str(tmp_path), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("用法：") or "选项 --" in done.stderr


@pytest.mark.parametrize("group", [[], ["kb"], ["eval"]])
def test_a_group_without_a_command_shows_its_help(group: list[str]) -> None:
    done, helped = shown("zh", *group), shown("zh", *group, "--help")
    assert (done.returncode, helped.returncode) == (2, 0)
    assert done.stdout == helped.stdout != ""
    assert done.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_loaded_when_it_is_named_has_help_of_its_own(name: str) -> None:
    help_text = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "100"})
    assert help_text.exit_code == 0
    assert f" {name} [OPTIONS]" in help_text.output
    told = " ".join(text(f"cli.{name}.help", "en").split())
    assert told in " ".join(help_text.output.split())
    assert "--install-completion" not in help_text.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no command nowhere."),
        (["kb", "nowhere"], "There is no command nowhere."),
        (["serch"], "There is no command serch. Is one of these meant: search"),
        (["--nowhere"], "There is no option --nowhere."),
        (["ask", "--nowhere", "a"], "There is no option --nowhere."),
    ],
)
def test_what_is_not_there_is_a_wrong_command_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_the_home_is_taken_before_the_command_and_after_it(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for arguments in (
        ["--home", str(before), "kb", "create", "made"],
        ["kb", "create", "made", "--home", str(after)],
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (before / "wenqu.db").exists()
    assert (after / "wenqu.db").exists()
