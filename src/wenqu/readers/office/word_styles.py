"""Styles and numbering of a Word document (OOXML): what a paragraph is, beyond its text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wenqu.readers.office.numbering import BULLET_FORMAT, Counters, Level
from wenqu.readers.office.package import attribute, tag
from wenqu.readers.office.prose import style_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

__all__ = [
    "BODY_LEVEL",
    "Numbering",
    "Style",
    "Styles",
    "child",
    "half_points",
    "is_on",
    "value",
    "whole",
]

BODY_LEVEL = 9
"""The outline level of what is no heading."""
_MAX_INHERITANCE = 20
_DEFAULT_SIZE = 10.0  # points; ISO/IEC 29500-1, 17.3.2.38
_CONTENTS_STYLES = ("toc ", "toc heading", "目录", "目錄", "table of figures", "contents ")


def child(element: Element | None, name: str) -> Element | None:
    """Return the first child of that name."""
    if element is None:
        return None
    return next((entry for entry in element if tag(entry) == name), None)


def value(element: Element | None, name: str) -> str | None:
    """Return ``w:val`` of the first child of that name."""
    found = child(element, name)
    return None if found is None else attribute(found, "val")


def is_on(element: Element | None, name: str) -> bool | None:
    """Return what a switch among the children says, None where it is not there."""
    found = child(element, name)
    if found is None:
        return None
    return (attribute(found, "val") or "1").lower() not in {"0", "false", "off", "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a style, with all that it is based on, says of a paragraph or a run."""

    name: str = ""
    level: int | None = None
    list_id: str | None = None
    depth: int | None = None
    size: float | None = None
    bold: bool | None = None
    hidden: bool | None = None

    @property
    def contents(self) -> bool:
        """Whether it is of an entry in a table of contents."""
        return self.name.lower().startswith(_CONTENTS_STYLES)


class Styles:
    """The styles of a document by id.

    Args:
        root: The part ``styles.xml``, None where a document has none.
    """

    def __init__(self, root: Element | None) -> None:
        self._entries: dict[str, Element] = {}
        self._resolved: dict[str, Style] = {}
        self._base = Style(size=_DEFAULT_SIZE)
        self.default = ""
        for entry in root if root is not None else ():
            if not isinstance(entry.tag, str):
                continue
            if tag(entry) == "w:docDefaults":
                properties = child(child(entry, "w:rPrDefault"), "w:rPr")
                self._base = _with_run(self._base, properties)
            elif tag(entry) == "w:style" and (key := attribute(entry, "styleId")):
                self._entries[key] = entry
                standard = attribute(entry, "default") in {"1", "true", "on"}
                if standard and attribute(entry, "type") == "paragraph":
                    self.default = key

    def paragraph(self, key: str | None) -> Style:
        """Return a paragraph style; the standard one for None."""
        if key is not None and key not in self._entries:
            # Converters write ids without defining them: "Heading1" says enough.
            return replace(self.paragraph(None), name=key, level=style_level(key))
        return self._resolve(key or self.default, self._base)

    def run(self, key: str | None) -> Style:
        """Return a character style; one that says nothing for None."""
        return self._resolve(key, Style()) if key else Style()

    def _resolve(self, key: str, base: Style) -> Style:
        cached = self._resolved.get(key)
        if cached is not None:
            return cached
        chain: list[Element] = []
        at: str | None = key
        while at in self._entries and len(chain) < _MAX_INHERITANCE:
            chain.append(self._entries[at])
            at = value(self._entries[at], "w:basedOn")
        style = base
        for entry in reversed(chain):
            style = _applied(style, entry)
        if key in self._entries:
            style = replace(style, name=value(self._entries[key], "w:name") or key)
        self._resolved[key] = style
        return style


def _applied(style: Style, entry: Element) -> Style:
    """Return a style with what one entry of its chain says over it."""
    properties = child(entry, "w:pPr")
    level = style.level
    named = style_level(value(entry, "w:name") or "")
    if named is not None:
        level = named
    elif (outline := value(properties, "w:outlineLvl")) is not None and outline.isdecimal():
        level = int(outline) + 1 if int(outline) < BODY_LEVEL else None
    style = replace(style, level=level)
    if (listed := child(properties, "w:numPr")) is not None:
        depth = value(listed, "w:ilvl")
        style = replace(
            style,
            list_id=value(listed, "w:numId") or style.list_id,
            depth=int(depth) if depth and depth.isdecimal() else style.depth,
        )
    return _with_run(style, child(entry, "w:rPr"))


def _with_run(style: Style, properties: Element | None) -> Style:
    if properties is None:
        return style
    bold, hidden = is_on(properties, "w:b"), is_on(properties, "w:vanish")
    return replace(
        style,
        size=half_points(value(properties, "w:sz")) or style.size,
        bold=style.bold if bold is None else bold,
        hidden=style.hidden if hidden is None else hidden,
    )


def half_points(text: str | None) -> float | None:
    """Return points of a size in half points, None where it is none."""
    try:
        return float(text) / 2 if text else None
    except ValueError:
        return None


class Numbering:
    """Lists of a document, and where each of them has got to.

    Args:
        root: The part ``numbering.xml``, None where a document has none.
    """

    def __init__(self, root: Element | None) -> None:
        self._abstract: dict[str, dict[int, Level]] = {}
        self._by_style: dict[str, dict[str, int]] = {}
        self._of: dict[str, str] = {}
        self._own: dict[str, dict[int, Level]] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._counters = Counters()
        links: dict[str, str] = {}
        homes: dict[str, str] = {}
        for entry in root if root is not None else ():
            name = tag(entry)
            if name == "w:abstractNum" and (key := attribute(entry, "abstractNumId")):
                self._abstract[key] = dict(_levels(entry))
                self._by_style[key] = dict(_style_depths(entry))
                if linked := value(entry, "w:numStyleLink"):
                    links[key] = linked
                if home := value(entry, "w:styleLink"):
                    homes[home] = key
            elif name == "w:num" and (key := attribute(entry, "numId")):
                self._add(key, entry)
        for key, style in links.items():
            if style in homes:
                self._abstract[key] = self._abstract[homes[style]]

    def depth_of(self, list_id: str, style: str | None) -> int:
        """Return the level that a list keeps for paragraphs of a style, 0 for none."""
        return self._by_style.get(self._of.get(list_id, ""), {}).get(style or "", 0)

    def label(self, list_id: str, depth: int) -> str:
        """Count one paragraph and return what stands before it, "" where it is in no list."""
        abstract = self._of.get(list_id)
        if abstract is None or abstract not in self._abstract:
            return ""
        starts = self._starts.pop(list_id, {})
        for at, start in starts.items():
            self._counters.restart(abstract, at, start)
        levels = self._abstract[abstract] | self._own.get(list_id, {})
        return self._counters.label(abstract, depth, levels)

    def _add(self, key: str, entry: Element) -> None:
        self._of[key] = value(entry, "w:abstractNumId") or ""
        for override in entry:
            if tag(override) != "w:lvlOverride":
                continue
            depth = whole(attribute(override, "ilvl"), 0)
            if (start := value(override, "w:startOverride")) is not None:
                self._starts.setdefault(key, {})[depth] = whole(start, 1)
            self._own.setdefault(key, {}).update(_levels(override))


def _levels(entry: Element) -> Iterator[tuple[int, Level]]:
    for level in entry:
        if tag(level) != "w:lvl":
            continue
        form = value(level, "w:numFmt") or "decimal"
        picture = child(level, "w:lvlPicBulletId") is not None
        yield (
            whole(attribute(level, "ilvl"), 0),
            Level(
                format=BULLET_FORMAT if picture else form,
                text=value(level, "w:lvlText") or "",
                start=whole(value(level, "w:start"), 0 if form == "none" else 1),
                legal=bool(is_on(level, "w:isLgl")),
                restarts=value(level, "w:lvlRestart") != "0",
            ),
        )


def _style_depths(entry: Element) -> Iterator[tuple[str, int]]:
    for level in entry:
        if isinstance(level.tag, str) and (style := value(level, "w:pStyle")):
            yield style, whole(attribute(level, "ilvl"), 0)


def whole(text: str | None, otherwise: int = 0) -> int:
    """Return the number that an attribute says, another where it says none."""
    return int(text) if text and text.isdecimal() else otherwise
