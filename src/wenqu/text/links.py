"""Takes out of an answer what a page would fetch or run without being asked.

A Markdown image is fetched as soon as it is shown, and its address can carry the question away: the
usual end of an injection. An answer rests on its evidence, so an address that stands in none of it
is either made up or put together by order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LinkFilter"]

_LONGEST = 600
_OMITTED = "…"
_ADDRESS_END = r"[^\s<>\"'`，。；：！？、（）【】《》“”]"
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^\[\]\n]*)\]\(\s*(?P<target>[^()\s]*(?:\([^()\s]*\))?[^()\s]*)[^()\n]*\)"
    rf"|(?P<bare>(?:\b[a-zA-Z][a-zA-Z0-9+.-]{{1,20}}://|\bwww\.|\b(?:javascript|data|vbscript):(?=\S)){_ADDRESS_END}+)"
    r"|(?P<tag><(?=/?(?:a|img|script|style|link|iframe|object|embed|form|input|button|svg|video|audio"
    r"|source|base|meta|body|html|picture|image)\b))",
    re.IGNORECASE,
)
# What may still become one of these: an open bracket, a bracket that has just been closed, a tag
# that has only begun, or the last word.
_OPEN = re.compile(
    r"!?\[[^\[\]\n]*(?:\](?:\([^()\n]*(?:\([^()\n]*)?)?)?\Z|!\Z|<[^<>\s]*\Z|[!-~]+\Z"
)
_TRAILING = ".,;:!?)]}>*_"
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


class LinkFilter:
    """Passes an answer on without images, and without addresses that its evidence does not have.

    An image becomes its description, a link its text, a bare address an ellipsis; a tag of HTML
    that loads or runs something is shown instead of used (``‹img …``), but for code. Text is held
    back only while it may become one of these, so pieces may be cut anywhere.

    Args:
        known: Texts whose addresses may be repeated: the evidence and the question.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = "\n".join(known)
        self._held = ""
        self._line = ""
        self._fenced = False
        self.removed = 0

    def feed(self, piece: str) -> str:
        """Return what may be shown now."""
        self._held += piece
        whole = [link.end() for link in _LINK.finditer(self._held) if link["target"] is not None]
        match = _OPEN.search(self._held, whole[-1] if whole else 0)
        cut = match.start() if match else len(self._held)
        if len(self._held) - cut > _LONGEST:
            cut = len(self._held)
        released, self._held = self._held[:cut], self._held[cut:]
        return self._clean(released)

    def finish(self) -> str:
        """Return what was held back, when nothing follows."""
        released, self._held = self._held, ""
        return self._clean(released)

    def _clean(self, text: str) -> str:
        pieces: list[str] = []
        position = 0
        for match in _LINK.finditer(text):
            self._pass(text[position : match.start()], pieces)
            pieces.append(self._instead(match))
            position = match.end()
        self._pass(text[position:], pieces)
        return "".join(pieces)

    def _pass(self, text: str, pieces: list[str]) -> None:
        pieces.append(text)
        before, _, after = text.rpartition("\n")
        if "\n" in text:
            fences = len(_FENCE.findall(f"{self._line}{before}\n"))
            self._fenced ^= fences % 2 == 1
            self._line = ""
        self._line += after

    def _instead(self, match: re.Match[str]) -> str:
        if match["tag"]:
            return match[0] if self._in_code() else "‹"
        if match["bare"]:
            address = match["bare"].rstrip(_TRAILING)
            if address in self._known:
                return match[0]
            self.removed += 1
            return _OMITTED + match["bare"][len(address) :]
        target = match["target"]
        known = bool(target) and target in self._known
        if known and not match["image"]:
            return match[0]
        self.removed += 1
        described = match["text"].strip()
        return f"{described} ({target})".strip() if known else described

    def _in_code(self) -> bool:
        opens = _FENCE.match(self._line) is not None
        return self._fenced or opens or self._line.count("`") % 2 == 1
