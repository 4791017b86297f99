"""What a message says, whatever it was stored as, and how that becomes a document.

The readers of MIME (``mail``) and of Outlook's own files (``outlook``) both make a ``Mail``. Its
subject is the heading, its head the first paragraph, then comes its body; attached files and
forwarded messages follow as sections of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser

from wenqu.errors import ReadError
from wenqu.readers import choose
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, file_stem, join_lines, only_text
from wenqu.readers.detect import sample
from wenqu.readers.markup.html import walk_fragment
from wenqu.text.markup import shallow
from wenqu.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from wenqu.protocols import Reader, ReadOptions
    from wenqu.types import Document

__all__ = ["Attached", "Body", "Mail", "document"]

_LARGE_IMAGE_BYTES = 60_000  # a scan or a photo; smaller ones are logos and lines
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".emf", ".wmf")
_ADDRESS = re.compile(r"<?\bhttps?://[^\s>]+>?|<mailto:[^\s>]+>|\[cid:[^\]]*\]")
_LONGEST_TARGET = 150
_RICH_SHARE = 0.6  # HTML or RTF that says less than this of the plain text is a stub, or broken
_BULLET = re.compile(r"\s*(?:[-*+]\s+|[•●·]\s*|\d{1,3}[.)、]\s*(?!\d))\S")
_SIGNATURE = re.compile(r"--\s*\Z")
_WRAPPED = range(50, 110)  # columns at which programs break lines
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A text of a message, in one form or in several that say the same.

    ``flowed`` is plain text after RFC 3676, in which a line that ends in a blank goes on.
    """

    plain: str = ""
    html: str = ""
    rtf: bytes = b""
    flowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What hangs on a message: a file, or a message. ``inline`` ones are shown in the body."""

    name: str
    content: bytes | Mail
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message; ``head`` is what it shows of itself, as pairs of a name and a value.

    ``lost`` names what hangs on it and cannot be had; ``sealed`` says that a part is encrypted.
    """

    subject: str = ""
    head: tuple[tuple[str, str], ...] = ()
    date: datetime | None = None
    keywords: str = ""
    bodies: tuple[Body, ...] = ()
    attached: tuple[Attached, ...] = ()
    lost: tuple[str, ...] = ()
    sealed: bool = False


def document(
    mails: Sequence[Mail],
    source: str,
    format: str,  # noqa: A002  # the word of meta
    readers: Callable[[], Sequence[Reader]],
    options: ReadOptions,
) -> Document:
    """Return the document of one message, or of several as its sections.

    Raises:
        ReadError: There is no text, or what there is is encrypted.
    """
    builder = DocumentBuilder(source, format, options)
    writer = _Writer(builder, readers, options)
    for mail in mails:
        writer.write(mail, 1, 0)
    if writer.sealed and not writer.said:
        raise ReadError("read.encrypted", source=source)
    if len(mails) != 1:
        builder.note("messages", str(len(mails)))
        return builder.build(title=file_stem(source))
    mail = mails[0]
    for name, value in mail.head:
        builder.note("author" if name == "From" else name.lower().replace(" ", "_"), value)
    builder.note("date", mail.date.date().isoformat() if mail.date else None)
    builder.note("keywords", mail.keywords)
    return builder.build(title=mail.subject)


def _head(mail: Mail) -> Iterator[str]:
    """Yield what a mail program shows above a message."""
    for name, value in mail.head:
        yield f"{name}: {value}"
    if mail.subject.strip():
        yield f"Subject: {mail.subject}"
    if mail.date:
        yield f"Date: {mail.date.isoformat(sep=' ', timespec='minutes')}"
    if names := [one.name for one in mail.attached if one.name and not one.inline]:
        yield f"Attachments: {'; '.join(names)}"


class _Writer:
    """Writes messages into a document. ``said`` counts the characters of bodies and files."""

    def __init__(
        self,
        builder: DocumentBuilder,
        readers: Callable[[], Sequence[Reader]],
        options: ReadOptions,
    ) -> None:
        self._builder = builder
        self._readers = readers
        self._attachments = Attachments(readers)
        self._options = options
        self.said = 0
        self.sealed = False

    def write(self, mail: Mail, level: int, depth: int) -> None:
        """Add a message below a heading of ``level``."""
        self._builder.heading(mail.subject, level)
        self._builder.add("\n".join(_head(mail)))
        if mail.sealed:
            self.sealed = True
            self._builder.leave_out("(encrypted)")
        for name in mail.lost:
            self._builder.leave_out(name)
        for body in mail.bodies:
            self._body(body, level)
        for attached in mail.attached:
            if isinstance(attached.content, Mail):
                if depth < _MAX_DEPTH:
                    self.write(attached.content, level + 1, depth + 1)
                    self.said += 1
            elif not self._is_decoration(attached.name, attached.content, inline=attached.inline):
                lost = self._builder.meta.get("left_out")
                self._attachments.add(
                    self._builder, attached.name, attached.content, self._options, level + 1
                )
                self.said += self._builder.meta.get("left_out") == lost
            self._options.alive()

    def _is_decoration(self, name: str, data: bytes, *, inline: bool) -> bool:
        """Say whether a file is only there to look at, or too small a picture to hold text."""
        if not inline or not name.lower().endswith(_IMAGES):
            return False
        return not self._options.ocr or len(data) < _LARGE_IMAGE_BYTES

    def _body(self, body: Body, level: int) -> None:
        plain = _Blocks()
        _add_plain(plain, body.plain, flowed=body.flowed)
        blocks = _Blocks()
        if body.html:
            walk_fragment(_with_targets(body.html), blocks)
        elif body.rtf:
            blocks = self._rich(body.rtf)
        if blocks.size < plain.size * _RICH_SHARE or not blocks.size:
            blocks = plain
        self.said += blocks.size
        for text, kind, depth in blocks.found:
            if kind is BlockKind.HEADING:
                self._builder.heading(text, level + depth)
            else:
                self._builder.add(text, kind)

    def _rich(self, rtf: bytes) -> _Blocks:
        """Read a body in RTF with the reader for it."""
        blocks = _Blocks()
        reader = choose(self._readers(), sample("body.rtf", BytesIO(rtf)))
        if reader is None:
            return blocks
        try:
            document = reader.read(rtf, "body.rtf", self._options)
        except ReadError:
            self._builder.leave_out("body.rtf")
            return blocks
        for block in document.blocks:
            text = document.text[block.span.start : block.span.end]
            if block.kind is BlockKind.HEADING:
                blocks.heading(text, len(block.heading) + 1)
            else:
                blocks.add(text, block.kind)
        return blocks


class _Blocks:
    """Keeps blocks until it is known which form of a body says more."""

    def __init__(self) -> None:
        self.found: list[tuple[str, BlockKind, int]] = []
        self.size = 0

    def heading(self, text: str, level: int) -> None:
        """Keep a heading."""
        self._keep(text, BlockKind.HEADING, level)

    def add(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> None:
        """Keep a block."""
        self._keep(text, kind, 0)

    def _keep(self, text: str, kind: BlockKind, level: int) -> None:
        if only_text(text):
            self.found.append((text, kind, level))
            # Plain text spells out the addresses that HTML hides behind its links.
            self.size += sum(map(str.isalnum, _ADDRESS.sub("", text)))


def _with_targets(html: str) -> str:
    """Write where links lead behind their words, as mail programs do in plain text.

    In mail a link is often what the message is about. Long ones only count clicks.
    """
    if "href" not in html.lower():
        return html
    tree = LexborHTMLParser(shallow(html))
    for link in tree.css("a[href]"):
        target = (link.attributes.get("href") or "").strip()
        text = link.text().strip()
        bare = target.partition("://")[2].rstrip("/")
        if (
            target.startswith(("http://", "https://"))
            and len(target) <= _LONGEST_TARGET
            and only_text(text)
            and bare not in text
        ):
            link.insert_after(f" <{target}>")
    return tree.html or html


def _add_plain(blocks: _Blocks, text: str, *, flowed: bool) -> None:
    """Add plain text: paragraphs between blank lines, a quoted reply line by line as it is."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if flowed:
        lines = list(_reflowed(lines))
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line.rstrip())
        elif paragraph:
            kind = BlockKind.LIST if all(map(_BULLET.match, paragraph)) else BlockKind.PARAGRAPH
            joined = kind is BlockKind.PARAGRAPH and _is_wrapped(paragraph)
            whole = "\n".join(paragraph)
            blocks.add(join_lines(whole) if joined else whole, kind)
            paragraph = []


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Say whether a program broke the lines: all but the last are about as long as allowed."""
    if any(line.lstrip().startswith((">", "|")) or _BULLET.match(line) for line in lines):
        return False
    widths = [len(line) + len(_WIDE.findall(line)) for line in lines]
    return len(lines) > 1 and all(width in _WRAPPED for width in widths[:-1])


def _reflowed(lines: Sequence[str]) -> Iterator[str]:
    """Join the lines that a program broke (RFC 3676 §4)."""
    held: list[str] = []
    held_quotes = ""
    for raw in lines:
        bare = raw.lstrip(">")
        quotes = raw[: len(raw) - len(bare)]
        bare = bare.removeprefix(" ")
        if held and quotes != held_quotes:
            yield f"{held_quotes}{' ' if held_quotes else ''}{''.join(held)}"
            held = []
        held_quotes = quotes
        held.append(bare)
        if not bare.endswith(" ") or _SIGNATURE.match(bare):
            yield f"{quotes}{' ' if quotes else ''}{''.join(held)}"
            held = []
    if held:
        yield f"{held_quotes}{' ' if held_quotes else ''}{''.join(held)}"
