"""Loads an evaluation set: a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv``.

The layout is BEIR's, flattened: a corpus line has ``id``, ``title`` and ``text``; a query line has
``id`` and ``text``, and ``"answerable": false`` where the corpus does not answer it; a qrels row
is query id, document id and grade, split by tabs, under a header row or none. JSON files may be
gzipped. ``_id`` is taken for ``id``, as BEIR writes it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from wenqu.errors import InputError, NotFoundError
from wenqu.text.language import detect
from wenqu.text.normalize import normalize
from wenqu.types import Document, Qrels, document_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Dataset", "EvalQuery", "load_dataset"]

_QUERIES = "queries.jsonl"
_QRELS = "qrels.tsv"
_QRELS_COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalQuery:
    """A question of an evaluation set; ``answerable`` is False where the corpus has no answer."""

    id: str
    text: str
    answerable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An evaluation set whose ids are wenqu's own.

    A document's ``source`` is its id in the corpus file and its ``id`` comes from that, as for any
    source; ``qrels`` names documents by the latter, so that hits need no translation.
    """

    name: str
    documents: tuple[Document, ...]
    queries: tuple[EvalQuery, ...]
    qrels: Qrels

    @property
    def judged(self) -> tuple[EvalQuery, ...]:
        """The queries that retrieval is measured on: answerable, with a relevant document."""
        return tuple(
            query
            for query in self.queries
            if query.answerable and any(self.qrels.get(query.id, {}).values())
        )


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: str = Field(validation_alias=AliasChoices("id", "_id"), min_length=1)
    text: str


class _CorpusRow(_Row):
    title: str = ""


class _QueryRow(_Row):
    answerable: bool = True


_AnyRow = TypeVar("_AnyRow", bound=_Row)


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
    queries_path = _find(folder, _QUERIES)
    queries = tuple(
        EvalQuery(id=row.id, text=normalize(row.text), answerable=row.answerable)
        for row in _rows(queries_path, _QueryRow)
    )
    qrels_path = _find(folder, _QRELS)
    qrels = _qrels(qrels_path, {query.id for query in queries}, documents)
    dataset = Dataset(name=folder.resolve().name, documents=documents, queries=queries, qrels=qrels)
    if not dataset.judged:
        raise InputError("error.dataset_unjudged", path=folder)
    return dataset


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise NotFoundError("error.dataset_missing", path=folder, file=name)


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


def _rows(path: Path, model: type[_AnyRow]) -> Iterator[_AnyRow]:
    seen: set[str] = set()
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
        if row.id in seen:
            raise InputError("error.dataset_duplicate", file=path.name, line=number, id=row.id)
        seen.add(row.id)
        yield row


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
