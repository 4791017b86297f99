"""DrawingML: the paragraphs, charts and diagrams that Office documents of every kind hold.

Source: ECMA-376-1:2016, 20.1 (DrawingML), 21.2 (charts), 21.4 (diagrams).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse, only_text
from wenqu.readers.office.formula import tex
from wenqu.readers.office.grid import Grid, add_table
from wenqu.readers.office.numberformat import display
from wenqu.readers.office.ooxml import local
from wenqu.readers.office.package import attribute
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from lxml.etree import _Element

    from wenqu.readers.builder import DocumentBuilder
    from wenqu.readers.office.grid import Merge
    from wenqu.readers.office.ooxml import SalvagedPackage
    from wenqu.readers.office.package import Package, Relation

__all__ = ["Paragraph", "add_graphic", "alt_text", "chart", "diagram", "elements", "paragraphs"]

_MOVING = ("slidenum", "datetime")  # fields of a page, not of a text
_MAX_DEPTH = 40
_MAX_POINTS = 20_000
_DULL_ALT = re.compile(
    r"\A(?:(?:picture|image|img|graphic|shape|text ?box|placeholder|group|chart|table|diagram"
    r"|object"
    r"|icon|logo|photo|screenshot|图片|图像|图形|图表|形状|文本框|占位符|组合|表格|标题)[\s\d_:-]*)+\Z"
    r"|\A[^\s]*\.(?:png|jpe?g|gif|bmp|emf|wmf|svg|tiff?|webp)\Z|\A(?:https?|file)://\S*\Z",
    re.IGNORECASE,
)
_MACHINE_ALT = re.compile(
    r"\s*(?:Description automatically generated|AI[- ]generated content may be|AI 生成的内容"
    r"|描述已自动生成).*\Z",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a text frame: ``bullet`` is None where the style decides."""

    text: str
    level: int = 0
    bullet: bool | None = None
    numbered: bool = False


def elements(parent: _Element) -> Iterator[_Element]:
    """Yield the child elements; of alternatives only the first that is understood.

    A choice that has nothing to say gives way to its fallback.
    """
    for child in parent:
        if local(child) == "AlternateContent":
            options = [part for part in child if local(part) in {"Choice", "Fallback"}]
            telling = next((part for part in options if _tells(part)), None)
            yield from () if telling is None else elements(telling)
        elif local(child):
            yield child


def paragraphs(frame: _Element, links: Mapping[str, Relation] | None = None) -> list[Paragraph]:
    """Return the paragraphs of a text frame that have text.

    Args:
        frame: Any element with ``a:p`` below it.
        links: Where addresses of hyperlinks are to be found, by relation id.
    """
    found: list[Paragraph] = []
    for element in frame.iter("{*}p"):
        text = _text(element, links or {})
        if not only_text(text):
            continue
        properties = next((child for child in element if local(child) == "pPr"), None)
        level = properties.get("lvl") if properties is not None else None
        marks = set() if properties is None else {local(child) for child in properties}
        marked = bool(marks & {"buChar", "buAutoNum", "buBlip"})
        bullet = True if marked else (False if "buNone" in marks else None)
        depth = int(level) if level and level.isdecimal() and len(level) == 1 else 0
        found.append(Paragraph(text, depth, bullet, "buAutoNum" in marks))
    return found


def alt_text(properties: _Element | None) -> str:
    """Return what a picture's author says of it; "" where a program wrote a name there."""
    if properties is None:
        return ""
    text = collapse(properties.get("descr") or properties.get("title") or "")
    text = _MACHINE_ALT.sub("", text).strip()
    return "" if _DULL_ALT.match(text) or not only_text(text) else text


def chart(
    package: Package, part: str, load: Callable[[str], _Element | None]
) -> tuple[list[str], list[list[str]]]:
    """Return the texts of a chart (title, axes, boxes drawn on it) and its values as a table.

    Args:
        package: Where the chart is a part.
        part: Its name.
        load: Returns the root of a part, or None.
    """
    root = load(part)
    if root is None:
        return [], []
    texts: list[str] = []
    for name in ("title", "rich"):
        for element in root.iter(f"{{*}}{name}"):
            line = " ".join(paragraph.text for paragraph in paragraphs(element)) or " ".join(
                value.text or "" for value in element.iter("{*}v")
            )
            if only_text(line) and line not in texts:
                texts.append(line)
    for relation in package.relations(part).values():
        if relation.kind == "chartUserShapes" and (drawn := load(relation.target)) is not None:
            texts += [paragraph.text for paragraph in paragraphs(drawn)]
    series = list(root.iter("{*}ser"))
    return texts, _series_table(series) if series else _extended(root)


def add_graphic(
    builder: DocumentBuilder,
    package: SalvagedPackage,
    part: str,
    frame: _Element,
    *,
    page: int | None = None,
) -> None:
    """Add what a graphic frame of ``part`` holds: a table, a chart or a diagram.

    Of a chart these are its title and axes as a line, and its values as a table.
    """
    for element in frame.iter("{*}tbl"):
        _add_table(builder, element, package.relations(part), page)
    for name in _parts(package, part, frame, "chart", "id"):
        texts, rows = chart(package, name, package.salvage)
        builder.add(" · ".join(texts), page=page)
        if rows:
            add_table(builder, rows, page=page, header=True)
    for name in _parts(package, part, frame, "relIds", "dm"):
        if (root := package.salvage(name)) is not None:
            builder.add("\n".join(diagram(root)), BlockKind.LIST, page=page)


def _add_table(
    builder: DocumentBuilder, element: _Element, links: Mapping[str, Relation], page: int | None
) -> None:
    grid = Grid()
    merges: list[Merge] = []
    for row, line in enumerate(element.iter("{*}tr")):
        cells = (child for child in line if local(child) == "tc")
        for column, cell in enumerate(cells):
            grid.put(row, column, " ".join(part.text for part in paragraphs(cell, links)))
            down, across = (_span(cell, name) for name in ("rowSpan", "gridSpan"))
            if down > 1 or across > 1:
                merges.append((row, row + down - 1, column, column + across - 1))
    grid.add_to(builder, merges, page=page)


def _span(cell: _Element, name: str) -> int:
    text = cell.get(name) or "1"
    return int(text) if text.isdecimal() and len(text) < 4 else 1  # noqa: PLR2004


def _parts(
    package: SalvagedPackage, part: str, frame: _Element, name: str, key: str
) -> Iterator[str]:
    relations = package.relations(part)
    for element in frame.iter(f"{{*}}{name}"):
        relation = relations.get(attribute(element, key) or "")
        if relation is not None and relation.target in package:
            yield relation.target


def diagram(root: _Element) -> list[str]:
    """Return the texts of a diagram (SmartArt), each indented by its depth below the first."""
    points = {
        point.get("modelId") or "": " ".join(part.text for part in paragraphs(point))
        for point in root.iter("{*}pt")
        if point.get("type") not in {"pres", "parTrans", "sibTrans"}
    }
    below = _below(root, points)
    children = {child for listed in below.values() for _, child in listed}
    waiting = [(name, 0) for name in reversed(points) if name not in children]
    lines: list[str] = []
    seen: set[str] = set()
    while waiting:
        name, depth = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if only_text(points[name]):
            lines.append("  " * min(depth, _MAX_DEPTH) + "- " + points[name])
            depth += 1
        waiting += [(child, depth) for _, child in sorted(below.get(name, []), reverse=True)]
    return lines


def _below(root: _Element, points: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """Return rank and name of what hangs below each point of a diagram."""
    below: dict[str, list[tuple[int, str]]] = {}
    for link in root.iter("{*}cxn"):
        parent, child = link.get("srcId") or "", link.get("destId") or ""
        order = link.get("srcOrd") or "0"
        if link.get("type", "parOf") == "parOf" and parent in points and child in points:
            rank = int(order) if order.isdecimal() else 0
            below.setdefault(parent, []).append((rank, child))
    return below


def _tells(element: _Element) -> bool:
    """Say whether there is text, a table, a chart or a diagram in one of several alternatives."""
    named = {"t", "tbl", "chart", "relIds", "oleObj", "pic", "graphicFrame", "sp", "grpSp"}
    return any(local(part) in named for part in element.iter())


def _text(paragraph: _Element, links: Mapping[str, Relation]) -> str:
    pieces: list[str] = []
    for run in elements(paragraph):
        kind = local(run)
        if kind == "br":
            pieces.append("\n")
        elif kind == "fld" and (run.get("type") or "").startswith(_MOVING):
            continue
        elif kind in {"m", "oMath", "oMathPara"}:
            pieces += [f" ${collapse(tex(formula))}$ " for formula in run.iter("{*}oMath")]
        elif kind in {"r", "fld"}:
            pieces.append("".join(part.text or "" for part in run.iter("{*}t")))
            pieces.append(_address(run, pieces[-1], links))
    return "\n".join(filter(None, (collapse(line) for line in "".join(pieces).split("\n"))))


def _address(run: _Element, text: str, links: Mapping[str, Relation]) -> str:
    """Return the address behind a linked run, where the text does not show it itself."""
    for link in run.iter("{*}hlinkClick"):
        target = links.get(attribute(link, "id") or "")
        if target is not None and target.external and target.target.startswith("http"):
            plain = target.target.rstrip("/")
            return "" if plain in text else f" ({target.target})"
    return ""


def _series_table(series: list[_Element]) -> list[list[str]]:
    """Return the values: a row a category, a column a series, and one of labels if there are."""
    names: list[str] = []
    columns: list[dict[int, str]] = []
    labels: dict[int, str] = {}
    notes: list[dict[int, str]] = []
    for one in series:
        parts = {local(child): child for child in one}
        labels = labels or _points(parts.get("cat", parts.get("xVal")))
        names.append(" ".join(_points(parts.get("tx")).values()) or _direct(parts.get("tx")))
        columns.append(_points(parts.get("val", parts.get("yVal"))))
        notes += [_points(cache) for cache in one.iter("{*}dlblRangeCache")]
    for said in notes:  # what is written at the points themselves, out of other cells
        names.append("")
        columns.append(said)
    places = sorted({*labels, *(at for column in columns for at in column)})[:_MAX_POINTS]
    body = [[labels.get(at, ""), *(column.get(at, "") for column in columns)] for at in places]
    return [["", *names], *body] if body else []


def _points(element: _Element | None) -> dict[int, str]:
    """Return the cached values below an element; of categories in levels, all levels joined."""
    found: dict[int, str] = {}
    if element is None:
        return found
    code = next((part.text for part in element.iter("{*}formatCode")), None) or "General"
    numbers = next(element.iter("{*}numCache", "{*}numLit"), None) is not None
    levels = list(element.iter("{*}lvl")) or [element]
    for level in reversed(levels):
        last = ""
        cached = {_index(point): _value(point) for point in level.iter("{*}pt")}
        for at in sorted(cached) if len(levels) == 1 else range(max(cached, default=-1) + 1):
            last = cached.get(at, last)
            text = _shown(last, code) if numbers else last
            found[at] = f"{found[at]} {text}" if at in found else text
    return found


def _index(point: _Element) -> int:
    index = point.get("idx") or ""
    return min(int(index), _MAX_POINTS) if index.isdecimal() and len(index) < 10 else 0  # noqa: PLR2004


def _value(point: _Element) -> str:
    return next((value.text or "" for value in point.iter("{*}v")), "")


def _direct(element: _Element | None) -> str:
    return "" if element is None else _value(element)


def _shown(text: str, code: str) -> str:
    try:
        return display(float(text), code)
    except ValueError:
        return text


def _extended(root: _Element) -> list[list[str]]:
    """Return the values of a chart of the later kind (treemap, waterfall): a column a dimension."""
    columns: list[list[str]] = []
    for dimension in root.iter("{*}strDim", "{*}numDim"):
        column = [point.text or "" for point in dimension.iter("{*}pt")][:_MAX_POINTS]
        if any(column):
            columns.append(column)
    length = max(map(len, columns), default=0)
    rows = [[column[at] if at < len(column) else "" for column in columns] for at in range(length)]
    return [[""] * len(columns), *rows] if rows else []
