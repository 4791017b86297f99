"""Markers and what they stand for: read from a stream, tied to sentences, checked for support.

A marker is ``[n]`` with n of one to three digits. Inside backticks brackets are code, not markers.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.text.facts import missing_share
from wenqu.text.language import detect
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms
from wenqu.types import Span

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "AnswerSentence",
    "MarkerFilter",
    "Support",
    "loop_start",
    "needs_citation",
    "parse",
    "places",
    "render",
    "support",
]

_OPENERS, _CLOSERS = "[【［", "]】］"
_INSIDE = re.compile(r"\s*\d{0,3}(?:(?<=\d)\s*(?:[,，、;；–-]\s*(?:\d{1,3}\s*|$))?)*")
_NUMBER = re.compile(r"\d+")
_RANGE = re.compile(r"(\d+)\s*[–-]\s*(\d+)")
_LONGEST_MARKER = 48
_LONGEST_RANGE = 9
_STOPS = "。！？；.!?;… \t"
_LONGEST_UNIT = 120
_TIMES = 4
_SHORTEST_LOOP = 40
_SENTENCE_TIMES = 3
_SHORTEST_SENTENCE = 8
# Bias, weights of words, meaning and missing numbers, and where meaning counts for nothing: for a
# passage in the sentence's own language (the middle of e5's narrow range), and for one in the
# other, where words tell nothing and cosines are of levelled vectors (wenqu.pipeline.match).
# Source: bench/citations.py on ClapNQ, DuReader and LeCoQA, bench/crossed.py on documentation and
# questions in two languages.
_SAME = (-5.0, 6.0, 30.0, -4.0, 0.85)
_CROSSED = (0.0, 0.0, 12.0, -2.0, 0.32)
_FOUND = 0.8  # weight, across languages, of each doubling of the numbers and dates that are found
_MARKER = re.compile(r"[ \t]*\[(\d{1,3})\]")
_FENCE = re.compile(
    r"^[ \t]*(?:```|~~~).*?(?:^[ \t]*(?:```|~~~)[^\n]*$|\Z)", re.DOTALL | re.MULTILINE
)
_CODE = re.compile(
    r"(?P<ticks>`{3,}).*?(?:(?P=ticks)|\Z)|(?P<tick>`{1,2})[^\n]*?(?:(?P=tick)(?!`)|$)",
    re.DOTALL | re.MULTILINE,
)


class MarkerFilter:
    """Writes every kind of marker as ``[n]`` and leaves out those that point nowhere.

    ``[1, 2]``, ``【1】``, ``［1］`` and ``[1-3]`` become ``[1][2]``, ``[1]``, ``[1]`` and
    ``[1][2][3]``. What it returns depends only on the characters fed so far, so the joined text is
    the same however the stream was cut. Text is held back only while it may become a marker.

    Args:
        markers: Those that point somewhere.
    """

    def __init__(self, markers: Collection[int]) -> None:
        self._markers = frozenset(markers)
        self._space = ""
        self._held = ""
        self._run: list[int] = []
        self._ticks = 0
        self._fence = 0

    def feed(self, piece: str) -> str:
        """Return what may be shown now."""
        return "".join(self._feed(character) for character in piece)

    def finish(self) -> str:
        """Return what was held back, when nothing follows."""
        rest = self._space + self._held
        self._space = self._held = ""
        return rest

    def _feed(self, character: str) -> str:
        if self._held:
            return self._inside(character)
        if character == "`":
            self._ticks += 1
            self._run.clear()
            return self._flush(character)
        self._end_ticks(character)
        if self._fence:
            return self._flush(character)
        if character in _OPENERS:
            self._held = character
            return ""
        if character in " \t":
            self._space += character
            return ""
        self._run.clear()
        return self._flush(character)

    def _inside(self, character: str) -> str:
        """Take a character after an opener."""
        if character in _CLOSERS and _NUMBER.search(self._held):
            return self._marker(self._held[1:])
        grown = self._held + character
        if len(grown) <= _LONGEST_MARKER and "\n" not in grown and _INSIDE.fullmatch(grown, 1):
            self._held = grown
            return ""
        released, self._held = self._held, ""
        self._run.clear()
        return self._flush(released) + self._feed(character)

    def _marker(self, inside: str) -> str:
        numbers = [number for number in _numbers(inside) if number in self._markers]
        fresh = [n for at, n in enumerate(numbers) if n not in self._run and n not in numbers[:at]]
        self._held = ""
        # The space before a marker that goes away goes with it.
        space, self._space = self._space, ""
        if not fresh:
            return ""
        self._run.extend(fresh)
        return space + "".join(f"[{number}]" for number in fresh)

    def _end_ticks(self, character: str) -> None:
        """Note where a run of backticks that ended just now leaves us: in code or out of it."""
        if self._ticks:
            if not self._fence:
                self._fence = self._ticks
            elif self._ticks == self._fence or self._ticks >= 3 <= self._fence:  # noqa: PLR2004
                self._fence = 0
            self._ticks = 0
        if character == "\n" and self._fence in {1, 2}:
            self._fence = 0  # inline code ends with its line: a stray backtick costs no more

    def _flush(self, text: str) -> str:
        space, self._space = self._space, ""
        return space + text


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSentence:
    """A sentence of an answer; ``span`` is of the answer's text without any markers."""

    span: Span
    text: str
    markers: tuple[int, ...]

    @property
    def is_code(self) -> bool:
        """Whether it is a fenced block of code."""
        return self.text.startswith(("```", "~~~"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How well a passage bears out a sentence.

    ``words`` is the share of the sentence's terms in the passage, ``missing`` that of its numbers
    and dates that are not there, ``meaning`` the best cosine with a sentence of it, and
    ``probability`` what they make together.
    """

    probability: float
    words: float
    missing: float
    meaning: float


def parse(text: str) -> tuple[str, list[AnswerSentence]]:
    """Return an answer's text without markers, and its sentences with those that belong to each.

    A marker belongs to the sentence before it, also behind its stop; at the beginning of a line
    that goes on, to the sentence after it. A fenced block of code is one sentence.
    """
    found = _markers(text)
    plain, cuts = _without(text, found)
    spans = _whole_fences(plain, sentences(plain))
    owned: list[list[int]] = [[] for _ in spans]
    for match, cut in zip(found, cuts, strict=True):
        owner = _owner(spans, cut, leads=_leads(text, match))
        number = int(match[1])
        if owner is not None and number not in owned[owner]:
            owned[owner].append(number)
    return plain, [
        AnswerSentence(span=span, text=plain[span.start : span.end], markers=tuple(markers))
        for span, markers in zip(spans, owned, strict=True)
    ]


def render(plain: str, parts: Sequence[AnswerSentence]) -> str:
    """Return the text of an answer with each sentence's markers before its stop.

    The inverse of ``parse``, save that every marker stands in the same place of its sentence.
    """
    pieces: list[str] = []
    position = 0
    for part in parts:
        at = _marker_place(part)
        pieces.append(plain[position:at])
        position = at
        if part.markers:
            before = plain[at - 1] if at else ""
            space = "\n" if part.is_code else " " if before.isascii() and before.strip() else ""
            pieces.append(space + "".join(f"[{marker}]" for marker in part.markers))
    return "".join(pieces) + plain[position:]


def places(text: str) -> list[Span]:
    """Return where in ``text`` the sentences stand that ``parse`` finds, with their markers."""
    found = _markers(text)
    plain, cuts = _without(text, found)
    spans = _whole_fences(plain, sentences(plain))
    lengths = [match.end() - match.start() for match in found]
    starts = [
        span.start
        + sum(length for cut, length in zip(cuts, lengths, strict=True) if cut <= span.start)
        for span in spans
    ]
    ends = [
        span.end + sum(length for cut, length in zip(cuts, lengths, strict=True) if cut < span.end)
        for span in spans
    ]
    for match, cut in zip(found, cuts, strict=True):
        owner = _owner(spans, cut, leads=_leads(text, match))
        if owner is not None:
            starts[owner] = min(starts[owner], match.end() - len(match[0].lstrip()))
            ends[owner] = max(ends[owner], match.end())
    return [Span(start=start, end=end) for start, end in zip(starts, ends, strict=True)]


def needs_citation(sentence: AnswerSentence) -> bool:
    """Say whether a sentence claims something: headings and lead-ins (``如下：``) do not."""
    text = sentence.text.strip()
    if not any(character.isalnum() for character in text):
        return False
    return not text.startswith("#") and not text.endswith(("：", ":"))


def support(
    sentence: str,
    passage: str,
    meaning: float,
    missing: float | None = None,
    found: int = 0,
) -> Support:
    """Return how well ``passage`` bears out ``sentence``.

    Args:
        sentence: A sentence of an answer, without markers.
        passage: What it cites, with title and headings.
        meaning: Best cosine between the sentence (embedded as a query) and a sentence of the
            passage (embedded as a passage), of levelled vectors where the two are in different
            languages.
        missing: Share of the sentence's numbers and dates that the passage does not have, where
            it is known already.
        found: How many of them it has; they count where the two are in different languages, since
            they are all that can be found there again.
    """
    # Words that the answer took from the question count like any other: "the daughter of A is B"
    # is not borne out by a passage that holds B alone.
    claimed, offered = set(terms(sentence)), set(terms(passage))
    words = len(claimed & offered) / len(claimed) if claimed else 0.0
    if missing is None:
        missing = missing_share(sentence, passage)
    crossed = detect(sentence) != detect(passage)
    weights = _CROSSED if crossed else _SAME
    total = (
        weights[0] + weights[1] * words + weights[2] * (meaning - weights[4]) + weights[3] * missing
    )
    if crossed:
        total += _FOUND * math.log2(1 + found)
    probability = 1 / (1 + math.exp(-total))
    return Support(probability=probability, words=words, missing=missing, meaning=meaning)


def loop_start(text: str) -> int | None:
    """Return where a model that repeats itself began to, or None while it does not.

    A loop is a unit of at most 120 characters said four times in a row and 40 characters or more in
    all, or a whole sentence said for the third time. The position is that of the first repetition.
    """
    tail = text[-4 * _LONGEST_UNIT :]
    for size in range(1, len(tail) // _TIMES + 1):
        unit = tail[-size:]
        if size * _TIMES >= _SHORTEST_LOOP and tail.endswith(unit * _TIMES) and _says(unit):
            start = len(text) - size
            while start >= size and text[start - size : start] == unit:
                start -= size
            return start + size
    return _repeated_sentence(text)


def _repeated_sentence(text: str) -> int | None:
    seen: dict[str, list[int]] = {}
    plain = text if text.endswith("\n") else text[: max(map(text.rfind, "。.！？!?\n")) + 1]
    for span in sentences(plain):
        said = _MARKER.sub("", plain[span.start : span.end]).strip()
        if len(said) < _SHORTEST_SENTENCE or "|" in said:
            continue
        places = seen.setdefault(said, [])
        places.append(span.start)
        if len(places) == _SENTENCE_TIMES:
            return places[1]
    return None


def _says(unit: str) -> bool:
    return any(character.isalpha() for character in unit)


def _numbers(inside: str) -> list[int]:
    inside = unicodedata.normalize("NFKC", inside)
    if ends := _RANGE.fullmatch(inside.strip()):
        first, last = int(ends[1]), int(ends[2])
        if first < last <= first + _LONGEST_RANGE:
            return list(range(first, last + 1))
    return [int(number) for number in _NUMBER.findall(inside)]


def _markers(text: str) -> list[re.Match[str]]:
    code = [match.span() for match in _CODE.finditer(text)]
    return [
        match
        for match in _MARKER.finditer(text)
        if not any(start <= match.start() < end for start, end in code)
    ]


def _without(text: str, found: Sequence[re.Match[str]]) -> tuple[str, list[int]]:
    """Return ``text`` without the matches, and where in it each of them stood."""
    pieces: list[str] = []
    places: list[int] = []
    position = length = 0
    for match in found:
        piece = text[position : match.start()]
        pieces.append(piece)
        length += len(piece)
        places.append(length)
        position = match.end()
    return "".join(pieces) + text[position:], places


def _leads(text: str, match: re.Match[str]) -> bool:
    """Say whether a marker begins a line that goes on after it."""
    before = text[: match.start()].rpartition("\n")[2]
    after = text[match.end() :].partition("\n")[0]
    return not _MARKER.sub("", before).strip() and bool(_MARKER.sub("", after).strip())


def _owner(spans: Sequence[Span], place: int, *, leads: bool) -> int | None:
    if not spans:
        return None
    before = [at for at, span in enumerate(spans) if span.start < place]
    if leads or not before:
        return min(len(before), len(spans) - 1)
    return before[-1]


def _whole_fences(plain: str, spans: Sequence[Span]) -> list[Span]:
    """Return ``spans`` with those inside a fenced block of code made one."""
    fences = [match.span() for match in _FENCE.finditer(plain)]
    kept: list[Span] = []
    for span in spans:
        fence = next(((s, e) for s, e in fences if s <= span.start < e), None)
        if fence is None:
            kept.append(span)
        elif not kept or kept[-1].start < fence[0]:
            block = plain[span.start : fence[1]].rstrip()
            kept.append(Span(start=span.start, end=span.start + len(block)))
    return kept


def _marker_place(part: AnswerSentence) -> int:
    if part.is_code:
        return part.span.end
    if part.text.endswith("|"):  # a table row: inside its last cell
        return part.span.start + len(part.text[:-1].rstrip())
    return part.span.start + len(part.text.rstrip(_STOPS))
