"""OpenDocument presentations (ODP): slide by slide, like those of PowerPoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder, only_text
from wenqu.readers.office.drawing import Paragraph
from wenqu.readers.office.odf import OpenPackage, lines, objects, said, table_rows
from wenqu.readers.office.ooxml import local
from wenqu.readers.office.package import attribute
from wenqu.readers.office.slide import Item, Slide, add_slide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["OpenSlidesReader"]

_RUNNING = frozenset({"date-time", "page-number", "header"})
_UNITS = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 0.0353, "pc": 0.423, "px": 0.0265}
_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)\s*([a-z]{2})")
_MAX_DEPTH = 60


class OpenSlidesReader:
    """Reads ODP."""

    name = "odp/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what says that it is a presentation."""
        return sample.container == "odp"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the presentation, slide by slide.

        Raises:
            ReadError: It is damaged, encrypted, empty or too long.
        """
        package = OpenPackage(data, source, options)
        builder = DocumentBuilder(source, "odp", options)
        deck = _Deck(package)
        count = 0
        for count, page in enumerate(deck.pages(), 1):  # the last is kept
            add_slide(builder, deck.slide(page, count))
        builder.note("slides", str(count))
        return package.finish(builder, source, None)


class _Deck:
    """A presentation's slides with what they take from masters and declarations."""

    def __init__(self, package: OpenPackage) -> None:
        self._package = package
        self._content = package.salvage("content.xml")
        self._said: set[str] = set()
        self._masters: dict[str, list[str]] = {}
        styles = package.salvage("styles.xml")
        for master in () if styles is None else styles.iter("{*}master-page"):
            self._masters[attribute(master, "name") or ""] = list(_master_texts(master))
        self._footers: dict[str, str] = {}
        for element in () if self._content is None else self._content.iter("{*}footer-decl"):
            self._footers[attribute(element, "name") or ""] = said(element)

    def pages(self) -> list[_Element]:
        """Return the slides in their order."""
        return [] if self._content is None else list(self._content.iter("{*}page"))

    def slide(self, page: _Element, number: int) -> Slide:
        """Return one slide."""
        slide = Slide(number=number, items=list(self._items(page, 0)))
        footer = self._footers.get(attribute(page, "use-footer-name") or "", "")
        behind = self._masters.get(attribute(page, "master-page-name") or "", [])
        slide.after += self._once([footer, *behind])
        for part in page:
            if local(part) == "notes":
                slide.after.append("\n".join(_notes(part)))
            elif local(part) == "annotation":
                slide.after.append(" ".join(said(line) for line in part.iter("{*}p")))
        return slide

    def _items(self, parent: _Element, depth: int) -> Iterator[Item]:
        for shape in parent:
            kind = local(shape)
            role = attribute(shape, "class") or ""
            if kind in {"notes", "forms", "annotation", ""} or role in _RUNNING:
                continue
            top, left, height = (_length(shape, name) for name in ("y", "x", "height"))
            if kind in {"g", "a"} and depth < _MAX_DEPTH:
                group = tuple(self._items(shape, depth + 1))
                if group:
                    first = min(group, key=lambda item: item.top)
                    yield Item(top=first.top, left=first.left, height=first.height, group=group)
                continue
            text = tuple(_paragraphs(shape, 0))
            text += tuple(Paragraph(alt) for alt in _described(shape))
            tables = list(shape.iter("{*}table"))
            for said_of, inner in objects(self._package, shape):
                text += tuple(map(Paragraph, said_of))
                tables += inner
            rows = [row for table in tables for row in table_rows(table)]
            if text or rows:
                yield Item(
                    top=top, left=left, height=height, text=text, rows=rows, title=role == "title"
                )

    def _once(self, texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            if only_text(text) and text not in self._said:
                self._said.add(text)
                yield text


def _paragraphs(element: _Element, level: int, depth: int = 0) -> Iterator[Paragraph]:
    """Yield paragraphs and points of lists, but not the cells of tables."""
    for part in element:
        kind = local(part)
        if kind in {"p", "h"}:
            if only_text(text := said(part)):
                yield Paragraph(text, max(level - 1, 0), level > 0)
        elif kind not in {"table", "annotation", "title", "desc", ""} and depth < _MAX_DEPTH:
            yield from _paragraphs(part, level + (kind == "list"), depth + 1)


def _described(shape: _Element) -> Iterator[str]:
    for name in ("title", "desc"):
        for element in shape.iterchildren(f"{{*}}{name}"):
            if only_text(text := said(element)):
                yield text


def _notes(notes: _Element) -> Iterator[str]:
    for frame in notes:
        if attribute(frame, "class") == "notes":
            yield from lines(frame)


def _master_texts(master: _Element) -> Iterator[str]:
    """Yield what a master shows on its slides: what fills no placeholder."""
    for shape in master:
        if local(shape) != "notes" and attribute(shape, "class") in {None, "footer"}:
            yield "\n".join(lines(shape))


def _length(element: _Element, name: str) -> float:
    found = _LENGTH.fullmatch(attribute(element, name) or "")
    return float(found[1]) * _UNITS.get(found[2], 1.0) if found else 0.0
