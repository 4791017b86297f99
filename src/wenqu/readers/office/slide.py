"""What a slide is, whatever program it comes from, and how it becomes blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse, only_text
from wenqu.readers.office.drawing import Paragraph
from wenqu.readers.office.grid import add_table
from wenqu.text.language import detect
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wenqu.readers.builder import DocumentBuilder

__all__ = ["Item", "Slide", "add_slide", "as_paragraphs", "in_order"]

_MAX_HEADING = 60
_MAX_DEPTH = 8
_SAME_ROW = 0.5  # of the height of what a row begins with


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something on a slide: text, a table, or what ``add`` writes; or several as a group.

    Position and size are in any unit, the same for the whole slide.
    """

    top: float = 0.0
    left: float = 0.0
    height: float = 0.0
    text: tuple[Paragraph, ...] = ()
    title: bool = False
    outline: bool = False  # its paragraphs are points of a list unless they say otherwise
    rows: Sequence[Sequence[str]] = ()
    add: Callable[[DocumentBuilder, int], None] | None = None
    group: tuple[Item, ...] = ()
    role: int = -1  # what the format calls it, for readers that ask


@dataclass(slots=True, kw_only=True)
class Slide:
    """One slide: ``after`` is said about it (notes, comments) rather than on it."""

    number: int
    items: list[Item] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def as_paragraphs(text: str) -> tuple[Paragraph, ...]:
    """Return the lines of a text as paragraphs without a style."""
    return tuple(Paragraph(collapse(line)) for line in text.split("\n") if only_text(line))


def add_slide(builder: DocumentBuilder, slide: Slide) -> None:
    """Add a slide below its title; one without a title is headed by its first line or number."""
    items = list(in_order(slide.items))
    titles = [item for item in items if item.title and item.text]
    items = [item for item in items if not (item.title and item.text)]
    if not titles and not items and not any(map(only_text, slide.after)):
        return
    title = " ".join(paragraph.text for item in titles for paragraph in item.text)
    if not title:
        title, items = _untitled(slide, items)
    builder.heading(title, 1, page=slide.number)
    for item in items:
        if item.text:
            _add_text(builder, item, slide.number)
        if item.rows:
            add_table(builder, item.rows, page=slide.number)
        if item.add is not None:
            item.add(builder, slide.number)
    for text in slide.after:
        builder.add(text, page=slide.number)


def in_order(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items row by row from the top, each from the left; a group's own where it stands."""
    rows: list[list[Item]] = []
    for item in sorted(items, key=lambda item: (item.top, item.left)):
        first = rows[-1][0] if rows else item
        if rows and item.top <= first.top + first.height * _SAME_ROW:
            rows[-1].append(item)
        else:
            rows.append([item])
    for row in rows:
        for item in sorted(row, key=lambda item: item.left):
            if item.group:
                yield from in_order(item.group)
            else:
                yield item


def _untitled(slide: Slide, items: list[Item]) -> tuple[str, list[Item]]:
    """Return a heading for a slide without a title, and what is left to be said below it."""
    first = items[0] if items else Item()
    if first.text and _may_head(first):
        head, *rest = first.text
        if rest:
            left = Item(text=tuple(rest), outline=first.outline)
            return head.text, [left, *items[1:]]
        return head.text, items[1:]
    said = " ".join(paragraph.text for item in items for paragraph in item.text)
    chinese = detect(said or " ".join(slide.after)) == "zh"
    return (f"第 {slide.number} 页" if chinese else f"Slide {slide.number}"), items


def _may_head(item: Item) -> bool:
    """Say whether what a slide begins with can stand for its title: a short line, in no list."""
    first, *rest = item.text
    listed = (bool(rest) and item.outline) if first.bullet is None else first.bullet
    return not listed and len(first.text) <= _MAX_HEADING


def _add_text(builder: DocumentBuilder, item: Item, page: int) -> None:
    """Add paragraphs; those that are points of a list in a row become one block."""
    several = len(item.text) > 1
    lines: list[str] = []
    numbers: dict[int, int] = {}
    for paragraph in item.text:
        listed = item.outline and several if paragraph.bullet is None else paragraph.bullet
        if not listed:
            builder.add("\n".join(lines), BlockKind.LIST, page=page)
            lines.clear()
            numbers.clear()
            builder.add(paragraph.text, page=page)
            continue
        depth = min(paragraph.level, _MAX_DEPTH)
        numbers = {level: count for level, count in numbers.items() if level <= depth}
        numbers[depth] = numbers.get(depth, 0) + 1
        mark = f"{numbers[depth]}." if paragraph.numbered else "-"
        indent = "  " * depth
        text = paragraph.text.replace("\n", f"\n{indent}  ")
        lines.append(f"{indent}{mark} {text}")
    builder.add("\n".join(lines), BlockKind.LIST, page=page)
