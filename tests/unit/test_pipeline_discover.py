from __future__ import annotations

import os
from pathlib import Path

import pytest

from wenqu.errors import NotFoundError
from wenqu.pipeline.discover import discover, is_below, named
from wenqu.protocols import MissedFile, SourceFile
from wenqu.testing.samples import document_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in (
        "b.md",
        "a.txt",
        "子目录/深/制度.md",
        "drafts/x.md",
        "drafts/deep/y.md",
        "node_modules/z.md",
        ".git/config",
        ".hidden.md",
        "~$open.docx",
        "logs/app.log",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    return root


def names(root: Path, *ignore: str) -> list[str]:
    return [os.path.relpath(file.source, root) for file in discover([root], ignore)]


def test_a_folder_is_searched_through_in_a_stable_order(tree: Path) -> None:
    assert names(tree) == [
        "a.txt",
        "b.md",
        "drafts/x.md",
        "drafts/deep/y.md",
        "logs/app.log",
        "子目录/深/制度.md",
    ]


def test_what_holds_no_documents_of_the_user_is_left_out(tree: Path) -> None:
    found = set(names(tree))
    assert not found & {".hidden.md", ".git/config", "node_modules/z.md", "~$open.docx"}


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("*.log", {"logs/app.log"}),
        ("drafts", {"drafts/x.md", "drafts/deep/y.md"}),
        ("drafts/", {"drafts/x.md", "drafts/deep/y.md"}),
        ("drafts/*", {"drafts/x.md", "drafts/deep/y.md"}),
        ("drafts/x.md", {"drafts/x.md"}),
        ("*.md", {"b.md", "drafts/x.md", "drafts/deep/y.md", "子目录/深/制度.md"}),
        ("深", {"子目录/深/制度.md"}),
    ],
)
def test_patterns_leave_files_and_folders_out(tree: Path, pattern: str, gone: set[str]) -> None:
    assert set(names(tree)) - set(names(tree, pattern)) == gone


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tree: Path) -> None:
    hidden = tree / ".hidden.md"
    assert [file.path for file in discover([hidden], ["*.md"])] == [hidden]


def test_each_file_is_found_once(tree: Path) -> None:
    files = discover([tree / "b.md", tree, tree / "drafts" / ".." / "b.md"])
    sources = [file.source for file in files]
    assert len(sources) == len(set(sources))
    assert sources[0] == str(tree / "b.md")


def test_a_source_is_an_absolute_path(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    (file,) = discover([Path("b.md")])
    assert file.source == str(tree / "b.md")
    assert discover([Path()])[0].source == str(tree / "a.txt")


def test_a_path_that_is_not_there_is_an_error_before_anything_is_done(tree: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        discover([tree, tree / "nowhere"])
    assert "nowhere" in str(caught.value)


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "round").symlink_to(tree)
    (tree / "linked.md").symlink_to(tree / "b.md")
    found = names(tree)
    assert not any(name.startswith("round") for name in found)
    assert "linked.md" in found


def test_a_broken_link_and_a_pipe_are_no_files(tree: Path) -> None:
    (tree / "broken.md").symlink_to(tree / "nowhere.md")
    os.mkfifo(tree / "pipe.md")
    assert not {"broken.md", "pipe.md"} & set(names(tree))


def test_a_source_is_below_a_folder_by_whole_names(tree: Path) -> None:
    assert is_below(str(tree / "b.md"), tree)
    assert is_below(str(tree / "b.md"), tree / "drafts" / "..")
    assert not is_below(str(tree / "b.md"), tree / "b.md")
    assert not is_below(f"{tree}-other/b.md", tree)


def test_a_name_that_is_not_utf8_still_names_its_file(tmp_path: Path) -> None:
    name = "制度.md".encode("gbk")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text("内容", "utf-8")
    (file,) = discover([tmp_path])
    assert file.path.read_text("utf-8") == "内容"
    assert file.source.startswith(f"{tmp_path}/\\xd6")
    assert file.source.encode()
    assert is_below(file.source, tmp_path)


def test_a_folder_that_cannot_be_looked_into_is_reported(tree: Path) -> None:
    # Whoever runs the tests: a path too long for the system can be made step by step only.
    name, inside = "深" * 80, os.open(tree, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=inside)
        above, inside = inside, os.open(name, os.O_RDONLY, dir_fd=inside)
        os.close(above)
    os.close(inside)
    *files, closed = discover([tree])
    assert {type(file) for file in files} == {SourceFile}
    assert isinstance(closed, MissedFile)
    assert closed.error.key == "read.access"
    assert is_below(closed.source, tree / name)


def test_a_link_that_leads_nowhere_is_left_out(tree: Path) -> None:
    (tree / "round.md").symlink_to("round.md")
    (tree / "gone.md").symlink_to("nothing.md")
    assert not {"round.md", "gone.md"} & set(names(tree))


INFOS = [
    document_of(source, "text").info
    for source in ("/kb/a/制度.md", "/kb/b/制度.md", "/kb/b/other.md", "/kb/.hidden/x.md")
]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (INFOS[1].id, "/kb/b/制度.md"),
        ("/kb/b/制度.md", "/kb/b/制度.md"),
        ("a/制度.md", "/kb/a/制度.md"),
        ("other.md", "/kb/b/other.md"),
        ("./other.md", "/kb/b/other.md"),
        (".hidden/x.md", "/kb/.hidden/x.md"),
    ],
)
def test_a_document_is_named_by_id_source_or_the_end_of_its_source(name: str, source: str) -> None:
    assert named(name, INFOS).source == source


@pytest.mark.parametrize("name", ["制度.md", "度.md", "nowhere.md", ""])
def test_a_name_that_means_none_or_several_is_an_error(name: str) -> None:
    with pytest.raises(NotFoundError):
        named(name, INFOS)
