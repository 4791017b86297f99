"""PDF: the text layer, page by page, as blocks with boxes.

pdfium gives characters in the order in which the page draws them, with line ends where the base
line moves. What is done here: lines become blocks by their distance, size and place; a block drawn
early but placed below is moved down; running heads and feet go; larger or bolder short blocks are
headings. pdfium is not thread-safe: one reader at a time in a process, which ``worker`` sees to.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from wenqu.errors import ReadError
from wenqu.readers.builder import DocumentBuilder, only_text
from wenqu.readers.layout import Line, headings, page_blocks, without_running_lines

if TYPE_CHECKING:
    from wenqu.types import Document

__all__ = ["PdfReader"]

_MARK = b"%PDF-"
_MARK_WITHIN = 1024
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_SECURITY_ERROR = 5  # FPDF_ERR_SECURITY
_DEVICE_SCALE = 100  # PageToDevice rounds to whole units
_CELL_GAP = 1.5  # in font sizes: wider than any word space, also of justified lines
_GARBLED_SHARE = 0.5
_KANGXI = re.compile(r"[\u2f00-\u2fd5\u2e9f\u2ef3]")
_POOR_TITLE = re.compile(
    r"untitled|无标题|microsoft word|powerpoint|幻灯片|slide \d|"
    r"\A[\w.-]+\.\w{2,4}\Z|\A\W*\w?\W*\Z|\ufffd",
    re.IGNORECASE,
)
_DATE = re.compile(r"\A(?:D:)?(\d{4})(\d{2})?(\d{2})?")
_LINE_ENDS = frozenset({0x0A, 0x0D})
_SPACES = frozenset({0x20, 0xA0, 0x3000})
_LAST_CONTROL = 0x1F
_SOFT_HYPHENS = {0x2: "\u00ad", 0xAD: "\u00ad", 0xFFFE: "\u00ad"}


class PdfReader:
    """Reads the text layer of PDF files."""

    name = "pdf/1"

    def accepts(self, name: str, head: bytes) -> bool:
        """Take what begins as PDF does, whatever its name."""
        del name
        return _MARK in head[:_MARK_WITHIN]

    def read(self, data: bytes, source: str) -> Document:
        """Return the document; a block's page counts from 1.

        Raises:
            ReadError: It is damaged, asks for a password, or its pages hold no text.
        """
        try:
            pdf = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            code = getattr(error, "err_code", None)
            if code in {_PASSWORD_ERROR, _SECURITY_ERROR}:
                raise ReadError("read.encrypted", source=source) from error
            raise ReadError("read.damaged", source=source, reason=_reason(error)) from error
        try:
            return _document(pdf, source)
        finally:
            pdf.close()


def _document(pdf: Any, source: str) -> Document:
    count = len(pdf)
    pages = [_page_lines(pdf, number) for number in range(count)]
    characters = "".join(line.text for page in pages for line in page)
    if not only_text(characters) or _garbled(characters):
        raise ReadError("read.no_text", source=source, pages=count)
    builder = DocumentBuilder(source, "pdf")
    builder.note("pages", str(count))
    empty = [str(number) for number, page in enumerate(pages, 1) if not page]
    builder.note("pages_without_text", ", ".join(empty))
    facts = pdf.get_metadata_dict(skip_empty=True)
    builder.note("author", facts.get("Author"))
    builder.note("date", _date(facts.get("CreationDate", "")))
    kept = without_running_lines(pages)
    blocks = [
        block
        for number, lines in enumerate(kept if any(kept) else pages, 1)
        for block in page_blocks(lines, number)
    ]
    for block, level in headings(blocks):
        if level is None:
            builder.add(block.text, block.kind, page=block.page, box=block.box)
        else:
            builder.heading(block.text, level, page=block.page, box=block.box)
    title = facts.get("Title", "").strip()
    return builder.build(title=None if _POOR_TITLE.search(title) else title)


def _page_lines(pdf: Any, number: int) -> list[Line]:
    """Return a page's lines as drawn; none for a page that cannot be loaded."""
    try:
        page = pdf[number]
    except pdfium.PdfiumError:
        return []
    try:
        text_page = page.get_textpage()
        try:
            return _Lines(page, text_page).read()
        finally:
            text_page.close()
    except pdfium.PdfiumError:
        return []
    finally:
        page.close()


class _Lines:
    """Cuts one page's characters into lines."""

    def __init__(self, page: Any, text_page: Any) -> None:
        self._page = page
        self._text_page = text_page
        self._width, self._height = page.get_size()
        self._lines: list[Line] = []
        self._begin()

    def read(self) -> list[Line]:
        box = raw.FS_RECTF()
        for at in range(self._text_page.count_chars()):
            code = raw.FPDFText_GetUnicode(self._text_page, at)
            if code in _LINE_ENDS:
                self._end()
            elif code in _SPACES:
                self._space = bool(self._text)
            elif code > _LAST_CONTROL or code in _SOFT_HYPHENS:
                raw.FPDFText_GetLooseCharBox(self._text_page, at, box)
                self._put(at, _SOFT_HYPHENS.get(code) or chr(code), box)
        self._end()
        return self._lines

    def _begin(self) -> None:
        self._text: list[str] = []
        self._at: list[int] = []
        self._space = False
        self._left = self._bottom = float("inf")
        self._right = self._top = float("-inf")
        self._last = float("nan")

    def _put(self, at: int, character: str, box: Any) -> None:
        if self._text:
            gap = box.left - self._last
            if gap > _CELL_GAP * max(box.top - box.bottom, 4.0):
                self._text.append("\t")
            elif self._space:
                self._text.append(" ")
        self._space = False
        self._text.append(character)
        self._at.append(at)
        if box.right > box.left or box.top > box.bottom:
            self._last = box.right
            self._left, self._right = min(self._left, box.left), max(self._right, box.right)
            self._bottom, self._top = min(self._bottom, box.bottom), max(self._top, box.top)

    def _end(self) -> None:
        text = _KANGXI.sub(
            lambda found: unicodedata.normalize("NFKC", found[0]), "".join(self._text)
        )
        if text.strip() and self._right > self._left:
            corners = [self._device(self._left, self._top), self._device(self._right, self._bottom)]
            across, down = sorted(c[0] for c in corners), sorted(c[1] for c in corners)
            size, font = self._style()
            self._lines.append(
                Line(
                    text=text,
                    left=across[0],
                    right=across[1],
                    top=down[0],
                    bottom=down[1],
                    size=size,
                    font=font,
                    page_height=self._height,
                )
            )
        self._begin()

    def _device(self, x: float, y: float) -> tuple[float, float]:
        """Turn page space, whatever its rotation and crop, into points from the top left."""
        across, down = ctypes.c_int(), ctypes.c_int()
        width, height = round(self._width * _DEVICE_SCALE), round(self._height * _DEVICE_SCALE)
        raw.FPDF_PageToDevice(self._page, 0, 0, width, height, 0, x, y, across, down)
        return across.value / _DEVICE_SCALE, down.value / _DEVICE_SCALE

    def _style(self) -> tuple[float, str]:
        """Return size in points and font name, by the middle character of the line."""
        at = self._at[len(self._at) // 2]
        matrix, flags = raw.FS_MATRIX(), ctypes.c_int()
        raw.FPDFText_GetMatrix(self._text_page, at, matrix)
        scale = (matrix.c**2 + matrix.d**2) ** 0.5 or 1.0
        name = ctypes.create_string_buffer(128)
        length = raw.FPDFText_GetFontInfo(self._text_page, at, name, len(name), flags)
        font = name.value.decode("utf-8", errors="replace") if 0 < length <= len(name) else ""
        return raw.FPDFText_GetFontSize(self._text_page, at) * scale, font


def _garbled(text: str) -> bool:
    """Say whether most characters have no meaning, as of fonts without a map to Unicode."""
    odd = sum(1 for c in text if c == "\ufffd" or "\ue000" <= c <= "\uf8ff")
    return odd > len(text) * _GARBLED_SHARE


def _date(value: str) -> str | None:
    found = _DATE.match(value)
    return "-".join(part for part in found.groups() if part) if found else None


def _reason(error: Exception) -> str:
    return str(error).rstrip(".").removeprefix("Failed to load document ").strip("()")
