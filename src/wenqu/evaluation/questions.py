"""Reads a user's own questions about a knowledge base: one JSON object a line.

    question     what is asked; needed
    id           its name in reports; without one, q and its line number
    answer       the right answer, or ``answers``, any of which is right
    documents    ids, sources, or ends of sources, of the documents that answer it
    quotes       passages that together bear the answer out, as they stand in those documents
    answerable   false where the documents do not answer it
    accepted     false for a draft that no person has looked at yet

Where ``documents`` is not given, they are those that hold one of the quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wenqu.errors import InputError, NotFoundError
from wenqu.evaluation.datasets import Dataset, EvalQuery, validated_rows
from wenqu.pipeline.discover import named
from wenqu.text.normalize import fold, normalize
from wenqu.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from wenqu.types import DocumentInfo, Qrels

__all__ = ["Question", "dataset_of", "load_questions", "needs_texts"]


class Question(BaseModel):
    """A question, and what is known of its answer; see the module."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str = ""
    question: str = Field(min_length=1)
    answers: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    answerable: bool = True
    accepted: bool = True

    @model_validator(mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        """Take ``answer``, ``document`` and ``quote`` for lists of one."""
        if not isinstance(given, dict):
            return given
        row = dict(given)
        for one, more in (("answer", "answers"), ("document", "documents"), ("quote", "quotes")):
            if (single := row.pop(one, None)) and not row.get(more):
                row[more] = [single]
            if isinstance(row.get(more), str):
                row[more] = [row[more]]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    id: str
    folded: str


def load_questions(path: Path, *, drafts: bool = False) -> tuple[Question, ...]:
    """Return the questions of a file that were accepted, or all of them.

    Raises:
        NotFoundError: There is no such file.
        InputError: A line is malformed, an id comes twice, or there is no question to take.
    """
    if not path.is_file():
        raise NotFoundError("error.path_missing", path=path)
    found: dict[str, Question] = {}
    waiting = 0
    for number, row in validated_rows(path, Question):
        name = row.id or f"q{number}"
        if name in found:
            raise InputError("error.dataset_duplicate", file=path.name, line=number, id=name)
        if not row.accepted and not drafts:
            waiting += 1
            continue
        found[name] = row.model_copy(update={"id": name, "question": normalize(row.question)})
    if not found:
        key = "error.questions_drafts" if waiting else "error.questions_none"
        raise InputError(key, file=path.name, number=waiting)
    return tuple(found.values())


def dataset_of(
    name: str, questions: Sequence[Question], documents: Sequence[Document | DocumentInfo]
) -> Dataset:
    """Return the questions as an evaluation set over a knowledge base.

    Args:
        name: What reports call it.
        questions: The questions.
        documents: Those of the knowledge base; with their texts, where a question gives quotes
            and no documents.

    Raises:
        NotFoundError: A question names a document that is not there.
    """
    infos = [one.info if isinstance(one, Document) else one for one in documents]
    texts = [
        _Text(id=one.id, folded=_folded(one.text))
        for one in documents
        if isinstance(one, Document) and any(_needs_texts(question) for question in questions)
    ]
    qrels: Qrels = {}
    for question in questions:
        relevant = _relevant(question, infos, texts)
        if relevant:
            qrels[question.id] = dict.fromkeys(relevant, 1)
    return Dataset(
        name=name,
        documents=(),
        stored=tuple(infos),
        queries=tuple(
            EvalQuery(
                id=question.id,
                text=question.question,
                answerable=question.answerable,
                answers=question.answers,
                passages=(question.quotes,) if question.quotes else (),
            )
            for question in questions
        ),
        qrels=qrels,
    )


def needs_texts(questions: Iterable[Question]) -> bool:
    """Say whether some question can be judged only by looking for its quotes."""
    return any(_needs_texts(question) for question in questions)


def _needs_texts(question: Question) -> bool:
    return question.answerable and bool(question.quotes) and not question.documents


def _relevant(
    question: Question, infos: Sequence[DocumentInfo], texts: Sequence[_Text]
) -> list[str]:
    if not question.answerable:
        return []
    if question.documents:
        return [_named(question, name, infos) for name in question.documents]
    quotes = [_folded(quote) for quote in question.quotes]
    return [text.id for text in texts if any(quote and quote in text.folded for quote in quotes)]


def _named(question: Question, name: str, infos: Sequence[DocumentInfo]) -> str:
    try:
        return named(name, infos).id
    except NotFoundError:
        raise NotFoundError("error.question_document", id=question.id, name=name) from None


def _folded(text: str) -> str:
    return " ".join(fold(text).split())
