"""What an RTF file says while it is read: states of groups, flows of paragraphs, fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wenqu.readers.builder import only_text
from wenqu.readers.office.prose import Looks, Paragraph, Part
from wenqu.readers.office.symbols import raised, unprivate
from wenqu.readers.office.tables import TableStack

__all__ = [
    "BODY_LEVEL",
    "DEFAULT_SIZE",
    "Field",
    "Output",
    "State",
    "Style",
    "describe",
    "end_field",
]

BODY_LEVEL = 9
"""The outline level of what is no heading."""
DEFAULT_SIZE = 24  # half points
_MAX_LEVEL_WORD = 8
_ADDRESS = re.compile(r"\s*(?:HYPERLINK|INCLUDETEXT|LINK)\b[^\"]*\"((?:https?|ftps?)://[^\"\s]+)\"")
_PAGE_NUMBER = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)


@dataclass(slots=True)
class Field:
    """A field: its instruction, and where its result begins."""

    output: Output
    paragraph: int
    start: int
    instruction: str = ""


@dataclass(slots=True)
class Style:
    """An entry of the style sheet."""

    number: int = 0
    level: int | None = None
    contents: bool = False


@dataclass(slots=True)
class State:
    """What holds until the end of a group. ``held`` is the text of a destination that is a fact."""

    output: Output
    destination: str = ""
    held: list[str] = field(default_factory=list)
    font: int = -1
    skip: int = 1  # characters after \\u that stand in for it
    hidden: bool = False
    deleted: bool = False
    html: bool = False
    bold: bool = False
    size: int = DEFAULT_SIZE
    position: str = ""
    field: Field | None = None
    begun: Field | None = None
    contents: bool = False
    style: Style | None = None


class Output:
    """A flow of paragraphs: the text, or what hangs on it, named by its control word."""

    def __init__(self, kind: str = "") -> None:
        self.kind = kind
        self.parts: list[Part] = []
        self.tables = TableStack(self.parts)
        self.number = 0
        self.label = ""
        self.plain()
        self._clear()

    def plain(self) -> None:
        """Forget what the paragraph was said to be."""
        self.style = self.depth = self.list_depth = 0
        self.level: int | None = None

    def _clear(self) -> None:
        self.pieces: list[str] = []
        self.beside: list[Part] = []
        self._looks = Looks()

    def put(self, text: str, state: State) -> None:
        """Add text that looks as the state says."""
        if state.position:
            text = raised(text, below=state.position == "sub")
        letters = len(text.strip())
        self.pieces.append(text)
        self._looks.add(letters, state.size / 2, bold=state.bold)

    def end(self, styles: dict[int, Style], *, contents: bool = False) -> None:
        """End the paragraph."""
        style = styles.get(self.style, Style())
        text = unprivate("".join(self.pieces))
        level = self.level if self.level is not None else style.level
        contents = contents or style.contents
        headed = level is not None and level <= BODY_LEVEL and only_text(text) and not contents
        home = self.tables.at(self.depth)
        home.append(
            Paragraph(
                text=text,
                level=level if headed else None,
                label=self.label,
                depth=self.list_depth,
                size=self._looks.size,
                bold=self._looks.bold,
                contents=contents,
            )
        )
        home.extend(self.beside)
        self.label = ""
        self.number += 1
        self._clear()

    def finish(self, styles: dict[int, Style]) -> None:
        """End the flow."""
        if self.pieces or self.beside:
            self.end(styles)
        self.tables.close()


def describe(output: Output, word: str, number: int | None) -> None:
    """Follow a word that says what the paragraph is."""
    if word == "s":
        output.style = number or 0
    elif word == "outlinelevel":
        output.level = min(number or 0, BODY_LEVEL) + 1
    elif word == "ilvl":
        output.list_depth = min(max(number or 0, 0), _MAX_LEVEL_WORD)
    elif word == "intbl":
        output.depth = max(output.depth, 1)
    else:
        output.depth = max(number or 0, 0)


def end_field(ended: Field) -> None:
    """Write a link's address after its text; drop a page number."""
    output = ended.output
    if output.number != ended.paragraph:
        return
    if _PAGE_NUMBER.match(ended.instruction):
        del output.pieces[ended.start :]
    elif found := _ADDRESS.match(ended.instruction):
        text = "".join(output.pieces[ended.start :])
        shown = found[1].partition("://")[2].rstrip("/")
        if text.strip() and shown not in text:
            output.pieces.append(f" ({found[1]})")
