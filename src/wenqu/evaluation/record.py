"""What an evaluation found out, question by question: the form in which a run is kept.

Every figure of a report is made from these values, so that two runs can be compared and an
interval drawn after the fact. Values are between 0 and 1, times in milliseconds.
"""

from __future__ import annotations

from datetime import datetime  # pydantic reads the annotations
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wenqu.types import Origin, Outcome

__all__ = ["AnswersBy", "EvalRecord", "Found", "GateRecord", "MeasuredAnswer", "QueryRecord"]

AnswersBy = Literal["extractive", "generate"]
"""How answers are made that are measured: quoted, or written by the chat model."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Found(_Record):
    """A document as it is shown in a report: where it is from, and some of its words."""

    source: str
    title: str = ""
    text: str = ""


class GateRecord(_Record):
    """What the gate said; ``reason`` is a key of the message catalogue.

    ``likeness`` is the largest dense score among the hits: what a gate would go by that knew no
    better, and is compared with.
    """

    answered: bool
    probability: float
    reason: str
    likeness: float = 0.0


class MeasuredAnswer(_Record):
    """An answer and how right it is; metrics that cannot be had are missing.

    ``unsupported`` has the sentences that claim something and were found borne out by nothing.
    """

    outcome: Outcome
    text: str
    ms: float
    model: str | None = None
    right: tuple[str, ...] = ()
    values: dict[str, float] = Field(default_factory=dict)
    citations: dict[str, float] = Field(default_factory=dict)
    cited: int = 0
    grounded: float | None = None
    unsupported: tuple[str, ...] = ()


class QueryRecord(_Record):
    """One question.

    ``ranks`` has the ranks, from 1, of its relevant documents among those found, of which there
    are ``relevant`` in all; ``wanted`` shows some of them, and ``found`` what came first where that
    was none of them.
    """

    id: str
    text: str
    answerable: bool = True
    relevant: int = 0
    ranks: dict[Origin, tuple[int, ...]] = Field(default_factory=dict)
    values: dict[Origin, dict[str, float]] = Field(default_factory=dict)
    ms: dict[Origin, float] = Field(default_factory=dict)
    wanted: tuple[Found, ...] = ()
    found: tuple[Found, ...] = ()
    gate: GateRecord | None = None
    answer: MeasuredAnswer | None = None


class EvalRecord(_Record):
    """A run: the questions, and all that they depended on.

    ``served`` is whose ranking users get. ``hidden`` is the share of the documents that was left
    out, so that their questions are unanswerable. ``settings`` are those in force without secrets,
    and ``fingerprints`` name chunker, tokeniser, models and the state of the knowledge base.
    """

    format: Literal[1] = 1
    name: str = ""
    date: datetime
    version: str
    dataset: str
    knowledge_base: str
    documents: int
    seed: int = 0
    limit: int | None = None
    hidden: float = 0.0
    answers_by: AnswersBy | None = None
    served: Origin = Origin.FUSED
    settings: dict[str, object] = Field(default_factory=dict)
    fingerprints: dict[str, str] = Field(default_factory=dict)
    queries: tuple[QueryRecord, ...] = ()

    @property
    def judged(self) -> tuple[QueryRecord, ...]:
        """The questions that retrieval was measured on."""
        return tuple(query for query in self.queries if query.values)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Whose rankings were measured, in the order of the pipeline."""
        seen = {origin for query in self.queries for origin in query.values}
        return tuple(origin for origin in Origin if origin in seen)
