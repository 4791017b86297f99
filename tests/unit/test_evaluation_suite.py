"""What to measure of the data sets below a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.errors import InputError, NotFoundError
from wenqu.evaluation.suite import Suite, steps

if TYPE_CHECKING:
    from pathlib import Path


def _set(folder: Path, *more: str) -> None:
    folder.mkdir(parents=True)
    for name in ("queries.jsonl", "qrels.tsv", "corpus.jsonl", *more):
        (folder / name).touch()


def test_where_no_question_is_unanswerable_half_of_the_documents_are_hidden(
    tmp_path: Path,
) -> None:
    _set(tmp_path / "one")
    assert [step.hide for step in steps([tmp_path], Suite())] == [0, 0.5]
    (tmp_path / "one" / "corpus.jsonl").write_bytes(b" " * 5_000_000)
    assert [step.hide for step in steps([tmp_path], Suite())] == [0]


def test_sets_are_named_by_their_paths_and_written_answers_come_last(tmp_path: Path) -> None:
    _set(tmp_path / "one", "answers.jsonl")
    _set(tmp_path / "two" / "zh", "corpus_full.jsonl.gz")
    unanswerable = '{"id": "1", "text": "x", "answerable": false}'
    (tmp_path / "two" / "zh" / "queries.jsonl").write_text(unanswerable, "utf-8")
    (tmp_path / "notes").mkdir()
    found = steps([tmp_path], Suite(queries=100, quoted=20, written=3))
    assert [(step.name, step.label, step.corpus, step.limit, step.answers) for step in found] == [
        ("one-100", "one", "corpus.jsonl", 100, "extractive"),
        ("one-hidden-100", "one", "corpus.jsonl", 100, None),
        ("two-zh-100", "two-zh", "corpus.jsonl", 100, None),
        ("two-zh-corpus_full-100", "two-zh", "corpus_full.jsonl.gz", 100, None),
        ("one-written-3", "one", "corpus.jsonl", 3, "generate"),
    ]


def test_a_folder_may_itself_be_a_set(tmp_path: Path) -> None:
    _set(tmp_path / "only")
    assert {step.label for step in steps([tmp_path / "only"], Suite())} == {"only"}


def test_a_folder_without_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        steps([tmp_path], Suite())


def test_sets_of_several_folders_are_measured_together(tmp_path: Path) -> None:
    for name in ("mine/one", "theirs/two", "theirs/one"):
        _set(tmp_path / name)
    found = steps([tmp_path / "mine", tmp_path / "theirs" / "two"], Suite())
    assert {step.label for step in found} == {"one", "two"}
    with pytest.raises(InputError) as caught:
        steps([tmp_path / "mine", tmp_path / "theirs"], Suite())
    assert caught.value.key == "error.eval_twice"


def test_the_flags_say_how_much() -> None:
    quick = Suite.of(quick=True, full=False, generate=False)
    full = Suite.of(quick=True, full=True, generate=True)
    assert quick.queries is not None
    assert quick.queries < (Suite().queries or 0)
    assert quick.written == 0
    assert (full.queries, full.quoted) == (None, None)
    assert full.written > 0
