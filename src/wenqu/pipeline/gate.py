"""Decides before the model speaks: answer, refuse, or "that is not a question for me".

A pure function of the question and its hits. Small talk, and questions about the present moment,
are told by their words alone. For the rest a logistic model weighs the features of
``gate_features``; an operator's own examples may have fitted another one to a knowledge base.
Constants and evidence: docs/adr/0006-gate.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.pipeline.gate_features import HITS, features
from wenqu.pipeline.gate_model import DEFAULT_MODEL, GateModel, Logistic
from wenqu.text.smalltalk import asks_about_now, is_small_talk
from wenqu.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.protocols import StoredGate
    from wenqu.types import Hit

__all__ = [
    "DEFAULT_MODEL",
    "HITS",
    "Gate",
    "GateDecision",
    "GateModel",
    "Logistic",
    "decide",
    "features",
    "gate_for",
    "told_by_words",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """What the gate says of a question; ``outcome`` is None where it may be answered.

    ``reason`` is a key of the message catalogue that says why, for the trace, and ``note`` another
    that says what else is to be known, such as that a fitted gate was left aside. ``features`` is
    empty where words alone decided.
    """

    outcome: Outcome | None
    probability: float
    features: Mapping[str, float]
    reason: str
    threshold: float = 0.0
    note: str | None = None


def decide(
    question: str,
    hits: Sequence[Hit],
    *,
    model: GateModel = DEFAULT_MODEL,
    note: str | None = None,
) -> GateDecision:
    """Say whether ``hits``, best first, can answer ``question``."""
    if refusal := told_by_words(question):
        return _refuse(*refusal, note)
    if not hits:
        return _refuse(Outcome.NO_EVIDENCE, "gate.nothing_found", note)
    values = features(question, hits)
    judge = model.judge(values)
    probability = judge.probability(values)
    answered = probability >= judge.threshold
    return GateDecision(
        outcome=None if answered else Outcome.OUT_OF_SCOPE,
        probability=probability,
        features=MappingProxyType(values),
        reason="gate.answered" if answered else "gate.out_of_scope",
        threshold=judge.threshold,
        note=note,
    )


def told_by_words(question: str) -> tuple[Outcome, str] | None:
    """Return the refusal and its reason where the words of a question alone decide, else None."""
    if is_small_talk(question):
        return Outcome.NOT_A_QUESTION, "gate.chatter"
    if asks_about_now(question):
        return Outcome.OUT_OF_SCOPE, "gate.now"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """``decide`` with a model of its own, to be called in its place.

    ``fitted`` says that the model was fitted to the knowledge base, and ``about`` what is known of
    that; ``note`` goes into decisions.
    """

    model: GateModel = DEFAULT_MODEL
    fitted: bool = False
    note: str | None = None
    about: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def __call__(self, question: str, hits: Sequence[Hit]) -> GateDecision:
        """Say whether ``hits``, best first, can answer ``question``."""
        return decide(question, hits, model=self.model, note=self.note)


def gate_for(stored: StoredGate | None, embedder: str) -> Gate:
    """Return the gate of a knowledge base: the one fitted to it, else the one that ships.

    One that was fitted with another embedder is left aside, and the decisions say so: its scores
    have another scale.

    Args:
        stored: What is kept for the knowledge base, if anything.
        embedder: Fingerprint of the one in use.

    Raises:
        StoreError: What is stored is no gate that this version knows.
    """
    if stored is None:
        return Gate()
    if stored.embedder != embedder:
        return Gate(note="gate.other_embedder")
    about = stored.data.get("about")
    return Gate(
        model=GateModel.from_data(stored.data),
        fitted=True,
        note="gate.fitted",
        about=MappingProxyType(dict(about) if isinstance(about, dict) else {}),
    )


def _refuse(outcome: Outcome, reason: str, note: str | None) -> GateDecision:
    return GateDecision(
        outcome=outcome,
        probability=0.0,
        features=MappingProxyType({}),
        reason=reason,
        note=note,
    )
