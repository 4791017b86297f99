"""PDF: each page's text, or what is recognised on it, as blocks with boxes.

Lines become blocks by their distance, size and place (``layout``); running heads and feet go;
headings are what the outline names, and larger or bolder short blocks. Comments, the values of form
fields and embedded files are read too; text that nobody sees is not (``pdf_hidden``).
"""

from __future__ import annotations

import gc
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.pages.layout import PageBlock
    from wenqu.readers.pages.layout_rows import Line
    from wenqu.types import Document

__all__ = ["PdfReader"]

_MARK = b"%PDF-"
_MARK_WITHIN = 1024
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_SECURITY_ERROR = 5  # FPDF_ERR_SECURITY
_MAX_PAGES = 10_000
_PAGES_A_SIGN = 50  # of life: a long document may take its time, as long as it goes on
_POOR_TITLE = re.compile(
    r"untitled|无标题|microsoft word|powerpoint|幻灯片|slide \d|"
    r"\A[\w.-]+\.\w{2,4}\Z|\A\W*\w?\W*\Z|\ufffd",
    re.IGNORECASE,
)
_DATE = re.compile(r"\A(?:D:)?(\d{4})(\d{2})?(\d{2})?")


class PdfReader:
    """Reads PDF files: text layer, recognised pages, comments, fields, embedded files."""

    name = "pdf/4"

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as PDF does, whatever its name."""
        return _MARK in sample.head[:_MARK_WITHIN]

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document; a block's page counts from 1.

        Raises:
            ReadError: It is damaged, asks for another password, or its pages hold no text.
        """
        pdf, password = _opened(data, source, options)
        collecting = gc.isenabled()
        # Many small values and no cycles among them: looking for some takes a quarter of the time.
        gc.disable()
        try:
            return _PdfDocument(pdf, data, password, source, options).read()
        finally:
            if collecting:
                gc.enable()
            pdf.close()


def _opened(data: bytes, source: str, options: ReadOptions) -> tuple[Any, str | None]:
    """Return the document, opened by pdfium, and the password that opened it."""
    import pypdfium2 as pdfium

    # A password is typed as the keyboard gives it, but hashed in a normal form.
    given = [
        form
        for password in options.passwords
        for form in dict.fromkeys((password, unicodedata.normalize("NFKC", password)))
    ]
    for password in (None, *given):
        try:
            return pdfium.PdfDocument(data, password=password), password
        except pdfium.PdfiumError as error:
            code = getattr(error, "err_code", None)
            if code == _SECURITY_ERROR:
                reason = "unknown encryption"
                raise ReadError("read.damaged", source=source, reason=reason) from error
            if code != _PASSWORD_ERROR:
                raise ReadError("read.damaged", source=source, reason=_reason(error)) from error
        except UnicodeEncodeError:
            continue
    raise ReadError("read.password" if given else "read.encrypted", source=source)


class _PdfDocument:
    """One file on its way to a document."""

    def __init__(
        self, pdf: Any, data: bytes, password: str | None, source: str, options: ReadOptions
    ) -> None:
        from wenqu.readers.pages.pdf_extras import Extras
        from wenqu.readers.pages.pdf_ocr import PageRecognizer
        from wenqu.readers.pages.pdf_text import TextLayer

        self._pdf = pdf
        self._source = source
        self._options = options
        self._builder = DocumentBuilder(source, "pdf", options)
        self._extras = Extras(pdf, data)
        self._layer = TextLayer(data, pdf, password)
        self._recognizer = PageRecognizer(pdf, data, options)
        self._empty: list[int] = []
        self._recognized: list[int] = []

    def read(self) -> Document:
        from wenqu.readers.pages.layout_headings import headings

        count = min(len(self._pdf), _MAX_PAGES)
        pages, remarks = [], []
        for number in range(count):
            pages.append(self._lines(number))
            remarks.append(self._extras.remarks(number, self._layer.quick, pages[-1]))
            if number % _PAGES_A_SIGN == _PAGES_A_SIGN - 1:
                self._options.alive()
        for block, level in headings(_blocks(pages, remarks), self._extras.outline()):
            if level is None:
                self._builder.add(
                    block.text,
                    block.kind,
                    page=block.page,
                    box=block.box,
                    continues=block.continues,
                )
            else:
                self._builder.heading(block.text, level, page=block.page, box=block.box)
        self._note_pages(count)
        for name, data in self._extras.files():
            self._attach(name, data)
        return self._built(count)

    def _lines(self, number: int) -> list[Line]:
        """Return a page's lines, recognised where it has no usable text."""
        from wenqu.readers.pages.pdf_text import Page, garbled

        page = self._layer.page(number) or Page([], 0.0, 0.0)
        lines = self._recognizer.lines(number, page)
        if lines is not None:
            self._options.alive()
            self._recognized.append(number + 1)
        else:
            lines = [] if garbled(page) else page.lines
        if not lines:
            self._empty.append(number + 1)
        return lines

    def _attach(self, name: str, data: bytes) -> None:
        from wenqu.readers import default_readers
        from wenqu.readers.attachments import Attachments

        Attachments(default_readers).add(self._builder, name, data, self._options)
        self._options.alive()

    def _note_pages(self, count: int) -> None:
        self._builder.note("pages", str(len(self._pdf)))
        self._builder.note("pages_without_text", _ranges(self._empty))
        self._builder.note("pages_recognized", _ranges(self._recognized))
        self._builder.note("pages_with_hidden_text", _ranges(sorted(self._layer.hidden.pages)))
        if count < len(self._pdf):
            self._builder.leave_out(f"p. {count + 1}-{len(self._pdf)}")

    def _built(self, count: int) -> Document:
        self._builder.note("author", self._extras.fact("Author"))
        self._builder.note("subject", self._extras.fact("Subject"))
        self._builder.note("keywords", self._extras.fact("Keywords"))
        self._builder.note("date", _date(self._extras.fact("CreationDate")))
        title = self._extras.fact("Title")
        try:
            return self._builder.build(title=None if _POOR_TITLE.search(title) else title)
        except ReadError as error:
            if error.key != "read.empty":
                raise
            raise ReadError("read.no_text", source=self._source, pages=count) from error


def _blocks(pages: list[list[Line]], remarks: Sequence[Sequence[PageBlock]]) -> list[PageBlock]:
    """Return all pages' blocks in reading order; ``pages`` is used up."""
    from wenqu.readers.pages.layout import row_blocks, without_running_lines
    from wenqu.readers.pages.layout_continued import with_tables_joined

    kept = without_running_lines(pages)
    if not any(kept):
        kept = list(pages)
    pages.clear()
    heights = [page[0].page_height if page else 0.0 for page in kept]
    blocks: list[PageBlock] = []
    waiting: list[PageBlock] = []  # remarks, for the end of a table that goes on
    for page, said in zip(
        with_tables_joined(list(row_blocks(kept)), heights), remarks, strict=True
    ):
        ongoing = int(bool(page) and page[0].continues)
        blocks += page[:ongoing]
        if page[ongoing:] or not ongoing:
            blocks += waiting
            waiting = []
        blocks += page[ongoing:]
        waiting += said
    return blocks + waiting


def _ranges(numbers: Sequence[int]) -> str:
    """Write ascending page numbers as ``1-3, 7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _date(value: str) -> str | None:
    found = _DATE.match(value)
    return "-".join(part for part in found.groups() if part) if found else None


def _reason(error: Exception) -> str:
    return str(error).rstrip(".").removeprefix("Failed to load document ").strip("()")
