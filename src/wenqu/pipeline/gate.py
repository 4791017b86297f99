"""Decides before the model speaks: answer, refuse, or "that is not a question for me".

A pure function of the question and its hits. Small talk, and questions about the present moment,
are told by their words alone. For the rest a logistic model weighs how alike the question and the
best hit are and how many of the question's own words a hit holds; where documents and question are
of different languages, how far the best hit stands out. Constants and evidence:
docs/adr/0006-gate.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.text.chunk import embedding_text
from wenqu.text.language import detect
from wenqu.text.smalltalk import asks_about_now, is_small_talk
from wenqu.text.tokenize import terms
from wenqu.types import Origin, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.types import Hit

__all__ = ["DEFAULT_MODEL", "HITS", "GateDecision", "GateModel", "Logistic", "decide", "features"]

HITS = 10
"""How many of the best hits are looked at; a search for the gate should return as many."""

_COVERING = 5
"""How many of them are searched for the question's words."""

_DOUBT = 2
"""Terms that are counted as missing from every hit: a prior against short questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A logistic model over ``features``; refuses below ``threshold``."""

    bias: float
    weights: Mapping[str, float]
    threshold: float

    def probability(self, values: Mapping[str, float]) -> float:
        """Return the probability that the hits answer the question, 0 … 1."""
        total = self.bias + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateModel:
    """What the gate was taught; holds for the embedder whose scores it was taught on.

    ``own`` decides where a hit is of the question's language, ``foreign`` where none is: likeness
    across languages has another scale, and words cannot be expected to agree.
    """

    own: Logistic
    foreign: Logistic


DEFAULT_MODEL = GateModel(
    own=Logistic(
        bias=-67.4,
        weights=MappingProxyType({"likeness": 73.2, "coverage": 10.7}),
        threshold=0.1,
    ),
    foreign=Logistic(bias=-2.2, weights=MappingProxyType({"lead": 100.0}), threshold=0.3),
)
"""Source: bench/gate.py with multilingual-e5-small, see docs/adr/0006-gate.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """What the gate says of a question; ``outcome`` is None where it may be answered.

    ``reason`` is a key of the message catalogue that says why, for the trace.
    """

    outcome: Outcome | None
    probability: float
    features: Mapping[str, float]
    reason: str


def decide(question: str, hits: Sequence[Hit], *, model: GateModel = DEFAULT_MODEL) -> GateDecision:
    """Say whether ``hits``, best first, can answer ``question``."""
    if is_small_talk(question):
        return _refuse(Outcome.NOT_A_QUESTION, "gate.chatter")
    if asks_about_now(question):
        return _refuse(Outcome.OUT_OF_SCOPE, "gate.now")
    if not hits:
        return _refuse(Outcome.NO_EVIDENCE, "gate.nothing_found")
    values = features(question, hits)
    judge = model.foreign if values["foreign"] else model.own
    probability = judge.probability(values)
    answered = probability >= judge.threshold
    return GateDecision(
        outcome=None if answered else Outcome.OUT_OF_SCOPE,
        probability=probability,
        features=values,
        reason="gate.answered" if answered else "gate.out_of_scope",
    )


def _refuse(outcome: Outcome, reason: str) -> GateDecision:
    return GateDecision(
        outcome=outcome, probability=0.0, features=MappingProxyType({}), reason=reason
    )


def features(question: str, hits: Sequence[Hit]) -> dict[str, float]:
    """Return what the gate weighs, from the first ``HITS`` of at least one hit.

    likeness   largest dense score
    lead       how much that is above the mean of the others
    coverage   of the question's n informative terms, the m that one of the first hits holds at
               most, as m / (n + 2): one word that agrees says less than five of five
    foreign    1 where every hit is of another language than the question, else 0
    """
    near = hits[:HITS]
    dense = sorted((hit.scores.get(Origin.DENSE, 0.0) for hit in near), reverse=True)
    others = dense[1:] or dense
    language = detect(question)
    return {
        "likeness": dense[0],
        "lead": dense[0] - sum(others) / len(others),
        "coverage": _coverage(question, near[:_COVERING]),
        "foreign": float(all(hit.document.language != language for hit in near)),
    }


def _coverage(question: str, hits: Sequence[Hit]) -> float:
    wanted = set(terms(question)) - _function_terms()
    # A single character is in almost any Chinese text.
    wanted = {term for term in wanted if len(term) > 1} or wanted
    matched = max(
        len(wanted & set(terms(embedding_text(hit.chunk, hit.document.title)))) for hit in hits
    )
    return matched / (len(wanted) + _DOUBT)


@cache
def _function_terms() -> frozenset[str]:
    """Return the terms that any question may have and that say nothing of its subject."""
    chinese = {*_FUNCTION_WORDS_ZH.split(), *_FUNCTION_WORDS_ZH}
    return frozenset(terms(_FUNCTION_WORDS_EN)) | chinese


_FUNCTION_WORDS_EN = (
    "a about all also an and any are as at be been but by can could did do does doing for"
    " from get"
    " give had has have he her him his how i if in into is it its like many may me most much"
    " my no"
    " not of on or our please she should so some such tell than that the their them then there"
    " these they this to us use used using want was we were what when where which who whom"
    " whose"
    " why will with would you your"
)
_FUNCTION_WORDS_ZH = (
    "的 了 是 在 有 和 与 及 或 吗 呢 吧 啊 呀 么 什么 怎么 怎样 怎么样 如何 为什么 为何 哪"
    " 哪些 哪个"
    " 哪里 哪儿 谁 多少 几 几个 请 请问 一下 一个 这 那 这个 那个 我 你 您 他 她 它 我们"
    " 你们 他们 能"
    " 能否 可以 是否 会 要 应该 应当 需要 想 让 把 被 给 对 对于 关于 从 到 向 由 以 用 就"
    " 都 也 还 又"
    " 很 最 不 没 没有 上 下 中 里 后 前 时 时候 个 些 种 等 做 进行 之 其 所 而 但 如果"
    " 告诉 介绍 说明"
    " 主要 属于 称为 叫 叫做 指 怎 何 样 帮"
)
