"""Codecs of the code pages that old formats name by number, those of the old Macintosh too.

Source: Code Page Identifiers, Microsoft Learn.
"""

from __future__ import annotations

import codecs

__all__ = ["codec"]

# Where the name is not the number; what Chinese files call GBK may hold all of GB18030.
_CODECS = {
    936: "gb18030", 1200: "utf-16-le", 10000: "mac_roman", 10001: "cp932", 10002: "big5",
    10003: "cp949", 10006: "mac_greek", 10007: "mac_cyrillic", 10008: "gb18030",
    10010: "mac_romanian", 10017: "mac_cyrillic", 10029: "mac_latin2", 10079: "mac_iceland",
    10081: "mac_turkish", 10082: "mac_croatian", 20936: "gb18030", 54936: "gb18030",
    65001: "utf-8",
}  # fmt: skip


def codec(code_page: int | None) -> str:
    """Return the codec of a code page, Western where it is not known."""
    name = _CODECS.get(code_page or 0, f"cp{code_page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return "cp1252"
    return name
