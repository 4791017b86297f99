"""Checks each sentence of an answer against the evidence, and sets its markers right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.pipeline.match import SUPPORTED, Said, claimed_in, matches_of, sources_of
from wenqu.pipeline.rows import by_rows
from wenqu.text import citations as cite
from wenqu.text.abstention import says_nothing_is_known
from wenqu.text.asking import asks
from wenqu.text.language import detect
from wenqu.text.tokenize import terms
from wenqu.types import CheckedSentence, Citation, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wenqu.pipeline.evidence import EvidenceSentence, Selection
    from wenqu.pipeline.match import Match, Vector
    from wenqu.protocols import Embedder
    from wenqu.text.citations import AnswerSentence
    from wenqu.text.facts import Fact
    from wenqu.types import Language

__all__ = ["Checked", "strict", "verify"]

_SURELY = 0.8  # probability from which a sentence without a marker is given one
_LIKELY = 0.25  # probability below which a source says nothing of the kind
_CLEARLY = 0.25  # how much nearer another source must be to take a supported one's place
_WIDER = 0.15  # share of a sentence's words that a neighbour must add to be quoted too
_GAP = 2  # code points between neighbours: a space, or the break between paragraphs
_SHORT = 6  # different terms up to which a sentence ("2 million.") means little by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An answer whose markers are set right, and what the check of it found.

    ``abstained`` says that one of its sentences says that the documents do not answer, ``likely``
    that a source may well say one of the others, though not surely enough to bear it out.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    sentences: tuple[CheckedSentence, ...] = ()
    abstained: bool = False
    likely: bool = True

    @property
    def holds(self) -> bool:
        """Whether anything in it is borne out."""
        return any(sentence.supported for sentence in self.sentences)

    @property
    def unsupported(self) -> int:
        """How many of its sentences are not borne out."""
        return sum(sentence.supported is False for sentence in self.sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A sentence that claims something, before and after its markers were set right."""

    part: AnswerSentence
    facts: tuple[Fact, ...]
    matches: Mapping[int, Match]

    @property
    def likely(self) -> bool:
        """Whether a source may say it: one in another language always may."""
        return any(match.crossed or match.probability >= _LIKELY for match in self.matches.values())

    @property
    def nowhere(self) -> tuple[Fact, ...]:
        """What no evidence has of its numbers, dates and names."""
        return tuple(
            fact
            for fact in self.facts
            if not any(fact in match.has for match in self.matches.values())
        )

    @property
    def made_up(self) -> bool:
        """Whether a number or date of it is in no evidence."""
        return any(fact.kind != "name" for fact in self.nowhere)

    def lacks(self, markers: Sequence[int]) -> set[Fact]:
        """Return its numbers and dates that none of these sources has."""
        had = {fact for marker in markers for fact in self.matches[marker].has}
        return {fact for fact in self.facts if fact.kind != "name"} - had


async def verify(
    text: str,
    selection: Selection,
    embedder: Embedder,
    question: str = "",
    typical: Mapping[Language, Vector] = MappingProxyType({}),
) -> Checked:
    """Return the answer with its markers set right, with its citations in the order of the text.

    A sentence keeps those of its markers that are supported, unless another source bears it out
    clearly better. Where none is, it gets the marker of the best source that supports it, or that
    alone has its numbers or says anything of the kind; without one, its own markers stay and are
    flagged. A sentence without a marker gets one only where the support is sure. A number or date
    that no evidence has makes its sentence unsupported, however alike the rest is. Sentences that
    claim nothing (headings, ``如下：``) are left as they are; one that says that the documents do
    not answer loses its markers.

    Args:
        text: What the model wrote.
        selection: What it was given.
        embedder: Compares sentences.
        question: What was asked: a short answer means little without it.
        typical: The mean vector of questions in each language, as the embedder gives them: what a
            sentence is compared without where its source is in another language.

    Raises:
        ModelError: The embedder cannot be run.
    """
    plain, parts = cite.parse(text)
    unknowing = [says_nothing_is_known(part.text) for part in parts]
    mended = [
        replace(part, markers=()) if unknown else part
        for part, unknown in zip(parts, unknowing, strict=True)
    ]
    claiming = [
        at
        for at, part in enumerate(mended)
        if part.markers or (cite.needs_citation(part) and not unknowing[at])
    ]
    claims: dict[int, _Claim] = {}
    if claiming:
        spoken = {detect(parts[at].text) for at in claiming}
        selection = await by_rows(selection, spoken, embedder)
        meant = [_meant(parts[at].text, question) for at in claiming]
        vectors = await embedder.embed(meant, "query")
        sources = sources_of(selection, typical)
        # Who cites nothing at all has forgotten to; beside citations, a sentence without one is
        # mostly a remark.
        forgotten = not any(part.markers for part in parts)
        for at, all_said, vector in zip(claiming, meant, vectors, strict=True):
            own = parts[at].text
            claimed = claimed_in(own, question)
            new = frozenset(terms(own)).difference(terms(question))
            said = Said(text=own, meant=all_said, new=new, vector=vector, facts=claimed)
            found = matches_of(said, sources, typical)
            claims[at] = _Claim(part=parts[at], facts=claimed, matches=found)
            mended[at] = replace(parts[at], markers=_right(claims[at], forgotten=forgotten))
    final = text if mended == parts else cite.render(plain, mended)
    return Checked(
        text=final,
        citations=tuple(
            _citation(mended[at], marker, claim, selection)
            for at, claim in claims.items()
            for marker in mended[at].markers
        ),
        sentences=_sentences(final, mended, claims),
        abstained=any(unknowing),
        likely=not claims or any(claim.likely for claim in claims.values()),
    )


def strict(checked: Checked) -> Checked:
    """Return an answer without its unsupported sentences; its text is empty if none is left.

    Headings and lead-ins go with the last of what they announce.
    """
    kept = _kept(checked.sentences)
    if len(kept) == len(checked.sentences):
        return checked
    text, sentences = "", []
    gap, end = "", 0
    for sentence in checked.sentences:
        between = checked.text[end : sentence.span.start]
        end = sentence.span.end
        # Of the gaps around what is left out, the one that separates most stays.
        gap = max(gap, between, key=lambda white: (white.count("\n"), len(white)))
        if sentence in kept:
            start = len(text) + len(gap) if text else 0
            text += (gap if text else "") + checked.text[sentence.span.start : end]
            sentences.append(replace(sentence, span=Span(start=start, end=len(text))))
            gap = ""
    said = {sentence.text for sentence in sentences}
    return replace(
        checked,
        text=text,
        citations=tuple(one for one in checked.citations if one.sentence in said),
        sentences=tuple(sentences),
    )


def _kept(sentences: Sequence[CheckedSentence]) -> list[CheckedSentence]:
    kept: list[CheckedSentence] = []
    waiting: list[CheckedSentence] = []  # what announces something, until something comes
    dropped = False
    for sentence in sentences:
        if sentence.supported or says_nothing_is_known(sentence.text):
            kept += [*waiting, sentence]
            waiting.clear()
            dropped = False
        elif sentence.supported is None:
            if dropped:
                waiting.clear()
            waiting.append(sentence)
            dropped = False
        else:
            dropped = True
    return kept if dropped else kept + waiting


def _meant(said: str, question: str) -> str:
    """Return what a sentence means: a short one takes its meaning from the question."""
    return f"{question} {said}" if question and len(set(terms(said))) <= _SHORT else said


def _right(claim: _Claim, *, forgotten: bool) -> tuple[int, ...]:
    matches = claim.matches
    known = tuple(marker for marker in claim.part.markers if marker in matches)
    good = tuple(marker for marker in known if matches[marker].supported)
    if good:
        nearest = max(
            (marker for marker, match in matches.items() if match.supported),
            key=lambda marker: matches[marker].nearness,
        )
        nearness = max(matches[marker].nearness for marker in good)
        clearly = matches[nearest].nearness >= nearness + _CLEARLY
        return _with_numbers(claim, (nearest,) if clearly else good)
    best = max(matches, key=lambda marker: matches[marker].probability)
    # A number that stands in one source and not in the cited one says which was meant, however
    # little else of a short sentence does.
    numbers_tell = not matches[best].missing and all(matches[marker].missing for marker in known)
    sure = matches[best].probability >= (SUPPORTED if known or forgotten else _SURELY)
    told = known and (numbers_tell or _cites_nothing_like_it(claim, known, best))
    return _with_numbers(claim, (best,)) if sure or told else known


def _cites_nothing_like_it(claim: _Claim, known: Sequence[int], best: int) -> bool:
    """Say whether no cited source says anything of the kind, and ``best`` clearly does."""
    matches = claim.matches
    nearness = max(matches[marker].nearness for marker in known)
    return (
        matches[best].probability >= _LIKELY
        and not any(matches[m].probability >= _LIKELY or matches[m].crossed for m in known)
        and matches[best].nearness >= nearness + _CLEARLY
    )


def _with_numbers(claim: _Claim, markers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the markers, and those that bear out the rest of what is counted in the sentence."""
    for marker in sorted(claim.matches, key=lambda m: -claim.matches[m].probability):
        lacking = claim.lacks(markers)
        if marker not in markers and lacking & claim.matches[marker].has:
            markers = (*markers, marker)
    return markers


def _sentences(
    text: str, parts: Sequence[AnswerSentence], claims: Mapping[int, _Claim]
) -> tuple[CheckedSentence, ...]:
    checked = []
    for at, (part, span) in enumerate(zip(parts, cite.places(text), strict=True)):
        claim = claims.get(at)
        checked.append(
            CheckedSentence(
                span=span,
                text=part.text,
                markers=part.markers,
                supported=None if claim is None else _is_supported(claim, part.markers),
                missing=() if claim is None else tuple(fact.text for fact in claim.nowhere),
            )
        )
    return tuple(checked)


def _is_supported(claim: _Claim, markers: Sequence[int]) -> bool:
    if claim.lacks(markers):
        return False
    return any(claim.matches[marker].supported for marker in markers)


def _citation(part: AnswerSentence, marker: int, claim: _Claim, selection: Selection) -> Citation:
    match = claim.matches[marker]
    offered = selection.of(marker)
    span = _quoted(part, offered, match.best)
    chunk = offered[match.best].hit.chunk
    return Citation(
        marker=marker,
        hit=offered[match.best].hit,
        sentence=part.text,
        quote=chunk.text[span.start - chunk.start : span.end - chunk.start],
        span=span,
        supported=match.supported and not claim.made_up,
    )


def _quoted(part: AnswerSentence, offered: Sequence[EvidenceSentence], best: int) -> Span:
    """Return the span of the best sentence, and of a neighbour that bears out more of the words."""
    said = set(terms(part.text))
    span = offered[best].span
    have = said & set(terms(offered[best].text))
    for at in (best - 1, best + 1):
        if not 0 <= at < len(offered) or not _touch(offered[at].span, span):
            continue
        if at > best and asks(offered[at].text):
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
