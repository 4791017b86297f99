"""What each source tells, and how well that bears out a sentence of an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from wenqu.pipeline.levels import levelled, shared_by
from wenqu.text import citations as cite
from wenqu.text.asking import asks, without_questions
from wenqu.text.facts import Known, altered, facts, lists_as_many
from wenqu.text.language import detect
from wenqu.text.tables import Tables
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.pipeline.evidence import EvidenceSentence, Selection
    from wenqu.text.facts import Fact
    from wenqu.types import Evidence, Language

    Vector = NDArray[np.float32]

__all__ = ["SUPPORTED", "Match", "Said", "claimed_in", "matches_of", "sources_of"]

SUPPORTED = 0.5
"""Probability from which a source bears a sentence out."""

_ITEM = re.compile(r"[-*+•]\s")
_RELEVANCE = 0.5  # of the question's share in the choice of a quote
_SAME = 0.7  # share of a sentence's words that one which says the same about another number has


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one source tells: an entry a sentence in ``told``, ``holds``, ``words``, ``vectors``.

    A sentence that asks tells nothing by itself: its text is empty, its vectors are zero. One that
    answers it tells both, and has two vectors. ``levelled`` are those to compare with a sentence in
    another language. ``tables`` tell whose a number is.
    """

    offered: Sequence[EvidenceSentence]
    told: Sequence[str]
    holds: Sequence[Known]
    words: Sequence[set[str]]
    vectors: NDArray[np.float32]  # sentences x 2 x dimension
    levelled: NDArray[np.float32]  # of the same shape
    language: Language
    passage: str
    tables: Tables
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A sentence of an answer, without markers.

    ``meant`` is the same with its question where it means little alone; ``vector`` is that,
    embedded as a query. ``facts`` are what it claims, ``new`` those of its terms that the question
    does not have.
    """

    text: str
    meant: str
    new: frozenset[str]
    vector: NDArray[np.float32]
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How well a source bears a sentence out.

    ``probability`` is that it does; where the two are in different languages (``crossed``), a low
    one says little. ``missing`` is the share of the sentence's numbers and dates that it does not
    have, ``has`` those facts that it has. ``best`` is which of its sentences is to be quoted, and
    ``nearness`` how near it comes, in words and meaning, to sentence and question.
    """

    probability: float
    crossed: bool
    missing: float
    best: int
    nearness: float
    has: frozenset[Fact]

    @property
    def supported(self) -> bool:
        """Whether the source bears the sentence out."""
        return self.probability >= SUPPORTED


def sources_of(selection: Selection, typical: Mapping[Language, Vector]) -> dict[int, Source]:
    """Return what each source tells by its marker, without questions that nothing answers.

    Args:
        selection: The evidence.
        typical: The mean vector of questions in each language, as the embedder gives them.
    """
    sources = {item.marker: _source(item, selection.of(item.marker)) for item in selection.evidence}
    for language in {source.language for source in sources.values()}:
        same = {m: source for m, source in sources.items() if source.language == language}
        own = np.concatenate([source.vectors[:, 0] for source in same.values()])
        mean = shared_by(own[own.any(axis=1)], typical.get(language))
        for marker, source in same.items():
            sources[marker] = replace(source, levelled=levelled(source.vectors, mean))
    return sources


def claimed_in(said: str, question: str) -> tuple[Fact, ...]:
    """Return the numbers, dates and names that a sentence claims.

    A number of the question's that counts what the sentence lists (``two``: A and B) is none.
    """
    asked = Known(question)
    return tuple(
        fact for fact in facts(said) if not (asked.has(fact) and lists_as_many(said, fact))
    )


def matches_of(
    said: Said, sources: Mapping[int, Source], typical: Mapping[Language, Vector]
) -> dict[int, Match]:
    """Return how well each source, by its marker, bears out a sentence.

    Args:
        said: The sentence.
        sources: By marker.
        typical: The mean vector of questions in each language, as the embedder gives them.
    """
    text, claimed = said.text, said.facts
    language = detect(text)
    # The scale across languages is that of vectors less a typical question. Without one, as of an
    # embedder that wenqu does not know, nothing can be told there.
    asked = typical.get(language)
    level = np.zeros_like(said.vector) if asked is None else levelled(said.vector, asked)
    nearest = {
        marker: _nearest(said, source, source.vectors @ said.vector)
        if source.language == language
        else _nearest(said, source, source.levelled @ level, crossed=True)
        for marker, source in sources.items()
    }
    false = _altered(text, claimed, [(sources[m], near) for m, near in nearest.items()])
    counted = [fact for fact in claimed if fact.kind != "name"]
    found = {}
    for marker, source in sources.items():
        near = nearest[marker]
        wrong = false | {one for one in counted if source.tables.misplace(said.meant, one)}
        has = frozenset(fact for fact in claimed if fact not in wrong and source.known.has(fact))
        there = sum(fact in has for fact in counted)
        missing = (len(counted) - there) / (len(counted) or 1)
        support = cite.support(text, source.passage, near.likeness, missing, there)
        found[marker] = Match(
            probability=support.probability,
            crossed=source.language != language,
            missing=missing,
            best=near.quoted,
            nearness=near.total,
            has=has,
        )
    return found


def _source(evidence: Evidence, offered: Sequence[EvidenceSentence]) -> Source:
    text = evidence.text
    told, vectors = [], []
    for at, sentence in enumerate(offered):
        said, own = without_questions(sentence.text), sentence.vector
        if not said:
            own = np.zeros_like(own)
        asked = offered[at - 1] if at and _answers(offered, at) else None
        told.append(said if asked is None else f"{asked.text} {said}")
        vectors.append([own, own if asked is None else asked.vector])
        answered = at + 1 < len(offered) and _answers(offered, at + 1)
        if said != sentence.text and not answered:
            text = text.replace(sentence.text, said or " ")
    passage = " ".join((evidence.hit.document.title, *evidence.hit.chunk.heading, text))
    return Source(
        offered=offered,
        told=told,
        holds=list(map(Known, told)),
        words=[set(terms(one)) for one in told],
        vectors=np.array(vectors),
        levelled=np.array(vectors),
        language=detect(passage),
        passage=passage,
        tables=Tables(_with_headers(offered)),
        known=Known(passage),
    )


def _with_headers(offered: Sequence[EvidenceSentence]) -> str:
    """Return the text of a source, with the header of rows that stand alone."""
    parts: list[str] = []
    header = ""
    for sentence in offered:
        if sentence.header and sentence.header != header:
            parts += ["", sentence.header]
        header = sentence.header
        parts.append(sentence.text)
    return "\n".join(parts)


def _answers(offered: Sequence[EvidenceSentence], at: int) -> bool:
    """Say whether a sentence answers the question before it, as in a FAQ.

    What follows several questions in a row, or the items of a list, answers none of them.
    """
    asked, sentence = offered[at - 1], offered[at]
    if not asks(asked.text) or asks(sentence.text):
        return False
    chunk = asked.hit.chunk
    gap = chunk.text[asked.span.end - chunk.start : sentence.span.start - chunk.start]
    one_of_many = at > 1 and asks(offered[at - 2].text)
    return not gap.strip() and not one_of_many and not (_ITEM.match(asked.text) and "\n\n" in gap)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nearest:
    """Which sentence of a source is nearest to one of the answer.

    ``quoted`` is the one to quote: of neighbours that differ in little else, numbers tell which.
    """

    at: int
    quoted: int
    likeness: float  # the best cosine of the source
    shared: float  # share of the answer's words in it
    total: float


def _nearest(
    said: Said, source: Source, cosines: NDArray[np.float32], *, crossed: bool = False
) -> _Nearest:
    """Return what of a source is nearest by cosine, relevance, and the words of the answer.

    In another language the facts take the place of the words.
    """
    likeness = cosines.max(axis=1)
    words = set(terms(said.text))
    # Words decide between sentences of like meaning: cosines of neighbours differ little.
    shared = [len(words & one) / (len(words) or 1) for one in source.words]
    relevance = [_RELEVANCE * sentence.score for sentence in source.offered]
    if crossed:
        totals = quotable = np.sum([likeness, _held(said.facts, source), relevance], axis=0)
    else:
        totals = np.sum([likeness, shared, relevance], axis=0)
        # What the answer adds to the question is what a quote is wanted for.
        added = [len(said.new & one) / (len(said.new) or 1) for one in source.words]
        numbers = _held([fact for fact in said.facts if fact.kind != "name"], source)
        quotable = np.sum([totals, added, numbers], axis=0)
    at = int(np.argmax(totals))
    return _Nearest(
        at=at,
        quoted=int(np.argmax(quotable)),
        likeness=float(likeness.max()),
        shared=shared[at],
        total=float(totals[at]),
    )


def _held(claimed: Sequence[Fact], source: Source) -> list[float]:
    """Return the share of the facts that each sentence of a source has."""
    return [sum(map(known.has, claimed)) / (len(claimed) or 1) for known in source.holds]


def _altered(
    said: str, claimed: Sequence[Fact], nearest: Sequence[tuple[Source, _Nearest]]
) -> set[Fact]:
    """Return the numbers and dates in whose place a source has others.

    That is, the nearest sentence of a source says the same with another number there, and neither
    it nor its neighbours, nor another source that says the same, has this one in that place.
    """
    alike = [
        " ".join(source.told[max(0, near.at - 1) : near.at + 2])
        for source, near in nearest
        if near.shared >= _SAME
    ]
    counted = [fact for fact in claimed if fact.kind != "name"]
    return {fact for fact in counted if alike and all(altered(said, fact, told) for told in alike)}
