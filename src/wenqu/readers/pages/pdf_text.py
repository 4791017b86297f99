"""The text layer of a PDF's pages as lines, by two engines.

pdf_oxide reads most pages several times as fast, as it does not measure each glyph's outline.
pdfium is the one that is trusted: it opens the file, and reads what the other cannot, or reads as
nonsense or in the wrong order: turned pages, and writing from right to left. Neither is thread-safe
here: one reader at a time in a process, which ``worker`` sees to.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections import defaultdict
from functools import partial
from itertools import chain, compress
from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from wenqu.readers.pages.layout_rows import RIGHT_TO_LEFT, Line, Pieces, rows, run_together
from wenqu.readers.pages.pdf_hidden import Hidden
from wenqu.readers.pages.pdf_rules import Rule, ruled_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Page", "TextLayer", "device_box", "garbled", "tried"]

_T = TypeVar("_T")
_Frame = tuple[float, float, float, float]

_DEVICE_SCALE = 100  # PageToDevice rounds to whole units
_CELL_GAP = 1.5  # in font sizes, as in layout
_ASCENT, _DESCENT = 0.88, 0.2  # of the font size: what a line's box covers about its base line
_ODD_SHARE = 0.05
_GARBLED_SHARE = 0.5
_WORD_GAP, _WORD_SPACE = 0.12, 0.4  # in font sizes: pieces nearer than a word space are one
_SLACK = 0.3  # of the font size: so far pieces that touch may overlap
_TURNS = 2  # characters: fewer may be turned by themselves, as a radical sign is
_SPACE = 0.25  # of the font size: a space's width, about
_OVERLAPS = 0.15  # of a page's pieces: more, and their widths are wrong
_FEW_PAGES, _MANY_PAGES, _SAMPLES, _SAMPLED_AGAIN = 100, 1000, 6, 32
_GAPPED_ROWS = 2
_RULE = 3.0  # points: a rectangle so thin is a line
_MAX_RULES = 5000
_LINE_ENDS = frozenset({0x0A, 0x0D})
_SPACES = frozenset({0x20, 0xA0, 0x3000})
_LAST_CONTROL = 0x1F
_SOFT_HYPHENS = {0x2: "\u00ad", 0xAD: "\u00ad", 0xFFFE: "\u00ad"}
_SEQUENCE, _TEXT, _POINTS = map(attrgetter, ("sequence", "text", "font_size"))
_BOX, _SHOWN_BOX = map(attrgetter, ("bbox", "page_bbox"))
_KANGXI = re.compile(r"[\u2f00-\u2fd5\u2e9f\u2ef3]")
# Without a map to Unicode an engine echoes bytes: they show as signs that texts hold few of.
_ODD = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\u00a1-\u00a6\u00a8-\u00af\u00b4-\u00b6\u00b8-\u00bf"
    "\ufffd\ue000-\uf8ff"
)
_SPECIAL = re.compile(f"[{_ODD}{RIGHT_TO_LEFT.pattern[1:-1]}{_KANGXI.pattern[1:-1]}]")
_MEANINGLESS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")


class Page(NamedTuple):
    """A page's lines in the order of drawing, and its size in points as it is shown.

    ``sound`` where it is known that its characters have a meaning.
    """

    lines: list[Line]
    width: float
    height: float
    sound: bool = False


def garbled(page: Page) -> bool:
    """Say whether most characters have no meaning, as of fonts without a map to Unicode."""
    if page.sound:
        return False
    text = "".join(line.text for line in page.lines)
    return len(_MEANINGLESS.findall(text)) > len(text) * _GARBLED_SHARE


class TextLayer:
    """The lines of each page.

    Args:
        data: The file.
        pdf: The same, opened by pdfium.
        password: What opened it.
    """

    def __init__(self, data: bytes, pdf: Any, password: str | None) -> None:
        self._pdf = pdf
        self.quick: Any = _quick(data, password, len(pdf))
        self.hidden = Hidden(pdf, data)
        self._shown = _Shown(self.quick, pdf)

    def page(self, number: int) -> Page | None:
        """Return page ``number``, from 0; None where it cannot be loaded."""
        page = self._quick_page(number) if self.quick is not None else None
        return page or self._sure_page(number)

    def _quick_page(self, number: int) -> Page | None:
        """Return the page by pdf_oxide; None where the other engine must look."""
        frame = self._shown.of(number)
        if frame is None or frame[2] - frame[0] < 1 or frame[3] - frame[1] < 1:
            return None
        pieces = tried(lambda: _pieces(self._spans(number, frame), frame))
        if pieces is None:
            return None
        text = "".join(pieces.texts)
        special = "".join(_SPECIAL.findall(text))
        radicals = len(_KANGXI.findall(special))
        if not text or len(special) - radicals > len(text) * _ODD_SHARE:
            return None
        if radicals:
            pieces = _without_radicals(pieces)
        lines = pieces.rows()
        if sum([bool(line.stops) for line in lines]) >= _GAPPED_ROWS:
            rules = tried(lambda: _rules(self.quick, number, frame)) or []
            if kept := ruled_tables(pieces, rules):
                lines = rows(kept)
        return Page(lines, frame[2] - frame[0], frame[3] - frame[1], sound=True)

    def _spans(self, number: int, frame: _Frame) -> list[Any]:
        """Return a page's pieces of text that can be seen, in the order of drawing."""
        found: list[Any] = self.quick.extract_spans(number)
        found.sort(key=_SEQUENCE)
        area = (frame[2] - frame[0]) * (frame[3] - frame[1])
        return self.hidden.without(self.quick, number, found, area)

    def _sure_page(self, number: int) -> Page | None:
        try:
            page = self._pdf[number]
        except pdfium.PdfiumError:
            return None
        try:
            text_page = page.get_textpage()
            try:
                lines = _Lines(page, text_page, partial(self.hidden.seen, number, page)).read()
            finally:
                text_page.close()
            # A broken matrix puts text at infinity.
            sound = [line for line in lines if isfinite(sum(line[1:6]))]
            return Page(sound, *page.get_size())
        except pdfium.PdfiumError:
            return None
        finally:
            page.close()


def tried(call: Callable[[], _T]) -> _T | None:
    """Return what a call of pdf_oxide gives; None where it fails, also by a panic."""
    try:
        return call()
    except (RuntimeError, OSError, ValueError, TypeError, IndexError, OverflowError):
        return None
    except BaseException as error:
        # A panic of Rust code comes as an exception that is no Exception, and is not exported.
        if type(error).__name__ != "PanicException":
            raise
        return None


def _quick(data: bytes, password: str | None, pages: int) -> Any:
    """Return the file opened by pdf_oxide, unless it sees another document than pdfium."""
    import pdf_oxide

    pdf_oxide.disable_logging()
    document = tried(lambda: pdf_oxide.PdfDocument.from_bytes(data))
    if document is None:
        return None
    if password is not None and not tried(lambda: document.authenticate(password)):
        return None
    # Reaching for the method fails already where the page tree is broken.
    count = tried(lambda: document.page_count())  # noqa: PLW0108
    return document if count == pages else None


class _Shown:
    """Which part of each page is shown: left, bottom, right and top; None for a turned page.

    pdf_oxide tells what a page says itself, not what it inherits, and walks through all pages to
    find one; pdfium reads a whole page to tell more than its size. So unless that walk is long the
    first is asked, and believed where the size is right. In a document that is not short some of
    the pages of one size are looked at, and the rest are taken to be like these, if these are
    alike.
    """

    def __init__(self, document: Any, pdf: Any) -> None:
        self._document = document
        self._pdf = pdf
        self._pages = len(pdf)
        self._found: defaultdict[tuple[float, float], list[_Frame | None]] = defaultdict(list)

    def of(self, number: int) -> _Frame | None:
        """Return that of page ``number``, from 0."""
        size = raw.FS_SIZEF()
        raw.FPDF_GetPageSizeByIndexF(self._pdf, number, size)
        if self._pages <= _FEW_PAGES and (frame := self._believed(number, size)):
            return frame
        found = self._found[size.width, size.height]
        unlike = any(frame != found[0] for frame in found)
        if unlike or len(found) < _SAMPLES or number % _SAMPLED_AGAIN == 0:
            quick = _FEW_PAGES < self._pages <= _MANY_PAGES
            frame = (quick and self._believed(number, size)) or self._looked_up(number)
            if not unlike:
                found.append(frame)
            return frame
        return found[0]

    def _believed(self, number: int, size: Any) -> _Frame | None:
        """Return what pdf_oxide tells of a page that is not turned, where the size is right."""
        frame = tried(lambda: _said(self._document, number))
        if frame is None:
            return None
        left, bottom, right, top = frame
        wrong = abs(right - left - size.width) + abs(top - bottom - size.height)
        return frame if wrong < 1 else None

    def _looked_up(self, number: int) -> _Frame | None:
        try:
            page = self._pdf[number]
        except pdfium.PdfiumError:
            return None
        try:
            left, bottom, right, top = page.get_bbox()
            return None if page.get_rotation() else (left, bottom, right, top)
        except pdfium.PdfiumError:
            return None
        finally:
            page.close()


def _said(document: Any, number: int) -> _Frame | None:
    """Return what a page itself says to be shown, unless it is turned."""
    if document.page_rotation(number) % 360:
        return None
    media = document.page_media_box(number)
    crop = document.page_crop_box(number) or media
    return (
        max(media[0], crop[0]),
        max(media[1], crop[1]),
        min(media[2], crop[2]),
        min(media[3], crop[3]),
    )


def _pieces(found: Sequence[Any], frame: _Frame) -> Pieces | None:
    """Return the pieces of text that pdf_oxide found, those that touch put together.

    None for turned text, and widths that cannot be: the boxes would be wrong.
    """
    texts, boxes = list(map(_TEXT, found)), list(map(_BOX, found))
    lengths = list(map(len, texts))
    wide = [length > _TURNS for length in lengths]
    if list(map(_SHOWN_BOX, compress(found, wide))) != list(compress(boxes, wide)):
        return None
    numbers = np.fromiter(chain.from_iterable(boxes), float, 4 * len(found))
    x, y, width, _ = numbers.reshape(-1, 4).T
    size = np.fromiter(map(_POINTS, found), float, len(found))
    with np.errstate(all="ignore"):
        end, em = x + width, size[:-1]
        gap = x[1:] - end[:-1]
        level = y[1:] == y[:-1]
        touch = level & (size[1:] == em) & (gap > -_SLACK * em) & (gap < _WORD_SPACE * em)
        over = level & ~touch & (x[:-1] < x[1:]) & (gap < -_SLACK * em)
        apart = touch & (gap > _WORD_GAP * em)
    if np.count_nonzero(over) > len(found) * _OVERLAPS:
        return None
    starts = np.flatnonzero(np.concatenate(([True], ~touch))[: len(found)])
    begins = starts.tolist()
    joined = _joined(texts, begins, (np.flatnonzero(apart) + 1).tolist())
    lasts = np.concatenate((starts[1:], [len(found)])) - 1
    left, bottom, _, top = frame
    em = size[starts]
    base = top - y[starts]
    right = end[lasts] - left
    for at in [at for at, text in enumerate(joined) if text[-1:] == " "]:
        # a box ends with its words
        right[at] -= (len(joined[at]) - len(joined[at].rstrip(" "))) * _SPACE * em[at]
    places = np.array([x[starts] - left, right, base - _ASCENT * em, base + _DESCENT * em, em])
    # Text at infinity is a broken matrix's.
    sound = np.isfinite(places).all(axis=0).tolist()
    kept = [at for at, text in enumerate(joined) if sound[at] and text and not text.isspace()]
    ends = [*begins[1:], len(found)]
    return Pieces(
        texts=[joined[at] for at in kept],
        places=places[:, kept],
        fonts=lambda chosen: _faces(
            found, lengths, [(begins[kept[at]], ends[kept[at]]) for at in chosen]
        ),
        page_height=top - bottom,
    )


def _joined(texts: list[str], starts: Sequence[int], apart: Sequence[int]) -> list[str]:
    """Return pieces that touch as one, with a space before those words that stand apart."""
    if len(starts) == len(texts):
        return texts
    spaced = texts.copy() if apart else texts
    for at in apart:
        if not (spaced[at - 1][-1:].isspace() or texts[at][:1].isspace()):
            spaced[at] = f" {texts[at]}"
    return run_together(spaced, starts)


def _faces(
    found: Sequence[Any], lengths: Sequence[int], runs: Sequence[tuple[int, int]]
) -> list[str]:
    """Return the font of the longest piece of each run, from its first piece to after its last."""
    spans = [
        found[start if stop - start == 1 else lengths.index(max(lengths[start:stop]), start, stop)]
        for start, stop in runs
    ]
    return [f"{span.font_name},Bold" if span.is_bold else span.font_name for span in spans]


def _without_radicals(pieces: Pieces) -> Pieces:
    """Write the signs of radicals, which some fonts map characters to, as the characters."""
    return pieces._replace(texts=[_KANGXI.sub(_plain, text) for text in pieces.texts])


def _plain(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


def _rules(document: Any, number: int, frame: _Frame) -> list[Rule]:
    """Return straight lines and the edges of rectangles, in points from the page's top left."""
    left, _, _, top = frame
    rules: list[Rule] = []
    drawn = document.extract_lines(number)
    boxes = document.extract_rects(number)
    if len(drawn) + len(boxes) > _MAX_RULES:
        return []
    for line in drawn:
        x, y, width, height = line["bbox"]
        if abs(width) < _RULE or abs(height) < _RULE:
            rules.append(Rule.of(x - left, top - y - height, x - left + width, top - y))
    for box in boxes:
        x, y, width, height = box["bbox"]
        here = Rule.of(x - left, top - y - height, x - left + width, top - y)
        if min(abs(width), abs(height)) < _RULE:
            rules.append(here)
        else:
            rules += here.edges()
    return rules


def device_box(
    page: Any, left: float, bottom: float, right: float, top: float
) -> tuple[float, float, float, float]:
    """Turn page space, whatever its rotation and crop, into points from the page's top left.

    Returns left, top, right and bottom as the page is shown.
    """
    return _on_device(page, page.get_size(), left, bottom, right, top)


def _on_device(
    page: Any, size: tuple[float, float], *sides: float
) -> tuple[float, float, float, float]:
    """Do what ``device_box`` does, where the page's size is known."""
    left, bottom, right, top = sides
    wide, high = round(size[0] * _DEVICE_SCALE), round(size[1] * _DEVICE_SCALE)
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, wide, high, 0, left, top, across, down)
    x, y = across.value / _DEVICE_SCALE, down.value / _DEVICE_SCALE
    raw.FPDF_PageToDevice(page, 0, 0, wide, high, 0, right, bottom, across, down)
    other_x, other_y = across.value / _DEVICE_SCALE, down.value / _DEVICE_SCALE
    return min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y)


class _Lines:
    """Cuts one page's characters, as pdfium gives them, into lines."""

    def __init__(
        self, page: Any, text_page: Any, seen: Callable[[Any, int, Sequence[float]], bool]
    ) -> None:
        self._page = page
        self._seen = seen
        self._text_page = text_page
        self._size = page.get_size()
        self._lines: list[Line] = []
        self._begin()

    def read(self) -> list[Line]:
        box = raw.FS_RECTF()
        text_page = self._text_page.raw
        unicode, loose_box = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
        for at in range(self._text_page.count_chars()):
            code = unicode(text_page, at)
            if code in _LINE_ENDS:
                self._end()
            elif code in _SPACES:
                self._space = bool(self._text)
            elif code > _LAST_CONTROL or code in _SOFT_HYPHENS:
                loose_box(text_page, at, box)
                place = box.left, box.bottom, box.right, box.top
                self._put(at, _SOFT_HYPHENS.get(code) or chr(code), place)
        self._end()
        return rows(self._lines)

    def _begin(self) -> None:
        self._text: list[str] = []
        self._at: list[int] = []
        self._stops: list[tuple[float, float]] = []
        self._space = False
        self._boxes: list[_Frame] = []
        self._cell = float("inf")
        self._last = float("nan")

    def _put(self, at: int, character: str, place: _Frame) -> None:
        left, bottom, right, top = place
        if self._text:
            if left - self._last > _CELL_GAP * max(top - bottom, 4.0):
                self._text.append("\t")
                self._stops.append((self._cell, self._last))
                self._cell = left
            elif self._space:
                self._text.append(" ")
        self._space = False
        self._text.append(character)
        self._at.append(at)
        if right > left or top > bottom:
            self._last = right
            self._cell = min(self._cell, left)
            self._boxes.append(place)

    def _end(self) -> None:
        text = _KANGXI.sub(_plain, "".join(self._text))
        if self._boxes and text.strip():
            lefts, bottoms, rights, tops = zip(*self._boxes, strict=True)
            around = min(lefts), min(bottoms), max(rights), max(tops)
            at = self._at[len(self._at) // 2]
            size, font = self._style(at)
            if around[2] > around[0] and self._seen(self._text_page.raw, at, (*around, size)):
                self._lines.append(self._line(text, around, size, font))
        self._begin()

    def _line(self, text: str, around: _Frame, size: float, font: str) -> Line:
        low, high = around[1], around[3]
        left, top, right, bottom = _on_device(self._page, self._size, *around)
        ends = [*self._stops, (self._cell, self._last)] if self._stops else []
        return Line(
            text=text,
            left=left,
            right=right,
            top=top,
            bottom=bottom,
            size=size,
            font=font,
            page_height=self._size[1],
            stops=tuple(
                _on_device(self._page, self._size, begin, low, end, high)[::2]
                for begin, end in ends
            ),
        )

    def _style(self, at: int) -> tuple[float, str]:
        """Return size in points and font name of a character."""
        matrix, flags = raw.FS_MATRIX(), ctypes.c_int()
        raw.FPDFText_GetMatrix(self._text_page, at, matrix)
        scale = (matrix.c**2 + matrix.d**2) ** 0.5 or 1.0
        name = ctypes.create_string_buffer(128)
        length = raw.FPDFText_GetFontInfo(self._text_page, at, name, len(name), flags)
        font = name.value.decode("utf-8", errors="replace") if 0 < length <= len(name) else ""
        return raw.FPDFText_GetFontSize(self._text_page, at) * scale, font
