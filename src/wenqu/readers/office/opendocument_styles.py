"""Styles and list numbering of OpenDocument texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wenqu.readers.office.numbering import BULLET_FORMAT, Level
from wenqu.readers.office.package import attribute, tag
from wenqu.readers.office.prose import style_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

__all__ = ["OUTLINE", "OpenStyle", "OpenStyles"]

OUTLINE = "#outline"
"""The key of the numbering of headings, which is a style of its own."""

_DEFAULT_SIZE = 12.0
_MAX_INHERITANCE = 20
_POINTS = {"pt": 1.0, "in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "px": 0.75}
_LENGTH = re.compile(r"\A\s*([\d.]+)\s*(pt|in|cm|mm|px|%)\s*\Z")
_ESCAPED = re.compile(r"_([0-9a-f]{1,5})_")
_PLACE = re.compile(r"%(\d)%")
_FORMATS = {
    "1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman",
    "一": "chineseCountingThousand", "壹": "chineseLegalSimplified",
    "壱": "chineseLegalSimplified", "甲": "ideographTraditional", "子": "ideographZodiac",
    "①": "decimalEnclosedCircle", "１": "decimalFullWidth", "01": "decimalZero",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStyle:
    """What a style says, with all that it is based on."""

    name: str = ""
    level: int | None = None
    list_style: str | None = None
    size: float = _DEFAULT_SIZE
    bold: bool = False
    hidden: bool = False
    position: str = ""


class OpenStyles:
    """The styles of a document, of both its parts.

    Args:
        roots: ``styles.xml`` and ``content.xml``, those that there are.
    """

    def __init__(self, *roots: Element | None) -> None:
        self._entries: dict[tuple[str, str], Element] = {}
        self._resolved: dict[tuple[str, str], OpenStyle] = {}
        self.lists: dict[str, dict[int, Level]] = {}
        for root in roots:
            for entry in root.iter() if root is not None else ():
                name = tag(entry)
                key = attribute(entry, "name") or ""
                if name == "style:style":
                    self._entries[attribute(entry, "family") or "", key] = entry
                elif name == "text:list-style":
                    self.lists[key] = dict(map(_list_level, _elements(entry)))
                elif name == "text:outline-style":
                    self.lists[OUTLINE] = dict(map(_list_level, _elements(entry)))

    def get(self, family: str, name: str | None) -> OpenStyle:
        """Return a style by family (paragraph, text) and name; a plain one where there is none."""
        key = (family, name or "")
        if key not in self._resolved:
            self._resolved[key] = self._resolve(family, name)
        return self._resolved[key]

    def _resolve(self, family: str, name: str | None) -> OpenStyle:
        chain: list[Element] = []
        at = name
        while at is not None and (family, at) in self._entries and len(chain) < _MAX_INHERITANCE:
            chain.append(self._entries[family, at])
            at = attribute(chain[-1], "parent-style-name")
        style = OpenStyle(level=style_level(_readable(name or "")))
        for entry in reversed(chain):
            style = _applied(style, entry)
        return style


def _applied(style: OpenStyle, entry: Element) -> OpenStyle:
    shown = attribute(entry, "display-name") or _readable(attribute(entry, "name") or "")
    outline = attribute(entry, "default-outline-level") or ""
    named = style_level(shown)
    style = replace(
        style,
        name=shown if not re.fullmatch(r"P\d+|T\d+", shown) else style.name,
        level=int(outline) if outline.isdecimal() else style.level if named is None else named,
        list_style=attribute(entry, "list-style-name") or style.list_style,
    )
    for properties in _elements(entry):
        if tag(properties) == "style:text-properties":
            weight = attribute(properties, "font-weight")
            style = replace(
                style,
                size=_size(attribute(properties, "font-size"), style.size),
                bold=style.bold
                if weight is None
                else weight in {"bold", "600", "700", "800", "900"},
                position=(attribute(properties, "text-position") or style.position).split(" ")[0],
                hidden=style.hidden or attribute(properties, "display") == "none",
            )
    return style


def _size(text: str | None, inherited: float) -> float:
    found = _LENGTH.match(text or "")
    try:
        amount = float(found[1]) if found else 0.0
    except ValueError:
        return inherited
    if not found or not amount:
        return inherited
    return inherited * amount / 100 if found[2] == "%" else amount * _POINTS[found[2]]


def _list_level(entry: Element) -> tuple[int, Level]:
    """Return one level of a list style, counted from 0."""
    depth = _whole(attribute(entry, "level"), 1) - 1
    if tag(entry) in {"text:list-level-style-bullet", "text:list-level-style-image"}:
        return depth, Level(format=BULLET_FORMAT)
    form = attribute(entry, "num-format") or ""
    if not form:
        return depth, Level(format="none", text="")
    if pattern := attribute(entry, "num-list-format"):
        text = _PLACE.sub(r"%\1", pattern)
    else:
        shown = min(_whole(attribute(entry, "display-levels"), 1), depth + 1)
        places = ".".join(f"%{place + 1}" for place in range(depth + 1 - shown, depth + 1))
        before, after = attribute(entry, "num-prefix") or "", attribute(entry, "num-suffix") or ""
        text = before + places + after
    start = _whole(attribute(entry, "start-value"), 1)
    written = _FORMATS.get(form) or _FORMATS.get(form[:1], "decimal")
    return depth, Level(format=written, text=text, start=start)


def _elements(node: Element) -> list[Element]:
    return [entry for entry in node if isinstance(entry.tag, str)]


def _readable(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(min(int(found[1], 16), 0x10FFFF)), name)


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() else otherwise


def levels_of(lists: Mapping[str, Mapping[int, Level]], name: str | None) -> Mapping[int, Level]:
    """Return the levels of a list style, bullets where it is not known."""
    return lists.get(name or "", {depth: Level(format=BULLET_FORMAT) for depth in range(10)})
