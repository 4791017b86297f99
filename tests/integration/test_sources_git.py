"""Repositories copied by the system's own git."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import SourceError
from wenqu.sources.git import Repository, _wanted, clone, is_repository, parse

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git") or "git"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "guide.md").write_text("# Guide", "utf-8")
    (folder / "README.md").write_text("# Project", "utf-8")
    (folder / "src.py").write_text("x = 1", "utf-8")
    (folder / "docs" / "passwd.md").symlink_to("/etc/passwd")
    names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
    environment = os.environ | dict.fromkeys(names, "t@example.com")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([GIT, "-C", str(folder), *command], check=True, env=environment)
    return folder


def cloned(target: str, into: Path, *, allow_private: bool = True) -> list[str]:
    async def work() -> list[Path]:
        return await clone(parse(target), into, allow_private=allow_private, timeout_s=300)

    return [path.relative_to(into).as_posix() for path in asyncio.run(work())]


def test_the_documentation_and_the_readme_are_what_is_wanted(origin: Path, tmp_path: Path) -> None:
    assert cloned(f"git+{origin.as_uri()}", tmp_path / "copy") == ["README.md", "docs"]
    assert (tmp_path / "copy" / "docs" / "guide.md").read_text("utf-8") == "# Guide"


def test_a_folder_can_be_named(origin: Path, tmp_path: Path) -> None:
    assert cloned(f"git+{origin.as_uri()}#docs", tmp_path / "copy") == ["docs"]
    with pytest.raises(SourceError) as caught:
        cloned(f"git+{origin.as_uri()}#nowhere", tmp_path / "other")
    assert caught.value.key == "source.git_folder"


def test_a_repository_without_documentation_is_wanted_whole(origin: Path, tmp_path: Path) -> None:
    subprocess.run([GIT, "-C", str(origin), "mv", "docs", "texts"], check=True)
    subprocess.run(
        [GIT, "-C", str(origin), "-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "b"],
        check=True,
    )
    assert cloned(f"git+{origin.as_uri()}", tmp_path / "copy") == ["."]


def test_a_link_in_a_repository_leads_nowhere_here(origin: Path, tmp_path: Path) -> None:
    cloned(f"git+{origin.as_uri()}", tmp_path / "copy")
    link = tmp_path / "copy" / "docs" / "passwd.md"
    assert not link.is_symlink()
    assert link.read_text("utf-8") == "/etc/passwd"


def test_repositories_on_this_disk_are_refused_unless_allowed(origin: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        cloned(f"git+{origin.as_uri()}", tmp_path / "copy", allow_private=False)
    assert caught.value.key == "source.private"
    assert not (tmp_path / "copy").exists()


def test_what_git_complains_of_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        cloned(f"git+{(tmp_path / 'nothing').as_uri()}", tmp_path / "copy")
    assert caught.value.key == "source.failed"


@pytest.mark.parametrize(
    ("target", "url", "folder"),
    [
        ("https://example.com/a.git", "https://example.com/a.git", ""),
        ("git+https://example.com/a#docs/zh/", "https://example.com/a", "docs/zh"),
        ("git@example.com:team/a.git", "git@example.com:team/a.git", ""),
        ("ssh://git@example.com/a.git", "ssh://git@example.com/a.git", ""),
    ],
)
def test_repositories_are_told_from_pages(target: str, url: str, folder: str) -> None:
    assert is_repository(target)
    assert parse(target) == Repository(url=url, folder=folder)


@pytest.mark.parametrize("target", ["https://example.com/a.html", "docs/a.git.md", "a"])
def test_pages_and_paths_are_no_repositories(target: str) -> None:
    assert not is_repository(target)


@pytest.mark.parametrize(
    "target", ["git+ext::sh -c id", "git+--upload-pack=id", "git+https://h/a.git#../.."]
)
def test_what_could_make_git_run_something_is_refused(target: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(target)
    assert caught.value.key == "source.git_url"


def test_no_error_tells_a_password(tmp_path: Path) -> None:
    told = []
    secret = "me:hidden@127.0.0.1:9/a.git"
    for target in (f"https://{secret}#docs/../..", f"ftp://{secret}", f"http://{secret}"):
        with pytest.raises(SourceError) as caught:
            cloned(target, tmp_path / "copy")
        told.append(caught.value)
    (tmp_path / "here").mkdir()
    with pytest.raises(SourceError) as caught:
        _wanted(Repository(url=f"https://{secret}", folder="docs"), tmp_path / "here")
    told.append(caught.value)
    assert [error.key for error in told] == [
        "source.git_url",
        "source.git_url",
        "source.failed",
        "source.git_folder",
    ]
    assert not [error for error in told if "hidden" in f"{error} {error.message('zh')}"]
