"""Bodies of Outlook's messages: RTF in a compression of its own, with HTML wrapped inside.

Sources: [MS-OXRTFCP] 2.1.3 (compression), [MS-OXRTFEX] 2.2 (HTML encapsulated in RTF).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from wenqu.readers.mail.mime import codec

__all__ = ["decompress", "html_of"]

_HEADER = struct.Struct("<IIII")
_COMPRESSED = 0x75465A4C  # "LZFu"
_PLAIN = 0x414C454D  # "MELA"
# What the window begins with. Source: [MS-OXRTFCP] 2.1.2.1.
_WINDOW = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW_SIZE = 4096

_TOKEN = re.compile(
    rb"\\'([0-9A-Fa-f]{2})|\\([A-Za-z]{1,32})(-?\d{1,10})? ?|\\(.)|([{}])|([^\\{}\r\n]+)|[\r\n]|"
    rb"\\\Z",
    re.DOTALL,
)
_FROM_HTML = re.compile(rb"\\fromhtml1?\b")
_ANSI_PAGE = re.compile(rb"\\ansicpg(\d{1,6})")
_FONT = re.compile(rb"\\f(\d{1,5})\b[^{}]*?\\fcharset(\d{1,3})")
_HEAD_BYTES = 16384  # the font table comes first
# Code pages of Windows' font charsets. Source: [MS-RTF] \fcharset.
_CHARSETS = {
    77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250,
}  # fmt: skip
_SILENT = frozenset({"fonttbl", "colortbl", "stylesheet", "info", "pict", "mhtmltag", "pntext"})
_CHARACTERS = {
    "par": "\n", "line": "\n", "tab": "\t", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "endash": "–", "emdash": "—", "enspace": "\u2002",
    "emspace": "\u2003",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\xad", b"\\": "\\", b"{": "{", b"}": "}"}
_MAX_DEPTH = 1000


def decompress(data: bytes) -> bytes:
    """Return the RTF in a compressed body; what is cut off ends early."""
    if len(data) < _HEADER.size:
        return b""
    _, raw_size, kind, _ = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if kind == _PLAIN:
        return body[:raw_size]
    return _unpacked(body, raw_size) if kind == _COMPRESSED else b""


def _unpacked(body: bytes, raw_size: int) -> bytes:
    window = bytearray(_WINDOW.ljust(_WINDOW_SIZE, b" "))
    write, at = len(_WINDOW), 0
    out = bytearray()
    while at < len(body) and len(out) < raw_size:
        control = body[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 2 > len(body):
                    return bytes(out)
                token = body[at] << 8 | body[at + 1]
                at += 2
                offset, length = token >> 4, (token & 0xF) + 2
                if offset == write:  # the end
                    return bytes(out[:raw_size])
            else:
                if at >= len(body):
                    return bytes(out)
                window[write] = body[at]
                offset, length = write, 1
                at += 1
            for step in range(length):
                byte = window[(offset + step) % _WINDOW_SIZE]
                window[write] = byte
                out.append(byte)
                write = (write + 1) % _WINDOW_SIZE
    return bytes(out[:raw_size])


def html_of(rtf: bytes) -> str:
    """Return the HTML that RTF was made from, "" where it was not made from HTML."""
    if not _FROM_HTML.search(rtf[:_HEAD_BYTES]):
        return ""
    return _Unwrapping(rtf).html()


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a group of RTF changes for itself alone."""

    silent: bool = False  # a destination that is not text
    rtf_only: bool = False  # between \htmlrtf and \htmlrtf0
    codec: str = "cp1252"
    skip: int = 1  # characters that stand in for one \u


class _Unwrapping:
    """One pass over encapsulating RTF: keeps the HTML tags and the text between them."""

    def __init__(self, rtf: bytes) -> None:
        self._rtf = rtf
        head = rtf[:_HEAD_BYTES]
        page = _ANSI_PAGE.search(head)
        self._codec = (codec(int(page[1])) if page else "") or "cp1252"
        self._fonts = {
            int(font): codec(_CHARSETS[int(charset)])
            for font, charset in _FONT.findall(head)
            if int(charset) in _CHARSETS
        }
        self._state = _State(codec=self._codec)
        self._above: list[_State] = []
        self._bytes = bytearray()
        self._bytes_codec = self._codec
        self._out: list[str] = []
        self._to_skip = 0
        self._starred = False

    def html(self) -> str:
        """Return the HTML."""
        for token in _TOKEN.finditer(self._rtf):
            coded, word, number, symbol, brace, run = token.groups()
            if brace:
                self._group(brace)
            elif word:
                self._word(word.decode("ascii"), int(number) if number else None)
            elif symbol:
                self._symbol(symbol)
            elif coded or run:
                self._literal(bytes.fromhex(coded.decode("ascii")) if coded else run)
        self._flush()
        return "".join(self._out)

    def _group(self, brace: bytes) -> None:
        self._to_skip = 0
        if brace == b"{" and len(self._above) < _MAX_DEPTH:
            self._above.append(self._state)
        elif brace == b"}" and self._above:
            self._state = self._above.pop()

    def _word(self, word: str, number: int | None) -> None:
        starred, self._starred = self._starred, False
        if word == "htmltag" or word in _SILENT or starred:
            silent = word != "htmltag" or self._state.silent
            self._state = replace(self._state, silent=silent, rtf_only=False)
        elif word == "htmlrtf":
            self._state = replace(self._state, rtf_only=number != 0)
        elif word == "f":
            name = self._fonts.get(number or 0) or self._codec
            self._state = replace(self._state, codec=name)
        elif word == "uc":
            self._state = replace(self._state, skip=number or 0)
        elif word == "u" and number is not None:
            self._character(chr(number % 0x10000))
            self._to_skip = self._state.skip
        elif word in _CHARACTERS:
            self._character(_CHARACTERS[word])

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif symbol in _SYMBOLS:
            self._character(_SYMBOLS[symbol])
        elif symbol in b"\r\n":
            self._character("\n")

    def _literal(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if self._state.silent or self._state.rtf_only:
            return
        if self._state.codec != self._bytes_codec:
            self._flush()
            self._bytes_codec = self._state.codec
        self._bytes += data  # the second half of a character may look like ASCII

    def _character(self, text: str) -> None:
        if self._state.silent or self._state.rtf_only:
            return
        self._flush()
        self._out.append(text)

    def _flush(self) -> None:
        if self._bytes:
            self._out.append(self._bytes.decode(self._bytes_codec, "replace"))
            self._bytes.clear()
