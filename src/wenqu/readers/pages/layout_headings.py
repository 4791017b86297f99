"""Which blocks are headings, and of what level.

A document's outline says so best. Else it is size: larger type ranks by how large it is; then the
words (``第一章``, ``3.1 Method``), then bold type where bold is rare.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wenqu.readers.builder import join_lines
from wenqu.readers.markup.text import chinese_heading_level
from wenqu.readers.pages.layout_groups import BULLET, NUMBERED
from wenqu.text.normalize import fold
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.readers.pages.layout import PageBlock

__all__ = ["Bookmark", "headings"]

_LARGER = 1.15
_MAX_HEADING = 120
_MAX_BOLD_HEADING = 60
_BOLD_LEVEL = 6
_LEAST_BOOKMARKS = 2
_STOP = re.compile(r"[。！？；.!?;:：…”]\s*\Z")
_NO_HEADING = re.compile(r"[。；，,;]\s*\Z")
_WORDED = re.compile(r"[^\W\d_]{3}|[\u4e00-\u9fff]{2}")  # which the signs of a formula are not
_FORMULA = re.compile(r"[=+∗×÷≤≥⩽⩾≈∑∫∏√∥∂∈]")
_NOT_WORDS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\A(?:第[\d一二三四五六七八九十百]+[章节篇部]|chapter\d+|appendix[a-z]|\d+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """An entry of a document's outline; level 1 is outermost, ``page`` counts from 1."""

    title: str
    level: int
    page: int


def headings(
    blocks: Sequence[PageBlock], outline: Sequence[Bookmark] = ()
) -> list[tuple[PageBlock, int | None]]:
    """Return each block with its heading level, None for text.

    The lines of one large title become one block. Where the outline names blocks, its levels are
    theirs, and other headings stand below them.
    """
    weights: Counter[float] = Counter()
    bold = 0
    for block in blocks:
        weights[_rounded(block.size)] += len(block.text)
        bold += len(block.text) if block.bold else 0
    body = max(weights, key=lambda size: weights[size], default=0.0)
    bold_is_rare = bold * 4 < sum(weights.values())
    whole = _whole_titles(blocks, body)
    larger = [_is_larger(block, body) for block in whole]
    sizes = sorted({_rounded(b.size) for b, is_it in zip(whole, larger, strict=True) if is_it})
    rank = {size: min(at, _BOLD_LEVEL - 1) for at, size in enumerate(reversed(sizes), 1)}
    levels = [
        rank[_rounded(block.size)]
        if is_it
        else _other_level(block, body, bold_is_rare=bold_is_rare)
        for block, is_it in zip(whole, larger, strict=True)
    ]
    return list(zip(whole, _by_outline(whole, levels, outline), strict=True))


def _by_outline(
    blocks: Sequence[PageBlock], levels: list[int | None], outline: Sequence[Bookmark]
) -> list[int | None]:
    wanted: dict[int, list[tuple[str, int]]] = {}
    for entry in outline:
        if key := _key(entry.title):
            wanted.setdefault(entry.page, []).append((key, entry.level))
    named: dict[int, int] = {}
    for at, block in enumerate(blocks):
        entries = wanted.get(block.page)
        if not entries or len(block.text) > _MAX_HEADING or block.kind is BlockKind.TABLE:
            continue
        key = _key(block.text)
        bare = _NUMBER.sub("", key)
        match = next((e for e in entries if key == e[0] or bare == _NUMBER.sub("", e[0])), None)
        if match is not None:
            named[at] = match[1]
            entries.remove(match)
    if len(named) < _LEAST_BOOKMARKS:
        return levels
    deepest = max(named.values())
    first = min(named)
    return [
        # What comes before the first named one is the document's own title, above all.
        named.get(at, level if level is None or at < first else level + deepest)
        for at, level in enumerate(levels)
    ]


def _key(title: str) -> str:
    return _NOT_WORDS.sub("", fold(title))


def _whole_titles(blocks: Sequence[PageBlock], body: float) -> list[PageBlock]:
    whole: list[PageBlock] = []
    for block in blocks:
        last = whole[-1] if whole else None
        if (
            last is not None
            and _is_larger(last, body)
            and _rounded(block.size) == _rounded(last.size)
            and block.page == last.page
            and 0 <= block.box.top - last.box.bottom < last.size * 1.3
            and len(last.text) + len(block.text) <= _MAX_HEADING
            and block.kind is not BlockKind.TABLE
            and not (BULLET.match(block.text) or chinese_heading_level(block.text))
        ):
            box = replace(
                last.box,
                bottom=block.box.bottom,
                left=min(last.box.left, block.box.left),
                right=max(last.box.right, block.box.right),
            )
            text = join_lines(f"{last.text}\n{block.text}")
            whole[-1] = last._replace(text=text, box=box, lines=last.lines + block.lines)
        else:
            whole.append(block)
    return whole


def _is_larger(block: PageBlock, body: float) -> bool:
    return (
        block.size >= body * _LARGER
        and block.box.right - block.box.left > block.box.bottom - block.box.top  # not upright
        and len(block.text) <= _MAX_HEADING
        and block.lines <= 3  # noqa: PLR2004  # a title may wrap twice
        and block.kind is not BlockKind.TABLE
        and not _NO_HEADING.search(block.text)
        and sum(c.isalpha() for c in block.text) >= 2  # noqa: PLR2004  # not a page number
    )


def _other_level(block: PageBlock, body: float, *, bold_is_rare: bool) -> int | None:
    if block.lines > 1 or block.size < body * 0.95 or block.kind is BlockKind.TABLE:
        return None
    if (level := chinese_heading_level(block.text)) is not None:
        return level
    if numbered := NUMBERED.match(block.text):
        return 2 + numbered[1].count(".")
    if not (block.bold and bold_is_rare) or len(block.text) > _MAX_BOLD_HEADING:
        return None
    worded = _WORDED.search(block.text) and not _FORMULA.search(block.text)
    return _BOLD_LEVEL if worded and not _STOP.search(block.text) else None


def _rounded(size: float) -> float:
    return round(size * 2) / 2
