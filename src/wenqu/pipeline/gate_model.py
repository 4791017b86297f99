"""What the gate was taught: logistic models over ``gate_features``, as plain numbers.

The shipped constants and their evidence: docs/adr/0006-gate.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_MODEL", "FOREIGN_FEATURES", "OWN_FEATURES", "GateModel", "Logistic"]

OWN_FEATURES = ("likeness", "lead", "coverage", "lexical_lead")
"""What is weighed where the best hit is of the question's language."""

FOREIGN_FEATURES = ("levelled", "gap", "translated")
"""What is weighed where it is not."""

_VERSION = 2
_OWN_ALONE = 1
"""The version whose ``foreign`` weighs what is weighed no more. Nothing had been fitted of it, so
the one that ships takes its place."""
_LARGEST = 60.0
_NO_VALUES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A logistic model over features; refuses below ``threshold``.

    ``bias`` is what it says where each feature has its ``typical`` value, so that a feature's
    contribution is its weight times how far it is from there.
    """

    bias: float
    weights: Mapping[str, float]
    threshold: float
    typical: Mapping[str, float] = field(default_factory=lambda: _NO_VALUES)

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the probability that the hits answer the question, 0 … 1."""
        total = self.bias + sum(self.contributions(values).values())
        return 1 / (1 + math.exp(-max(-_LARGEST, min(_LARGEST, total))))

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return what each feature adds to the log-odds, which begin at ``bias``."""
        return {
            name: weight * (values[name] - self.typical.get(name, 0.0))
            for name, weight in self.weights.items()
        }

    def to_data(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            "bias": self.bias,
            "weights": dict(self.weights),
            "typical": dict(self.typical),
            "threshold": self.threshold,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GateModel:
    """What the gate was taught; holds for the embedder whose scores it was taught on.

    ``own`` decides where the best hit is of the question's language, ``foreign`` where it is not:
    likeness across languages has another scale, and words cannot be expected to agree.
    """

    own: Logistic
    foreign: Logistic

    def judge(self, values: Mapping[str, float]) -> Logistic:
        """Return which of the two decides on a question with these features."""
        return self.foreign if values["foreign"] else self.own

    def to_data(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            "version": _VERSION,
            "own": self.own.to_data(),
            "foreign": self.foreign.to_data(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> GateModel:
        """Return what ``to_data`` was called on; of an older version what was fitted of it.

        Raises:
            StoreError: It is of another version, or is no gate at all.
        """
        version = data.get("version")
        if version not in {_OWN_ALONE, _VERSION}:
            raise StoreError("error.gate_data", reason=f"version {version}")
        try:
            own = _logistic(data["own"], OWN_FEATURES)
            if version == _OWN_ALONE:
                return cls(own=own, foreign=DEFAULT_MODEL.foreign)
            return cls(own=own, foreign=_logistic(data["foreign"], FOREIGN_FEATURES))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                "error.gate_data", reason=f"{type(error).__name__}: {error}"
            ) from error


def _logistic(data: object, features: tuple[str, ...]) -> Logistic:
    if not isinstance(data, dict):
        raise TypeError(data)
    weights = {str(name): _number(value) for name, value in data["weights"].items()}
    if not weights.keys() <= set(features):
        raise ValueError(", ".join(sorted(weights.keys() - set(features))))
    return Logistic(
        bias=_number(data["bias"]),
        weights=MappingProxyType(weights),
        typical=MappingProxyType(
            {str(name): _number(value) for name, value in data["typical"].items()}
        ),
        threshold=_number(data["threshold"]),
    )


def _number(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(value)
    return number


DEFAULT_MODEL = GateModel(
    own=Logistic(
        bias=-0.19,
        weights=MappingProxyType(
            {"likeness": 35.0, "lead": 37.0, "coverage": 4.9, "lexical_lead": 3.8}
        ),
        typical=MappingProxyType(
            {"likeness": 0.861, "lead": 0.031, "coverage": 0.276, "lexical_lead": 0.172}
        ),
        threshold=0.25,
    ),
    foreign=Logistic(
        bias=-0.31,
        weights=MappingProxyType({"levelled": 57.0, "gap": 42.0, "translated": 2.7}),
        typical=MappingProxyType({"levelled": 0.054, "gap": 0.004, "translated": 0.324}),
        threshold=0.25,
    ),
)
"""Source: bench/gate.py with multilingual-e5-small, see docs/adr/0006-gate.md."""
