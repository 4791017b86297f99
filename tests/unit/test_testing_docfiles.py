from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wenqu.testing.docfiles import DocFile, Share, bare, load, originals

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "file": "files/a.html",
    "format": "html",
    "kind": "encoding",
    "encoding": "gb18030",
    "expected_text": ["# 标题", "[wenqu](https://example.org) finds"],
    "expected_file": "expected/a.md",
    "password": None,
    "must_fail_cleanly": False,
}


@pytest.fixture
def file(tmp_path: Path) -> DocFile:
    (tmp_path / "files").mkdir()
    (tmp_path / "expected").mkdir()
    (tmp_path / "files" / "a.html").write_bytes("<p>标题 一段文字 wenqu</p>".encode("gb18030"))
    (tmp_path / "expected" / "a.md").write_text(
        "标题 two words <!-- image -->\n\n| a | b |\n|---|---|\n| 1 | &lt;2&gt; |\n", "utf-8"
    )
    gone = ROW | {"file": "files/gone.html"}
    (tmp_path / "manifest.jsonl").write_text(f"{json.dumps(ROW)}\n{json.dumps(gone)}\n", "utf-8")
    (found,) = load(tmp_path)
    return found


def test_spacing_marks_and_forms_do_not_count() -> None:
    assert bare("**ﬁnd** the\n| `cell` |") == bare("find the cell")
    assert bare("see [the page](https://example.org/a_(b))") == bare("see the page")
    assert bare("find") != bare("Find")


def test_what_is_missing_is_named(file: DocFile) -> None:
    assert file.missing("标 题 and wenqu finds") == []
    assert file.missing("标题") == ["[wenqu](https://example.org) finds"]


def test_words_and_rows_are_counted_as_often_as_they_should_be_there(file: DocFile) -> None:
    assert file.words_found("标题 two words a b 1 2") == Share(found=8, of=8)
    assert file.words_found("two two two") == Share(found=1, of=8)
    assert file.rows_found("| a | b |\n| --- | --- |\n| 1 | <2> |") == Share(found=2, of=2)
    assert file.rows_found("| a | b | c |\n| 1 |").found == 0
    assert file.rows_found("a b 1 2").found == 0


def test_a_wrong_encoding_is_seen(file: DocFile) -> None:
    raw = file.path.read_bytes()
    assert file.decoded(raw.decode("gb18030")) is True
    assert file.decoded(raw.decode("big5", "replace")) is False
    assert file.decoded(raw.decode("latin-1")) is False


def test_only_small_files_are_damaged(file: DocFile) -> None:
    assert originals(file.folder) == [file.path]
    assert originals(file.folder, ["pdf"]) == []
    file.path.write_bytes(b" " * (2 << 20))
    assert originals(file.folder) == []
