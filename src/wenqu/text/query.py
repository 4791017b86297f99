"""What of a question is worth looking for: its terms without those that only ask.

In most corpora BM25 weighs the terms of ``是什么`` or ``how do I`` low by itself, for they are
everywhere. In a folder of terse documentation they are rare, weigh much, and bring up whatever
happens to ask something.
"""

from __future__ import annotations

from functools import cache

from wenqu.text.tokenize import terms

__all__ = ["only_asks", "query_terms"]

_ASKING = (
    "什么 是什么 怎么 怎么样 怎样 如何 为什么 哪 哪个 哪些 哪里 哪儿 谁 多少 几 是否 请问 吗 呢"
    " 是 的 了 在 有 和 与 how what which who whose where when why is are was were do does did can"
    " could should would i you we my your the a an of to in on for with and it there"
)


def query_terms(question: str) -> list[str]:
    """Return the terms of a question that tell what it is about, in order, repeats included.

    A question of nothing but asking words keeps them all.
    """
    every = terms(question)
    return [term for term in every if term not in _asking()] or every


def only_asks(word: str) -> bool:
    """Say whether a word is one of those that only ask."""
    return _asking().issuperset(terms(word))


@cache
def _asking() -> frozenset[str]:
    return frozenset(terms(_ASKING))
