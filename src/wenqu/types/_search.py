"""Questions and hits, and how a run of the pipeline went."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wenqu.types._documents import Chunk, DocumentInfo


Qrels = dict[str, dict[str, int]]
"""Relevance in TREC shape: query id → document id → grade (0 is not relevant)."""


Run = dict[str, dict[str, float]]
"""A ranking in TREC shape: query id → document id → score, higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is searched for.

    ``text`` is the question as it stands by itself: it is what hits are reranked, gated and
    answered by. ``variants`` are searched too, and count less: the user's own words where they were
    rewritten, other wordings, the parts of a question about two things. ``passages`` are texts as
    an answer might stand in a document, which are looked for by meaning alone.
    """

    text: str
    variants: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()


class Origin(StrEnum):
    """Which stage gave a score; scores are comparable only within one origin.

    ``levelled`` is the dense score less what all questions and all texts of a language have in
    common, and ``translated`` the share, 0 … 1, of the most that a text could have of the
    question's words as a dictionary says them.
    """

    LEXICAL = "lexical"
    DENSE = "dense"
    LEVELLED = "levelled"
    TRANSLATED = "translated"
    FUSED = "fused"
    RERANKED = "reranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that a query found; ``scores`` keeps the score of every stage it passed."""

    chunk: Chunk
    document: DocumentInfo
    score: float
    origin: Origin
    scores: Mapping[Origin, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a pipeline run: its name, milliseconds, and what it wants to say of itself."""

    name: str
    ms: float
    detail: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    skipped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How an answer came about, stage by stage in order."""

    stages: tuple[Stage, ...] = ()

    @property
    def timings_ms(self) -> dict[str, float]:
        """Milliseconds a stage, to two decimals, with their sum as ``total``."""
        timings = {stage.name: round(stage.ms, 2) for stage in self.stages}
        timings["total"] = round(sum(stage.ms for stage in self.stages), 2)
        return timings


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHits:
    """Hits, best first, and how they were found."""

    hits: tuple[Hit, ...]
    trace: Trace
