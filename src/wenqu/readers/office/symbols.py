"""Characters that documents draw with symbol fonts, as the characters that they show.

Sources: Adobe's Symbol encoding (unicode.org, VENDORS/ADOBE/symbol.txt) and Microsoft's Wingdings,
of which only what carries meaning in text is here: ticks, boxes, arrows, bullets.
"""

from __future__ import annotations

import re

__all__ = ["raised", "symbol", "unprivate"]

_UPPER = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_LOWER = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_SYMBOL = (
    {0x41 + at: sign for at, sign in enumerate(_UPPER)}
    | {0x61 + at: sign for at, sign in enumerate(_LOWER)}
    | {
        0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2D: "−", 0x5E: "⊥", 0x7E: "∼", 0xA2: "′", 0xA3: "≤",
        0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±",
        0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂", 0xB7: "•", 0xB8: "÷", 0xB9: "≠",
        0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xC4: "⊗", 0xC5: "⊕", 0xC6: "∅", 0xC7: "∩", 0xC8: "∪",
        0xC9: "⊃", 0xCC: "⊂", 0xCD: "⊆", 0xCE: "∈", 0xCF: "∉", 0xD0: "∠", 0xD1: "∇", 0xD2: "®",
        0xD3: "©", 0xD4: "™", 0xD5: "∏", 0xD6: "√", 0xD7: "⋅", 0xD8: "¬", 0xD9: "∧", 0xDA: "∨",
        0xDB: "⇔", 0xDC: "⇐", 0xDE: "⇒", 0xE5: "∑", 0xF2: "∫",
    }
)  # fmt: skip
_WINGDINGS = {
    0x20: " ", 0x28: "☎", 0x2A: "✉", 0x4A: "☺", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑",
    0x75: "◆", 0x76: "❖", 0x77: "◆", 0x9F: "•", 0xA1: "○", 0xA7: "▪", 0xA8: "☐", 0xAB: "★",
    0xB7: "•", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔", 0xEF: "⇦",
    0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0xA3: "☐", 0x97: "•"}
_PRIVATE = re.compile("[\uf020-\uf0ff]")
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_EXPONENT = re.compile(r"[0-9+\-−=()n]{1,8}")


def symbol(font: str, code: int) -> str:
    """Return the character that ``code`` shows in a symbol font, "" where it is not known."""
    low = code & 0xFF if 0xF000 <= code <= 0xF0FF else code  # noqa: PLR2004  # the symbol area
    name = font.lower()
    if name == "symbol":
        return _SYMBOL.get(low, chr(low) if low < 0x7F else "")  # noqa: PLR2004
    if name.startswith("wingdings 2"):
        return _WINGDINGS_2.get(low, "")
    if name.startswith("wingdings"):
        return _WINGDINGS.get(low, "")
    return chr(code) if not 0xE000 <= code <= 0xF8FF and 0 < code < 0x110000 else ""  # noqa: PLR2004


def unprivate(text: str) -> str:
    """Replace characters of symbol fonts that stand in running text."""
    return _PRIVATE.sub(lambda found: symbol("wingdings", ord(found[0])), text)


def raised(text: str, *, below: bool = False) -> str:
    """Write an exponent or index in raised or lowered digits, so that 10⁶ is not 106."""
    if not _EXPONENT.fullmatch(text) or (below and "n" in text):
        return text
    return text.translate(_LOWERED if below else _RAISED)
