"""Web pages saved with all that belongs to them in one file (``.mht``, ``.mhtml``; also Word's)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.builder import file_stem
from wenqu.readers.mail import mime
from wenqu.readers.markup.html import HtmlReader

if TYPE_CHECKING:
    from email.message import Message

    from wenqu.protocols import ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["MhtmlReader"]

_SUFFIXES = frozenset({".mht", ".mhtml"})
_RELATED = re.compile(rb"^content-type\s*:\s*multipart/related", re.IGNORECASE | re.MULTILINE)
_SENT = frozenset({"to", "received", "delivered-to", "return-path"})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_MAX_FRAMES = 50
_SHELL = 20  # a page with less than this part of its frame's text is only a shell
_UTF8_MARK = b"\xef\xbb\xbf"


class MhtmlReader:
    """Reads a saved web page: the page itself; a page of frames, the frame that says most."""

    name = "mhtml/1"

    def __init__(self) -> None:
        self._html = HtmlReader()

    def accepts(self, sample: Sample) -> bool:
        """Take a MIME file of related parts that nobody sent; such mail is a message."""
        names = set(mime.field_names(sample.head))
        if PurePath(sample.name).suffix.lower() in _SUFFIXES:
            return not names.isdisjoint({"content-type", "mime-version"})
        return (
            "mime-version" in names
            and names.isdisjoint(_SENT)
            and _RELATED.search(sample.head) is not None
        )

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the page's main content.

        Raises:
            ReadError: It holds no page, or the page shows no text.
        """
        message = mime.parse(data, source)
        found: list[Document] = []
        for part in _pages(message):
            # The mark settles the encoding: what a page declares was true of other bytes.
            data = _UTF8_MARK + mime.text(part).encode("utf-8", "replace")
            try:
                found.append(self._html.read(data, source, options))
            except ReadError as error:
                if error.key != "read.empty":
                    raise
        if not found:
            raise ReadError("read.empty", source=source)
        # The first is the page itself; one of frames has hardly a word of its own.
        page = next(one for one in found if len(one.text) * _SHELL >= max(_lengths(found)))
        subject = mime.header(message, "subject")
        title = found[0].title if found[0].title != file_stem(source) else subject
        saved = mime.date(message)
        facts = {
            "format": "mhtml",
            "url": mime.header(message, "snapshot-content-location"),
            "date": saved.date().isoformat() if saved else "",
        }
        meta = {**page.meta, **{key: value for key, value in facts.items() if value}}
        return replace(page, title=title or page.title, meta=meta)


def _pages(message: Message) -> list[Message]:
    """Return the parts that are pages, the one that the file is about first."""
    parts = [part for part in mime.parts(message) if part.get_content_type() in _PAGES]
    start = mime.parameter(message, "start").strip("<> ")
    if start:
        parts.sort(key=lambda part: mime.header(part, "content-id").strip("<> ") != start)
    return parts[:_MAX_FRAMES]


def _lengths(documents: list[Document]) -> list[int]:
    return [len(document.text) for document in documents]
