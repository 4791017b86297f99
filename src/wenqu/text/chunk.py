"""Cutting a document into chunks along its structure.

A chunk is an exact span of its document. It holds whole blocks while they fit, whole sentences or
rows where a block does not, and never text from two top-level sections. Chunks do not overlap: the
neighbours of a hit are found through its span, so an overlap would only embed, store and show the
same words twice.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from wenqu.text.sentences import cut_softly, sentences, strip_span
from wenqu.types import BlockKind, Chunk, Span, chunk_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wenqu.types import Block, Document

__all__ = ["FINGERPRINT", "chunk", "embedding_key", "embedding_text"]

FINGERPRINT = "chunk-1"
"""Names these rules; what a chunk is also depends on ``max_tokens`` and the token counter."""

_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LINE = re.compile(r"[^\n]+")
_MARKUP = re.compile(r"^[\s#=*_>\-]+|[\s#=*_\-]+$")
_WHOLE = frozenset({BlockKind.CODE, BlockKind.TABLE})
_BY_LINES = frozenset({BlockKind.CODE, BlockKind.TABLE, BlockKind.LIST})
_SEPARATOR = " › "
_MAX_TITLE = 120


@dataclass(frozen=True, slots=True)
class _Unit:
    """A part of one block that is not cut any more; ``section`` includes a heading's own text."""

    start: int
    end: int
    kind: BlockKind
    section: tuple[str, ...]
    page: int | None


class _Tokens:
    """Counts the tokens of a span by bisection."""

    def __init__(self, starts: Sequence[int], maximum: int) -> None:
        self._starts = starts
        self.maximum = maximum
        self.minimum = maximum // 4

    def count(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def fits(self, start: int, end: int) -> bool:
        return self.count(start, end) <= self.maximum

    def furthest(self, start: int, end: int) -> int:
        """Return the largest cut of ``start:end`` that fits, at least one character on."""
        at = bisect_left(self._starts, start) + self.maximum
        return min(end, max(start + 1, self._starts[at])) if at < len(self._starts) else end


def chunk(
    document: Document, max_tokens: int, token_starts: Callable[[str], Sequence[int]]
) -> list[Chunk]:
    """Cut ``document`` into chunks of up to ``max_tokens``, in order, without overlap.

    Together the chunks hold every character that is not white space. A chunk is larger only where
    a single token is.

    Args:
        document: Its blocks may leave text out; that text is treated as paragraphs.
        max_tokens: Largest chunk, measured by ``token_starts``.
        token_starts: Returns where each token of a text begins, ascending; called once.
    """
    tokens = _Tokens(token_starts(document.text), max_tokens)
    packed = _pack(document.text, list(_units(document)), tokens)
    return [_chunk(document, units) for units in packed]


def embedding_text(chunk: Chunk, title: str) -> str:
    """Return what is embedded and indexed: title and heading path, a line break, the chunk's text.

    What the text begins with anyway is not said twice.
    """
    beginning = {_plain(line) for line in chunk.text.split("\n", 12)[:12]}
    context: list[str] = []
    for part in (title, *chunk.heading):
        plain = _plain(part)
        if plain and plain not in beginning and plain not in context:
            context.append(plain)
    if not context:
        return chunk.text
    return f"{_SEPARATOR.join(part[:_MAX_TITLE] for part in context)}\n{chunk.text}"


def embedding_key(text: str) -> str:
    """Return the key under which the vector of ``text`` is kept: 32 hex digits of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _plain(heading: str) -> str:
    return _MARKUP.sub("", heading)


def _chunk(document: Document, units: Sequence[_Unit]) -> Chunk:
    start, end = units[0].start, units[-1].end
    text = document.text[start:end]
    bodies = [unit.section for unit in units if unit.kind is not BlockKind.HEADING]
    pages = dict.fromkeys(unit.page for unit in units if unit.page is not None)
    return Chunk(
        id=chunk_id(document.id, start, text),
        document_id=document.id,
        text=text,
        start=start,
        end=end,
        heading=_common(bodies or [units[-1].section]),
        pages=tuple(pages),
    )


def _common(sections: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, last = min(sections), max(sections)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]


def _units(document: Document) -> Iterator[_Unit]:
    """Yield a unit for each block, and for the paragraphs of any text between blocks."""
    text = document.text
    position = 0
    section: tuple[str, ...] = ()
    for block, following in zip_longest(document.blocks, document.blocks[1:]):
        for gap in _paragraphs(text, position, block.span.start):
            yield _Unit(gap.start, gap.end, BlockKind.PARAGRAPH, section, block.page)
        span = strip_span(text, max(position, block.span.start), block.span.end)
        position = max(position, block.span.end)
        if span is not None:
            section = _section(block, following, text[span.start : span.end])
            yield _Unit(span.start, span.end, block.kind, section, block.page)
    for gap in _paragraphs(text, position, len(text)):
        yield _Unit(gap.start, gap.end, BlockKind.PARAGRAPH, section, None)


def _section(block: Block, following: Block | None, text: str) -> tuple[str, ...]:
    """Return the path of headings down to the block, a heading's own text being the last."""
    if block.kind is not BlockKind.HEADING:
        return block.heading
    depth = len(block.heading)
    if following is not None and following.heading[:depth] == block.heading:
        # The reader's wording, free of markup, so that paths compare equal.
        own = following.heading[depth : depth + 1]
        if own:
            return (*block.heading, *own)
    return (*block.heading, _plain(text))


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _BLANK_LINE.finditer(text, start, end):
        span = strip_span(text, start, match.start())
        if span is not None:
            yield span
        start = match.end()
    span = strip_span(text, start, end)
    if span is not None:
        yield span


def _pack(text: str, units: Sequence[_Unit], tokens: _Tokens) -> list[list[_Unit]]:
    """Return the units of each chunk.

    A section begins a chunk unless what is before it is too small to stand alone. A unit that does
    not fit is cut when it is too large for any chunk, or when what is before it is too small.
    """
    chunks: list[list[_Unit]] = []
    current: list[_Unit] = []
    queue = list(reversed(units))
    while queue:
        unit = queue.pop()
        if current and _parts(current, unit, tokens):
            chunks.append(current)
            current = []
        if tokens.fits(current[0].start if current else unit.start, unit.end):
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
    return _settled(chunks, tokens)


def _parts(current: Sequence[_Unit], unit: _Unit, tokens: _Tokens) -> bool:
    """Say whether ``unit`` must begin a new chunk whether or not it fits the current one."""
    last = current[-1]
    if last.kind is BlockKind.HEADING and unit.kind is not BlockKind.HEADING:
        return False
    if unit.kind is not BlockKind.HEADING and unit.section == last.section:
        return False
    if unit.section[:1] != last.section[:1]:
        return True
    under_heading = (
        last.kind is BlockKind.HEADING and unit.section[: len(last.section)] == last.section
    )
    return not under_heading and tokens.count(current[0].start, last.end) >= tokens.minimum


def _pieces_for(
    text: str, current: Sequence[_Unit], unit: _Unit, tokens: _Tokens
) -> list[_Unit] | None:
    """Return the pieces of a unit that does not fit, or None when a new chunk is the answer."""
    whole_fits = tokens.fits(unit.start, unit.end)
    if not current:
        pieces = _cut(text, unit, tokens)
        return pieces if len(pieces) > 1 else None
    last = current[-1]
    if last.kind is not BlockKind.HEADING:
        small = tokens.count(current[0].start, last.end) < tokens.minimum
        if not small or (whole_fits and unit.kind in _WHOLE):
            return None
    pieces = _cut(text, unit, tokens)
    if len(pieces) > 1 and tokens.fits(current[0].start, pieces[0].end):
        return pieces
    return None


def _cut(text: str, unit: _Unit, tokens: _Tokens) -> list[_Unit]:
    """Cut a unit into rows or sentences, and those that are too large at softer places."""
    spans: Iterable[Span]
    if unit.kind in _BY_LINES:
        lines = _LINE.finditer(text, unit.start, unit.end)
        spans = filter(None, (strip_span(text, line.start(), line.end()) for line in lines))
    else:
        spans = _sentences(text, unit.start, unit.end)
    pieces: list[_Unit] = []
    for span in spans:
        if tokens.fits(span.start, span.end):
            pieces.append(replace(unit, start=span.start, end=span.end))
            continue
        for part in _sentences(text, span.start, span.end):
            pieces.extend(
                replace(unit, start=small.start, end=small.end)
                for small in _fitting(text, part, tokens)
            )
    return pieces


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    for span in sentences(text[start:end]):
        yield Span(start=start + span.start, end=start + span.end)


def _fitting(text: str, span: Span, tokens: _Tokens) -> Iterator[Span]:
    """Cut a sentence that is too large: after the last comma or space that fits, else hard."""
    return cut_softly(text, span, lambda start: tokens.furthest(start, span.end))


def _settled(chunks: list[list[_Unit]], tokens: _Tokens) -> list[list[_Unit]]:
    """Join a chunk that is too small with the one before it, or share that one's last units."""
    settled: list[list[_Unit]] = []
    for units in chunks:
        before = settled[-1] if settled else None
        small = tokens.count(units[0].start, units[-1].end) < tokens.minimum
        if before is None or not small or before[-1].section[:1] != units[0].section[:1]:
            settled.append(units)
        elif tokens.fits(before[0].start, units[-1].end):
            before.extend(units)
        else:
            _share(before, units, tokens)
            settled.append(units)
    return settled


def _share(before: list[_Unit], units: list[_Unit], tokens: _Tokens) -> None:
    while len(before) > 1 and units[0].kind is not BlockKind.HEADING:
        moved = before[-1]
        if (
            moved.section != units[0].section
            or before[-2].kind is BlockKind.HEADING
            or tokens.count(units[0].start, units[-1].end) >= tokens.minimum
            or tokens.count(before[0].start, before[-2].end) < tokens.minimum
            or not tokens.fits(moved.start, units[-1].end)
        ):
            return
        units.insert(0, before.pop())
