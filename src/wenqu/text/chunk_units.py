"""The parts that chunks are made of: the blocks of a document, and what blocks are cut into."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from wenqu.text.sentences import cut_softly, sentences, strip_span
from wenqu.types import BlockKind, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.types import Block, Document

__all__ = ["Tokens", "Unit", "clip", "cut", "plain_heading", "units_of"]

_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LINE = re.compile(r"[^\n]+")
_MARKUP = re.compile(r"^[\s#=*_>\-]+|[\s#=*_\-]+$")
_CELL = re.compile(r"(?<!\\)\|")
_BY_LINES = frozenset({BlockKind.CODE, BlockKind.TABLE, BlockKind.LIST})
_RULE = frozenset("|:- \t")
_HEADER_SHARE = 4
"""Header rows that take more than this part of a chunk are not repeated."""
_QUESTIONS = frozenset(
    "问 问题 提问 常见问题 标准问 标准问题 q question questions query faq".split()  # noqa: SIM905
)
_ANSWERS = frozenset(
    "答 答案 回答 解答 答复 回复 标准答案 a answer answers reply response".split()  # noqa: SIM905
)


class Unit(NamedTuple):
    """A part of one block; ``section`` includes a heading's own text.

    ``top`` counts the top-level sections, for two may have one name. ``header`` is where the header
    rows stand of the table that this is a later part of. ``alone`` says that each row of a table is
    a chunk of its own.
    """

    start: int
    end: int
    kind: BlockKind
    section: tuple[str, ...]
    page: int | None
    top: int = 0
    header: Span | None = None
    alone: bool = False


class Tokens:
    """Counts the tokens of a span by bisection."""

    def __init__(self, starts: Sequence[int], maximum: int) -> None:
        self._starts = starts
        self.maximum = maximum
        self.minimum = maximum // 4

    def count(self, start: int, end: int) -> int:
        """Return how many tokens begin in ``start:end``."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def size(self, first: Unit, end: int) -> int:
        """Return the tokens of a chunk from ``first`` to ``end`` with the header it carries."""
        header = first.header
        carried = self.count(header.start, header.end) if header else 0
        return carried + self.count(first.start, end)

    def fits(self, first: Unit, end: int) -> bool:
        """Say whether a chunk from ``first`` to ``end`` is small enough."""
        return self.size(first, end) <= self.maximum

    def furthest(self, start: int, end: int, room: int) -> int:
        """Return the largest cut of ``start:end`` of ``room`` tokens, at least a character on."""
        at = bisect_left(self._starts, start) + room
        return min(end, max(start + 1, self._starts[at])) if at < len(self._starts) else end

    def back(self, start: int, tokens: int) -> int:
        """Return where the token begins that is ``tokens`` before ``start``."""
        at = bisect_left(self._starts, start) - tokens
        return self._starts[at] if at >= 0 else 0


def units_of(document: Document, tokens: Tokens, *, alone: bool) -> Iterator[Unit]:
    """Yield a unit for each block, and for the paragraphs of any text between blocks.

    A block whose rows go on with the table before, without a gap, has that table's header.

    Args:
        document: What to take apart.
        tokens: Its tokens.
        alone: Whether rows stand alone in every table, and not just in questions and answers.
    """
    text = document.text
    position = 0
    section: tuple[str, ...] = ()
    top = 0
    table: Unit | None = None
    for block, following in zip_longest(document.blocks, document.blocks[1:]):
        for gap in _paragraphs(text, position, block.span.start):
            yield Unit(gap.start, gap.end, BlockKind.PARAGRAPH, section, block.page, top)
        span = strip_span(text, max(position, block.span.start), block.span.end)
        goes_on = table is not None and text[position : block.span.start] == "\n"
        position = max(position, block.span.end)
        if span is None:
            continue
        above, section = section, _section(block, following, text, span)
        begins = block.kind is BlockKind.HEADING and not block.heading
        top += begins or section[:1] != above[:1]
        unit = Unit(span.start, span.end, block.kind, section, block.page, top)
        if block.kind is BlockKind.TABLE:
            header = _header(text, unit, tokens)
            rows_alone = header is not None and (alone or _asks_and_answers(text, header))
            unit = unit._replace(alone=rows_alone)
            if table is not None and goes_on:
                unit = unit._replace(header=table.header, alone=table.alone)
            table = unit._replace(header=header or unit.header)
        else:
            table = None
        yield unit
    for gap in _paragraphs(text, position, len(text)):
        yield Unit(gap.start, gap.end, BlockKind.PARAGRAPH, section, None, top)


def cut(text: str, unit: Unit, tokens: Tokens) -> list[Unit]:
    """Cut a unit into rows or sentences, and those that are too large at softer places.

    The header rows of a table stay with its first row; later rows carry them.
    """
    own = _header(text, unit, tokens) if unit.kind is BlockKind.TABLE else None
    header = own or unit.header
    room = tokens.maximum - (tokens.count(header.start, header.end) if header else 0)
    begin = own.end if own else unit.start
    later = unit._replace(header=header)
    pieces: list[Unit] = []
    for span in _lines_or_sentences(text, unit.kind, begin, unit.end):
        if tokens.count(span.start, span.end) <= room:
            pieces.append(later._replace(start=span.start, end=span.end))
            continue
        for part in _sentences(text, span.start, span.end):
            furthest = partial(tokens.furthest, end=part.end, room=room)
            pieces.extend(
                later._replace(start=small.start, end=small.end)
                for small in cut_softly(text, part, furthest)
            )
    if own and pieces:
        pieces[0] = pieces[0]._replace(start=own.start, header=None)
    return pieces


def clip(text: str, units: Sequence[Unit], start: int, end: int, tokens: Tokens) -> list[Unit]:
    """Return what of ``units`` lies in ``start:end``; none when a table would lose half its header.

    Args:
        text: The document's.
        units: In order.
        start: Where the first one begins or is cut.
        end: Where the last one ends or is cut.
        tokens: Those of the document.
    """
    kept: list[Unit] = []
    for unit in units:
        if unit.end <= start or unit.start >= end:
            continue
        header = unit.header
        if unit.start < start and unit.kind is BlockKind.TABLE:
            own = _header(text, unit, tokens)
            if own and start < own.end:
                return []
            header = own or header
        inside = unit._replace(start=max(unit.start, start), end=min(unit.end, end))
        kept.append(inside._replace(header=header))
    return kept


def plain_heading(heading: str) -> str:
    """Return a heading without the marks that Markdown and its like put around it."""
    return _MARKUP.sub("", heading)


def _header(text: str, unit: Unit, tokens: Tokens) -> Span | None:
    """Return the first row and the rule of a Markdown table that has more rows than that."""
    if text[text.rfind("\n", 0, unit.start) + 1 : unit.start].strip():
        return None  # a part that begins inside a row
    end = text.find("\n", unit.start, unit.end)
    rule_end = text.find("\n", end + 1, unit.end) if end > 0 else -1
    if rule_end < 0:
        return None
    rule = set(text[end + 1 : rule_end])
    if "|" not in text[unit.start : end] or not {"|", "-"} <= rule <= _RULE:
        return None
    if tokens.count(unit.start, rule_end) * _HEADER_SHARE > tokens.maximum:
        return None
    return Span(start=unit.start, end=rule_end)


def _asks_and_answers(text: str, header: Span) -> bool:
    row = text[header.start : text.find("\n", header.start)]
    cells = {cell.strip(" \t*:：").casefold() for cell in _CELL.split(row)}
    return bool(cells & _QUESTIONS) and bool(cells & _ANSWERS)


def _section(block: Block, following: Block | None, text: str, span: Span) -> tuple[str, ...]:
    """Return the path of headings down to the block, a heading's own text being the last."""
    if block.kind is not BlockKind.HEADING:
        return block.heading
    depth = len(block.heading)
    if following is not None and following.heading[:depth] == block.heading:
        # The reader's wording, free of markup, so that paths compare equal.
        own = following.heading[depth : depth + 1]
        if own:
            return (*block.heading, *own)
    return (*block.heading, plain_heading(text[span.start : span.end]))


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    # Between most blocks there are just line ends.
    if start >= end or text[start:end].isspace():
        return
    for match in _BLANK_LINE.finditer(text, start, end):
        span = strip_span(text, start, match.start())
        if span is not None:
            yield span
        start = match.end()
    span = strip_span(text, start, end)
    if span is not None:
        yield span


def _lines_or_sentences(text: str, kind: BlockKind, start: int, end: int) -> Iterator[Span]:
    if kind not in _BY_LINES:
        yield from _sentences(text, start, end)
        return
    for line in _LINE.finditer(text, start, end):
        span = strip_span(text, line.start(), line.end())
        if span is not None:
            yield span


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    for span in sentences(text[start:end]):
        yield Span(start=start + span.start, end=start + span.end)
