"""PowerPoint presentations (PPTX): slide by slide, a slide's number as its page.

The title is the heading; what else is on the slide follows in the order that the eye takes, from
top to bottom and from left to right, a group as one thing. Notes and comments come last. Hidden
slides are read too: people hide what they still want to have at hand. What stands on every slide
(footers, texts of the master) is said once; dates and slide numbers are left out.
Source: ECMA-376-1:2016, part 19 (PresentationML).
"""

from __future__ import annotations

import posixpath
from functools import partial
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse, only_text
from wenqu.readers.office.drawing import Paragraph, add_graphic, alt_text, elements, paragraphs
from wenqu.readers.office.embedded import ole_payload
from wenqu.readers.office.ooxml import SalvagedPackage, local
from wenqu.readers.office.package import attribute, note_core_properties
from wenqu.readers.office.slide import Item, Slide, add_slide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lxml.etree import _Element

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.package import Relation
    from wenqu.types import Document

__all__ = ["SlidesReader"]

_SHAPES = frozenset({"sp", "pic", "graphicFrame", "cxnSp"})
_TITLES = frozenset({"title", "ctrTitle"})
_RUNNING = frozenset({"dt", "sldNum", "hdr"})
_OUTLINES = frozenset({"body", "obj", ""})  # no type is an object's
_MAX_DEPTH = 60

_Place = tuple[float, float, float]
_Key = tuple[str, str]


class SlidesReader:
    """Reads presentations of PowerPoint 2007 and later.

    Args:
        readers: Returns the readers of files that are embedded in a presentation.
    """

    name = "pptx/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]] = tuple) -> None:
        self._attachments = Attachments(readers)

    def accepts(self, sample: Sample) -> bool:
        """Take what holds a presentation."""
        return sample.container == "pptx"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the presentation, slide by slide.

        Raises:
            ReadError: It is damaged, empty or too long.
        """
        package = SalvagedPackage(data, source)
        builder = DocumentBuilder(source, "pptx", options)
        deck = _Deck(package)
        count = 0
        for count, part in enumerate(deck.parts(), 1):  # the last is kept
            add_slide(builder, deck.slide(part, count))
            for inner in package.related(part, "package", "oleObject"):
                label, content = ole_payload(
                    package.bytes_of(inner) or b"", posixpath.basename(inner)
                )
                self._attachments.add(builder, label, content, options, 2)
            options.alive()
        builder.note("slides", str(count))
        return package.build(builder, source, note_core_properties(package, builder))


class _Deck:
    """A presentation's slides with what they take from layouts and masters."""

    def __init__(self, package: SalvagedPackage) -> None:
        self._package = package
        self._places: dict[str, dict[_Key, _Place]] = {}
        self._said: set[str] = set()

    def parts(self) -> list[str]:
        """Return the slides' parts in their order."""
        main = self._package.main("ppt/presentation.xml")
        root = self._package.salvage(main)
        relations = self._package.relations(main)
        found: list[str] = []
        for element in () if root is None else root.iter("{*}sldId"):
            relation = relations.get(_relation_id(element))
            if relation is not None and relation.target in self._package:
                found.append(relation.target)
        slides = self._package.parts("ppt/slides/slide")
        return found or [part for part in slides if part.endswith(".xml")]

    def slide(self, part: str, number: int) -> Slide:
        """Return the slide in ``part``."""
        slide = Slide(number=number)
        relations = self._package.relations(part)
        layout = _first(relations, "slideLayout")
        master = _first(self._package.relations(layout), "slideMaster") if layout else ""
        tree = self._tree(part)
        if tree is not None:
            shapes = _Shapes(self._package, part, relations, self._inherited(layout, master))
            slide.items = list(shapes.items(tree))
            slide.after += self._once(shapes.footers)
        for behind in filter(None, (layout, master)):
            slide.after += self._once(self._background(behind))
        slide.after += self._notes(relations)
        slide.after += self._comments(relations)
        return slide

    def _tree(self, part: str) -> _Element | None:
        root = self._package.salvage(part)
        return None if root is None else next(root.iter("{*}spTree"), None)

    def _inherited(self, layout: str, master: str) -> dict[_Key, _Place]:
        return self._placeholders(master) | self._placeholders(layout)

    def _placeholders(self, part: str) -> dict[_Key, _Place]:
        """Return where a layout or master has its placeholders, by type and by number."""
        if part not in self._places:
            found: dict[_Key, _Place] = {}
            tree = self._tree(part) if part else None
            for shape in () if tree is None else tree.iter("{*}sp"):
                kind, number = _placeholder(shape) or ("", "")
                place = _place(shape)
                if place and (kind or number):
                    found[_family(kind), ""] = place
                    found["", number] = place
            self._places[part] = found
        return self._places[part]

    def _background(self, part: str) -> list[str]:
        """Return what a layout or master shows on its slides: all but its placeholders' prompts."""
        tree = self._tree(part)
        texts: list[str] = []
        for shape in () if tree is None else tree.iter("{*}sp"):
            placeholder = _placeholder(shape)
            if placeholder is None or placeholder[0] == "ftr":
                texts.append("\n".join(paragraph.text for paragraph in paragraphs(shape)))
        return texts

    def _once(self, texts: Sequence[str]) -> Iterator[str]:
        for text in texts:
            if only_text(text) and text not in self._said:
                self._said.add(text)
                yield text

    def _notes(self, relations: Mapping[str, Relation]) -> Iterator[str]:
        notes = _first(relations, "notesSlide")
        tree = self._tree(notes) if notes else None
        for shape in () if tree is None else tree.iter("{*}sp"):
            placeholder = _placeholder(shape)
            if placeholder is None or placeholder[0] in _OUTLINES:
                yield "\n".join(paragraph.text for paragraph in paragraphs(shape))

    def _comments(self, relations: Mapping[str, Relation]) -> Iterator[str]:
        for relation in relations.values():
            if relation.kind != "comments" or relation.external:
                continue
            root = self._package.salvage(relation.target)
            for element in () if root is None else root.iter("{*}cm", "{*}reply"):
                for inner in element:
                    if local(inner) == "text":
                        yield collapse(inner.text or "")
                    elif local(inner) == "txBody":
                        yield " ".join(paragraph.text for paragraph in paragraphs(inner))


class _Shapes:
    """Turns the shapes of one slide into items."""

    def __init__(
        self,
        package: SalvagedPackage,
        part: str,
        relations: Mapping[str, Relation],
        inherited: Mapping[_Key, _Place],
    ) -> None:
        self._package = package
        self._part = part
        self._relations = relations
        self._inherited = inherited
        self.footers: list[str] = []

    def items(self, tree: _Element, depth: int = 0) -> Iterator[Item]:
        """Yield what the children of ``tree`` show; a group yields one item."""
        for shape in elements(tree):
            kind = local(shape)
            if _hidden(shape) or (kind not in _SHAPES and kind != "grpSp"):
                continue
            if kind == "grpSp":
                group = tuple(self.items(shape, depth + 1)) if depth < _MAX_DEPTH else ()
                top, left, height = _place(shape) or (0.0, 0.0, 0.0)
                if group:
                    yield Item(top=top, left=left, height=height, group=group)
            elif (item := self._item(shape, kind)) is not None:
                yield item

    def _item(self, shape: _Element, kind: str) -> Item | None:
        placeholder = _placeholder(shape)
        role, number = placeholder or ("", "")
        if placeholder is not None and role in _RUNNING:
            return None
        place = _place(shape)
        if place is None:
            named = self._inherited.get(("", number)) if number else None
            place = named or self._inherited.get((_family(role), "")) or (0.0, 0.0, 0.0)
        top, left, height = place
        if kind == "graphicFrame":
            add = partial(self._add_graphic, shape)
            return Item(top=top, left=left, height=height, add=add)
        text = tuple(paragraphs(shape, self._relations))
        if kind == "pic":
            alt = alt_text(next(shape.iter("{*}cNvPr"), None))
            text = (*text, Paragraph(alt)) if alt else text
        if role == "ftr" and placeholder is not None:
            self.footers.append("\n".join(paragraph.text for paragraph in text))
            return None
        if not text:
            return None
        outline = placeholder is not None and role in _OUTLINES
        title = role in _TITLES
        return Item(top=top, left=left, height=height, text=text, title=title, outline=outline)

    def _add_graphic(self, frame: _Element, builder: DocumentBuilder, page: int) -> None:
        add_graphic(builder, self._package, self._part, frame, page=page)


def _first(relations: Mapping[str, Relation], kind: str) -> str:
    found = (one.target for one in relations.values() if one.kind == kind and not one.external)
    return next(found, "")


def _relation_id(element: _Element) -> str:
    """Return the relation that a slide is listed by: ``id`` in a namespace, unlike its number."""
    keys = (str(key) for key in element.attrib)
    return next((element.get(key) or "" for key in keys if key.endswith("}id")), "")


def _placeholder(shape: _Element) -> tuple[str, str] | None:
    """Return type and number of the placeholder that a shape fills; None where it fills none."""
    for head in shape:
        if local(head).startswith("nv"):
            found = next(head.iter("{*}ph"), None)
            return None if found is None else (found.get("type") or "", found.get("idx") or "")
    return None


def _family(kind: str) -> str:
    if kind in _TITLES:
        return "title"
    return "body" if kind in {"subTitle", "obj", ""} else kind


def _hidden(shape: _Element) -> bool:
    for head in shape:
        if local(head).startswith("nv"):
            properties = next(head.iter("{*}cNvPr"), None)
            return properties is not None and properties.get("hidden") in {"1", "true"}
    return False


def _place(shape: _Element) -> _Place | None:
    """Return top, left and height of a shape that says so itself."""
    for child in shape:
        if local(child) not in {"spPr", "grpSpPr", "xfrm"}:
            continue
        frame = child if local(child) == "xfrm" else next(child.iter("{*}xfrm"), None)
        offset = None if frame is None else next(frame.iter("{*}off"), None)
        extent = None if frame is None else next(frame.iter("{*}ext"), None)
        if offset is not None and extent is not None:
            return _size(offset, "y"), _size(offset, "x"), _size(extent, "cy")
    return None


def _size(element: _Element, name: str) -> float:
    text = attribute(element, name) or "0"
    return float(text) if text.lstrip("-").isdecimal() else 0.0
