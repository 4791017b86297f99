"""Loads an evaluation set: a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv``.

The layout is BEIR's, flattened: a corpus line has ``id``, ``title`` and ``text``; a query line has
``id`` and ``text``, and ``"answerable": false`` where the corpus does not answer it; a qrels row
is query id, document id and grade, split by tabs, under a header row or none. JSON files may be
gzipped. ``_id`` is taken for ``id``, as BEIR writes it.

``answers.jsonl`` may be there too: a line has a question's ``id``, the right ``answers``, any of
which will do, and ``evidence``: the passages that bear them out, one an alternative, or a list of
passages that do so together.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, TextIO, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from wenqu.errors import InputError, NotFoundError
from wenqu.text.language import detect
from wenqu.text.normalize import normalize
from wenqu.types import Document, DocumentInfo, Qrels, document_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = [
    "Dataset",
    "EvalQuery",
    "is_dataset",
    "load_dataset",
    "sampled",
    "validated_rows",
    "without",
]

_QUERIES = "queries.jsonl"
_ANSWERS = "answers.jsonl"
_QRELS = "qrels.tsv"
_QRELS_COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalQuery:
    """A question of an evaluation set; ``answerable`` is False where the corpus has no answer.

    Any of ``answers`` is right. ``passages`` are alternatives, each being passages that together
    bear the answer out. Either may be empty: then nothing is known.
    """

    id: str
    text: str
    answerable: bool = True
    answers: tuple[str, ...] = ()
    passages: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An evaluation set whose ids are wenqu's own.

    A document's ``source`` is its id in the corpus file and its ``id`` comes from that, as for any
    source; ``qrels`` names documents by the latter, so that hits need no translation. ``stored``
    are documents that a knowledge base has already: a set has either them or ``documents``.
    """

    name: str
    documents: tuple[Document, ...]
    queries: tuple[EvalQuery, ...]
    qrels: Qrels
    stored: tuple[DocumentInfo, ...] = ()

    @property
    def infos(self) -> dict[str, DocumentInfo]:
        """The documents by id, without their texts."""
        own = (document.info for document in self.documents)
        return {info.id: info for info in (*own, *self.stored)}

    @property
    def judged(self) -> tuple[EvalQuery, ...]:
        """The queries that retrieval is measured on: answerable, with a relevant document."""
        return tuple(
            query
            for query in self.queries
            if query.answerable and any(self.qrels.get(query.id, {}).values())
        )

    @property
    def has_refusals(self) -> bool:
        """Whether it tells how well unanswerable questions are told from others."""
        return len({query.answerable for query in self.queries}) > 1


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str = Field(validation_alias=AliasChoices("id", "_id"), min_length=1)


class _CorpusRow(_Row):
    text: str
    title: str = ""


class _QueryRow(_Row):
    text: str
    answerable: bool = True


class _AnswerRow(_Row):
    answers: tuple[str, ...] = ()
    evidence: tuple[str | tuple[str, ...], ...] = ()


_AnyRow = TypeVar("_AnyRow", bound=BaseModel)
_AnyIdRow = TypeVar("_AnyIdRow", bound=_Row)


def load_dataset(folder: Path, *, corpus: str = "corpus.jsonl") -> Dataset:
    """Load and check an evaluation set.

    Args:
        folder: Where the files are; its name becomes the set's.
        corpus: Which corpus file to take, with or without ``.gz``.

    Raises:
        NotFoundError: The folder or one of its files is not there.
        InputError: A line is malformed, an id comes twice, the qrels name what is not in the
            other files, or no query has a relevant document.
    """
    corpus_path = _find(folder, corpus)
    documents = tuple(_document(row) for row in _rows(corpus_path, _CorpusRow))
    known = _answers(folder)
    queries = tuple(
        replace(
            known.get(row.id, EvalQuery(id=row.id, text="")),
            text=normalize(row.text),
            answerable=row.answerable,
        )
        for row in _rows(_find(folder, _QUERIES), _QueryRow)
    )
    qrels_path = _find(folder, _QRELS)
    qrels = _qrels(qrels_path, {query.id for query in queries}, documents)
    dataset = Dataset(name=folder.resolve().name, documents=documents, queries=queries, qrels=qrels)
    if not dataset.judged:
        raise InputError("error.dataset_unjudged", path=folder)
    return dataset


def is_dataset(folder: Path) -> bool:
    """Say whether a folder looks like an evaluation set."""
    return (folder / _QRELS).is_file() and any(
        (folder / f"{_QUERIES}{end}").is_file() for end in ("", ".gz")
    )


def sampled(dataset: Dataset, limit: int | None, seed: int = 0) -> Dataset:
    """Return ``dataset`` with at most ``limit`` queries, drawn by chance but always the same.

    A smaller sample of one seed is part of a larger one. Answerable and unanswerable queries keep
    their proportion, as far as whole queries can.
    """
    if limit is None or limit >= len(dataset.queries):
        return dataset

    kept: set[str] = set()
    for answerable in (True, False):
        group = [query for query in dataset.queries if query.answerable == answerable]
        most = round(limit * len(group) / len(dataset.queries))
        kept.update(
            query.id for query in sorted(group, key=lambda one: _chance(one.id, seed))[:most]
        )
    queries = tuple(query for query in dataset.queries if query.id in kept)
    return replace(dataset, queries=queries)


def without(dataset: Dataset, share: float, seed: int = 0) -> Dataset:
    """Return ``dataset`` without a share of its documents, chosen by chance but always the same.

    Questions that only those answered become unanswerable: so any set tells how well a gate refuses
    what stands near, but not in, the documents.
    """
    order = sorted(dataset.documents, key=lambda one: _chance(one.id, seed))
    hidden = {document.id for document in order[: round(share * len(order))]}
    qrels: Qrels = {}
    queries = []
    for query in dataset.queries:
        grades = dataset.qrels.get(query.id, {})
        left = {document: grade for document, grade in grades.items() if document not in hidden}
        lost = any(grades.values()) and not any(left.values())
        queries.append(replace(query, answerable=query.answerable and not lost))
        if left:
            qrels[query.id] = left
    documents = tuple(one for one in dataset.documents if one.id not in hidden)
    return replace(dataset, documents=documents, queries=tuple(queries), qrels=qrels)


def _chance(text: str, seed: int) -> bytes:
    return blake2b(f"{seed}\0{text}".encode(), digest_size=8).digest()


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    if not folder.is_dir():
        raise NotFoundError("error.path_missing", path=folder)
    raise NotFoundError("error.dataset_missing", path=folder, file=name)


def _answers(folder: Path) -> dict[str, EvalQuery]:
    """Return what is known of the answers, by question: queries without their text."""
    try:
        path = _find(folder, _ANSWERS)
    except NotFoundError:
        return {}
    return {
        row.id: EvalQuery(
            id=row.id,
            text="",
            answers=tuple(answer for answer in row.answers if answer.strip()),
            passages=tuple((one,) if isinstance(one, str) else one for one in row.evidence if one),
        )
        for row in _rows(path, _AnswerRow)
    }


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number, from 1, and line, without blank ones."""
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError("error.dataset_file", file=path.name, reason=error) from error


def _rows(path: Path, model: type[_AnyIdRow]) -> Iterator[_AnyIdRow]:
    seen: set[str] = set()
    for number, row in validated_rows(path, model):
        if row.id in seen:
            raise InputError("error.dataset_duplicate", file=path.name, line=number, id=row.id)
        seen.add(row.id)
        yield row


def validated_rows(path: Path, model: type[_AnyRow]) -> Iterator[tuple[int, _AnyRow]]:
    """Yield the line number, from 1, and the row of each line of a JSON lines file.

    Raises:
        InputError: The file cannot be read, or a line is malformed.
    """
    for number, line in _lines(path):
        try:
            row = model.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            raise InputError(
                "error.dataset_line", file=path.name, line=number, reason=error.msg
            ) from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            reason = ": ".join([*map(str, first["loc"]), first["msg"]])
            raise InputError(
                "error.dataset_line", file=path.name, line=number, reason=reason
            ) from None
        yield number, row


def _document(row: _CorpusRow) -> Document:
    # A corpus entry may be a bare title; then the title is what can be found and cited.
    text = normalize(row.text) or normalize(row.title)
    return Document(
        id=document_id(row.id),
        source=row.id,
        title=row.title,
        text=text,
        language=detect(text),
    )


def _qrels(path: Path, queries: set[str], documents: Sequence[Document]) -> Qrels:
    ids = {document.source: document.id for document in documents}
    qrels: Qrels = {}
    for number, line in _lines(path):
        cells = line.rstrip("\r\n").split("\t")
        if number == 1 and len(cells) == _QRELS_COLUMNS and not _is_grade(cells[-1]):
            continue
        if len(cells) != _QRELS_COLUMNS or not _is_grade(cells[-1]):
            raise InputError("error.dataset_line", file=path.name, line=number, reason=line.strip())
        query, source, grade = cells
        if query not in queries or source not in ids:
            unknown = query if query not in queries else source
            raise InputError("error.dataset_unknown", file=path.name, line=number, id=unknown)
        qrels.setdefault(query, {})[ids[source]] = int(grade)
    return qrels


def _is_grade(cell: str) -> bool:
    return cell.strip().lstrip("-").isdecimal()
