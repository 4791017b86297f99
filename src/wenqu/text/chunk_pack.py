"""Packing the parts of a document into chunks, by each strategy's rules.

Every strategy keeps these: no text from two top-level sections in one chunk, no heading parted
from a text that can be cut, and the header rows of a table beside its later rows.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from wenqu.text.chunk_units import clip, cut
from wenqu.text.sentences import cut_softly, sentences, soft_cuts
from wenqu.types import BlockKind, ChunkStrategy, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wenqu.text.chunk_units import Tokens, Unit

__all__ = ["Cut", "overlapped", "pack", "windows"]

_WHOLE = frozenset({BlockKind.CODE, BlockKind.TABLE})
_ROW_SHARE = 16
"""Rows that stand alone are joined while they are smaller than this part of a chunk."""


class Cut(NamedTuple):
    """What one chunk holds: its own units, and before them what it shares with the one before."""

    units: list[Unit]
    lead: Sequence[Unit] = ()


class _Rules:
    """When a unit begins a new chunk whether or not it fits the current one."""

    def __init__(self, strategy: ChunkStrategy, tokens: Tokens, units: Sequence[Unit]) -> None:
        self._strategy = strategy
        self._tokens = tokens
        self._row = tokens.maximum // _ROW_SHARE
        recursive = strategy is ChunkStrategy.RECURSIVE
        self._ends: Mapping[int, int] = _section_ends(units) if recursive else {}

    def parts(self, current: Sequence[Unit], unit: Unit) -> bool:
        """Say whether ``unit`` must begin a new chunk."""
        last = current[-1]
        heading = unit.kind is BlockKind.HEADING
        if last.kind is BlockKind.HEADING and not heading:
            return False
        if unit.top != last.top:
            return True
        if unit.alone or last.alone:
            rows = unit.alone and last.alone and unit.header is not None
            return not rows or self._tokens.size(current[0], last.end) >= self._row
        if not heading and unit.section == last.section:
            return False
        if last.kind is BlockKind.HEADING and unit.section[: len(last.section)] == last.section:
            return False
        return self._ends_section(current, unit)

    def joins(self, before: Sequence[Unit], units: Sequence[Unit]) -> bool:
        """Say whether a chunk that is too small may be joined with the one before it."""
        last, first = before[-1], units[0]
        if last.top != first.top or last.alone or first.alone:
            return False
        if self._strategy is ChunkStrategy.HEADING:
            return first.kind is not BlockKind.HEADING and last.section == first.section
        return True

    def _ends_section(self, current: Sequence[Unit], unit: Unit) -> bool:
        """Say whether the section of ``current`` ends its chunk, now that another one begins."""
        tokens, last = self._tokens, current[-1]
        if self._strategy is ChunkStrategy.HEADING:
            return last.kind is not BlockKind.HEADING
        if self._strategy is ChunkStrategy.RECURSIVE:
            # A section that a chunk can hold whole is not cut to fill up the chunk before.
            end = self._ends.get(unit.start, unit.end)
            return tokens.fits(unit, end) and not tokens.fits(current[0], end)
        return tokens.size(current[0], last.end) >= tokens.minimum


def pack(text: str, units: Sequence[Unit], tokens: Tokens, strategy: ChunkStrategy) -> list[Cut]:
    """Return what each chunk holds, in order and without overlap.

    A unit that does not fit is cut when it is too large for any chunk, or when what is before it is
    too small. The sentence strategy and rows that stand alone are cut in any case.
    """
    rules = _Rules(strategy, tokens, units)
    chunks: list[list[Unit]] = []
    current: list[Unit] = []
    queue = list(_small_enough(text, units, tokens, strategy))
    queue.reverse()
    while queue:
        unit = queue.pop()
        if current and rules.parts(current, unit):
            chunks.append(current)
            current = []
        if tokens.fits(current[0] if current else unit, unit.end):
            current.append(unit)
            continue
        pieces = _pieces_for(text, current, unit, tokens)
        if pieces:
            queue.extend(reversed(pieces))
        elif current:
            chunks.append(current)
            current = []
            queue.append(unit)
        else:
            chunks.append([unit])
    if current:
        chunks.append(current)
    return [Cut(units) for units in _settled(chunks, tokens, rules)]


def windows(text: str, units: Sequence[Unit], tokens: Tokens) -> list[Cut]:
    """Return chunks of equal size, whatever the structure inside a top-level section."""
    cuts: list[Cut] = []
    starts = [unit.start for unit in units]
    for _, group in groupby(units, lambda unit: unit.top):
        section = list(group)
        end = section[-1].end

        def furthest(start: int, end: int = end) -> int:
            at = max(0, bisect_right(starts, start) - 1)
            # Where a table goes on, its header rows take some of the room.
            inside = clip(text, units[at : at + 1], start, end, tokens)
            header = inside[0].header if inside else None
            carried = tokens.count(header.start, header.end) if header else 0
            return tokens.furthest(start, end, tokens.maximum - carried)

        for span in cut_softly(text, Span(start=section[0].start, end=end), furthest):
            first = max(0, bisect_right(starts, span.start) - 1)
            some = units[first : bisect_right(starts, span.end - 1)]
            kept = clip(text, some, span.start, span.end, tokens)
            cuts.append(Cut(kept or _within(some, span)))
    return cuts


def overlapped(
    text: str, cuts: Sequence[Cut], tokens: Tokens, overlap: int, *, anywhere: bool
) -> list[Cut]:
    """Return the chunks, each led by up to ``overlap`` tokens of the one before it.

    What is shared begins at a sentence or row, else after a comma or space.

    Args:
        text: The document's.
        cuts: Chunks without overlap, each ``overlap`` tokens smaller than it may be.
        tokens: Those of the document.
        overlap: How much two chunks may share.
        anywhere: Whether it may begin inside a word where there is no softer place.
    """
    led = list(cuts[:1])
    for before, own in pairwise(cuts):
        same = before.units[0].top == own.units[0].top
        lead = _lead(text, before.units, own.units, tokens, overlap, anywhere) if same else []
        led.append(Cut(own.units, lead))
    return led


def _lead(
    text: str,
    before: Sequence[Unit],
    own: Sequence[Unit],
    tokens: Tokens,
    overlap: int,
    anywhere: bool,  # noqa: FBT001  # private, named by its caller's keyword
) -> list[Unit]:
    start = own[0].start
    low = max(before[0].start + 1, tokens.back(start, overlap))
    for at in _beginnings(text, low, start, anywhere=anywhere):
        lead = clip(text, before, at, start, tokens)
        if lead and tokens.size(lead[0], own[-1].end) <= tokens.maximum + overlap:
            return lead
    return []


def _beginnings(text: str, low: int, end: int, *, anywhere: bool) -> Iterator[int]:
    """Yield where the shared text may begin, the best first, never in white space."""
    spans = sentences(text[low:end])
    # The first of them began further up.
    for span in spans[1:]:
        yield low + span.start
    for at in soft_cuts(text, low, end):
        if at < end and not text[at].isspace():
            yield at
    if anywhere and spans:
        yield low + spans[0].start


def _section_ends(units: Iterable[Unit]) -> dict[int, int]:
    """Return for each heading where what stands under it ends, by where the heading begins."""
    ends: dict[int, int] = {}
    opened: list[Unit] = []
    for unit in units:
        while opened and unit.section[: len(opened[-1].section)] != opened[-1].section:
            opened.pop()
        if unit.kind is BlockKind.HEADING:
            # Another heading of the same words is another section.
            while opened and len(opened[-1].section) >= len(unit.section):
                opened.pop()
            opened.append(unit)
        for heading in opened:
            ends[heading.start] = unit.end
    return ends


def _small_enough(
    text: str, units: Iterable[Unit], tokens: Tokens, strategy: ChunkStrategy
) -> Iterator[Unit]:
    kept = {BlockKind.HEADING, BlockKind.CODE}
    for unit in units:
        if unit.alone or (strategy is ChunkStrategy.SENTENCE and unit.kind not in kept):
            yield from cut(text, unit, tokens)
        else:
            yield unit


def _pieces_for(
    text: str, current: Sequence[Unit], unit: Unit, tokens: Tokens
) -> list[Unit] | None:
    """Return the pieces of a unit that does not fit, or None when a new chunk is the answer."""
    whole_fits = tokens.fits(unit, unit.end)
    if not current:
        pieces = cut(text, unit, tokens)
        return pieces if len(pieces) > 1 else None
    last = current[-1]
    if last.kind is not BlockKind.HEADING:
        small = tokens.size(current[0], last.end) < tokens.minimum
        if not small or (whole_fits and unit.kind in _WHOLE):
            return None
    pieces = cut(text, unit, tokens)
    if len(pieces) > 1 and tokens.fits(current[0], pieces[0].end):
        return pieces
    return None


def _settled(chunks: list[list[Unit]], tokens: Tokens, rules: _Rules) -> list[list[Unit]]:
    """Join a chunk that is too small with the one before it, or share that one's last units."""
    settled: list[list[Unit]] = []
    for units in chunks:
        before = settled[-1] if settled else None
        small = tokens.size(units[0], units[-1].end) < tokens.minimum
        if before is None or not small or not rules.joins(before, units):
            settled.append(units)
        elif tokens.fits(before[0], units[-1].end):
            before.extend(units)
        else:
            _share(before, units, tokens)
            settled.append(units)
    return settled


def _share(before: list[Unit], units: list[Unit], tokens: Tokens) -> None:
    while len(before) > 1 and units[0].kind is not BlockKind.HEADING:
        moved = before[-1]
        if (
            moved.section != units[0].section
            or before[-2].kind is BlockKind.HEADING
            or tokens.size(units[0], units[-1].end) >= tokens.minimum
            or tokens.size(before[0], before[-2].end) < tokens.minimum
            or not tokens.fits(moved, units[-1].end)
        ):
            return
        units.insert(0, before.pop())


def _within(units: Sequence[Unit], span: Span) -> list[Unit]:
    """Return units cut to ``span`` where a header row itself had to be cut."""
    return [
        unit._replace(start=max(unit.start, span.start), end=min(unit.end, span.end))
        for unit in units
        if unit.end > span.start and unit.start < span.end
    ]
