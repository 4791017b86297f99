"""The pages' examples run, their links lead somewhere, and every page is there in both languages.

A fenced block after ``<!-- test: run -->`` is run: a ``console`` block line by line in a shell, a
``python`` block as a program. ``exit=N`` gives the exit code of the last line, 0 if it is not said.
What stands below a command must be what it prints, where … means anything, also several lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CHINESE = (ROOT / "README.zh.md", *sorted((ROOT / "docs" / "zh").glob("*.md")))
DECISIONS = tuple(sorted((ROOT / "docs" / "adr").glob("*.md")))
ALL = (*ENGLISH, *CHINESE, *DECISIONS, ROOT / "CHANGELOG.md")
BOTH_LANGUAGES = {"glossary.md"}
"""Pages that carry both languages in one."""

_BLOCK = re.compile(
    r"^<!-- test: run(?: exit=(?P<exit>\d+))? -->\n```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Shell:
    """Where a page's examples run: one folder and one home for all of a page."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )


@pytest.fixture
def shell(tmp_path: Path, models_dir: Path) -> Shell:
    """A folder with the samples and a ``wenqu`` that is this very checkout."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "wenqu"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wenqu "$@"\n', "utf-8")
    program.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WENQU_")},
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
        "PYTHONIOENCODING": "utf-8",
        "WENQU_HOME": str(tmp_path / "home"),
        "WENQU_MODELS__DIR": str(models_dir),
    }
    return Shell(tmp_path, environment)


@dataclass(frozen=True)
class Example:
    """One thing to run, and what the page says that it prints; empty where it does not say."""

    name: str
    command: list[str]
    printed: str


def examples(kind: str, body: str) -> list[Example]:
    """Return what a block runs: a program, or the lines of a shell that follow ``$``."""
    if kind == "python":
        return [Example("python", [sys.executable, "-c", body], "")]
    found = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        found.append(Example(line, ["sh", "-c", line], printed))
    return found


def shows(wanted: str, printed: str) -> bool:
    """Say whether ``printed`` is what the page shows, where it shows anything."""
    if not wanted.strip():
        return True
    parts = [re.escape(" ".join(part.split())) for part in wanted.split("…")]
    return re.fullmatch(r"\s*.*".join(parts), " ".join(printed.split())) is not None


def runnable() -> list[Path]:
    return [page for page in (*ENGLISH, *CHINESE) if _BLOCK.search(page.read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", runnable(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run_and_print_what_it_shows(page: Path, shell: Shell) -> None:
    shell.environment["WENQU_LANGUAGE"] = "zh" if page in CHINESE else "en"
    for block in _BLOCK.finditer(page.read_text("utf-8")):
        todo = examples(block["kind"], block["body"])
        for example in todo:
            done = shell.run(example.command)
            seen = f"{example.name}\n{done.stdout}\n{done.stderr}"
            assert done.returncode == (int(block["exit"] or 0) if example is todo[-1] else 0), seen
            # Notes go to standard error; a reader sees both.
            assert shows(example.printed, done.stdout) or shows(
                example.printed, done.stdout + done.stderr
            ), seen


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text("utf-8"))
    dead = [
        link for link in _LINK.findall(text) if "://" not in link and not _leads(page.parent, link)
    ]
    assert dead == []


def _leads(folder: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = folder / name
    if not target.exists():
        return False
    headings = _HEADING.findall(target.read_text("utf-8")) if anchor else []
    return not anchor or anchor in {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_there_in_both_languages() -> None:
    english = {page.name for page in ENGLISH[1:]} - BOTH_LANGUAGES
    chinese = {page.name for page in CHINESE[1:]}
    assert english == chinese


@pytest.mark.parametrize("page", [*ENGLISH, *CHINESE], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_its_other_language(page: Path) -> None:
    if page.name in BOTH_LANGUAGES:
        return
    english, chinese = page in ENGLISH, page.name
    if page.parent == ROOT:
        other = "README.zh.md" if english else "README.md"
    else:
        other = f"zh/{chinese}" if english else f"../{chinese}"
    assert f"]({other})" in page.read_text("utf-8")


def test_every_decision_is_listed_in_both_indexes() -> None:
    for index in (ROOT / "docs" / "index.md", ROOT / "docs" / "zh" / "index.md"):
        listed = index.read_text("utf-8")
        missing = [page.name for page in DECISIONS if f"adr/{page.name})" not in listed]
        assert missing == []


def test_every_runtime_dependency_has_its_reasons_in_a_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in project["dependencies"]}
    page = (ROOT / "docs" / "adr" / "0002-libraries.md").read_text("utf-8").lower()
    assert names == set(re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)) - {"library"}


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_folder_of_the_machine_it_was_written_on(page: Path) -> None:
    assert re.findall(r"(?<![\w.~])/(?:work|tmp|root|home)/", page.read_text("utf-8")) == []
