"""Rich Text Format: what a word processor would show of it, with headings, lists and tables."""

from __future__ import annotations

import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse, only_text
from wenqu.readers.office.codepages import codec
from wenqu.readers.office.embedded import ole1_payload
from wenqu.readers.office.prose import BULLET, Paragraph, cell_text, margins, style_level, write
from wenqu.readers.office.rtf_flow import (
    BODY_LEVEL,
    DEFAULT_SIZE,
    Field,
    Output,
    State,
    Style,
    describe,
    end_field,
)
from wenqu.readers.office.rtf_tokens import CHARSETS, Decoder, Token, tokens
from wenqu.readers.office.symbols import symbol, unprivate
from wenqu.readers.office.tables import merged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.readers.office.prose import Cell, Part
    from wenqu.types import Document

__all__ = ["RtfReader"]

_MAGIC = b"{\\rtf"
_MAX_GROUPS = 5000
_SYMBOL_CHARSET = 2

_SIGNS = {
    "tab": "\t", "line": "\n", "lbr": "\n", "softline": "\n", "emdash": "—", "endash": "–",
    "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_ESCAPED = {"~": "\u00a0", "_": "\u2011", "-": "\u00ad", "\\": "\\", "{": "{", "}": "}",
            "\t": "\t"}  # fmt: skip
_CONTENTS = re.compile(r"\s*TOC\b", re.IGNORECASE)
_CONTENTS_STYLES = ("toc ", "目录", "目錄")
# Destinations that hold text of their own, or a fact; any other starred one is skipped.
_NOTES = frozenset({"footnote", "annotation"})
_MARGINS = frozenset(
    {"header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"}
)
_FACTS = {"title": "title", "author": "author", "keywords": "keywords", "subject": "subject",
          "doccomm": "description"}  # fmt: skip
_LABELS = frozenset({"pntext", "listtext"})
_BOXES = frozenset({"shptxt", "dptxbxtext"})
_HELD = frozenset({"info", "stylesheet", "fonttbl", "fldinst", "objdata", "atnauthor", *_LABELS})
_SWITCHES = {"b": "bold", "v": "hidden", "deleted": "deleted", "htmlrtf": "html"}
_OLD_SETS = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_TRANSPARENT = frozenset({"shpinst", "do", "shpgrp", "shp", "object", "result",
                          "nesttableprops"})  # fmt: skip
_SKIPPED = frozenset(
    {"colortbl", "pict", "listtable", "listoverridetable", "generator", "themedata", "xe", "tc",
     "rxe", "txe", "bkmkstart", "bkmkend", "nonshppict", "shprslt", "sp", "revtbl", "rsidtbl",
     "filetbl", "template", "operator", "private", "ftnsep", "ftnsepc", "aftnsep", "aftnsepc",
     "company", "manager", "category", "objclass", "objname", "atnid", "atnref", "atntime",
     "atndate", "atnparent", "nextfile", "upr", "datafield", "formfield", "pn", "pnseclvl",
     "mmathPr", "htmltag", "mhtmltag", "background", "userprops", "xmlnstbl", "creatim", "printim",
     "buptim", "hlinkbase", "comment"}
)  # fmt: skip


class RtfReader:
    """Reads RTF of any encoding.

    Args:
        readers: Returns the readers to choose from for embedded files.
    """

    name = "rtf/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as RTF does, whatever it is called."""
        return sample.head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_MAGIC)

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document with its notes, comments, text boxes and embedded files.

        Raises:
            ReadError: It is empty, or longer than allowed.
        """
        builder = DocumentBuilder(source, "rtf", options)
        reading = _Reading()
        try:
            parts = reading.parts(data)
        except (ValueError, OverflowError) as error:
            raise ReadError("read.damaged", source=source, reason=str(error)) from error
        facts = dict(reading.facts)
        title = facts.pop("title", "")
        for key, value in facts.items():
            builder.note(key, value)
        written = write(builder, parts)
        attachments = Attachments(self._readers)
        for name, inner in reading.files:
            attachments.add(builder, name, inner, options)
        # A title in an encoding that the writing program had not is question marks.
        return builder.build(title=written or (title if only_text(title) else None))


class _Reading:
    """One reading of one file."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.files: list[tuple[str, bytes]] = []
        self._charsets: dict[int, int] = {}
        self._font_names: dict[int, str] = {}
        self._styles: dict[int, Style] = {}
        self._decoder = Decoder()
        self._main = Output()
        self._state = State(self._main)
        self._stack: list[State] = []
        self._author = ""
        self._margins: dict[str, list[str]] = {"header": [], "footer": []}
        self._noted = 0
        self._waiting = 0  # characters that stand in for one that was given by its number
        self._surrogate = 0
        self._starred = False
        self._across: list[bool] = []
        self._begins: list[bool] = []
        self._goes_on: list[bool] = []
        self._cell_marks: set[str] = set()
        self._head = False

    def parts(self, data: bytes) -> list[Part]:
        """Return the parts of the document, headers and footers at its ends."""
        for token in tokens(data):
            if token.kind == "{":
                self._begin()
            elif token.kind == "}":
                self._end()
            elif token.kind == "word":
                self._word(token.word, token.number)
            elif token.kind == "sign":
                self._sign(token.word)
            else:
                self._bytes(token)
        while self._stack:
            self._end()
        self._flush()
        self._main.finish(self._styles)
        parts = self._main.parts
        texts = [part.text for part in parts if isinstance(part, Paragraph)]
        tops, bottoms = self._margins["header"], self._margins["footer"]
        return [*margins(tops, texts), *parts, *margins(bottoms, [*texts, *tops])]

    def _begin(self) -> None:
        self._flush()
        if len(self._stack) >= _MAX_GROUPS:
            raise ValueError("groups are nested too deeply")
        self._stack.append(self._state)
        self._state = replace(self._state, begun=None)
        if self._state.destination in {"stylesheet", "fonttbl"}:
            self._enter("style" if self._state.destination == "stylesheet" else "font")
            self._state.style = Style()
        self._starred, self._waiting = False, 0

    def _end(self) -> None:
        self._flush()
        if not self._stack:
            return
        ended, self._state = self._state, self._stack.pop()
        self._starred, self._waiting = False, 0
        if ended.begun is not None:
            end_field(ended.begun)
        if ended.held is not self._state.held:
            self._leave(ended, "".join(ended.held))
        if ended.output is not self._state.output:
            ended.output.finish(self._styles)
            self._use(ended.output.kind, ended.output.parts)

    def _enter(self, destination: str) -> None:
        self._state.destination = destination
        self._state.held = []

    def _leave(self, ended: State, text: str) -> None:
        """Use what a destination held."""
        name = ended.destination
        if name in _FACTS.values() or name == "date":
            self.facts.setdefault(name, text)
        elif name in _LABELS:
            label = collapse(unprivate(text))
            self._state.output.label = label if only_text(label) else BULLET
        elif name == "atnauthor":
            self._author = collapse(text)
        elif name == "fldinst" and ended.field is not None:
            ended.field.instruction += text
        elif name == "objdata":
            self._object(text)
        elif name == "font" and ended.style is not None:
            self._font_names[ended.style.number] = text.strip(" ;")
        elif name == "style" and ended.style is not None:
            style, shown = ended.style, text.strip(" ;")
            style.contents = shown.lower().startswith(_CONTENTS_STYLES)
            named = style_level(shown)
            style.level = named if named is not None else style.level
            self._styles[style.number] = style

    def _use(self, kind: str, parts: list[Part]) -> None:
        """Use what a flow beside the text held."""
        output = self._state.output
        text = cell_text(parts)
        if kind == "footnote" and text:
            self._noted += 1
            output.pieces.append(f"[^{self._noted}]")
            output.beside.append(Paragraph(text=f"[^{self._noted}]: {text}"))
        elif kind == "annotation":
            output.beside.append(
                Paragraph(text=f"{self._author}: {text}" if self._author else text)
            )
        elif kind in _MARGINS:
            self._margins[kind[:6]].append(text)
        elif kind in _BOXES:
            output.beside.extend(parts)

    def _word(self, word: str, number: int | None) -> None:
        state = self._state
        if word == "u" and number is not None:
            self._character(number & 0xFFFF)
            return
        self._flush()
        starred, self._starred = self._starred, False
        if state.destination in {"style", "font"} and state.style is not None:
            self._entry_word(word, number or 0, state.style)
        elif self._is_destination(word, starred=starred):
            return
        elif word in _SIGNS:
            self._put(_SIGNS[word])
        elif word in _SWITCHES:
            setattr(state, _SWITCHES[word], number != 0)
        elif state.destination == "date" and word in {"yr", "mo", "dy"}:
            state.held.append(f"{'-' if state.held else ''}{number or 0:02d}")
        elif state.destination != "skip":
            self._paragraph_word(word, number)

    def _is_destination(self, word: str, *, starred: bool) -> bool:
        """Enter the destination of that name, if it is one."""
        state = self._state
        if word in _NOTES or word in _MARGINS or word in _BOXES:
            if state.destination == "skip":
                return True
            state.output, state.destination, state.held = Output(word), "", []
            state.begun = state.field = None
            state.contents = False
        elif word in _FACTS:
            self._enter(_FACTS[word] if self._in_info() else "skip")
        elif word in _HELD:
            self._enter(word)
        elif word == "ud" and len(self._stack) > 1:  # the same text again, in Unicode
            state.destination, state.held = self._stack[-2].destination, self._stack[-2].held
        elif word == "revtim":
            self._enter("date")
        elif word == "field":
            output = state.output
            state.field = state.begun = Field(output, output.number, len(output.pieces))
        elif word == "fldrslt":
            instruction = state.field.instruction if state.field else ""
            state.contents = state.contents or bool(_CONTENTS.match(instruction))
        elif word in _SKIPPED or (starred and word not in _TRANSPARENT):
            self._enter("skip")
        else:
            return word in _TRANSPARENT
        return True

    def _in_info(self) -> bool:
        return any(state.destination == "info" for state in self._stack)

    def _entry_word(self, word: str, number: int, entry: Style) -> None:
        """Follow a word in an entry of the style sheet or of the font table."""
        if word == "f" or (word == "s" and self._state.destination == "style"):
            entry.number = number
        elif word == "outlinelevel" and number < BODY_LEVEL:
            entry.level = number + 1
        elif word == "fcharset":
            self._charsets[entry.number] = number

    def _paragraph_word(self, word: str, number: int | None) -> None:
        state, output = self._state, self._state.output
        if word in {"par", "sect", "page"}:
            if word == "par" or output.pieces:
                output.end(self._styles, contents=state.contents)
        elif word == "pard":
            output.plain()
        elif word == "plain":
            state.bold = state.hidden = state.deleted = False
            state.size, state.position = DEFAULT_SIZE, ""
        elif word in {"f", "fs", "uc"}:
            self._number_word(word, number)
        elif word in {"super", "sub", "nosupersub"}:
            state.position = word if word != "nosupersub" and number != 0 else ""
        elif word in {"s", "outlinelevel", "ilvl", "intbl", "itap"}:
            describe(output, word, number)
        elif word in {"ansicpg", "mac", "pc", "pca"}:
            self._decoder.default = codec(number) if word == "ansicpg" else _OLD_SETS[word]
        else:
            self._table_word(word, output)

    def _number_word(self, word: str, number: int | None) -> None:
        if word == "f":
            self._state.font = number or 0
        elif word == "fs":
            self._state.size = number or DEFAULT_SIZE
        else:
            self._state.skip = min(max(number if number is not None else 1, 0), 8)

    def _table_word(self, word: str, output: Output) -> None:
        if word in {"cell", "nestcell"}:
            output.depth = max(output.depth, 2) if word == "nestcell" else 1
            output.end(self._styles, contents=self._state.contents)
            output.tables.end_cell()
        elif word in {"row", "nestrow"}:
            output.tables.at(1 if word == "row" else max(output.depth, 2))
            output.tables.end_row(self._merged, head=self._head)
        elif word == "trowd":
            self._across, self._begins, self._goes_on = [], [], []
            self._head = False
        elif word == "trhdr":
            self._head = True
        elif word in {"clmgf", "clmrg", "clvmgf", "clvmrg"}:
            self._cell_marks.add(word)
        elif word == "cellx":
            self._across.append("clmrg" in self._cell_marks)
            self._begins.append("clvmgf" in self._cell_marks)
            self._goes_on.append("clvmrg" in self._cell_marks)
            self._cell_marks.clear()

    def _merged(self, row: list[Cell]) -> list[Cell]:
        return merged(row, across=self._across, begins=self._begins, goes_on=self._goes_on)

    def _sign(self, sign: str) -> None:
        self._flush()
        if sign == "*":
            self._starred = True
        elif sign in "\r\n":
            self._word("par", None)
        elif sign in _ESCAPED:
            self._put(_ESCAPED[sign])

    def _bytes(self, token: Token) -> None:
        data = token.data
        if self._waiting:
            left_out = min(self._waiting, len(data))
            self._waiting -= left_out
            data = data[left_out:]
        if not data:
            return
        state = self._state
        charset = self._charsets.get(state.font, 0)
        if charset == _SYMBOL_CHARSET:
            name = self._font_names.get(state.font, "")
            self._put("".join(symbol(name, 0xF000 + code) for code in data))
        else:
            self._put(self._decoder.feed(data, CHARSETS.get(charset)))

    def _character(self, code: int) -> None:
        """Add a character by its number; what follows stands in for it in older programs."""
        self._flush()
        self._waiting = self._state.skip
        if 0xD800 <= code < 0xDC00:  # noqa: PLR2004  # the first half of a pair
            self._surrogate = code
            return
        if 0xDC00 <= code < 0xE000 and self._surrogate:  # noqa: PLR2004  # the second half
            code = 0x10000 + ((self._surrogate - 0xD800) << 10) + (code - 0xDC00)
        self._surrogate = 0
        name = self._font_names.get(self._state.font, "")
        self._put((symbol(name, code) if 0xF000 <= code <= 0xF0FF else "") or chr(code))  # noqa: PLR2004

    def _flush(self) -> None:
        self._put(self._decoder.flush())

    def _put(self, text: str) -> None:
        state = self._state
        if not text or state.destination == "skip":
            return
        if state.destination:
            state.held.append(text)
        elif not (state.hidden or state.deleted or state.html):
            state.output.put(text, state)

    def _object(self, text: str) -> None:
        """Keep an embedded file, which is written in hexadecimal digits."""
        digits = "".join(text.split())
        try:
            data = binascii.unhexlify(digits[: len(digits) & ~1])
        except binascii.Error:
            return
        if (found := ole1_payload(data)) is not None:
            self.files.append(found)
