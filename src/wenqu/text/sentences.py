"""Where the sentences of Chinese and English text begin and end.

Own rules rather than a library: pysbd is no longer kept, takes more than linear time and tears ”
from its sentence; model-based splitters cost more than all the rest of reading. These rules look
only at the neighbours of a stop, so the time is linear in the text (docs/adr/0004).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_SENTENCE", "cut_softly", "sentences", "soft_cuts", "strip_span"]

MAX_SENTENCE = 400
"""Longest sentence in code points; a longer one is cut at softer punctuation."""

_CLOSERS = "”’\"'」』】）)\\]〉》*_`"
_STOP = re.compile(
    rf"(?P<wide>[。！？；｡।؟…]+[。！？；｡!?…]*)[{_CLOSERS}]*"
    rf"|(?P<mark>[!?]+)[{_CLOSERS}]*(?=\s|$|[^\x00-\x7f])"
    rf"|(?P<dot>\.+)[{_CLOSERS}]*(?=\s|$|[^\W\d_a-zA-Z])"
)
_NOT_AFTER_STOP = frozenset("，、,：:；;。！？!?）)】」』》〉%")
_ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof st sr jr rev gen col sgt capt lt gov sen rep hon
    e.g i.e eg ie cf vs viz al etc approx ca resp incl excl est max min avg
    fig figs eq eqs sec secs ch chap no nos vol vols pp pg p art ed eds ref refs tab app
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
    inc ltd co corp dept univ u.s u.k u.n a.m p.m ph.d m.d b.sc m.sc
    """.split()  # noqa: SIM905
)
# After these a capital letter begins a new sentence all the same.
_MAY_END = frozenset("etc inc ltd co corp al u.s u.k u.n a.m p.m jr sr ph.d m.d".split())  # noqa: SIM905
_NUMERAL = "0-9一二三四五六七八九十百千零〇"
_BLOCK_LINE = re.compile(
    r"[ \t]*(?:[-*+•●◦▪·#>|]|\d{1,3}[.)、．]|```|~~~"
    rf"|[（(]?[{_NUMERAL}]{{1,4}}[)）、.]|第[{_NUMERAL}]{{1,8}}[章节条])"
)
_CLOSED_LINE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\||```|~~~)")
_WRAP_WIDTH = 40
_LONGEST_MARKER = 3
_SOFT = re.compile(r"[，、,：:；;—–)）\]】]+|\s+")


def sentences(text: str) -> list[Span]:
    """Return the sentences of ``text`` in order; they do not overlap.

    Each span is free of white space at both ends, and together they hold every other character.
    A line break ends a sentence at a blank line, around headings, list items and table rows, and
    after a line too short to have been wrapped. None is longer than ``MAX_SENTENCE``.
    """
    spans: list[Span] = []
    start = 0
    for end in _ends(text):
        span = strip_span(text, start, end)
        if span is not None:
            spans.extend(_limited(text, span))
        start = end
    return spans


def soft_cuts(text: str, start: int, end: int) -> Iterator[int]:
    """Yield where ``text[start:end]`` may be cut inside a sentence: after commas and spaces."""
    for match in _SOFT.finditer(text, start, end):
        yield match.end()


def _ends(text: str) -> Iterator[int]:
    """Yield where sentences end, ascending, the last being the text's end."""
    for start, end in _passages(text):
        for match in _STOP.finditer(text, start, end):
            if _is_end(text, match, end):
                yield match.end()
        yield end


def _passages(text: str) -> Iterator[tuple[int, int]]:
    """Yield runs of lines that a sentence may cross."""
    start = position = 0
    line = ""
    for following in text.split("\n"):
        if position and _line_break_ends(line, following):
            yield start, position
            start = position
        position += len(following) + 1
        line = following
    yield start, len(text)


def _line_break_ends(line: str, following: str) -> bool:
    if not line.strip() or not following.strip():
        return True
    if _BLOCK_LINE.match(following) or _CLOSED_LINE.match(line):
        return True
    wide = (
        len(line) if line.isascii() else sum(2 if c > "\u2e7f" else 1 for c in line[:_WRAP_WIDTH])
    )
    return max(wide, len(line)) < _WRAP_WIDTH


def _is_end(text: str, match: re.Match[str], limit: int) -> bool:
    after = match.end()
    while after < limit and text[after].isspace():
        after += 1
    if after >= limit:
        return True
    following = text[after]
    if following in _NOT_AFTER_STOP:
        return False
    if match["wide"] and not (match["wide"][0] == "…" and following.islower()):
        # 《冰雪奇缘！》 is a name; a bracketed sentence that others follow is its own.
        return not match[0].endswith(("》", "〉"))
    if following.islower():
        return False
    return match["dot"] is None or not _is_abbreviation(text, match, following)


def _is_abbreviation(text: str, match: re.Match[str], following: str) -> bool:
    if match["dot"] != ".":
        return False
    first = max(0, match.start() - 16)
    line = text[first : match.start()].rpartition("\n")[2]
    if not line or line[-1].isspace():
        return False
    if line[-1].isdecimal():
        return _is_list_marker(line)
    word = line.split()[-1].lstrip("([{\"'“‘（*_")
    if len(word) == 1 and word.isupper():
        return following.isupper()
    word = word.lower()
    return word in _ABBREVIATIONS and not (word in _MAY_END and following.isupper())


def _is_list_marker(line: str) -> bool:
    """Say whether the number at the end of ``line`` is that of a list item, as in "1. First"."""
    bare = line.rstrip("0123456789")
    before = bare.rstrip()
    if not 0 < len(line) - len(bare) <= _LONGEST_MARKER:
        return False
    return (
        not before or before[-1] in "。！？；：，、" or (before != bare and before[-1] in ".!?:;")
    )


def strip_span(text: str, start: int, end: int) -> Span | None:
    """Return the span of ``text[start:end]`` without white space at its ends; None if no more."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start=start, end=end) if start < end else None


def cut_softly(text: str, span: Span, furthest: Callable[[int], int]) -> Iterator[Span]:
    """Cut a span into pieces: each ends at the last soft place in its second half, else hard.

    Args:
        text: What the span is of.
        span: What to cut.
        furthest: Says for a start how far a piece may reach; the span's end or more ends it.
    """
    start = span.start
    while (limit := furthest(start)) < span.end:
        cut = limit
        for soft in soft_cuts(text, (start + limit) // 2, limit):
            cut = soft
        piece = strip_span(text, start, cut)
        if piece is not None:
            yield piece
        start = cut
    last = strip_span(text, start, span.end)
    if last is not None:
        yield last


def _limited(text: str, span: Span) -> Iterator[Span]:
    return cut_softly(text, span, lambda start: start + MAX_SENTENCE)
