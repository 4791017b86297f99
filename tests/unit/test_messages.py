from __future__ import annotations

import ast
import json
import re
import string
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import pytest

import wenqu
from wenqu import messages

SOURCE = Path(wenqu.__file__).parent
KEY = re.compile(r"(?:error|read|cli|answer|gate|skip)(?:\.[a-z_]+)+")
TREES = {path: ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}
CATALOGUE = messages.catalogue()


def placeholders(text: str) -> set[str]:
    return {name.split(":")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def literals() -> set[str]:
    return {
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def prefixes() -> set[str]:
    """What f-strings such as ``f"cli.kb.{column}"`` begin with."""
    return {
        node.values[0].value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        and node.values
        and isinstance(node.values[0], ast.Constant)
        and re.fullmatch(r"(?:cli|error|read|answer|gate)\.[a-z_.]*", str(node.values[0].value))
    }


def calls() -> list[tuple[str, ast.Call]]:
    """Every call whose first or second argument is a key of the catalogue."""
    found = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value in CATALOGUE:
                found.append((f"{path.name}:{node.lineno}", node))
    return found


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_text_is_in_both_languages_with_the_same_placeholders(key: str) -> None:
    entry = CATALOGUE[key]
    assert set(entry) in ({"en", "zh"}, {"en", "zh", "en_hint", "zh_hint"})
    assert all(text.strip() for text in entry.values())
    assert placeholders(entry["en"]) == placeholders(entry["zh"])
    assert placeholders(entry.get("en_hint", "")) == placeholders(entry.get("zh_hint", ""))


@pytest.mark.parametrize("key", [key for key in CATALOGUE if key.startswith(("error.", "read."))])
def test_an_error_says_what_to_do_about_it(key: str) -> None:
    assert "en_hint" in CATALOGUE[key]


def test_chinese_texts_are_chinese() -> None:
    # Where a text is nothing but names and numbers, both languages may be the same.
    same = {key for key, entry in CATALOGUE.items() if entry["en"] == entry["zh"]}
    assert same == set()


def test_no_key_is_in_two_files() -> None:
    keys = [
        line
        for path in files(messages).iterdir()
        if path.name.endswith(".toml")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("[")
    ]
    assert len(keys) == len(set(keys)) == len(CATALOGUE)


def test_every_key_that_the_program_names_is_in_the_catalogue() -> None:
    named = {one for one in literals() if KEY.fullmatch(one) and not one.endswith(".toml")}
    assert len(named) > 50
    assert named - set(CATALOGUE) == set()


def test_every_key_of_the_catalogue_is_used() -> None:
    used = literals()
    starts = tuple(prefixes())
    unused = {
        key
        for key in CATALOGUE
        if not key.startswith(("web.", "stage.")) and key not in used and not key.startswith(starts)
    }
    assert unused == set()


def test_every_placeholder_is_given_a_value_where_a_text_is_used() -> None:
    for place, call in calls():
        key = call.args[0].value  # type: ignore[attr-defined]
        given = {keyword.arg for keyword in call.keywords}
        if None in given:  # **values: seen only at run time
            continue
        wanted = set().union(*map(placeholders, CATALOGUE[key].values()))
        assert wanted <= given, f"{place}: {key}"


def test_the_page_and_the_catalogue_have_the_same_texts() -> None:
    static = SOURCE / "http" / "static"
    page = (static / "index.html").read_text("utf-8") + (static / "page.js").read_text("utf-8")
    # say("key"), data-text="key", and the two branches of say(condition ? "a" : "b").
    named = set(re.findall(r'data-text="(\w+)"', page))
    for call in re.findall(r"say\(([^()]*)", page):
        named.update(re.findall(r'"(\w+)"', call.split("{")[0]))
    assert {f"web.{name}" for name in named} == {key for key in CATALOGUE if key[:4] == "web."}


def test_every_stage_of_an_answer_has_a_name_in_the_catalogue() -> None:
    named = set()
    for path in [*SOURCE.joinpath("pipeline").glob("*.py"), SOURCE / "app.py"]:
        for node in ast.walk(TREES[path]):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "attr", None) or getattr(called, "id", None)
            if name in {"stage", "skip", "within", "Stage"}:
                values = [
                    *node.args[:1],
                    *(one.value for one in node.keywords if one.arg == "name"),
                ]
                named |= {one.value for one in values if isinstance(one, ast.Constant)}
    assert len(named) > 15
    assert named <= set(messages.stages("en"))
    assert messages.stage("generate", "zh") == "撰写回答"
    assert messages.stage("of a later wenqu", "en") == "of a later wenqu"


def test_a_text_is_filled_in() -> None:
    assert messages.text("error.kb_missing", "zh", name="规章") == "没有名为 规章 的知识库。"
    assert messages.hint("answer.no_evidence", "en") is None


@pytest.mark.parametrize(
    ("count", "said"), [(0, "(0 chunks)"), (1, "(1 chunk)"), (2, "(2 chunks)")]
)
def test_a_number_has_the_word_that_goes_with_it(count: int, said: str) -> None:
    assert messages.text("cli.add.chunks", "en", count=count) == said
    assert messages.text("cli.add.chunks", "zh", count=count) == f"（{count} 个文本块）"


def test_a_phrase_is_english_as_a_string_and_told_in_the_language_of_its_place() -> None:
    phrase = messages.Phrase("error.kb_missing", name="规章")
    assert phrase == "There is no knowledge base named 规章."
    assert json.loads(json.dumps(phrase)) == str(phrase)
    said = messages.text("cli.error", "zh", message=phrase)
    assert said == "错误：没有名为 规章 的知识库。"
    copy = deepcopy(phrase)
    assert (copy, copy.told("zh")) == (phrase, "没有名为 规章 的知识库。")


def test_an_unknown_key_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        messages.text("error.nowhere", "en")


@pytest.mark.parametrize(
    ("environment", "locale"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "de_DE.UTF-8", "WENQU_LANGUAGE": "zh"}, "zh"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "en_US"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_environment(environment: dict[str, str], locale: str) -> None:
    assert messages.system_locale(environment) == locale
