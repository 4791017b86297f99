"""Which data sets there are below a folder, and what to measure of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.errors import InputError, NotFoundError
from wenqu.evaluation.datasets import is_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wenqu.evaluation.record import AnswersBy

__all__ = ["Step", "Suite", "steps"]

_DEEP = 3
_HIDDEN = 0.5
_LARGE = 4_000_000  # bytes of a corpus
_UNANSWERABLE = re.compile(r'"answerable"\s*:\s*false')
_CORPUS = "corpus.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """How much to measure: questions a set, and answers among them; None means all.

    The defaults let eight corpora end in some 25 minutes on two cores, once they are embedded: a
    question costs up to two tenths of a second, a quoted answer half a second, a written one some
    twelve.
    """

    queries: int | None = 300
    quoted: int | None = 60
    written: int = 6

    @classmethod
    def of(cls, *, quick: bool, full: bool, generate: bool) -> Suite:
        """Return the suite that the flags of the command line mean; ``full`` counts first."""
        size = cls(queries=60, quoted=20, written=2) if quick else cls()
        if full:
            size = cls(queries=None, quoted=None, written=50)
        return size if generate else cls(queries=size.queries, quoted=size.quoted, written=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run of a suite; ``label`` names the data set by its path below the folder."""

    name: str
    folder: Path
    label: str
    corpus: str
    limit: int | None
    answers: AnswersBy | None
    answers_limit: int | None
    hide: float = 0.0


def steps(folders: Sequence[Path], suite: Suite) -> list[Step]:
    """Return what to measure, in the order of the folders' names; written answers come last.

    Raises:
        NotFoundError: There is no data set below one of the folders.
        InputError: Two data sets have one name.
    """
    found: list[Step] = []
    for folder in folders:
        below = [step for set_folder in _sets(folder) for step in _of(folder, set_folder, suite)]
        if not below:
            raise NotFoundError("error.eval_nothing", path=folder)
        found += below
    named: dict[str, Path] = {}
    for step in found:
        first = named.setdefault(step.label, step.folder)
        if first != step.folder:
            raise InputError("error.eval_twice", label=step.label, first=first, second=step.folder)
    return sorted(found, key=lambda step: step.answers == "generate")


def _sets(folder: Path) -> Iterator[Path]:
    """Yield the folders that are data sets, at most ``_DEEP`` below."""
    if is_dataset(folder):
        yield folder
    level = [folder]
    for _ in range(_DEEP):
        level = sorted(one for parent in level for one in parent.iterdir() if one.is_dir())
        yield from (one for one in level if is_dataset(one))


def _of(folder: Path, set_folder: Path, suite: Suite) -> Iterator[Step]:
    label = "-".join(set_folder.relative_to(folder).parts) or set_folder.name
    has_answers = any((set_folder / f"answers.jsonl{end}").is_file() for end in ("", ".gz"))
    for corpus in _corpora(set_folder):
        usual = corpus.startswith(_CORPUS)
        quoted = has_answers and usual
        stem = "" if usual else f"-{corpus.removesuffix('.gz').removesuffix('.jsonl')}"
        yield Step(
            name=f"{label}{stem}-{suite.queries or 'all'}",
            folder=set_folder,
            label=label,
            corpus=corpus,
            limit=suite.queries,
            answers="extractive" if quoted else None,
            answers_limit=suite.quoted,
        )
        if usual and _tells_no_refusals(set_folder, corpus):
            yield Step(
                name=f"{label}-hidden-{suite.queries or 'all'}",
                folder=set_folder,
                label=label,
                corpus=corpus,
                limit=suite.queries,
                answers=None,
                answers_limit=None,
                hide=_HIDDEN,
            )
        if quoted and suite.written:
            yield Step(
                name=f"{label}-written-{suite.written}",
                folder=set_folder,
                label=label,
                corpus=corpus,
                limit=suite.written,
                answers="generate",
                answers_limit=None,
            )


def _tells_no_refusals(folder: Path, corpus: str) -> bool:
    """Say whether half of a set's documents should be hidden to measure refusals.

    That makes another knowledge base, so large corpora are left alone.
    """
    queries = folder / "queries.jsonl"
    if (folder / corpus).stat().st_size > _LARGE or not queries.is_file():
        return False
    return not _UNANSWERABLE.search(queries.read_text("utf-8", "replace"))


def _corpora(folder: Path) -> list[str]:
    """Return the corpus files of a set, the usual one first."""
    names = sorted(path.name for path in folder.glob("corpus*.jsonl*"))
    return sorted(names, key=lambda name: not name.startswith(_CORPUS))
