"""Leaves out hits that say the same as a better one, and trades likeness for variety (MMR)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from wenqu.text.normalize import fold
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.types import Hit

__all__ = ["collapsed", "diversified"]

_TOKEN = re.compile(r"[a-z]+|\d+(?:[.,]\d+)*|[^\W\da-z_]")
_ALIKE = 0.95
"""Share of neighbouring pairs that two texts have in common (Jaccard) when they say the same."""
_LEAST_PAIRS = 40
"""Shorter texts must be the same: of few words each tells."""
_TELLING = re.compile(
    r"\d|[不非无未没勿莫否免除〇零一二两三四五六七八九十百千万亿半]"
    r"|^(?:not?|non|never|without|except|unless|neither|nor|only)$"
)
"""Numbers and negations (folded): what differs in them does not say the same."""


@dataclass(frozen=True)
class _Print:
    """What two hits under one title and headings are compared by; made when it is wanted."""

    hit: Hit

    @cached_property
    def tokens(self) -> Sequence[str]:
        """The tokens of the text."""
        chunk = self.hit.chunk
        return _TOKEN.findall(fold(f"{chunk.header}\n{chunk.text}"))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The neighbouring tokens of the text; rarely looked at, and dear."""
        return frozenset(pairwise(self.tokens))

    def says(self, other: _Print) -> bool:
        """Tell whether both say the same."""
        return (bool(self.tokens) and self.tokens == other.tokens) or _alike(self, other)


def collapsed(hits: Sequence[Hit], top: int) -> tuple[list[Hit], int]:
    """Return up to ``top`` hits without those that say the same as an earlier one.

    The same is said by texts that differ in spaces, signs and case only, and by long ones that
    have nearly all pairs of neighbouring words in common and differ in no number and no negation:
    two versions of a rule are two hits. So are two under different titles or headings: ``Voltage:
    220 V`` is said of another device there. A title that is only the file's name says nothing.

    Returns:
        The hits, and how many were left out among those looked at.
    """
    kept: list[Hit] = []
    prints: dict[str, list[_Print]] = {}
    left_out = 0
    for hit in hits:
        if len(kept) >= top:
            break
        one, others = _Print(hit), prints.setdefault(_place(hit), [])
        if any(one.says(other) for other in others):
            left_out += 1
            continue
        others.append(one)
        kept.append(hit)
    return kept, left_out


def diversified(
    hits: Sequence[Hit],
    vectors: Mapping[str, NDArray[np.float32]],
    diversity: float,
    top: int,
) -> list[Hit]:
    """Return ``top`` of the hits, each chosen for its place in the ranking and for being new.

    Likeness is the cosine of stored vectors, spread over 0 … 1 between the least of these hits and
    sameness, since an embedder's cosines lie close together. A chunk without a vector is like
    none.

    Args:
        hits: Best first.
        vectors: Vector of length 1 by chunk id.
        diversity: 0 keeps the ranking, 1 looks at variety alone (after the first hit).
        top: How many.

    Source: Carbonell and Goldstein, The use of MMR, diversity-based reranking for reordering
        documents and producing summaries, SIGIR 1998.
    """
    if not hits:
        return []
    worth = _worth(hits)
    likeness = _likeness(hits, vectors)
    nearest = np.zeros(len(hits))  # likeness to the nearest of those chosen
    left = np.ones(len(hits), bool)
    chosen: list[Hit] = []
    for _ in range(min(top, len(hits))):
        gain = (1 - diversity) * worth - diversity * nearest
        # The first of the largest: equal gains keep the order of the ranking.
        best = int(np.argmax(np.where(left, gain, -np.inf))) if chosen else 0
        left[best] = False
        chosen.append(hits[best])
        nearest = np.maximum(nearest, likeness[best])
    return chosen


def _place(hit: Hit) -> str:
    """Return the tokens of a hit's title and headings."""
    document = hit.document
    stem = PurePosixPath(document.source.replace("\\", "/")).stem
    title = "" if document.title.rpartition("/")[2] == stem else document.title
    return " ".join(_TOKEN.findall(fold("\n".join((title, *hit.chunk.heading)))))


def _alike(one: _Print, other: _Print) -> bool:
    small, large = sorted((len(one.pairs), len(other.pairs)))
    if small < _LEAST_PAIRS or small < _ALIKE * large:
        return False
    common = len(one.pairs & other.pairs)
    if common < _ALIKE * (small + large - common):
        return False
    return not any(_TELLING.search(token) for pair in one.pairs ^ other.pairs for token in pair)


def _worth(hits: Sequence[Hit]) -> NDArray[np.float64]:
    """Return what each hit is worth, 0 … 1, falling with its rank.

    Scores of two origins do not compare: reranked hits have the upper half, those behind them the
    lower one.
    """
    scores = np.array([hit.score for hit in hits], float)
    reranked = np.array([hit.origin is Origin.RERANKED for hit in hits])
    if reranked.all() or not reranked.any():
        return _spread(scores)
    worth = np.empty(len(hits))
    worth[reranked] = 0.5 + 0.5 * _spread(scores[reranked])
    worth[~reranked] = 0.5 * _spread(scores[~reranked])
    return worth


def _spread(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    width = scores.max() - scores.min()
    return (scores - scores.min()) / width if width > 0 else np.ones(len(scores))


def _likeness(
    hits: Sequence[Hit], vectors: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float64]:
    known = [row for row, hit in enumerate(hits) if hit.chunk.id in vectors]
    likeness = np.zeros((len(hits), len(hits)))
    if len(known) > 1:
        rows = np.stack([vectors[hits[row].chunk.id] for row in known])
        # Not a matrix product: for so few rows waking its threads costs a hundred times as much.
        cosines = np.einsum("ik,jk->ij", rows, rows)
        least = float(cosines.min())
        if least < 1:
            likeness[np.ix_(known, known)] = np.clip((cosines - least) / (1 - least), 0, 1)
    return likeness
