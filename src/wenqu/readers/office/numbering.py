"""Automatic numbers of word processors: the 第十二条 or 1.2.3 that is nowhere in a file's text.

Counters and number formats are the same idea in Word's two formats, RTF and OpenDocument; a reader
maps its own names to those of WordprocessingML (ISO/IEC 29500-1, ST_NumberFormat).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["BULLET_FORMAT", "Counters", "Level", "number"]

BULLET_FORMAT = "bullet"

_DIGITS = "零一二三四五六七八九"
_FORMAL_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_UNITS = ("", "十", "百", "千")
_FORMAL_UNITS = ("", "拾", "佰", "仟")
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
_MAX_NUMBER = 9999
_MAX_REPEAT = 10
_CHINESE = frozenset(
    {"chineseCounting", "chineseCountingThousand", "japaneseCounting", "taiwaneseCounting",
     "taiwaneseCountingThousand", "ideographEnclosedCircle", "koreanCounting"}
)  # fmt: skip
_FORMAL = frozenset(
    {"chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal", "koreanLegal"}
)
_DIGITWISE = frozenset(
    {"ideographDigital", "japaneseDigitalTenThousand", "taiwaneseDigital", "koreanDigital2"}
)
# Signs of Unicode that are numbers 1–20: ① ⑴ ⒈.
_SIGNS = {
    "decimalEnclosedCircle": 0x2460,
    "decimalEnclosedCircleChinese": 0x2460,
    "decimalEnclosedParen": 0x2474,
    "decimalEnclosedFullstop": 0x2488,
}
_SIGN_COUNT = 20
_PLACE = re.compile(r"%([1-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How one level of a list is numbered.

    ``text`` holds ``%1`` to ``%9`` for the numbers of the levels. ``legal`` writes all of them in
    Arabic digits. ``restart`` is the level (from 0) that this one begins anew below, None for any.
    """

    format: str = "decimal"
    text: str = "%1."
    start: int = 1
    legal: bool = False
    restarts: bool = True


@dataclass(slots=True)
class Counters:
    """Where each list of a document has got to."""

    _at: dict[Hashable, dict[int, int]] = field(default_factory=dict)

    def restart(self, counted: Hashable, depth: int, start: int) -> None:
        """Let the next item of ``depth`` be number ``start``."""
        self._at.setdefault(counted, {})[depth] = start - 1

    def label(self, counted: Hashable, depth: int, levels: Mapping[int, Level]) -> str:
        """Count one item and return what stands before it, "" for nothing.

        Args:
            counted: What shares a count: a list, or an abstract list that others are made of.
            depth: The item's level, from 0.
            levels: How each level is numbered.
        """
        level = levels.get(depth)
        if level is None:
            return ""
        at = self._at.setdefault(counted, {})
        at[depth] = at.get(depth, level.start - 1) + 1
        for upper in range(depth):  # a level that was left out counts as begun
            at.setdefault(upper, levels[upper].start if upper in levels else 1)
        for deeper in [other for other in at if other > depth]:
            if deeper not in levels or levels[deeper].restarts:
                del at[deeper]
        if level.format == BULLET_FORMAT:
            return "-"

        def written(place: re.Match[str]) -> str:
            other = int(place[1]) - 1
            known = levels.get(other, Level())
            return number(at.get(other, known.start), "decimal" if level.legal else known.format)

        return _PLACE.sub(written, level.text).strip()


def number(value: int, name: str) -> str:  # noqa: PLR0911  # one line a family of formats
    """Write a number in a format of WordprocessingML; an unknown one is written in digits."""
    if name == "none":
        return ""
    if not 0 < value <= _MAX_NUMBER:
        return str(value)
    if name in {"upperRoman", "lowerRoman"}:
        return _roman(value) if name == "upperRoman" else _roman(value).lower()
    if name in {"upperLetter", "lowerLetter"}:
        return _repeated(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if name[0] == "u"
                         else "abcdefghijklmnopqrstuvwxyz")  # fmt: skip
    if name in _CHINESE or name in _FORMAL:
        return _chinese(value, formal=name in _FORMAL)
    if name in _DIGITWISE:
        return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(value))
    if name in {"ideographTraditional", "ideographZodiac"}:
        return _repeated(value, _STEMS if name == "ideographTraditional" else _BRANCHES)
    if name in _SIGNS and value <= _SIGN_COUNT:
        return chr(_SIGNS[name] + value - 1)
    return f"{value:02d}" if name == "decimalZero" else str(value)


def _roman(value: int) -> str:
    text = ""
    for worth, letters in _ROMAN:
        count, value = divmod(value, worth)
        text += letters * count
    return text


def _repeated(value: int, signs: str) -> str:
    """Count as Word does beyond the last sign: A … Z, AA, BB."""
    times, at = divmod(value - 1, len(signs))
    return signs[at] * min(times + 1, _MAX_REPEAT)


def _chinese(value: int, *, formal: bool) -> str:
    digits, units = (_FORMAL_DIGITS, _FORMAL_UNITS) if formal else (_DIGITS, _UNITS)
    text = ""
    figures = str(value)
    for place, figure in enumerate(figures):
        unit = units[len(figures) - 1 - place]
        if figure != "0":
            text += digits[int(figure)] + unit
        elif text and not text.endswith("零"):
            text += "零"
    text = text.rstrip("零")
    # Ten to nineteen are said without their one: 十二.
    return text[1:] if not formal and text.startswith("一十") else text
