from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from wenqu.cli.main import app as cli

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_HOME", str(tmp_path))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["kb", *arguments])


def payload(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def chunking(one: dict[str, Any]) -> tuple[str, int, int]:
    return one["chunk_strategy"], one["chunk_tokens"], one["chunk_overlap"]


def test_a_knowledge_base_is_created_with_its_own_way_of_cutting() -> None:
    made = payload("create", "faq", "--chunk-strategy", "table", "--chunk-tokens", "128")
    assert chunking(made) == ("table", 128, 0)
    assert chunking(payload("create", "other")) == ("auto", 256, 0)
    assert [chunking(one) for one in payload("list")] == [("table", 128, 0), ("auto", 256, 0)]


def test_one_setting_is_changed_and_the_others_stay() -> None:
    payload("create", "made", "--chunk-strategy", "recursive", "--chunk-tokens", "128")
    assert chunking(payload("set", "made", "--chunk-tokens", "64")) == ("recursive", 64, 32)
    assert chunking(payload("set", "made", "--chunk-overlap", "0")) == ("recursive", 64, 0)
    assert chunking(payload("stats", "made")) == ("recursive", 64, 0)
    assert chunking(payload("set", "made", "--general")) == ("auto", 256, 0)
    again = payload("set", "made", "--chunk-tokens", "64", "--general")
    assert chunking(again) == ("auto", 64, 0)


def test_a_knowledge_base_follows_the_general_settings_in_what_it_does_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload("create", "made", "--chunk-tokens", "64")
    monkeypatch.setenv("WENQU_CHUNK__STRATEGY", "character")
    monkeypatch.setenv("WENQU_CHUNK__MAX_TOKENS", "200")
    monkeypatch.setenv("WENQU_CHUNK__OVERLAP", "20")
    assert chunking(payload("stats", "made")) == ("character", 64, 20)


def test_how_documents_are_cut_is_shown_and_what_is_not_general_is_marked() -> None:
    run("create", "plain")
    run("create", "own", "--chunk-strategy", "character")
    rows = {line.split()[0]: line for line in run("list").stdout.splitlines()}
    assert rows["plain"].rstrip().endswith("auto, 256 tokens")
    assert rows["own"].rstrip().endswith("character, 256 tokens, 32 shared (its own)")
    assert "chunking: auto, 256 tokens\n" in run("stats", "plain").stdout
    said = run("set", "plain", "--chunk-strategy", "heading").stderr
    assert said == "plain now cuts documents so: heading, 256 tokens (its own).\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--chunk-strategy", "sideways"),
        ("--chunk-tokens", "31"),
        ("--chunk-tokens", "501"),
        ("--chunk-overlap", "-1"),
    ],
)
def test_what_cannot_be_a_way_of_cutting_is_a_wrong_command_line(wrong: tuple[str, str]) -> None:
    assert run("create", "made", *wrong).exit_code == 2
    assert payload("list") == []


def test_what_is_not_there_cannot_be_set() -> None:
    done = run("set", "nowhere", "--chunk-tokens", "64")
    assert done.exit_code == 3
    assert "nowhere" in done.stderr


def test_a_knowledge_base_has_a_prompt_of_its_own_until_it_is_taken_away(tmp_path: Path) -> None:
    assert payload("create", "plain")["prompt"] is None
    assert payload("create", "own", "--prompt", " 称呼“您”。 ")["prompt"] == "称呼“您”。"
    file = tmp_path / "prompt.txt"
    file.write_text("\ufeffYou are Ada.\n", "utf-8")
    assert payload("set", "own", "--prompt-file", str(file))["prompt"] == "You are Ada."
    assert payload("set", "own", "--chunk-tokens", "64")["prompt"] == "You are Ada."
    assert [one["prompt"] for one in payload("list")] == ["You are Ada.", None]
    assert "prompt: You are Ada.\n" in run("stats", "own").stdout
    kept = payload("set", "own", "--no-prompt")
    assert (kept["prompt"], kept["chunk_tokens"]) == (None, 64)
    assert "prompt" not in run("stats", "own").stdout


def test_setting_a_prompt_says_so_and_nothing_of_cutting() -> None:
    run("create", "made")
    said = run("set", "made", "--prompt", "Be kind.").stderr
    assert said == "The chat model is told this prompt at each question to made from now on.\n"
    assert run("set", "made", "--no-prompt").stderr == "made has no prompt of its own now.\n"
    both = run("set", "made", "--prompt", "Be kind.", "--chunk-tokens", "64").stderr
    assert both.endswith("made now cuts documents so: auto, 64 tokens (its own).\n")
    assert payload("set", "made", "--general")["prompt"] is None


def test_a_prompt_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run("create", "made")
    gbk = tmp_path / "gbk.txt"
    gbk.write_bytes("称呼“您”。".encode("gbk"))
    for given, says in (
        (("--prompt", "  "), "--no-prompt"),
        (("--prompt", "word " * 1000), "at most 1000"),
        (("--prompt-file", str(tmp_path / "nowhere.txt")), "does not exist"),
        (("--prompt-file", str(gbk)), "UTF-8"),
        (("--prompt-file", str(tmp_path)), "directory"),
    ):
        refused = run("set", "made", *given)
        assert refused.exit_code == 3
        assert says in refused.stderr
    twice = run("set", "made", "--prompt", "Be kind.", "--prompt-file", str(gbk))
    assert twice.exit_code == 2
    assert payload("stats", "made")["prompt"] is None


@pytest.mark.parametrize("said", ["n\n", ""])
def test_nothing_is_deleted_unless_a_person_agrees(said: str) -> None:
    run("create", "made")
    refused = CliRunner().invoke(cli, ["kb", "delete", "made"], input=said)
    assert refused.exit_code == 130
    assert "Nothing was done." in refused.stderr
    assert CliRunner().invoke(cli, ["kb", "delete", "made"], input="y\n").exit_code == 0
    assert payload("list") == []
