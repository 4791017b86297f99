"""What the gate weighs of a question and its hits: how alike, how far ahead, how well covered."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.text.language import detect
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wenqu.types import Hit, Language

__all__ = ["HITS", "features"]

HITS = 10
"""How many of the best hits are looked at; a search for the gate should return as many."""

_COVERING = 5
"""How many of them are searched for the question's words."""

_DOUBT = 2
"""Terms that are counted as missing everywhere: a prior against short questions."""

_USUAL_LEAD = 0.03
_USUAL_LEXICAL_LEAD = 0.5
"""Means over all examples of bench/gate.py. They stand for hits that a small knowledge base does
not have: its one good passage is ahead of nobody."""

_USUAL_GAP = 0.004
"""What a hit in another language is ahead of the next one where there is none: likewise a mean."""

_FARTHER: Mapping[Language, float] = MappingProxyType({"zh": 0.01, "en": 0.0})
"""How much farther passages in a language are from its typical question. Means over the corpora of
bench/gate.py: -.008 and -.011 of two in Chinese, .000, .001 and .005 of three in English."""

_NOT_TRANSLATED = 0.2
"""The translated words of a hit where they are not known. Less than the mean: what cannot be
looked up has less to say for itself, or the gate would answer all that it knows little about."""


def features(question: str, hits: Sequence[Hit]) -> dict[str, float]:
    """Return what the gate weighs, from the first ``HITS`` of at least one hit.

    Only hits that are of the question's language count, or only those that are not, as the best one
    is: likeness across languages has another scale, and a lead over hits on that scale is none.

    likeness      largest dense score
    lead          how much that is above the mean of the others, nine at most
    coverage      of the question's n informative terms, the m that one sentence of the first hits
                  holds at most, as m / (n + 2): one word that agrees says less than five of five
    lexical_lead  how much the largest lexical score is above the mean of the others, as a share
                  of itself: a question about one thing finds its words in one place; times the
                  coverage by one whole hit, for it means nothing where few words are found
    foreign       1 where these hits are of another language than the question, else 0

    Where it is 1, also what does compare across languages, from scores that the finder levelled:

    levelled      largest levelled score of these hits
    gap           how much the first one's is above the largest of the other hits, of either
                  language; below 0 where it comes first by its words alone
    translated    its share of the question's words as a dictionary says them
    """
    language = detect(question)
    foreign = _is_foreign(hits[0], language)
    near = [hit for hit in hits[:HITS] if _is_foreign(hit, language) is foreign]
    across = _across(hits[:HITS], near) if foreign else {}
    return _weighed(question, near) | across | {"foreign": float(foreign)}


def _is_foreign(hit: Hit, language: Language) -> bool:
    # Nothing is levelled where all that is near is in the question's language, as the English
    # parts of a Chinese document are to a question in English.
    return hit.document.language != language and Origin.LEVELLED in hit.scores


def _weighed(question: str, near: Sequence[Hit]) -> dict[str, float]:
    # A hit that another wording found may have no dense score; one without a lexical has no word.
    dense = sorted((h.scores[Origin.DENSE] for h in near if Origin.DENSE in h.scores), reverse=True)
    dense = dense or [0.0]
    lexical = sorted((h.scores.get(Origin.LEXICAL, 0.0) for h in near), reverse=True)
    ahead = 1 - _mean(lexical[1:]) / lexical[0] if lexical[0] > 0 else 0.0
    by_sentence, by_hit = _coverage(question, near[:_COVERING])
    return {
        "likeness": dense[0],
        "lead": _filled(dense[0] - _mean(dense[1:]), _USUAL_LEAD, len(dense)),
        "coverage": by_sentence,
        "lexical_lead": by_hit * _filled(ahead, _USUAL_LEXICAL_LEAD, len(lexical)),
    }


def _across(hits: Sequence[Hit], near: Sequence[Hit]) -> dict[str, float]:
    """Return what is weighed of hits in another language, ``near``, the first of ``hits``."""
    first, *others = (_level(hit) for hit in hits if Origin.LEVELLED in hit.scores)
    return {
        "levelled": max(_level(hit) for hit in near),
        "gap": first - max(others, default=first - _USUAL_GAP),
        "translated": hits[0].scores.get(Origin.TRANSLATED, _NOT_TRANSLATED),
    }


def _level(hit: Hit) -> float:
    return hit.scores[Origin.LEVELLED] + _FARTHER[hit.document.language]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _filled(lead: float, usual: float, hits: int) -> float:
    """Return a lead over ``hits - 1`` others as one over nine, the missing ones being usual."""
    share = (hits - 1) / (HITS - 1)
    return share * lead + (1 - share) * usual


def _coverage(question: str, hits: Sequence[Hit]) -> tuple[float, float]:
    """Return the coverage by the best sentence, and by the best whole hit with its headings."""
    wanted = set(terms(question)) - _function_terms()
    # A single character is in almost any Chinese text.
    wanted = {term for term in wanted if len(term) > 1} or wanted
    by_sentence = by_hit = 0
    for hit in hits:
        found: set[str] = set()
        for text in _units(hit):
            held = wanted.intersection(terms(text))
            by_sentence = max(by_sentence, len(held))
            found |= held
        by_hit = max(by_hit, len(found))
    size = len(wanted) + _DOUBT
    return by_sentence / size, by_hit / size


def _units(hit: Hit) -> Iterator[str]:
    """Yield the sentences of a hit, and what stands above them."""
    text = hit.chunk.text
    yield from (text[span.start : span.end] for span in sentences(text))
    yield " ".join((hit.document.title, *hit.chunk.heading))


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
