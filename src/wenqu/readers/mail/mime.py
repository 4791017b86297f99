"""MIME as it is found: broken headers, missing and wrong charsets, names in three encodings.

The standard library parses the structure; what its headers and bodies mean is decided here, since
half of all Chinese mail declares GB2312 and writes GBK, or declares nothing at all.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import email
import email.message
import mimetypes
import quopri
import re
from email.policy import Compat32
from email.utils import parsedate_to_datetime, unquote
from typing import TYPE_CHECKING, Any

from wenqu.errors import ReadError
from wenqu.readers.encoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from email.message import Message

__all__ = [
    "children",
    "codec",
    "content",
    "date",
    "default_name",
    "field_names",
    "file_name",
    "header",
    "html_text",
    "inner_message",
    "parameter",
    "parse",
    "parts",
    "text",
    "to_text",
]

_FIELD = re.compile(rb"([!-9;-~]{1,60})[ \t]*:")
_UNIX_FROM = re.compile(rb"\A>?From [^\r\n]*\r?\n")
# Also without the blanks that should part them, and with a language (RFC 2231 §5).
_ENCODED_WORD = re.compile(r"=\?([\w.:+-]+)(?:\*[\w-]*)?\?([BbQq])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?[\w.:+-]+(?:\*[\w-]*)?\?[BbQq]\?)")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]*")
_PAGE = re.compile(r"(?:x-)?(?:windows|cp|ms|ibm|dos)[-_]?(\d{3,5})")
# Labels that mean more than they say (WHATWG Encoding Standard §4.2), or are not Python's.
_LABELS = {
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030",
    "cn-gb": "gb18030", "euc-cn": "gb18030", "gb2312_charset": "gb18030", "chinesebig5": "cp950",
    "hz-gb-2312": "hz", "big5": "big5hkscs", "cn-big5": "big5hkscs", "x-x-big5": "big5hkscs",
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949", "euc-kr": "cp949",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext", "unicode-1-1-utf-7": "utf-7", "unicode": "utf-16",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "ansi": "cp1252", "iso-8859-8-i": "iso8859_8",
    "iso-8859-9": "cp1254", "x-mac-roman": "mac_roman", "macintosh": "mac_roman",
}  # fmt: skip
# Code pages by number whose codec is not called after it. Source: [MS-UCODEREF] 2.2.1.
_PAGES = {
    936: "gb18030", 950: "cp950", 1200: "utf-16-le", 1201: "utf-16-be", 10000: "mac_roman",
    20127: "ascii", 20866: "koi8_r", 20932: "euc_jp", 20936: "gb18030", 21866: "koi8_u",
    28591: "cp1252", 50220: "iso2022_jp_ext", 50221: "iso2022_jp_ext", 50222: "iso2022_jp_ext",
    50225: "iso2022_kr", 51932: "euc_jp", 51936: "gb18030", 51949: "cp949", 52936: "hz",
    54936: "gb18030", 65000: "utf-7", 65001: "utf-8",
}  # fmt: skip
_NAMES_NOTHING = frozenset({"ascii", "us-ascii", "cp1252", "x-unknown", "unknown-8bit", "default"})
# Characters of a header that are read; the library's time grows with the square of parameters.
_LONGEST, _LONGEST_STRUCTURED = 100_000, 8_000
_ESCAPE = b"\x1b$"  # opens a Japanese run of ISO-2022-JP
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


class _Tolerant(Compat32):
    """A parser's policy under which a header is always text, whatever its bytes are."""

    mangle_from_ = False
    hint = ""  # the charset of headers that do not say theirs

    def __init__(self, hint: str = "") -> None:
        values: dict[str, Any] = {"hint": hint}  # its stub knows no attributes but its own
        super().__init__(**values)

    def header_fetch_parse(self, name: str, value: str) -> str:
        longest = _LONGEST_STRUCTURED if name.lower().startswith("content-") else _LONGEST
        return _unescaped(value[:longest], self.hint)


_POLICY = _Tolerant()


def field_names(head: bytes) -> list[str]:
    """Return the names of the header fields that ``head`` begins with, in lower case."""
    names: list[str] = []
    head = _UNIX_FROM.sub(b"", _as_bytes(head).lstrip())
    for line in head.splitlines():
        found = _FIELD.match(line)
        if found:
            names.append(found[1].decode("ascii").lower())
        elif line[:1] not in (b" ", b"\t") or not names:
            break
    return names


def parse(data: bytes, source: str) -> Message:
    """Return the message in ``data``.

    Raises:
        ReadError: It cannot be told apart into parts.
    """
    try:
        message: Message = email.message_from_bytes(
            _as_bytes(data).lstrip(), email.message.Message, policy=_POLICY
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = f"MIME: {str(error) or type(error).__name__}"
        raise ReadError("read.damaged", source=source, reason=reason) from error
    policy = _Tolerant(_first_charset(message))
    for part in parts(message):
        part.policy = policy
    return message


def _first_charset(message: Message) -> str:
    """Return the first charset that a part declares and that says something, or ""."""
    for part in parts(message):
        name = codec(parameter(part, "charset"))
        if name and name not in _NAMES_NOTHING:
            return name
    return ""


def header(message: Message, name: str) -> str:
    """Return a header field as text, "" where there is none; encoded words are decoded."""
    value = message.get(name)
    return _words(str(value), _hint_of(message)) if value is not None else ""


def date(message: Message) -> datetime | None:
    """Return when a message was sent, or None."""
    try:
        return parsedate_to_datetime(header(message, "date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parameter(part: Message, name: str, of: str = "content-type") -> str:
    """Return a parameter of a header field as text, "" where there is none (RFC 2231)."""
    try:
        value = part.get_param(name, header=of)
    except (ValueError, LookupError, TypeError):  # a broken continuation
        return ""
    if isinstance(value, tuple):
        charset, _, raw = value
        return to_text((raw or "").encode("latin-1", "replace"), charset or _hint_of(part))
    return _words(unquote(value), _hint_of(part)) if value else ""


def file_name(part: Message) -> str:
    """Return the name of a part that is a file, with a suffix; "" where it has no name."""
    name = parameter(part, "filename", "content-disposition") or parameter(part, "name")
    name = re.split(r"[\\/]", name.strip())[-1]
    if name and not _SUFFIX.search(name):
        name += mimetypes.guess_extension(part.get_content_type()) or ""
    return name


def children(part: Message) -> list[Message]:
    """Return the parts of a part; a message inside a message is its only part."""
    if not part.is_multipart():
        return []  # its payload would be decoded to be looked at
    return [child for child in part.get_payload() if not isinstance(child, str)]


def parts(message: Message) -> Iterator[Message]:
    """Yield a message and its parts in order; ``walk`` would recurse."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(children(part)))


def default_name(part: Message) -> str:
    """Return a name for a part that has none, after its kind."""
    kind = part.get_content_type()
    return kind.replace("/", ".") if kind.count("/") == 1 else "file"


def content(part: Message) -> bytes:
    """Return what a part holds, its transfer encoding undone as far as it can be."""
    if inner := children(part):
        return b"".join(child.as_bytes() for child in inner)
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        data = None
    return data if isinstance(data, bytes) else b""


def inner_message(part: Message, source: str) -> Message | None:
    """Return the message inside a ``message/rfc822`` part.

    RFC 2046 forbids encoding it as a whole, and some writers do.
    """
    inner = next(iter(children(part)), None)
    how = str(part.get("content-transfer-encoding", "")).strip().lower()
    if inner is None or how not in {"base64", "quoted-printable"} or inner.get("from"):
        return inner
    whole = inner.as_bytes().strip()
    try:
        data = base64.b64decode(whole) if how == "base64" else quopri.decodestring(whole)
    except binascii.Error:
        return inner
    return parse(data, source)


def text(part: Message) -> str:
    """Return a text part as text."""
    data, label = content(part), parameter(part, "charset")
    if part.get_content_subtype() in {"html", "xhtml+xml"}:
        return html_text(data, label, _hint_of(part))
    return to_text(data, label, _hint_of(part))


def html_text(data: bytes, label: str = "", otherwise: str = "") -> str:
    """Return HTML as text; what it declares of itself is heard where its message is mute."""
    if not label:
        try:
            return decode(data, "", declared=True)[0]
        except ReadError:
            pass
    return to_text(data, label, otherwise)


def to_text(data: bytes, label: str = "", otherwise: str = "") -> str:
    """Return bytes as text, whatever it takes.

    Args:
        data: A header or a body.
        label: The charset it is said to be in; believed where the bytes agree.
        otherwise: What its neighbours are in.
    """
    if data.isascii() and _ESCAPE not in data and not label.lower().startswith(("utf", "hz")):
        return data.decode("ascii")
    told = codec(label)
    candidates = [told if told not in _NAMES_NOTHING else "", "utf-8", codec(otherwise)]
    if _ESCAPE in data:
        candidates.insert(0, "iso2022_jp_ext")
    for name in filter(None, candidates):
        try:
            return data.decode(name)
        except ValueError:
            continue
    if told and told not in _NAMES_NOTHING and _nearly(data, told):
        return data.decode(told, "replace")
    try:
        return decode(data, "")[0]
    except ReadError:
        return data.decode(told or codec(otherwise) or "cp1252", "replace")


def codec(label: str | int | None) -> str:
    """Return Python's codec for a charset's label or a code page's number, or ""."""
    if isinstance(label, int):
        name = _PAGES.get(label, f"cp{label}")
    else:
        found = _LABEL.search((label or "").lower())
        name = found[0] if found else ""
        if page := _PAGE.fullmatch(name):
            return codec(int(page[1]))
        name = _LABELS.get(name, name)
    try:
        b"".decode(name or "-")  # LookupError also for codecs that are not of text
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""


def _as_bytes(data: bytes) -> bytes:
    """Return mail that was saved as UTF-16 or with a byte order mark as plain UTF-8."""
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _hint_of(part: Message) -> str:
    return part.policy.hint if isinstance(part.policy, _Tolerant) else ""


def _unescaped(value: str, otherwise: str) -> str:
    """Return a raw header, unfolded, its bytes beyond ASCII decoded."""
    value = "".join(value.splitlines())
    if value.isascii() and "\x1b" not in value:
        return value
    return to_text(value.encode("utf-8", "surrogateescape"), "", otherwise)


def _words(value: str, otherwise: str) -> str:
    """Decode the encoded words in a header's text.

    Neighbours in one charset are decoded as one: many writers cut in mid-character.
    """
    value = _BETWEEN_WORDS.sub("", value)
    pieces: list[str] = []
    held, label, end = b"", "", 0
    for found in _ENCODED_WORD.finditer(value):
        between = value[end : found.start()]
        if held and (between or found[1].lower() != label):
            pieces.append(to_text(held, label, otherwise))
            held = b""
        pieces.append(between)
        held += _word(found[2], found[3])
        label, end = found[1].lower(), found.end()
    if held:
        pieces.append(to_text(held, label, otherwise))
    return " ".join("".join([*pieces, value[end:]]).split())


def _word(encoding: str, coded: str) -> bytes:
    raw = coded.encode("utf-8", "surrogateescape")
    if encoding in "Qq":
        return quopri.decodestring(raw.replace(b"_", b"=20"))
    raw = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    if len(raw) % 4 == 1:  # cut off; one character of base64 carries no byte
        raw = raw[:-1]
    return base64.b64decode(raw + b"=" * (-len(raw) % 4))


def _nearly(data: bytes, name: str) -> bool:
    """Say whether few bytes are wrong in that encoding."""
    broken = data.decode(name, "replace").count("\ufffd")
    return broken * 50 <= len(data)
