"""The text of a Word document (OOXML): paragraphs, tables, boxes and notes in reading order.

What a reader of the printed page would see is kept: inserted text, the results of fields, text in
boxes and drawings. What they would not is dropped: deleted and hidden text, field instructions,
placeholders of forms that nobody filled in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse, only_text
from wenqu.readers.office.drawing import alt_text, chart, diagram
from wenqu.readers.office.formula import tex
from wenqu.readers.office.package import attribute, tag
from wenqu.readers.office.prose import BULLET, Cell, Looks, Paragraph, Table, cell_text, grid
from wenqu.readers.office.symbols import raised, symbol, unprivate
from wenqu.readers.office.word_elements import (
    OUTSIDE,
    add_address,
    address_in,
    all_text,
    chosen,
    form_value,
    heading_level,
    is_contents,
    is_placeholder,
    is_unseen,
    row_cells,
    table_rows,
)
from wenqu.readers.office.word_styles import Style, child, half_points, is_on, value, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lxml.etree import _Element as Element

    from wenqu.readers.office.package import Package, Relation
    from wenqu.readers.office.prose import Part
    from wenqu.readers.office.word_styles import Numbering, Styles

__all__ = ["Body", "Surroundings"]

_MAX_DEPTH = 40  # of tables, boxes and controls in each other
_MAX_SPAN = 60
_MAX_CELL = 2000  # characters; a table with more in a cell lays out a page

_PAGE_NUMBER = re.compile(r"\A\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_CONTENTS = re.compile(r"\A\s*(?:TOC|TOA|INDEX)\b", re.IGNORECASE)
_NOTE_MARK = re.compile(r"\s*\[\^\w+\]")

# Elements whose children stand in their place.
_TRANSPARENT = frozenset(
    {"w:ins", "w:moveTo", "w:smartTag", "w:customXml", "w:sdtContent", "w:dir", "w:bdo",
     "w:rubyBase", "w:ruby", "w:fldSimple", "sect", "sub-section", "w:r"}
)  # fmt: skip
_SILENT = frozenset(
    {"w:del", "w:moveFrom", "w:delText", "w:delInstrText", "w:rt", "w:pPr", "w:rPr",
     "w:sdtPr", "w:sdtEndPr", "w:sectPr", "w:annotationRef", "w:footnoteRef", "w:endnoteRef"}
)  # fmt: skip
_TEXT = {
    "w:tab": "\t", "w:ptab": "\t", "w:cr": "\n", "w:noBreakHyphen": "\u2011",
    "w:softHyphen": "\u00ad",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a part of a Word document refers to.

    ``notes`` and ``comments`` are by kind and id. ``include`` reads a file of the package that
    stands in the text (``w:altChunk``) and returns its parts.
    """

    package: Package
    styles: Styles
    numbering: Numbering
    relations: Mapping[str, Relation]
    notes: Mapping[tuple[str, str], Element]
    include: Callable[[str], list[Part]]


@dataclass(slots=True)
class _Line:
    """The paragraph under construction."""

    style: Style
    pieces: list[str] = field(default_factory=list)
    beside: list[Part] = field(default_factory=list)
    looks: Looks = field(default_factory=Looks)


@dataclass(slots=True)
class _Field:
    """A field that is open: its instruction, and where its result begins."""

    line: _Line
    start: int
    instruction: list[str] = field(default_factory=list)
    result: bool = False


class Body:
    """One walk over one part of a document.

    Args:
        around: What the part refers to.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._fields: list[_Field] = []
        self._pending: list[Part] = []
        self._noted: dict[tuple[str, str], str] = {}
        self._depth = 0
        self._inside = 0  # of tables, boxes and notes
        self._in_contents = 0
        self._carried = ""
        self._block_kinds: dict[str, Callable[[Element, list[Part]], None]] = {
            "w:p": self._paragraph,
            "w:tbl": self._table,
            "w:sdt": self._block_control,
            "w:altChunk": self._other_document,
            "w:subDoc": self._other_document,
            "mc:AlternateContent": self._block_alternative,
            "m:oMathPara": self._block_formula,
        }
        self._inline: dict[str, Callable[[Element, _Line], None]] = {
            "w:r": self._run,
            "w:t": self._text,
            "w:instrText": self._instruction,
            "w:fldSimple": self._simple_field,
            "w:hyperlink": self._hyperlink,
            "w:sdt": self._control,
            "w:fldChar": self._field_mark,
            "w:br": self._break,
            "w:sym": self._symbol,
            "w:footnoteReference": self._note,
            "w:endnoteReference": self._note,
            "w:commentReference": self._comment,
            "mc:AlternateContent": self._alternative,
            "w:txbxContent": self._box,
            "m:oMath": self._formula,
            "wp:docPr": self._picture,
            "a:hlinkClick": self._picture_link,
            "a:hlinkHover": self._picture_link,
            "v:textpath": self._word_art,
            "dgm:relIds": self._diagram,
            "c:chart": self._chart,
        }

    def parts(self, root: Element) -> list[Part]:
        """Return the parts inside an element, notes and boxes after the paragraph they hang on."""
        parts: list[Part] = []
        self._blocks(root, parts)
        return parts

    def _blocks(self, node: Element, parts: list[Part]) -> None:
        if self._depth > _MAX_DEPTH:
            parts.append(Paragraph(text=all_text(node)))
            return
        self._depth += 1
        for entry in node:
            if isinstance(entry.tag, str):
                self._block(entry, parts)
                if not self._inside:
                    parts.extend(self._pending)
                    self._pending = []
        self._depth -= 1

    def _block(self, entry: Element, parts: list[Part]) -> None:
        name = tag(entry)
        if name in self._block_kinds:
            self._block_kinds[name](entry, parts)
        elif name in _TRANSPARENT:
            self._blocks(entry, parts)

    def _block_control(self, entry: Element, parts: list[Part]) -> None:
        contents = is_contents(entry)
        self._in_contents += contents
        if (inner := child(entry, "w:sdtContent")) is not None and not is_placeholder(entry):
            self._blocks(inner, parts)
        self._in_contents -= contents

    def _other_document(self, entry: Element, parts: list[Part]) -> None:
        """Add a file that stands in the text, or where the part of a master document is."""
        if (relation := self._relation(entry)) is not None:
            if relation.external:
                parts.append(Paragraph(text=relation.target))
            else:
                parts.extend(self._around.include(relation.target))

    def _block_alternative(self, entry: Element, parts: list[Part]) -> None:
        if (way := chosen(entry)) is not None:
            self._blocks(way, parts)

    def _block_formula(self, entry: Element, parts: list[Part]) -> None:
        line = _Line(Style())
        self._children(entry, line)
        parts.append(Paragraph(text="".join(line.pieces)))

    def _paragraph(self, node: Element, parts: list[Part]) -> None:
        properties = child(node, "w:pPr")
        key = value(properties, "w:pStyle")
        style = self._around.styles.paragraph(key)
        line = _Line(style)
        if self._carried:
            line.pieces.append(self._carried)
            self._carried = ""
        in_contents = self._in_contents or self._in_contents_field()
        self._children(node, line)
        text = unprivate("".join(line.pieces))
        mark = child(properties, "w:rPr")
        if child(mark, "w:del") is not None and child(mark, "w:ins") is None:
            self._carried = text  # its end is deleted: it runs into the next paragraph
            return
        label, depth = self._label(properties, style, key)
        level = heading_level(properties, style)
        if style.contents or in_contents or self._in_contents_field():
            level = None
        parts.append(
            Paragraph(
                text=_NOTE_MARK.sub("", text) if level is not None else text,
                level=level if only_text(text) else None,
                label=label,
                depth=depth,
                size=line.looks.size,
                bold=line.looks.bold,
                contents=style.contents or bool(in_contents) or self._in_contents_field(),
            )
        )
        parts.extend(line.beside)

    def _label(self, properties: Element | None, style: Style, key: str | None) -> tuple[str, int]:
        """Count the paragraph in its list; return its number and how deep it is."""
        own = child(properties, "w:numPr")
        list_id = value(own, "w:numId") or style.list_id
        if list_id is None or list_id == "0":
            return "", 0
        written = value(own, "w:ilvl")
        if written and written.isdecimal():
            depth = int(written)
        elif style.depth is not None:
            depth = style.depth
        else:
            styles = self._around.styles
            depth = self._around.numbering.depth_of(list_id, key or styles.default)
        return self._around.numbering.label(list_id, depth), depth

    def _children(self, node: Element, line: _Line) -> None:
        if self._depth > _MAX_DEPTH:
            line.pieces.append(all_text(node))
            return
        self._depth += 1
        for entry in node:
            if isinstance(entry.tag, str):
                self._piece(entry, line)
        self._depth -= 1

    def _piece(self, entry: Element, line: _Line) -> None:
        name = tag(entry)
        if name in self._inline:
            self._inline[name](entry, line)
        elif name in _TEXT:
            self._put(_TEXT[name], line)
        elif name.startswith("v:") and (address := entry.get("href")):
            self._linked(entry, line, address if OUTSIDE.match(address) else "")
        elif name not in _SILENT:
            self._children(entry, line)

    def _text(self, entry: Element, line: _Line) -> None:
        self._put(entry.text or "", line)

    def _instruction(self, entry: Element, _line: _Line) -> None:
        if self._fields and not self._fields[-1].result:
            self._fields[-1].instruction.append(entry.text or "")

    def _simple_field(self, entry: Element, line: _Line) -> None:
        instruction = attribute(entry, "instr") or ""
        if not _PAGE_NUMBER.match(instruction):
            self._linked(entry, line, address_in(instruction))

    def _put(self, text: str, line: _Line) -> None:
        if not self._fields or self._fields[-1].result:
            line.pieces.append(text)

    def _run(self, node: Element, line: _Line) -> None:
        properties = child(node, "w:rPr")
        styled = self._around.styles.run(value(properties, "w:rStyle"))
        hidden = is_on(properties, "w:vanish")
        hidden = styled.hidden if hidden is None else hidden
        if hidden or is_unseen(node, on_paper=not self._inside):
            # A mark of a field counts also where it is hidden.
            for entry in node:
                if tag(entry) in {"w:fldChar", "w:instrText"}:
                    self._piece(entry, line)
            return
        if is_on(properties, "w:webHidden") and self._in_contents_field():
            return  # the page number of an entry
        start = len(line.pieces)
        self._children(node, line)
        if (align := value(properties, "w:vertAlign")) in {"superscript", "subscript"}:
            for at in range(start, len(line.pieces)):
                line.pieces[at] = raised(line.pieces[at], below=align == "subscript")
        letters = sum(len(piece.strip()) for piece in line.pieces[start:])
        if letters:
            self._weigh(properties, styled, line, letters)

    def _weigh(self, properties: Element | None, styled: Style, line: _Line, letters: int) -> None:
        size = half_points(value(properties, "w:sz")) or styled.size or line.style.size or 0.0
        bold = is_on(properties, "w:b")
        if bold is None:
            bold = line.style.bold if styled.bold is None else styled.bold
        line.looks.add(letters, size, bold=bool(bold))

    def _hyperlink(self, node: Element, line: _Line) -> None:
        relation = self._relation(node)
        address = relation.target if relation is not None and relation.external else ""
        self._linked(node, line, address if OUTSIDE.match(address) else "")

    def _linked(self, node: Element, line: _Line, address: str) -> None:
        start = len(line.pieces)
        self._children(node, line)
        add_address(line.pieces, start, address)

    def _control(self, node: Element, line: _Line) -> None:
        if not is_placeholder(node) and (inner := child(node, "w:sdtContent")) is not None:
            self._children(inner, line)

    def _field_mark(self, node: Element, line: _Line) -> None:
        kind = attribute(node, "fldCharType")
        if kind == "begin":
            self._fields.append(_Field(line, len(line.pieces)))
            if (box := form_value(node)) is not None:
                line.pieces.append(box)
        elif self._fields and kind == "separate":
            self._fields[-1].result = True
        elif self._fields and kind == "end":
            ended = self._fields.pop()
            instruction = "".join(ended.instruction)
            if ended.line is line and _PAGE_NUMBER.match(instruction):
                del line.pieces[ended.start :]
            elif ended.line is line:
                add_address(line.pieces, ended.start, address_in(instruction))

    def _in_contents_field(self) -> bool:
        return any(_CONTENTS.match("".join(each.instruction)) for each in self._fields)

    def _break(self, node: Element, line: _Line) -> None:
        if attribute(node, "type") not in {"page", "column"}:
            self._put("\n", line)

    def _symbol(self, node: Element, line: _Line) -> None:
        try:
            code = int(attribute(node, "char") or "", 16)
        except ValueError:
            return
        self._put(symbol(attribute(node, "font") or "", code), line)

    def _note(self, node: Element, line: _Line) -> None:
        kind = tag(node).removesuffix("Reference").removeprefix("w:")
        key = (kind, attribute(node, "id") or "")
        note = self._around.notes.get(key)
        if note is None or key in self._noted:
            return
        mark = f"[^{len(self._noted) + 1}]"
        self._noted[key] = mark
        self._put(mark, line)
        if text := self._text_of(note):
            self._pending.append(Paragraph(text=f"{mark}: {text}"))

    def _comment(self, node: Element, _line: _Line) -> None:
        key = ("comment", attribute(node, "id") or "")
        comment = self._around.notes.get(key)
        if comment is None or key in self._noted:
            return
        self._noted[key] = ""
        if text := self._text_of(comment):
            author = collapse(attribute(comment, "author") or "")
            self._pending.append(Paragraph(text=f"{author}: {text}" if author else text))

    def _text_of(self, note: Element) -> str:
        """Return a note's text; it is a document of its own, with fields of its own."""
        outer, self._fields = self._fields, []
        self._inside += 1
        parts: list[Part] = []
        self._blocks(note, parts)
        self._inside -= 1
        self._fields = outer
        return cell_text(parts)

    def _alternative(self, node: Element, line: _Line) -> None:
        if (way := chosen(node)) is not None:
            self._children(way, line)

    def _box(self, node: Element, line: _Line) -> None:
        outer, self._fields = self._fields, []
        self._inside += 1
        self._blocks(node, line.beside)
        self._inside -= 1
        self._fields = outer

    def _formula(self, node: Element, line: _Line) -> None:
        if written := collapse(tex(node)):
            self._put(f"${written}$", line)

    def _picture(self, node: Element, line: _Line) -> None:
        if says := alt_text(node):
            line.beside.append(Paragraph(text=says))
        self._children(node, line)

    def _picture_link(self, node: Element, line: _Line) -> None:
        relation = self._relation(node)
        if relation is None or not relation.external or not OUTSIDE.match(relation.target):
            return
        # A picture says it at each of its layers.
        link = Paragraph(text=relation.target)
        if link not in line.beside:
            line.beside.append(link)

    def _word_art(self, node: Element, line: _Line) -> None:
        line.beside.append(Paragraph(text=node.get("string") or ""))

    def _diagram(self, node: Element, line: _Line) -> None:
        """Add the texts of a SmartArt diagram, which are in a part of their own."""
        relation = self._around.relations.get(attribute(node, "dm") or "")
        if relation is None or relation.external:
            return
        root = self._around.package.optional_xml(relation.target)
        for item in diagram(root) if root is not None else ():
            line.beside.append(Paragraph(text=item.removeprefix("- "), label=BULLET))

    def _chart(self, node: Element, line: _Line) -> None:
        relation = self._relation(node)
        if relation is not None and not relation.external:
            package = self._around.package
            titles, rows = chart(package, relation.target, package.optional_xml)
            line.beside.append(Paragraph(text=" · ".join(titles)))
            line.beside.append(Table(rows=rows, named=True))

    def _relation(self, node: Element) -> Relation | None:
        return self._around.relations.get(attribute(node, "id") or "")

    def _table(self, node: Element, parts: list[Part]) -> None:
        self._inside += 1
        rows: list[list[Cell]] = []
        heads = 0
        for row in table_rows(node):
            properties = child(row, "w:trPr")
            if child(properties, "w:del") is not None:
                continue
            if is_on(properties, "w:tblHeader") and heads == len(rows):
                heads += 1
            skipped = whole(value(properties, "w:gridBefore"))
            rows.append(list(self._row(row, skipped)))
        self._inside -= 1
        laid_out = any(len(cell.text) > _MAX_CELL for row in rows for cell in row)
        if laid_out or all(len(row) <= 1 for row in rows):
            parts.extend(part for row in rows for cell in row for part in cell.parts)
        else:
            parts.append(Table(rows=grid(rows), heads=heads))

    def _row(self, row: Element, skipped: int) -> Iterator[Cell]:
        if skipped:
            yield Cell(span=min(skipped, _MAX_SPAN))
        for cell in row_cells(row):
            properties = child(cell, "w:tcPr")
            merged = child(properties, "w:vMerge")
            inner: list[Part] = []
            self._blocks(cell, inner)
            yield Cell(
                parts=inner,
                span=min(max(whole(value(properties, "w:gridSpan"), 1), 1), _MAX_SPAN),
                begins=merged is not None and attribute(merged, "val") == "restart",
                goes_on=merged is not None and attribute(merged, "val") != "restart",
            )
