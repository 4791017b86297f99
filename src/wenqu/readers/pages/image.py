"""Pictures: photographs, scans and screenshots, by what text recognition finds on them.

A page's boxes are in pixels, of the picture as it is shown: turned as its EXIF data asks.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import DocumentBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.readers.pages.layout_rows import Line
    from wenqu.readers.pages.ocr import Recognizer
    from wenqu.types import Document

__all__ = ["ImageReader"]

_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # bytes of a BMP's second header
_MAX_PIXELS = 80_000_000
_KEPT_PIXELS = 24_000_000  # more shows no more letters, and takes memory for each
_MAX_PAGES = 1000
_DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_LIGHT = 200.0
_HALF_SEEN = 127

# Numbers of EXIF and TIFF tags.
_DESCRIPTION, _DATE, _ARTIST, _XP_TITLE, _TAKEN, _EXIF = 270, 306, 315, 40091, 36867, 34665
_ORIENTATION = 274
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# What its decoders raise on files that are not as they should be.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    EOFError,
    struct.error,
)
_STAMP = re.compile(r"\A(\d{4})[:-](\d{2})[:-](\d{2})")


class ImageReader:
    """Reads PNG, JPEG, TIFF (each page), WebP, BMP and GIF (its first picture)."""

    name = "image/1"

    def accepts(self, sample: Sample) -> bool:
        """Take what begins as one of them does, whatever its name."""
        head = sample.head
        return (
            head.startswith(_HEADS)
            or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
            or _is_bitmap(head)
        )

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return what is written on the picture; a block's page counts from 1.

        Raises:
            ReadError: It is damaged or too large, there is nothing to recognise text with, or no
                text is on it.
        """
        from PIL import Image

        with warnings.catch_warnings():
            # What Pillow warns of is an error here, with a reason, or does not matter.
            warnings.simplefilter("ignore")
            with _decoding(source):
                image = Image.open(BytesIO(data), formats=_FORMATS)
            with image:
                return _Reading(image, source, options).document()


@contextmanager
def _decoding(source: str) -> Iterator[None]:
    """Make what Pillow raises on a bad file an error that says so."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except Image.DecompressionBombError as error:
        raise _too_large(source, f"> {2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6}") from error
    except UnidentifiedImageError as error:
        raise ReadError("read.damaged", source=source, reason="no picture") from error
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise ReadError("read.damaged", source=source, reason=reason) from error


def _is_bitmap(head: bytes) -> bool:
    reserved, header = head[6:10], int.from_bytes(head[14:18], "little")
    return head[:2] == b"BM" and not any(reserved) and header in _BITMAP_HEADERS


def _too_large(source: str, megapixels: object) -> ReadError:
    limit = round(_MAX_PIXELS / 1e6)
    return ReadError("read.too_many_pixels", source=source, megapixels=megapixels, limit=limit)


class _Reading:
    """One picture on its way to a document."""

    def __init__(self, image: Image, source: str, options: ReadOptions) -> None:
        self._image = image
        self._source = source
        self._options = options
        self._builder = DocumentBuilder(source, (image.format or "image").lower(), options)

    def document(self) -> Document:
        from wenqu.readers.pages.layout import page_blocks, without_running_lines
        from wenqu.readers.pages.layout_headings import headings
        from wenqu.readers.pages.ocr import recognizer_for

        self._check_size()
        with _decoding(self._source):
            # Several pictures in a GIF or WebP are a film.
            count = getattr(self._image, "n_frames", 1) if self._image.format == "TIFF" else 1
        recognizer = recognizer_for(self._options)
        if recognizer is None:
            raise ReadError("read.no_text", source=self._source, pages=count)
        with _decoding(self._source):
            _note(self._builder, self._image)
            title = _title(self._image)
        pages = self._pages(count, recognizer)
        blocks = [
            block
            for number, lines in enumerate(without_running_lines(pages), 1)
            for block in page_blocks(lines, number)
        ]
        for block, level in headings(blocks):
            if level is None:
                self._builder.add(block.text, block.kind, page=block.page, box=block.box)
            else:
                self._builder.heading(block.text, level, page=block.page, box=block.box)
        return self._builder.build(title=title)

    def _pages(self, count: int, recognizer: Recognizer) -> list[list[Line]]:
        """Return the lines of each page; one that is damaged costs a note, if others are not."""
        pages: list[list[Line]] = []
        damaged: list[ReadError] = []
        for number in range(min(count, _MAX_PAGES)):
            try:
                pages.append(self._lines(number, recognizer))
            except ReadError as error:
                pages.append([])
                damaged.append(error)
                self._builder.leave_out(f"p. {number + 1}")
            self._options.alive()
        if len(damaged) == len(pages):
            raise damaged[0]
        if count > 1:
            self._builder.note("pages", str(count))
        if count > _MAX_PAGES:
            self._builder.leave_out(f"p. {_MAX_PAGES + 1}-{count}")
        return pages

    def _lines(self, number: int, recognizer: Recognizer) -> list[Line]:
        from wenqu.readers.pages.ocr import as_lines

        with _decoding(self._source):
            self._image.seek(number)
            self._check_size()
            pixels, scale = _shown(self._image)
        return as_lines(recognizer.lines(pixels), pixels.shape[0] / scale, scale=scale)

    def _check_size(self) -> None:
        pixels = self._image.width * self._image.height
        if pixels > _MAX_PIXELS:
            raise _too_large(self._source, round(pixels / 1e6))


def _shown(image: Image) -> tuple[NDArray[np.uint8], float]:
    """Return a picture as it is shown, and its pixels there for each of its own."""
    import numpy as np
    from PIL import Image

    image.load()  # some formats turn the picture themselves at this point
    scale = min(1.0, math.sqrt(_KEPT_PIXELS / (image.width * image.height)))
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    shown = _in_colours(image)
    if scale < 1.0:
        size = (math.ceil(image.width * scale), math.ceil(image.height * scale))
        shown = shown.resize(size, Image.Resampling.BILINEAR)
    if turn is not None:
        shown = shown.transpose(Image.Transpose[turn])
    return np.asarray(shown, dtype=np.uint8), scale


def _in_colours(image: Image) -> Image:
    """Return a picture in red, green and blue; what is transparent becomes paper."""
    import numpy as np
    from PIL import Image

    if image.mode in _DEEP:
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        grey = (values - low) * (255.0 / ((high - low) or 1.0))
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    seen = np.asarray(layered.resize((256, 256), Image.Resampling.NEAREST))
    ink = seen[seen[:, :, 3] > _HALF_SEEN][:, :3]
    # Light writing is meant for a dark page.
    light = ink.size > 0 and float(ink.mean()) > _LIGHT
    paper = Image.new("RGBA", layered.size, "black" if light else "white")
    return Image.alpha_composite(paper, layered).convert("RGB")


def _note(builder: DocumentBuilder, image: Image) -> None:
    builder.note("pixels", f"{image.width} × {image.height}")
    exif = image.getexif()
    taken = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_DATE)
    if isinstance(taken, str) and (found := _STAMP.match(taken)):
        builder.note("date", "-".join(found.groups()))
    builder.note("author", _words(image.info.get("Author")) or _words(exif.get(_ARTIST)))
    description = _words(image.info.get("Description")) or _words(exif.get(_DESCRIPTION))
    builder.note("description", description)


def _title(image: Image) -> str | None:
    title = image.getexif().get(_XP_TITLE)
    if isinstance(title, bytes):
        return title.decode("utf-16-le", "ignore").strip("\0") or None
    return _words(image.info.get("Title"))


def _words(value: object) -> str | None:
    """Return a text of the meta data; Pillow has UTF-8 there as Latin-1."""
    if not isinstance(value, str):
        return None
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
