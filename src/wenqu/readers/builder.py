"""Assembles a document from blocks, so that every span is right by construction.

Each reader adds blocks in reading order. The builder normalises a block's text before it counts
its characters, and blocks stand two line ends apart; nothing touches the text afterwards.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.text.language import detect
from wenqu.text.normalize import normalize
from wenqu.types import Block, BlockKind, Box, Document, Span, document_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wenqu.protocols import ReadOptions

__all__ = [
    "DocumentBuilder",
    "collapse",
    "file_stem",
    "join_lines",
    "only_text",
    "table_row",
    "unspaced",
]

_GAP = "\n\n"
_LINE_END = "\n"
_MAX_TITLE = 200
_COMMON_NAMES = ("readme", "index")

_WIDE = "\u2e80-\u303f\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff60"
_SHARED = "\u2018-\u201d\u2014\u2026"  # quotes and dashes that both languages use
_LEAST_WIDE = "\u2014"  # of both
_WIDE_LINE_END = re.compile(rf"[{_WIDE}][{_WIDE}{_SHARED}]|[{_SHARED}][{_WIDE}]")
_WIDE_GAP = re.compile(rf" (?<=[{_WIDE}] ) *(?=[{_WIDE}])")  # a space first: found sooner
_WIDE_PAIR = re.compile(rf"(?<=[{_WIDE}]) *(?=[{_WIDE}])")
_LETTER_SPACED = re.compile(rf"(?:[{_WIDE}] +)+[{_WIDE}]")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
# What most blocks are made of, formulas too, which ``normalize`` changes nothing in: no spaces at
# line ends.
_SURE = (
    "[!-~\u00a1-\u00ac\u00ae-\u00ff\u02c6\u02dc\u0391-\u03a1\u03a3-\u03c9\u03d5\u03f5\u2010-\u2027"
    "\u2030-\u205e\u2190-\u2328\u2a00-\u2adb\u3001-\u3029\u4e00-\u9fff\uff01-\uff5e]+"
)
_PLAIN = re.compile(f"{_SURE}(?:[ \n]{_SURE})*")
_SPREAD_SHARE = 0.25
_SPREAD_GAPS = 4
_OUTER_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+|\s+\Z")


def join_lines(text: str) -> str:
    """Join the lines of running text: nothing between two Chinese characters, else one space."""
    joined = ""
    for line in text.split("\n"):
        words = " ".join(line.split())
        if not joined:
            joined = words
        elif words:
            narrow = joined[-1] < _LEAST_WIDE or words[0] < _LEAST_WIDE  # mostly, and known sooner
            apart = narrow or not _WIDE_LINE_END.match(joined[-1] + words[0])
            joined += f" {words}" if apart else words
    return joined


def unspaced(line: str) -> str:
    """Return a line without the spaces that only spread its Chinese characters over the measure.

    Chinese is set without spaces; a few of them part names or columns and stay. Where a quarter of
    the characters stand apart, or all of a short line as in ``目 录``, they are the typesetter's.
    """
    gaps = len(_WIDE_GAP.findall(line))
    if not gaps:
        return line
    spread = gaps >= _SPREAD_GAPS and gaps >= _SPREAD_SHARE * len(_WIDE_PAIR.findall(line))
    return _WIDE_GAP.sub("", line) if spread or _LETTER_SPACED.fullmatch(line) else line


def collapse(text: str) -> str:
    """Make every run of white space one space."""
    return " ".join(text.split())


def only_text(text: str) -> bool:
    """Say whether there is a letter or a digit of any script in ``text``."""
    return _LETTER_OR_DIGIT.search(text) is not None


def table_row(cells: Iterable[str]) -> str:
    """Write cells as one row of a Markdown table; a cell's own bars are escaped."""
    return "| " + " | ".join(collapse(cell).replace("|", "\\|") for cell in cells) + " |"


def file_stem(source: str) -> str:
    """Return a title for want of a better one: the file's name, with its folder if it is common."""
    path = PurePosixPath(source.replace("\\", "/"))
    if path.stem.lower().startswith(_COMMON_NAMES) and path.parent.name:
        return f"{path.parent.name}/{path.stem}"
    return path.stem or source


class DocumentBuilder:
    """Collects blocks in reading order and builds the document.

    Args:
        source: Where the document comes from; its id is made of it.
        format: Name of the format, for ``meta["format"]``.
        options: What the caller allows.
    """

    def __init__(
        self,
        source: str,
        format: str,  # noqa: A002  # the word of meta
        options: ReadOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._source = source
        self._limit = options.max_characters
        self._meta: dict[str, str] = {"format": format}
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._headings: list[tuple[int, str]] = []
        self._path: tuple[str, ...] = ()
        self._all_headings: list[tuple[int, str]] = []
        self._length = 0

    def heading(
        self, text: str, level: int, *, page: int | None = None, box: Box | None = None
    ) -> None:
        """Add a heading of ``level`` 1 (outermost) or more; headings at its depth or below end."""
        title = collapse(normalize(text))
        if not only_text(title):
            return
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._path = tuple(above for _, above in self._headings)
        self._append(title, BlockKind.HEADING, page, box)
        self._headings.append((level, title))
        self._path += (title,)
        self._all_headings.append((level, title))

    def add(
        self,
        text: str,
        kind: BlockKind = BlockKind.PARAGRAPH,
        *,
        page: int | None = None,
        box: Box | None = None,
        continues: bool = False,
    ) -> None:
        """Add a block below the headings in force; one without a letter or digit is left out.

        One that ``continues`` has further rows of the table before, on another page: one line end
        stands between them.
        """
        body = text if _PLAIN.fullmatch(text) else normalize(text).strip()
        if not only_text(body):
            return
        if kind is BlockKind.CODE:
            # Fenced in every format: a chunk, a prompt and a quote then show what is code.
            fence = "~~~" if "```" in body else "```"
            body = f"{fence}\n{_OUTER_BLANK_LINES.sub('', normalize(text))}\n{fence}"
        goes_on = continues and bool(self._blocks) and self._blocks[-1].kind is kind
        self._append(body, kind, page, box, gap=_LINE_END if goes_on else _GAP)

    def include(self, document: Document, name: str, level: int = 1) -> None:
        """Add a whole document as a section headed ``name``.

        Its pages and boxes are not this document's, so they are dropped.
        """
        self.heading(name, level)
        end = 0
        for block in document.blocks:
            text = document.text[block.span.start : block.span.end]
            gap = document.text[end : block.span.start] or _GAP
            self._append(text, block.kind, None, None, block.heading, gap=gap)
            end = block.span.end
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._path = tuple(above for _, above in self._headings)

    def leave_out(self, name: str) -> None:
        """Keep in the meta that a part called ``name`` could not be read."""
        others = self._meta.get("left_out")
        self._meta["left_out"] = f"{others}; {collapse(name)}" if others else collapse(name)

    def note(self, key: str, value: str | None) -> None:
        """Keep a fact about the document in its meta, unless there is nothing to keep."""
        if value and (tidy := collapse(normalize(value))):
            self._meta[key] = tidy

    def build(self, title: str | None = None) -> Document:
        """Return the document.

        Args:
            title: What the format itself calls the document; else its first heading, else the
                file's name.

        Raises:
            ReadError: No block was added.
        """
        if not self._blocks:
            raise ReadError("read.empty", source=self._source)
        text = "".join(self._parts)
        named = collapse(normalize(title or "")) or self._heading_title() or file_stem(self._source)
        return Document(
            id=document_id(self._source),
            source=self._source,
            title=named[:_MAX_TITLE],
            text=text,
            language=detect(text),
            blocks=tuple(self._blocks),
            # A plain dict: a mapping proxy cannot leave the worker process.
            meta=self._meta,
        )

    @property
    def meta(self) -> Mapping[str, str]:
        """What is known of the document so far."""
        return self._meta

    def _heading_title(self) -> str | None:
        """Return the first heading where it heads the whole: it comes first, or is above all."""
        if not self._all_headings:
            return None
        (level, title), *others = self._all_headings
        opens = self._blocks[0].kind is BlockKind.HEADING
        return title if opens or all(other > level for other, _ in others) else None

    def _append(
        self,
        text: str,
        kind: BlockKind,
        page: int | None,
        box: Box | None,
        below: tuple[str, ...] = (),
        *,
        gap: str = _GAP,
    ) -> None:
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        if self._length > self._limit:
            raise ReadError("read.too_long", source=self._source, limit=self._limit)
        self._blocks.append(
            Block(
                span=Span(start=start, end=self._length),
                kind=kind,
                heading=self._path + below,
                page=page,
                box=box,
            )
        )
