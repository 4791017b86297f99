"""What single elements of a Word document (OOXML) say, apart from the walk over them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse
from wenqu.readers.office.package import attribute, tag
from wenqu.readers.office.word_styles import (
    BODY_LEVEL,
    Style,
    child,
    half_points,
    is_on,
    value,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

__all__ = [
    "OUTSIDE",
    "add_address",
    "address_in",
    "all_text",
    "chosen",
    "form_value",
    "heading_level",
    "is_contents",
    "is_placeholder",
    "is_unseen",
    "row_cells",
    "table_rows",
]

OUTSIDE = re.compile(r"(?:https?|ftps?)://", re.IGNORECASE)
"""How an address begins that leads out of the document."""

_SPECK = 1.0  # points
_ADDRESS = re.compile(
    r"\A\s*(?:HYPERLINK|INCLUDETEXT|INCLUDEPICTURE|IMPORT|LINK|DDE|DDEAUTO|RD)\b[^\"]*"
    r"\"((?:https?|ftps?)://[^\"\s]+)\"",
    re.IGNORECASE,
)


def table_rows(node: Element) -> Iterator[Element]:
    """Yield the rows of a table, also those in content controls and tracked changes."""
    for entry in node:
        name = tag(entry)
        if name == "w:tr":
            yield entry
        elif name in {"w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo"}:
            yield from table_rows(entry)


def row_cells(row: Element) -> Iterator[Element]:
    """Yield the cells of a row, also those in content controls."""
    for entry in row:
        name = tag(entry)
        if name == "w:tc":
            if child(child(entry, "w:tcPr"), "w:cellDel") is None:
                yield entry
        elif name in {"w:sdt", "w:sdtContent", "w:customXml"}:
            yield from row_cells(entry)


def heading_level(properties: Element | None, style: Style) -> int | None:
    """Return the heading level that a paragraph or its style says, 0 for the title."""
    own = value(properties, "w:outlineLvl")
    if own is not None and own.isdecimal() and style.level != 0:
        return int(own) + 1 if int(own) < BODY_LEVEL else None
    return style.level


def chosen(node: Element) -> Element | None:
    """Return the first way to write something that a document offers, in older words the last."""
    ways = [entry for entry in node if isinstance(entry.tag, str)]
    for way in ways:
        if tag(way) == "mc:Choice" and len(way):
            return way
    return ways[-1] if ways else None


def is_unseen(run: Element, *, on_paper: bool) -> bool:
    """Say whether a run's own letters cannot be seen: of a point at most, or white on white.

    Args:
        run: A run of a paragraph.
        on_paper: It stands in no table, box or note, whose ground may have a colour.
    """
    properties = child(run, "w:rPr")
    size = half_points(value(properties, "w:sz"))
    if size is not None and size <= _SPECK:
        return True
    colour = (value(properties, "w:color") or "").lower()
    if colour != "ffffff" or not on_paper:
        return False
    # A ground of the page, of the paragraph or of its style may be dark.
    if child(run.getroottree().getroot(), "w:background") is not None:
        return False
    above = run.getparent()
    while above is not None and tag(above) != "w:p":
        above = above.getparent()
    around = child(above, "w:pPr")
    grounds = (child(properties, "w:shd"), child(properties, "w:highlight"), child(around, "w:shd"))
    styled = value(around, "w:pStyle") or value(properties, "w:rStyle")
    return styled is None and all(ground is None for ground in grounds)


def is_contents(control: Element) -> bool:
    """Say whether a content control holds a table of contents."""
    gallery = child(child(control, "w:sdtPr"), "w:docPartObj")
    return "table of contents" in (value(gallery, "w:docPartGallery") or "").lower()


def is_placeholder(control: Element) -> bool:
    """Say whether a content control asks for text that nobody has given."""
    return bool(is_on(child(control, "w:sdtPr"), "w:showingPlcHdr"))


def form_value(mark: Element) -> str | None:
    """Return what a field of a form shows where it shows no text: a box, a choice."""
    form = child(mark, "w:ffData")
    if (box := child(form, "w:checkBox")) is not None:
        state = is_on(box, "w:checked")
        return "☑" if (is_on(box, "w:default") if state is None else state) else "☐"
    if (choice := child(form, "w:ddList")) is not None:
        entries = [attribute(entry, "val") or "" for entry in choice
                   if tag(entry) == "w:listEntry"]  # fmt: skip
        at = whole(value(choice, "w:result"))
        return entries[at] if at < len(entries) else None
    return None


def address_in(instruction: str) -> str:
    """Return the address outside that a field's instruction names, "" for none."""
    found = _ADDRESS.match(instruction)
    return found[1] if found else ""


def add_address(pieces: list[str], start: int, address: str) -> None:
    """Write a link's address after its text, unless that is what the text says."""
    text = collapse("".join(pieces[start:]))
    shown = address.partition("://")[2].rstrip("/")
    if address and shown not in text and (text or start == len(pieces)):
        pieces.append(f" ({address})")


def all_text(node: Element) -> str:
    """Return all text below an element, in one line."""
    return collapse(" ".join(node.itertext()))
