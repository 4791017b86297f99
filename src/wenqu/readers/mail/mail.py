"""Mail in MIME: one message (``.eml``), Apple's variant of it, or a mailbox of many."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.encoding import looks_binary
from wenqu.readers.mail import mime
from wenqu.readers.mail.message import Attached, Body, Mail, document
from wenqu.readers.mail.smime import signed_content
from wenqu.readers.mail.tnef import SIGNATURE, unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import Message

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["MailReader", "mail_of"]

_SUFFIXES = frozenset({".eml", ".emlx", ".mbox", ".mbx"})
# A file of another name is mail when it has a sender, one field that only mail has, and three of
# the usual ones: a letter typed by hand may well begin with From and Subject.
_USUAL = frozenset({"from", "to", "subject", "date", "cc", "reply-to", "content-type"})
_ONLY_MAIL = frozenset({"received", "return-path", "delivered-to", "message-id", "mime-version"})
_USUAL_ENOUGH = 3
_EMLX = re.compile(rb"\A\s*(\d{1,10})[ \t]*\r?\n")
_NEXT_IN_MBOX = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\r\n]{3,200}\r?\n(?=[!-9;-~]{1,60}:)"
)
_QUOTED_NAME = re.compile(r'"([^"\\]*)"(?=\s*<)')
_MAX_DEPTH = 20

_PEOPLE = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"))
_SIGNATURES = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_PGP = re.compile(r"-----BEGIN PGP MESSAGE-----.*?(?:-----END PGP MESSAGE-----|\Z)", re.DOTALL)
_PGP_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:[\w-]+: .*\n)*\n?")
_PGP_SIGNATURE = re.compile(
    r"-----BEGIN PGP SIGNATURE-----.*?(?:-----END PGP SIGNATURE-----|\Z)", re.DOTALL
)
_TEXTS = frozenset({"text/plain", "text/html", "text/enriched"})
_TAG = re.compile(r"</?[A-Za-z][^>]{0,200}>")


class MailReader:
    """Reads messages in MIME, and mailboxes of them.

    Args:
        readers: Returns the readers to choose from for attachments.
    """

    name = "mail/2"

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def accepts(self, sample: Sample) -> bool:
        """Take what begins with the head of a message."""
        head = sample.head
        suffix = PurePath(sample.name).suffix.lower()
        if suffix == ".emlx":
            head = _EMLX.sub(b"", head)
        names = set(mime.field_names(head))
        if suffix in _SUFFIXES:
            return bool(names) or not (sample.container or looks_binary(sample.head))
        return (
            "from" in names
            and len(names & _USUAL) >= _USUAL_ENOUGH
            and not names.isdisjoint(_ONLY_MAIL)
        )

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the message, or the messages of a mailbox one after the other.

        Raises:
            ReadError: It is encrypted, empty, or cannot be told apart into parts.
        """
        if (wrapped := _EMLX.match(data)) is not None:
            data = data[wrapped.end() : wrapped.end() + int(wrapped[1])]
        mails: list[Mail] = []
        for one in _messages(data):
            mails.append(mail_of(mime.parse(one, source), source))
            options.alive()
        return document(mails, source, "mail", self._readers, options)


def mail_of(message: Message, source: str, depth: int = 0) -> Mail:
    """Return what a MIME message says."""
    parts = _Parts(source)
    parts.collect(message, depth)
    people = (
        (label, _QUOTED_NAME.sub(r"\1", mime.header(message, name))) for label, name in _PEOPLE
    )
    return Mail(
        subject=mime.header(message, "subject"),
        head=tuple((label, value) for label, value in people if value),
        date=mime.date(message),
        keywords=mime.header(message, "keywords"),
        bodies=tuple(parts.bodies),
        attached=tuple(parts.attached),
        sealed=parts.sealed,
    )


class _Parts:
    """Sorts the parts of a message into bodies and attachments."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.bodies: list[Body] = []
        self.attached: list[Attached] = []
        self.sealed = False

    def collect(self, part: Message, depth: int) -> None:
        """Add what a part holds."""
        kind = part.get_content_type()
        if depth > _MAX_DEPTH or kind in _SIGNATURES:
            return
        if kind == "multipart/encrypted":
            self.sealed = True
        elif kind == "multipart/alternative":
            self._alternative(part, depth)
        elif kind in {"message/rfc822", "message/global"}:
            self._message(part, depth)
        elif inner := mime.children(part):
            for child in inner:
                self.collect(child, depth + 1)
        elif kind in _SEALED:
            self._sealed(part, depth)
        elif not part.is_multipart():
            self._leaf(part, kind)

    def _alternative(self, part: Message, depth: int) -> None:
        """Take the forms of one text together; a form may come with pictures of its own."""
        inner = _Parts(self._source)
        for child in mime.children(part):
            inner.collect(child, depth + 1)
        plain = next((form for form in inner.bodies if form.plain.strip()), Body())
        html = "\n".join(form.html for form in inner.bodies if form.html)
        if html or plain.plain:
            self.bodies.append(Body(plain=plain.plain, html=html, flowed=plain.flowed))
        self.attached.extend(inner.attached)
        self.sealed = self.sealed or inner.sealed

    def _message(self, part: Message, depth: int) -> None:
        inner = mime.inner_message(part, self._source)
        if inner is None:
            return
        mail = mail_of(inner, self._source, depth + 1)
        self.attached.append(Attached(name=mail.subject, content=mail))

    def _sealed(self, part: Message, depth: int) -> None:
        """Note an encrypted part; one that is only signed holds its message in the open."""
        signed = signed_content(mime.content(part))
        if signed is None:
            self.sealed = True
        else:
            self.collect(mime.parse(signed, self._source), depth + 1)

    def _wrapped(self, mail: Mail) -> None:
        """Add what Outlook wrapped; its body is the same as the one beside it."""
        if not self.bodies:
            self.bodies.extend(mail.bodies)
        self.attached.extend(mail.attached)

    def _leaf(self, part: Message, kind: str) -> None:
        name = mime.file_name(part)
        how = part.get_content_disposition()
        # A named text is a file, unless it is the first: some programs name the body.
        if kind in _TEXTS and how != "attachment" and not (name and self.bodies):
            self._body(part, kind)
            return
        data = mime.content(part)
        if data.startswith(SIGNATURE) and (mail := unwrapped(data)) is not None:
            self._wrapped(mail)
            return
        inline = bool(part.get("content-id")) or how == "inline"
        self.attached.append(
            Attached(name=name or mime.default_name(part), content=data, inline=inline)
        )

    def _body(self, part: Message, kind: str) -> None:
        text = mime.text(part)
        if kind == "text/html":
            self.bodies.append(Body(html=text))
            return
        if kind == "text/enriched":
            text = _TAG.sub("", text)
        plain, found = _PGP.subn("", text.replace("\r\n", "\n"))
        self.sealed = self.sealed or bool(found)
        plain = _PGP_SIGNATURE.sub("", _PGP_SIGNED.sub("", plain))
        flowed = mime.parameter(part, "format").lower() == "flowed"
        if plain.strip():
            self.bodies.append(Body(plain=plain, flowed=flowed))


def _messages(data: bytes) -> list[bytes]:
    """Return the messages of a mailbox, or the one that there is."""
    if not data.startswith(b"From "):
        return [data]
    starts = [found.start() for found in _NEXT_IN_MBOX.finditer(data)] or [0]
    ends = [*starts[1:], len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]
