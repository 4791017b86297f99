"""What a PDF holds besides its pages' text: outline, comments, form fields, embedded files."""

from __future__ import annotations

import ctypes
import re
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from wenqu.readers.builder import collapse
from wenqu.readers.pages.layout import PageBlock
from wenqu.readers.pages.layout_headings import Bookmark
from wenqu.readers.pages.pdf_text import device_box, tried
from wenqu.types import BlockKind, Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wenqu.readers.pages.layout_rows import Line

__all__ = ["Extras"]

_MANY_PAGES = 500
_MAX_BOOKMARKS = 10_000
_MAX_REMARKS = 500  # a page
_MAX_FILES = 200
_MAX_FILE_BYTES = 100 << 20
_MAX_TEXT = 100_000
_MAX_OBJECT_BYTES = 64 << 20
_OBJECT_STREAM = re.compile(rb"/ObjStm\b[^>]*>>\s*stream\r?\n")
# Annotations by their kind, leaving out those that say nothing, and what is none.
_SPEAKING = re.compile(
    rb"/Subtype\s*/(?!(?:Link|Popup|Image|Form|PS|XML|Type[013]|Type1C|MMType1|TrueType|OpenType"
    rb"|CIDFontType[02]C?)(?![^\s/<>\[\]()]))"
)
_UNKNOWN = b"/Subtype/Unknown"
_SILENT = frozenset({"Link", "Popup"})
_SPEAKING_FIELDS = frozenset({raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX})  # fmt: skip  # noqa: E501


class Extras:
    """Reads them.

    Args:
        pdf: The document, opened by pdfium.
        data: The file.
    """

    def __init__(self, pdf: Any, data: bytes) -> None:
        self._pdf = pdf
        self._count = len(pdf)
        self._remarked = _may_speak(data)
        self._files: list[tuple[str, bytes]] = []
        self._form = False
        try:
            self._form = pdf.get_formtype() != raw.FORMTYPE_NONE
            if self._form:
                pdf.init_forms()
        except pdfium.PdfiumError:
            self._form = False

    def fact(self, key: str) -> str:
        """Return an entry of the document's information, such as ``Title``; "" for none."""
        tag = key.encode("ascii")
        return _string(lambda b, n: raw.FPDF_GetMetaText(self._pdf, tag, b, n)).strip()

    def outline(self) -> list[Bookmark]:
        """Return the entries of the outline that lead to a page."""
        entries = []
        try:
            for mark in islice(self._pdf.get_toc(), _MAX_BOOKMARKS):
                target = mark.get_dest()
                page = target.get_index() if target is not None else None
                if page is not None:
                    entries.append(
                        Bookmark(title=mark.get_title(), level=mark.level + 1, page=page + 1)
                    )
        except (pdfium.PdfiumError, UnicodeDecodeError):
            return entries
        return entries

    def remarks(self, number: int, quick: Any, lines: Sequence[Line]) -> list[PageBlock]:
        """Return the comments on page ``number`` and the values of its fields.

        Args:
            number: From 0.
            quick: The document opened by pdf_oxide, which knows without loading the page whether
                it has any; or None.
            lines: What is read of the page already: words that are there are not said again.
        """
        if not self._remarked:
            return []
        # pdf_oxide walks through all pages to find one.
        if quick is not None and self._count <= _MANY_PAGES:
            found = tried(lambda: quick.get_annotations(number))
            if found is not None and all(one.get("subtype") in _SILENT for one in found):
                return []
        try:
            page = self._pdf[number]
        except pdfium.PdfiumError:
            return []
        try:
            known = collapse(" ".join(line.text for line in lines))
            blocks = [self._remark(page, annotation, number, known) for annotation in _each(page)]
        finally:
            page.close()
        return [block for block in blocks if block is not None]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each embedded file, also of those on the pages read so far."""
        for at in range(min(self._pdf.count_attachments(), _MAX_FILES)):
            if found := _content(raw.FPDFDoc_GetAttachment(self._pdf, at)):
                yield found
        yield from self._files

    def _remark(self, page: Any, annotation: Any, number: int, known: str) -> PageBlock | None:
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        if kind in {raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP}:
            return None
        if kind == raw.FPDF_ANNOT_FILEATTACHMENT and len(self._files) < _MAX_FILES:
            if found := _content(raw.FPDFAnnot_GetFileAttachment(annotation)):
                self._files.append(found)
            return None
        if kind == raw.FPDF_ANNOT_WIDGET:
            text = self._field(annotation)
        else:
            text = _string(lambda b, n: raw.FPDFAnnot_GetStringValue(annotation, b"Contents", b, n))
        if not text.strip() or collapse(text) in known:
            return None
        corners = raw.FS_RECTF()
        box = None
        if raw.FPDFAnnot_GetRect(annotation, corners):
            box = device_box(page, corners.left, corners.bottom, corners.right, corners.top)
        left, top, right, bottom = box or (0.0, 0.0, 0.0, 0.0)
        return PageBlock(
            text=text,
            kind=BlockKind.PARAGRAPH,
            box=Box(left=left, top=top, right=right, bottom=bottom),
            size=0.0,
            bold=False,
            lines=1,
            page=number + 1,
        )

    def _field(self, annotation: Any) -> str:
        """Return ``name: value`` of a field with words in it."""
        form = self._pdf.formenv
        if not self._form or form is None:
            return ""
        if raw.FPDFAnnot_GetFormFieldType(form, annotation) not in _SPEAKING_FIELDS:
            return ""
        value = _string(lambda b, n: raw.FPDFAnnot_GetFormFieldValue(form, annotation, b, n))
        if not value.strip():
            return ""
        label = _string(
            lambda b, n: raw.FPDFAnnot_GetFormFieldAlternateName(form, annotation, b, n)
        ) or _string(lambda b, n: raw.FPDFAnnot_GetFormFieldName(form, annotation, b, n))
        return f"{label}: {value}" if label.strip() else value


def _may_speak(data: bytes) -> bool:
    """Say whether a file may have annotations that are more than links.

    To ask for those of each page takes longer than to look through the file once.
    """
    packed = b"/ObjStm" in data
    if not packed and b"/Annots" not in data:
        return False
    if b"/Encrypt" in data or _SPEAKING.search(data):
        return True
    return packed and any(map(_SPEAKING.search, _object_streams(data)))


def _object_streams(data: bytes) -> Iterator[bytes]:
    """Yield what the object streams hold; for one that is not simply packed, what may speak."""
    left = _MAX_OBJECT_BYTES
    streams = list(_OBJECT_STREAM.finditer(data))
    if len(streams) != data.count(b"/ObjStm"):
        yield _UNKNOWN
    for found in streams:
        begin = found.end()
        entries = data[max(data.rfind(b"obj", 0, found.start()), 0) : begin]
        end = data.find(b"endstream", begin)
        try:
            content = zlib.decompressobj().decompress(data[begin:end], left)
        except zlib.error:
            content = _UNKNOWN
        left -= len(content)
        yield _UNKNOWN if b"/Predictor" in entries or left <= 0 else content


def _each(page: Any) -> Iterator[Any]:
    for at in range(min(raw.FPDFPage_GetAnnotCount(page), _MAX_REMARKS)):
        annotation = raw.FPDFPage_GetAnnot(page, at)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _string(call: Callable[[Any, int], int]) -> str:
    """Return a string that pdfium writes as UTF-16, asking for its length first."""
    length = min(call(None, 0), 2 * _MAX_TEXT)
    if length <= 2:  # noqa: PLR2004  # the ending zero alone
        return ""
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    call(buffer, length)
    return bytes(buffer)[: length - 2].decode("utf-16-le", "replace").rstrip("\0")


def _content(attachment: Any) -> tuple[str, bytes] | None:
    """Return name and bytes of an embedded file; None where it has none, or too many."""
    if not attachment:
        return None
    name = _string(lambda b, n: raw.FPDFAttachment_GetName(attachment, b, n))
    size = ctypes.c_ulong()
    raw.FPDFAttachment_GetFile(attachment, None, 0, size)
    if not 0 < size.value <= _MAX_FILE_BYTES:
        return None
    buffer = ctypes.create_string_buffer(size.value)
    if not raw.FPDFAttachment_GetFile(attachment, buffer, size.value, size):
        return None
    return name or "attachment", buffer.raw[: size.value]
