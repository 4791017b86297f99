"""Two forms of a text: ``normalize`` is what is stored and quoted, ``fold`` is what is matched.

Quotes must be what the document says, so ``normalize`` changes nothing that a reader can see except
odd spaces; full-width letters, ① and ㎡ stay. ``fold`` may change every character and the length of
the text: its result is compared, never shown.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fold", "normalize", "simplified", "storable"]

_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028]")
_PARAGRAPH_END = "\u2029"
_SURROGATE = re.compile("[\ud800-\udfff]")

# What is not seen but read by a model: control characters, zero-width and bidirectional marks, soft
# hyphens, invisible operators, variation selectors and the tag characters that can carry a whole
# hidden prompt. None of them is part of what a document says in Chinese or English.
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
    "\u00ad\u034f\u061c\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff"
    "]+"
)
# Joiners shape letters in Arabic and Indic scripts and join emoji; elsewhere they only hide.
_JOINER = re.compile(
    "(?<![\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u2600-\u27bf\U0001f000-\U0001faff])"
    "[\u200c\u200d]+"
)
_ODD_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0]")
_BLANK_LINES = re.compile("\n{4,}")
_IGNORED_IN_MATCHING = re.compile("[\u200c\u200d]+")


def normalize(text: str) -> str:
    """Return ``text`` as it is stored: NFC, line feeds as line ends, nothing hidden, idempotent.

    Removed: control characters but tab and line feed, zero-width and bidirectional marks, variation
    selectors, tag characters. Every odd space becomes one space, a line's trailing spaces and more
    than two blank lines in a row go, as do blank lines at both ends. A surrogate without its pair
    becomes U+FFFD. Letters, digits and punctuation stay as written, full-width ones too.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _LINE_END.sub("\n", text).replace(_PARAGRAPH_END, "\n\n")
    text = _JOINER.sub("", _INVISIBLE.sub("", text))
    text = _ODD_SPACE.sub(" ", unicodedata.normalize("NFC", text))
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n\n", text).strip("\n")


def fold(text: str) -> str:
    """Return ``text`` as it is matched: NFKC, no case, half width, 繁體 as 简体; idempotent.

    Source: Unicode 17, D147 (compatibility caseless match), then OpenCC's TSCharacters:
    character by character, its first simplified form.
    """
    if text.isascii():
        return text.lower()
    text = _IGNORED_IN_MATCHING.sub("", _INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold())
    text = unicodedata.normalize("NFKC", text.casefold())
    return text.translate(simplified())


@cache
def simplified() -> Mapping[int, str]:
    """Return traditional code point → simplified character, for ``str.translate`` (6 ms once)."""
    lines = files("opencc").joinpath("dictionary/TSCharacters.txt").read_text("utf-8").splitlines()
    pairs = (line.split() for line in lines if line)
    table = {ord(first): second[0] for first, *second in pairs if first != second[0]}
    # A few simplified forms are simplified again: follow them to the end.
    return {first: table.get(ord(second), second) for first, second in table.items()}


def storable(text: str) -> str:
    """Return ``text`` with halves of surrogate pairs, which UTF-8 cannot hold, as question marks.

    A command line that is not UTF-8 brings them in; a database takes none.
    """
    return text.encode("utf-8", "replace").decode()
