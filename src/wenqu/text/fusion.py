"""Joins lexical and dense scores into one that holds when either side has nothing to say.

Dense scores are spread over 0 … 1 between the query's worst and best candidate. Lexical scores are
spread the same way, then shrunk by how much of the question they cover: a BM25 score has an upper
limit, the sum over the question's terms of idf · (k1 + 1), and a best candidate far below it has
matched little but common words. So a Chinese question over English documents is ranked by meaning,
and an exact part number by its letters. docs/adr/0005-fusion.md has the measurements.

A candidate in another language than the question's cannot have its words. That it has none says
nothing against it, so its lexical score is guessed from its dense one, but for the share of the
question that is names: those are looked up by their sound. Where a dictionary says the question's
words in that language, they are counted too, and less is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["FULL_COVERAGE", "NOT_TRANSLATED", "Translated", "coverage", "fuse", "merge", "rrf"]

FULL_COVERAGE = 0.5
"""Share of the limit at which a best lexical score counts in full.

The limit itself is out of reach: it takes endless repetition of each term.
"""
_GUESS = 0.85
"""What a candidate in another language is granted of the lexical score that its meaning promises.

1 treats it as if it had the words; 0 ranks it behind whatever shares a year with the question.
"""
_GUESS_WITH_WORDS = 0.6
"""The same where its words are looked up by a dictionary."""
_TRANSLATED = 0.5
"""What a candidate has at most for those: a dictionary lacks words, and gives wrong ones."""
_RRF_K = 60
"""Source: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion, SIGIR 2009."""
_VARIANT = 0.8
"""What a variant's score counts: its best hit comes after the text's own, before the rest."""


class Translated(NamedTuple):
    """BM25 of candidates by a question's words in their language, and the most that could be."""

    scores: Mapping[str, float]
    limit: float


NOT_TRANSLATED = Translated({}, 0.0)


def fuse(
    lexical: Mapping[str, float],
    dense: Mapping[str, float],
    *,
    lexical_weight: float,
    lexical_limit: float | None = None,
    foreign: Collection[str] = (),
    named: float = 0.0,
    translated: Translated = NOT_TRANSLATED,
) -> dict[str, float]:
    """Return a score for each candidate of either side, best first.

    Scores lie between 0 and 1; those of candidates in another language may be higher by what
    their translated words count.

    Args:
        lexical: Candidate → BM25; one that is missing has no term of the question.
        dense: Candidate → inner product, for every candidate of both sides; one that is missing is
            taken to be as far off as the worst.
        lexical_weight: Share of the lexical score, 0 … 1.
        lexical_limit: The most BM25 that any text could get for this question; None where the
            engine cannot say, and then the best candidate counts in full.
        foreign: The candidates in another language than the question's.
        named: Share of the limit that those can reach, for they may have the question's names.
        translated: How they score by the question's words in their language.
    """
    best = max(lexical.values(), default=0.0)
    covered = coverage(lexical, lexical_limit)
    low = min(dense.values(), default=0.0)
    spread = max(dense.values(), default=0.0) - low
    lexical_unit = covered / best if best > 0 else 0.0
    dense_unit = 1 / spread if spread > 0 else 0.0
    other = translated.scores
    other_best = max(other.values(), default=0.0)
    other_unit = _TRANSLATED * coverage(other, translated.limit) / other_best if other else 0.0
    guess = (_GUESS_WITH_WORDS if other else _GUESS) * covered * (1 - named)

    def score(candidate: str) -> float:
        words = lexical_unit * lexical.get(candidate, 0.0)
        meaning = dense_unit * (dense.get(candidate, low) - low)
        if candidate in foreign:
            words = max(words, guess * meaning) + other_unit * other.get(candidate, 0.0)
        return lexical_weight * words + (1 - lexical_weight) * meaning

    return _best_first({candidate: score(candidate) for candidate in {**dense, **lexical}})


def rrf(
    lexical: Mapping[str, float], dense: Mapping[str, float], *, lexical_weight: float = 0.5
) -> dict[str, float]:
    """Return a score for each candidate by its ranks alone, best first.

    A candidate has ``1 / (60 + rank)`` from each side that scored it, ranks from 1, each side
    weighing what it does in ``fuse``; equal scores rank in the order of ids.
    """
    fused: dict[str, float] = dict.fromkeys({**dense, **lexical}, 0.0)
    for side, share in ((lexical, lexical_weight), (dense, 1 - lexical_weight)):
        for rank, one in enumerate(sorted(side, key=lambda one: (-side[one], one)), start=1):
            fused[one] += share / (_RRF_K + rank)
    return _best_first(fused)


def merge(text: Mapping[str, float], variants: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the scores of a question with those of its other wordings, best first.

    A candidate keeps the best of its scores, those of a variant counting four fifths; so nothing
    that the question itself found loses by its variants.
    """
    merged = dict(text)
    for scores in variants:
        for candidate, score in scores.items():
            merged[candidate] = max(merged.get(candidate, 0.0), _VARIANT * score)
    return _best_first(merged)


def _best_first(scores: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def coverage(lexical: Mapping[str, float], limit: float | None) -> float:
    """Return how much of a question its best lexical score covers: 0 with none, 1 at half of limit.

    1 where the limit is not known.
    """
    best = max(lexical.values(), default=0.0)
    if best <= 0:
        return 0.0
    return 1.0 if limit is None or limit <= 0 else min(1.0, best / limit / FULL_COVERAGE)
