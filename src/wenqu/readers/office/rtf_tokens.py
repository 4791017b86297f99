"""RTF as a stream of tokens: control words, groups, and text in the encoding of its font.

Source: Rich Text Format Specification 1.9.1, Microsoft, 2008.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CHARSETS", "Decoder", "Token", "tokens"]

_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,40})(-?\d{1,10})?[ ]?|\\'([0-9A-Fa-f]{2})|\\([^A-Za-z'])|([{}])"
    rb"|([^\\{}\r\n]+)|[\r\n]+|\\'?"
)
CHARSETS = {
    77: "mac_roman", 78: "cp932", 79: "cp949", 80: "gb18030", 81: "big5", 85: "mac_greek",
    86: "mac_turkish", 88: "mac_latin2", 89: "mac_cyrillic", 128: "cp932", 129: "cp949",
    134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
"""Codecs by the number of a font's character set."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token: ``kind`` is "word", "byte", "sign", "{", "}", "text" or "data"."""

    kind: str
    word: str = ""
    number: int | None = None
    data: bytes = b""


_OPEN, _CLOSE = Token("{"), Token("}")


def tokens(data: bytes) -> Iterator[Token]:
    """Yield the tokens of a file; what is no RTF is text."""
    at = 0
    while at < len(data):
        found = _TOKEN.match(data, at)
        if found is None:  # a lone backslash at the end
            return
        at = found.end()
        word, number, code, sign, brace, text = found.groups()
        if text is not None:
            yield Token("text", data=text)
        elif word is not None:
            value = int(number) if number is not None else None
            if word == b"bin":
                size = max(value or 0, 0)
                yield Token("data", data=data[at : at + size])
                at += size
            else:
                yield Token("word", word.decode("ascii"), value)
        elif code is not None:
            yield Token("byte", data=bytes.fromhex(code.decode("ascii")))
        elif brace is not None:
            yield _OPEN if brace == b"{" else _CLOSE
        elif sign is not None:
            yield Token("sign", sign.decode("latin-1"))


class Decoder:
    """Joins bytes into characters: a character of two bytes may be two tokens.

    Args:
        default: The codec of the document.
    """

    def __init__(self, default: str = "cp1252") -> None:
        self.default = default
        self._bytes = bytearray()
        self._codec = default

    def feed(self, data: bytes, name: str | None) -> str:
        """Add bytes of a font's codec (None: the document's); return the text before them."""
        told = name or self.default
        done = self.flush() if self._bytes and told != self._codec else ""
        self._codec = told
        self._bytes += data
        return done

    def flush(self) -> str:
        """Return the text of the bytes that wait."""
        if not self._bytes:
            return ""
        data = bytes(self._bytes)
        self._bytes.clear()
        try:
            return data.decode(self._codec)
        except UnicodeDecodeError:
            # Western text in a document of another code page, or a broken character.
            other = "cp1252" if self._codec == self.default != "cp1252" else self._codec
            return data.decode(other if _is_western(data) else self._codec, "replace")


def _is_western(data: bytes) -> bool:
    """Say whether high bytes stand alone, as accented letters do."""
    return re.search(rb"[\x80-\xff]{2}", data) is None
