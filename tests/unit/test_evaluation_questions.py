"""A user's own questions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wenqu.errors import InputError, NotFoundError
from wenqu.evaluation.questions import dataset_of, load_questions, needs_texts
from wenqu.types import Document, document_id

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    Document(
        id=document_id(source),
        source=source,
        title=source,
        text=text,
        language="zh",
    )
    for source, text in (
        ("/docs/差旅.md", "住宿标准为每晚\n四百元。"),
        ("/docs/leave.md", "Staff have 15 days of leave."),
        ("/old/leave.md", "Staff had 10 days of leave."),
    )
]


def _file(tmp_path: Path, *rows: dict[str, object]) -> Path:
    path = tmp_path / "questions.jsonl"
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_one_answer_document_and_quote_are_lists_of_one(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        {
            "question": "住一晚多少钱？",
            "answer": "400",
            "document": "差旅.md",
            "quote": "四百元",
        },
        {"id": "x", "question": "How long?", "answers": ["15", "fifteen"]},
    )
    first, second = load_questions(path)
    assert (first.id, first.answers, first.documents, first.quotes) == (
        "q1",
        ("400",),
        ("差旅.md",),
        ("四百元",),
    )
    assert (second.id, second.answers) == ("x", ("15", "fifteen"))


def test_drafts_wait_until_somebody_has_accepted_them(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        {"question": "one", "accepted": False},
        {"question": "two", "accepted": True},
        {"question": "three"},
    )
    assert [one.question for one in load_questions(path)] == ["two", "three"]
    assert len(load_questions(path, drafts=True)) == 3


def test_a_file_of_nothing_but_drafts_says_what_to_do(tmp_path: Path) -> None:
    path = _file(tmp_path, {"question": "one", "accepted": False})
    with pytest.raises(InputError) as caught:
        load_questions(path)
    assert caught.value.key == "error.questions_drafts"
    with pytest.raises(InputError) as caught:
        load_questions(_file(tmp_path))
    assert caught.value.key == "error.questions_none"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"text": "no question"}, "error.dataset_line"),
        ({"question": ""}, "error.dataset_line"),
        ({"question": "one", "answerable": "perhaps"}, "error.dataset_line"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, row: dict[str, object], key: str) -> None:
    with pytest.raises(InputError) as caught:
        load_questions(_file(tmp_path, {"question": "good"}, row))
    assert caught.value.key == key
    assert "2" in caught.value.message("en")


def test_ids_are_not_given_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_questions(_file(tmp_path, {"id": "a", "question": "x"}, {"id": "a", "question": "y"}))
    assert caught.value.key == "error.dataset_duplicate"


def test_documents_are_named_by_the_ends_of_their_sources(tmp_path: Path) -> None:
    questions = load_questions(
        _file(
            tmp_path,
            {"question": "a", "documents": ["docs/leave.md", "差旅.md"]},
            {"question": "b", "answerable": False, "documents": ["差旅.md"]},
            {"question": "c", "answer": "only this is known"},
        )
    )
    dataset = dataset_of("mine", questions, [document.info for document in DOCUMENTS])
    assert dataset.qrels == {"q1": {DOCUMENTS[1].id: 1, DOCUMENTS[0].id: 1}}
    assert [query.id for query in dataset.judged] == ["q1"]
    assert dataset.has_refusals
    assert set(dataset.infos) == {document.id for document in DOCUMENTS}


def test_a_document_that_is_not_there_or_not_clear_is_named(tmp_path: Path) -> None:
    for name in ("nowhere.md", "leave.md"):
        questions = load_questions(_file(tmp_path, {"question": "a", "documents": [name]}))
        with pytest.raises(NotFoundError) as caught:
            dataset_of("mine", questions, DOCUMENTS)
        assert name in caught.value.message("zh")


def test_without_documents_they_are_those_that_hold_a_quote_whatever_its_spaces(
    tmp_path: Path,
) -> None:
    questions = load_questions(
        _file(tmp_path, {"question": "a", "quotes": ["每晚 四百元", "no such words"]})
    )
    assert needs_texts(questions)
    dataset = dataset_of("mine", questions, DOCUMENTS)
    assert dataset.qrels == {"q1": {DOCUMENTS[0].id: 1}}
    assert dataset.queries[0].passages == (("每晚 四百元", "no such words"),)
