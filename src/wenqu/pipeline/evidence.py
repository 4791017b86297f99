"""Chooses what an answer may use: the best sentences of the best hits, in few tokens.

A model on a CPU reads some 30 tokens a second, so the evidence is sentences rather than whole
chunks. Each is an exact span of its document, with neighbours where there is room, so that it
reads.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from wenqu.pipeline.levels import levelled, shared_by
from wenqu.text.asking import without_questions
from wenqu.text.injection import asks_about_orders, telling
from wenqu.text.language import detect
from wenqu.text.query import query_terms
from wenqu.text.sentences import sentences
from wenqu.text.tables import TABLE
from wenqu.text.tokenize import terms
from wenqu.types import Evidence, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.pipeline.levels import Vector
    from wenqu.protocols import Embedder
    from wenqu.types import Chunk, Hit, Language

__all__ = ["DEFAULT_WEIGHTS", "EvidenceSentence", "Selection", "Weights", "select"]

MAX_CHUNKS = 6
"""Chunks that evidence is taken from."""
MAX_SENTENCES = 60
"""Sentences that are embedded: what one batch holds without being felt."""

_NEAR_DUPLICATE = 0.8
_LONGEST_BLOCK = 700
_TITLE_TOKENS = 16  # title, headings and delimiters of one document in the prompt
_SHORTEST = 2
_ANNOUNCED_WITHIN = 4  # code points from a lead-in to what it announces
_BLOCK = re.compile(
    r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)"  # a fenced block of code
    r"|^[ \t]*\|[^\n]*(?:\n[ \t]*\|[^\n]*)*",  # a table: its rows mean little without its head
    re.DOTALL | re.MULTILINE,
)
_ROW = re.compile(r"^[ \t]*\|[^\n]*$", re.MULTILINE)
_HEADING = re.compile(r"#{1,6}\s|[=\-~^*\"]{3,}$")

_USUAL_TOKENS = 40
_GUESS = 0.85  # of the best share of words, for a sentence in another language: see text.fusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Shares of a sentence's score, all between 0 and 1: what bench/evidence.py found.

    ``words`` is the share of the question's words in what a sentence is by itself, the rest being
    meaning; ``rank`` that of its chunk's rank, low since a lower hit may hold the very sentence;
    ``neighbour`` lets the sentences around a good one come along into a prompt. ``length`` weakens
    the words of long blocks, and ``restated`` is what a sentence keeps that says nothing beyond the
    question.
    """

    words: float = 0.6
    rank: float = 0.2
    neighbour: float = 0.3
    length: float = 0.3
    restated: float = 0.3


DEFAULT_WEIGHTS = Weights()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSentence:
    """A sentence, short table row or code block of a hit's chunk; ``span`` is of the document.

    ``header`` has the header rows of the table that it is a later row of; it is in neither.
    ``score`` says how well the sentence answers by itself, 0 … 1, within one question; the
    questions that it quotes count for nothing there and in ``vector``.
    """

    marker: int
    hit: Hit
    text: str
    span: Span
    header: str
    score: float
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The evidence, best hit first, and all its sentences in the order of the documents' text.

    ``orders`` counts the sentences left out because they give orders to whoever answers.
    """

    evidence: tuple[Evidence, ...] = ()
    sentences: tuple[EvidenceSentence, ...] = ()
    orders: int = 0

    def of(self, marker: int) -> tuple[EvidenceSentence, ...]:
        """Return the sentences of the evidence with that marker."""
        return tuple(sentence for sentence in self.sentences if sentence.marker == marker)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    rank: int
    document: str
    language: Language
    position: int  # among the units of its chunk
    span: Span  # of the document
    text: str
    told: str  # a row with its header rows, a sentence without the questions that it quotes
    header: str
    tokens: int
    header_tokens: int
    terms: frozenset[str]  # of what is told


async def select(
    question: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    max_tokens: int,
    weights: Weights = DEFAULT_WEIGHTS,
    typical: Mapping[Language, Vector] = MappingProxyType({}),
) -> Selection:
    """Return the evidence for ``question`` in at most ``max_tokens`` of the embedder's tokens.

    The best sentence is always in, also when it alone is longer.

    Args:
        question: What is asked.
        hits: Best first.
        embedder: Embeds the question and up to ``MAX_SENTENCES`` sentences.
        max_tokens: Size of the evidence; the titles that a prompt adds are counted in.
        weights: What makes a sentence a good one.
        typical: The mean vector of questions in each language, as the embedder gives them: what
            languages are compared without where a hit is not of the question's.

    Raises:
        ModelError: The embedder cannot be run.
    """
    chosen = _distinct(hits)
    units = [unit for rank, hit in enumerate(chosen) for unit in _units(rank, hit, embedder)]
    found = _new(units)
    told = found if asks_about_orders(question) else _telling(found, chosen)
    orders, units = len(found) - len(told), told[:MAX_SENTENCES]
    if not units:
        return Selection(orders=orders)
    asked = await embedder.embed([question], "query")
    vectors = await embedder.embed([unit.told for unit in units], "passage")
    likeness = _meaning_of(detect(question), units, asked[0], vectors, typical)
    scores = _scores(question, units, likeness, weights)
    picked = _pick(units, _with_neighbours(units, scores, weights.neighbour), max_tokens)
    return replace(_selection(chosen, units, scores, vectors, picked), orders=orders)


def _telling(units: Sequence[_Unit], hits: Sequence[Hit]) -> list[_Unit]:
    """Return the units without those that give orders to whoever answers."""
    kept: list[_Unit] = []
    for rank, hit in enumerate(hits):
        own = [unit for unit in units if unit.rank == rank]
        chunk = hit.chunk
        spans = [
            Span(start=unit.span.start - chunk.start, end=unit.span.end - chunk.start)
            for unit in own
        ]
        fit = set(telling(chunk.text, spans))
        kept += [unit for unit, span in zip(own, spans, strict=True) if span in fit]
    return kept


def _new(units: Sequence[_Unit]) -> list[_Unit]:
    """Return the units without those that an overlapping chunk of a better hit has too."""
    return list({(unit.document, unit.span): unit for unit in reversed(units)}.values())[::-1]


def _distinct(hits: Sequence[Hit]) -> list[Hit]:
    """Return the first hits, without those that say what a better one says."""
    kept: list[tuple[Hit, frozenset[str]]] = []
    for hit in hits:
        words = frozenset(terms(hit.chunk.text))
        if all(_likeness(words, other) < _NEAR_DUPLICATE for _, other in kept):
            kept.append((hit, words))
        if len(kept) == MAX_CHUNKS:
            break
    return [hit for hit, _ in kept]


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / (len(one | other) or 1)


def _units(rank: int, hit: Hit, embedder: Embedder) -> list[_Unit]:
    chunk = hit.chunk
    spans = [span for span in _spans(chunk.text) if not _is_heading(chunk.text, span, hit)]
    starts = np.asarray(embedder.token_starts(chunk.text))
    edges = np.searchsorted(starts, [[span.start, span.end] for span in spans]) if spans else ()
    headers = list(_headers(chunk))
    sizes = {header: len(embedder.token_starts(header)) for *_, header in headers}
    units = []
    for position, (span, (first, last)) in enumerate(zip(spans, edges, strict=True)):
        header = next((it for start, end, it in headers if start <= span.start < end), "")
        text = chunk.text[span.start : span.end]
        # A question stays as it is: in a FAQ it helps to find the answer, its neighbour.
        said = without_questions(text) or text
        told = f"{header}\n{said}" if header else said
        units.append(
            _Unit(
                rank=rank,
                document=chunk.document_id,
                language=hit.document.language,
                position=position,
                span=Span(start=span.start + chunk.start, end=span.end + chunk.start),
                text=text,
                told=told,
                header=header,
                tokens=int(last - first) + 1,
                header_tokens=sizes.get(header, 0),
                terms=frozenset(terms(told)),
            )
        )
    return units


def _headers(chunk: Chunk) -> Iterator[tuple[int, int, str]]:
    """Yield where rows stand in a chunk that mean little alone, with their table's header rows."""
    if chunk.header:
        end = chunk.text.find("\n\n")
        yield 0, end if end >= 0 else len(chunk.text), chunk.header
    for table in TABLE.finditer(chunk.text):
        yield table.start("rows") + 1, table.end(), table["header"]


def _spans(text: str) -> list[Span]:
    """Return the sentences of a chunk; a code block or table row, if not too long, is one too."""
    blocks = list(_blocks(text))
    kept: list[Span] = []
    for span in sentences(text):
        block = next(((start, end) for start, end in blocks if start <= span.start < end), None)
        if block is None:
            kept.append(span)
        elif not kept or kept[-1].end < block[1]:
            kept.append(Span(start=span.start, end=block[1]))
    telling = [span for span in kept if _says_something(text[span.start : span.end])]
    return _with_lead_ins(text, telling)


def _with_lead_ins(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return ``spans``; what announces a block (``Run this:``) is made one with it, if not long."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        announced = last is not None and text[: last.end].endswith((":", "："))
        block = text.startswith(("```", "~~~", "|"), span.start)
        if last is not None and announced and block and span.end - last.start <= _LONGEST_BLOCK:
            joined[-1] = Span(start=last.start, end=span.end)
        else:
            joined.append(span)
    return joined


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the blocks are that stay whole: code, and tables, or their rows if long."""
    for match in _BLOCK.finditer(text):
        start, end = match.span()
        if end - start <= _LONGEST_BLOCK:
            yield start, end
        elif match[1] is None:
            yield from (row.span() for row in _ROW.finditer(text, start, end))


def _says_something(text: str) -> bool:
    return sum(character.isalnum() for character in text) >= _SHORTEST


def _is_heading(text: str, span: Span, hit: Hit) -> bool:
    """Say whether a span is a heading: the prompt shows those anyway."""
    said = text[span.start : span.end]
    if "\n" not in said and _HEADING.match(said):
        return True
    bare = said.strip("#*=- ")
    return bare in hit.chunk.heading or bare == hit.document.title


def _meaning_of(
    language: Language,
    units: Sequence[_Unit],
    asked: Vector,
    vectors: NDArray[np.float32],
    typical: Mapping[Language, Vector],
) -> NDArray[np.float32]:
    """Return how near each unit is in meaning; where languages differ, without what each shares.

    An embedder puts texts of one language near each other whatever they say.
    """
    own = np.array([unit.language for unit in units])
    if language not in typical or (own == language).all():
        return np.asarray(vectors @ asked, np.float32)
    level = levelled(asked, typical[language])
    likeness = np.zeros(len(units), np.float32)
    for one in {unit.language for unit in units}:
        rows = vectors[own == one]
        likeness[own == one] = levelled(rows, shared_by(rows, typical.get(one))) @ level
    return likeness


def _scores(
    question: str, units: Sequence[_Unit], likeness: NDArray[np.float32], weights: Weights
) -> NDArray[np.float64]:
    """Return how well each unit answers by itself."""
    meaning = likeness.astype(np.float64)
    spread = float(np.ptp(meaning))
    meaning = (meaning - meaning.min()) / spread if spread else np.ones(len(units))
    ranks = np.array([1 / (1 + unit.rank) for unit in units])
    words = _covered(question, units, weights.length)
    # One in another language cannot have the words: that it has none says nothing against it.
    language = detect(question)
    foreign = np.array([unit.language != language for unit in units])
    words = np.where(foreign, np.maximum(words, _GUESS * words.max() * meaning), words)
    asked = frozenset(terms(question))
    told = np.array([1.0 if unit.terms - asked else weights.restated for unit in units])
    itself = (1 - weights.words) * meaning + weights.words * words
    scores: NDArray[np.float64] = told * ((1 - weights.rank) * itself + weights.rank * ranks)
    return scores


def _with_neighbours(
    units: Sequence[_Unit], scores: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Return scores of which the better neighbour's of the same chunk is a share."""
    blended = scores.copy()
    for at in range(len(units)):
        around = [
            scores[other]
            for other in (at - 1, at + 1)
            if 0 <= other < len(units) and units[other].rank == units[at].rank
        ]
        blended[at] = (1 - share) * scores[at] + share * max(around, default=scores[at])
    return blended


def _covered(question: str, units: Sequence[_Unit], length: float) -> NDArray[np.float64]:
    """Return the share of the question's terms in each unit, rare ones weighing more."""
    asked = set(query_terms(question))
    spread = Counter(term for unit in units for term in unit.terms & asked)
    weights = {term: math.log(1 + len(units) / (1 + spread[term])) for term in asked}
    total = sum(weights[term] for term in asked if spread[term]) or 1.0
    shares = [sum(weights[term] for term in unit.terms & asked) / total for unit in units]
    # A long block of code holds many words without saying much: it must not win by its length.
    excess = [max(0.0, unit.tokens / _USUAL_TOKENS - 1) for unit in units]
    return np.array(shares) / (1 + length * np.array(excess))


def _pick(units: Sequence[_Unit], scores: NDArray[np.float64], max_tokens: int) -> list[int]:
    """Return the best units that fit, in the order of the text.

    What a lead-in (``Run this:``) announces comes with it, also from the next chunk.
    """
    left = max_tokens
    picked: set[int] = set()
    opened: set[object] = set()
    waiting = [int(at) for at in np.argsort(-scores, kind="stable")]
    while waiting:
        at = waiting.pop(0)
        unit = units[at]
        cost = unit.tokens + (0 if unit.rank in opened else _TITLE_TOKENS)
        cost += 0 if (unit.rank, unit.header) in opened else unit.header_tokens
        if at in picked or (cost > left and picked):
            continue
        picked.add(at)
        opened |= {unit.rank, (unit.rank, unit.header)}
        left -= cost
        if unit.text.endswith((":", "：")):
            waiting[:0] = _announced(units, at)
    return sorted(picked)


def _announced(units: Sequence[_Unit], at: int) -> list[int]:
    """Return the unit that follows in the document, if one does."""
    end = units[at].span.end
    return [
        other
        for other, unit in enumerate(units)
        if unit.document == units[at].document and end <= unit.span.start <= end + _ANNOUNCED_WITHIN
    ]


def _selection(
    hits: Sequence[Hit],
    units: Sequence[_Unit],
    scores: NDArray[np.float64],
    vectors: NDArray[np.float32],
    picked: Sequence[int],
) -> Selection:
    evidence: list[Evidence] = []
    found: list[EvidenceSentence] = []
    for rank in sorted({units[at].rank for at in picked}):
        own = [at for at in picked if units[at].rank == rank]
        marker, hit = len(evidence) + 1, hits[rank]
        spans = _joined([units[at] for at in own])
        text = _text(hit.chunk, spans, {units[at].span.start: units[at].header for at in own})
        evidence.append(Evidence(marker=marker, hit=hit, text=text, spans=spans))
        found.extend(
            EvidenceSentence(
                marker=marker,
                hit=hit,
                text=units[at].text,
                span=units[at].span,
                header=units[at].header,
                score=float(scores[at]),
                vector=vectors[at],
            )
            for at in own
        )
    return Selection(evidence=tuple(evidence), sentences=tuple(found))


def _text(chunk: Chunk, spans: Sequence[Span], headers: Mapping[int, str]) -> str:
    """Return the text of spans; before the first row of a table come its header rows, once.

    Args:
        chunk: Whose text it is.
        spans: Of the document.
        headers: Header rows by where in the document a unit begins.
    """
    parts: list[str] = []
    for span in spans:
        part = chunk.text[span.start - chunk.start : span.end - chunk.start]
        header = headers[span.start]
        shown = not header or any(header in earlier for earlier in parts)
        parts.append(part if shown else f"{header}\n{part}")
    return " … ".join(parts)


def _joined(units: Sequence[_Unit]) -> tuple[Span, ...]:
    """Return the spans of units, those that follow one another as one."""
    spans: list[Span] = []
    last: _Unit | None = None
    for unit in units:
        if last is not None and unit.position == last.position + 1:
            spans[-1] = Span(start=spans[-1].start, end=unit.span.end)
        else:
            spans.append(unit.span)
        last = unit
    return tuple(spans)
