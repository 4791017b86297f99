"""Checks each cited sentence of an answer against the span it cites, and sets markers right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from wenqu.text import citations as cite
from wenqu.text.prompts import abstains
from wenqu.text.tokenize import terms
from wenqu.types import Citation, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wenqu.pipeline.evidence import EvidenceSentence, Selection
    from wenqu.protocols import Embedder
    from wenqu.text.citations import AnswerSentence, Support
    from wenqu.types import Evidence

__all__ = ["SUPPORTED", "SURELY_SUPPORTED", "verify"]

SUPPORTED = 0.5
"""Probability from which a citation counts as supported."""
SURELY_SUPPORTED = 0.8
"""Probability from which a sentence without a good marker is given this one."""

_WIDER = 0.15  # share of a sentence's words that a neighbour must add to be quoted too
_GAP = 2  # code points between neighbours: a space, or the break between paragraphs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    support: Support
    best: int  # which of the evidence's sentences is nearest


async def verify(text: str, selection: Selection, embedder: Embedder) -> tuple[str, list[Citation]]:
    """Return the answer with its markers set right, and its citations in the order of the text.

    A sentence keeps the markers it has when one of them is supported. Otherwise it gets the one
    marker that surely is, or whose source alone has its numbers, if there is any; without one, its
    own markers stay and are flagged.
    Sentences that claim nothing (headings, ``如下：``) are left as they are.

    Raises:
        ModelError: The embedder cannot be run.
    """
    plain, parts = cite.parse(text)
    checked = [
        at
        for at, part in enumerate(parts)
        if part.markers or (cite.needs_citation(part) and not abstains(part.text))
    ]
    if not checked:
        return text, []
    vectors = await embedder.embed([parts[at].text for at in checked], "query")
    citations: list[Citation] = []
    mended = list(parts)
    for at, vector in zip(checked, vectors, strict=True):
        matches = {
            item.marker: _match(parts[at], vector, item, selection.of(item.marker))
            for item in selection.evidence
        }
        mended[at] = replace(parts[at], markers=_right(parts[at].markers, matches))
        citations.extend(
            _citation(mended[at], marker, matches[marker], selection)
            for marker in mended[at].markers
        )
    return (text if mended == parts else cite.render(plain, mended)), citations


def _match(
    part: AnswerSentence,
    vector: NDArray[np.float32],
    evidence: Evidence,
    offered: Sequence[EvidenceSentence],
) -> _Match:
    likeness = [float(vector @ sentence.vector) for sentence in offered]
    said = set(terms(part.text))
    # Words decide between sentences of like meaning: cosines of neighbours differ little.
    shared = [len(said & set(terms(sentence.text))) / (len(said) or 1) for sentence in offered]
    best = int(np.argmax(np.add(likeness, shared)))
    passage = " ".join((evidence.hit.document.title, *evidence.hit.chunk.heading, evidence.text))
    support = cite.support(part.text, passage, max(likeness))
    return _Match(support=support, best=best)


def _right(markers: tuple[int, ...], matches: dict[int, _Match]) -> tuple[int, ...]:
    known = tuple(marker for marker in markers if marker in matches)
    if any(matches[marker].support.probability >= SUPPORTED for marker in known):
        return known
    best = max(matches, key=lambda marker: matches[marker].support.probability)
    found = matches[best].support
    # A number that stands in one source and not in the cited one says which was meant, however
    # little else of a short sentence does.
    numbers_tell = not found.missing and all(matches[marker].support.missing for marker in known)
    if found.probability >= SURELY_SUPPORTED or (known and numbers_tell):
        return (best,)
    return known


def _citation(part: AnswerSentence, marker: int, match: _Match, selection: Selection) -> Citation:
    offered = selection.of(marker)
    span = _quoted(part, offered, match.best)
    chunk = offered[match.best].hit.chunk
    return Citation(
        marker=marker,
        hit=offered[match.best].hit,
        sentence=part.text,
        quote=chunk.text[span.start - chunk.start : span.end - chunk.start],
        span=span,
        supported=match.support.probability >= SUPPORTED,
    )


def _quoted(part: AnswerSentence, offered: Sequence[EvidenceSentence], best: int) -> Span:
    """Return the span of the best sentence, and of a neighbour that bears out more of the words."""
    said = set(terms(part.text))
    span = offered[best].span
    have = said & set(terms(offered[best].text))
    for at in (best - 1, best + 1):
        if not 0 <= at < len(offered) or not _touch(offered[at].span, span):
            continue
        more = said & set(terms(offered[at].text)) - have
        if len(more) >= _WIDER * len(said) and more:
            have |= more
            other = offered[at].span
            span = Span(start=min(span.start, other.start), end=max(span.end, other.end))
    return span


def _touch(one: Span, other: Span) -> bool:
    gap = max(one.start, other.start) - min(one.end, other.end)
    return gap <= _GAP
