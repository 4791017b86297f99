"""How near an answer's words come to a right one, and its citations to the right passages.

    exact      it says the right answer and nothing else
    contains   the right answer stands in it, word by word
    f1         harmonic mean of the shares of words that are right and that were found
    rouge_l    the same of the longest common run of words, gaps allowed

Words are characters in Chinese and words elsewhere, folded as in search: full width, case and
traditional characters make no difference; punctuation, citation markers and English articles do
not count. Where there are several right answers, the best counts.

Sources: the SQuAD and CMRC 2018 scorers for exact and F1; Lin 2004 for ROUGE-L; Hyyrö 2004 for
the length of the longest common subsequence in machine words.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from wenqu.text.normalize import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "ANSWER_METRICS",
    "CITATION_METRICS",
    "Quoted",
    "answer_values",
    "citation_values",
    "stands_in",
    "words",
]

ANSWER_METRICS = ("exact", "contains", "f1", "rouge_l")
CITATION_METRICS = ("precision", "recall", "evidence_precision", "document_precision")

_WORD = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\\W_\u3400-\u9fff]+")
_MARKER = re.compile(r"\[\d{1,3}\]")
_ARTICLES = frozenset({"a", "an", "the"})
_OVERLAP = 0.5  # of the shorter passage that must stand in the other, in one run
_LONGEST = 4000  # words of a passage that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A citation, as far as it is judged: its words, and its document."""

    quote: str
    document: str


def words(text: str) -> list[str]:
    """Return the words that count."""
    found = _WORD.findall(fold(_MARKER.sub(" ", text)))
    # "A" alone may be the name of a class.
    return ([word for word in found if word not in _ARTICLES] or found)[:_LONGEST]


def answer_values(said: str, right: Sequence[str]) -> dict[str, float]:
    """Return every metric of ``ANSWER_METRICS``, from 0 to 1; ``right`` has at least one answer."""
    ours = words(said)
    theirs = [found for answer in right if (found := words(answer))]
    judges: dict[str, Callable[[list[str], list[str]], float]] = {
        "exact": lambda one, other: float(one == other),
        "contains": lambda one, other: float(stands_in(other, one)),
        "f1": lambda one, other: _f1((Counter(one) & Counter(other)).total(), one, other),
        "rouge_l": lambda one, other: _f1(_common(one, other), one, other),
    }
    return {
        name: max((judge(ours, other) for other in theirs), default=0.0)
        for name, judge in judges.items()
    }


def citation_values(
    cited: Sequence[Quoted],
    passages: Sequence[Sequence[str]],
    answers: Sequence[str],
    documents: frozenset[str],
) -> dict[str, float]:
    """Return the metrics of ``CITATION_METRICS`` that can be had, from 0 to 1.

    precision            share of the citations whose quote overlaps a right passage, or holds a
                         right answer and comes from a right document
    recall               share of the right passages that some citation overlaps, in the best of
                         the alternatives; 0 without a citation
    evidence_precision   share whose quote overlaps a right passage
    document_precision   share whose document is a right one

    An answer without a citation has no precision.

    Args:
        cited: The citations.
        passages: Alternatives, each being passages that together bear out the answer.
        answers: The right answers.
        documents: Ids of the documents that are right.
    """
    values: dict[str, float] = {}
    quotes = [words(one.quote) for one in cited]
    gold = [[words(passage) for passage in one if words(passage)] for one in passages]
    gold = [one for one in gold if one]
    every = [passage for one in gold for passage in one]
    wanted = [found for answer in answers if (found := words(answer))]
    if gold:
        values["recall"] = max(
            sum(any(_overlap(passage, quote) for quote in quotes) for passage in one) / len(one)
            for one in gold
        )
    if not cited:
        return values
    at_home = [one.document in documents for one in cited]
    if documents:
        values["document_precision"] = sum(at_home) / len(cited)
    if gold:
        right = [any(_overlap(passage, quote) for passage in every) for quote in quotes]
        says_it = [
            home and any(stands_in(answer, quote) for answer in wanted)
            for home, quote in zip(at_home, quotes, strict=True)
        ]
        values["evidence_precision"] = sum(right) / len(cited)
        either = [one or other for one, other in zip(right, says_it, strict=True)]
        values["precision"] = sum(either) / len(cited)
    return values


def _f1(common: int, one: Sequence[str], other: Sequence[str]) -> float:
    return 2 * common / (len(one) + len(other)) if common else 0.0


def stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Say whether the words of ``part`` follow one another somewhere in ``whole``."""
    # Joined by what no word holds, so that "5" is not found in "15".
    return bool(part) and f"\0{chr(0).join(part)}\0" in f"\0{chr(0).join(whole)}\0"


def _overlap(passage: Sequence[str], quote: Sequence[str]) -> bool:
    if not passage or not quote:
        return False
    matcher = SequenceMatcher(None, passage, quote, autojunk=False)
    run = matcher.find_longest_match(0, len(passage), 0, len(quote)).size
    return run >= _OVERLAP * min(len(passage), len(quote))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & every
    return len(one) - row.bit_count()
