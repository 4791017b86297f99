"""What is printed above and below the cells of a sheet, told once a workbook.

Source: ECMA-376-1:2016, 18.3.1.46 (the codes), [MS-XLS] 2.4.136, [MS-XLSB] 2.4.66.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wenqu.readers.builder import collapse
from wenqu.readers.office.prose import Paragraph, margins

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SheetMargins", "sections"]

_SECTION = re.compile(r"&[LCR]")
# Font, colour and size, what moves with the page (number, date, file, sheet), how text looks; a
# doubled mark is a mark.
_CODE = re.compile(
    r'&"[^"]*"|&K(?:[0-9A-Fa-f]{6}|\d\d[+-]\d{3})|&\d{1,3}|&[PN](?:[+-]\d+)?|&([A-Za-z&])'
)


class SheetMargins:
    """Keeps in mind which headers and footers were told: those of most sheets are the same."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def new(self, texts: Iterable[str]) -> str:
        """Return what of these says something and was not told, a line each; "" for nothing."""
        parts = margins(texts, self._told)
        found = [part.text for part in parts if isinstance(part, Paragraph)]
        self._told += found
        return "\n".join(found)


def sections(code: str) -> list[str]:
    """Return the texts left, in the middle and right of a header or footer of Excel."""
    parts = _SECTION.split(code.replace("&&", "&\0"))
    plain = (_CODE.sub(_said, part.replace("&\0", "&&")) for part in parts)
    return [text for part in plain if (text := collapse(part))]


def _said(code: re.Match[str]) -> str:
    if code[1] == "&":
        return "&"
    return " " if code[1] in {"D", "T", "F", "Z", "A", "G"} or code[0][1] in "PN" else ""
