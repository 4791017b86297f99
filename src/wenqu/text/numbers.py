"""Numbers and dates as Chinese and English texts write them.

三十, 30, ``thirty``; 1.5万, 15,000; 百分之五十, 50%; 三分之二; 二〇二四年三月五日, 2024-03-05 and
``March 5th, 2024``. Everything is read that may be a number, 一 in 一些 too: who asks must say
what counts.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DIGITS", "ORDINALS", "WORD_SCALES", "Number", "blanked", "dates", "numbers"]

DIGITS = {c: n for n, cs in enumerate(("零〇", "一", "二两", "三", "四", "五")) for c in cs} | {
    c: n for n, c in enumerate("六七八九", 6)
}
_TENS = {"十": 10, "百": 100, "千": 1000}
_SCALES = {"万": 10**4, "亿": 10**8}
_HAN_DIGIT = "".join(DIGITS)
_ARABIC = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
_SMALL = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
    """.split()  # noqa: SIM905
_ROUND = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_WORDS = {word: number for number, word in enumerate(_SMALL)} | {
    word: 10 * number for number, word in enumerate(_ROUND, 2)
}
WORD_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_NTH = "first second third fourth fifth sixth seventh eighth ninth tenth".split()  # noqa: SIM905
ORDINALS = {word: number for number, word in enumerate(_NTH, 1)}
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR_ZH = rf"(?:\d{{2,4}}|[{_HAN_DIGIT}]{{2,4}})"
_UNIT_ZH = rf"(?:\d{{1,2}}|[{_HAN_DIGIT}十]{{1,3}})"
_DATE = re.compile(
    rf"(?:(?P<y1>{_YEAR_ZH})\s*年\s*)?(?P<m1>{_UNIT_ZH})\s*月(?:份|\s*(?P<d1>{_UNIT_ZH})\s*[日号])?"
    r"|(?<!\d)(?P<y2>[12]\d{3})(?P<sep>[-/.])(?P<m2>\d{1,2})(?P=sep)(?P<d2>\d{1,2})(?!\d)"
    r"|\b"
    + _MONTH.format("m3")
    + r"\s+(?P<d3>\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y3>[12]\d{3})\b)?"
    r"|\b(?P<d4>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?"
    + _MONTH.format("m4")
    + r"(?:,?\s+(?P<y4>[12]\d{3})\b)?"
    r"|\b" + _MONTH.format("m5") + r",?\s+(?:of\s+)?(?P<y5>[12]\d{3})\b",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    rf"(?P<low>[\d{_HAN_DIGIT}十百]+)分之(?P<high>(?:{_ARABIC})|[{_HAN_DIGIT}十百]+)"
)
_MIXED = re.compile(rf"(?:(?:{_ARABIC})\s*(?=[十百千万亿])|[{_HAN_DIGIT}十百千万亿])+|{_ARABIC}")
_DIGIT = re.compile(r"\d")
_PIECE = re.compile(rf"(?P<number>{_ARABIC})|(?P<sign>\S)")
_WORD = "|".join([*_WORDS, *WORD_SCALES, *ORDINALS])
_ENGLISH = re.compile(
    rf"(?:(?P<digits>{_ARABIC})[\s-]+(?P<scale>{'|'.join(WORD_SCALES)})\b)"
    rf"|\b(?:{_WORD})(?:(?:[\s-]+and)?[\s-]+(?:{_WORD}))*\b",
    re.IGNORECASE,
)
_UNITS_AFTER_QIAN = "米克瓦伏卡赫帕"
_MONTHS_OF_YEAR, _DAYS_OF_MONTH = 12, 31


class Number(NamedTuple):
    """A number at a place of a text; ``bare`` is its value without a scale such as 万."""

    start: int
    end: int
    value: Fraction
    bare: Fraction
    kind: Literal["digits", "han", "words"]


def numbers(text: str) -> Iterator[Number]:
    """Yield every number of a normalised text, however it is written."""
    for match in _FRACTION.finditer(text):
        low, high = _han_value(match["low"]), _han_value(match["high"])
        if low and high is not None:
            share = high if low == 100 else high / low  # noqa: PLR2004 - per cent
            yield Number(match.start(), match.end(), share, share, "digits")
            text = blanked(text, match.start(), match.end())
    for match in _ENGLISH.finditer(text):
        if match["digits"]:
            bare = _fraction(match["digits"])
            value = bare * WORD_SCALES[match["scale"].lower()]
            yield Number(match.start(), match.end(), value, bare, "digits")
            text = blanked(text, match.start(), match.end())
        else:
            said = _spoken(re.split(r"[\s-]+", match[0].lower()))
            yield Number(match.start(), match.end(), said, said, "words")
    for match in _MIXED.finditer(text):
        run, end = match[0], match.end()
        if run.endswith("千") and len(run) > 1 and text[end : end + 1] in set(_UNITS_AFTER_QIAN):
            run, end = run[:-1], end - 1  # 5千米 is five kilometres
        if (read := _han_value(run)) is not None:
            written = _arabic(run)
            kind: Literal["digits", "han"] = "digits" if _DIGIT.search(run) else "han"
            bare = read if written is None else written
            yield Number(match.start(), end, read, bare, kind)


def dates(text: str) -> Iterator[tuple[re.Match[str], tuple[int, int, int]]]:
    """Yield where dates stand in a normalised text, each with year, month and day, 0 if unsaid."""
    for match in _DATE.finditer(text):
        parts = {name[0]: value for name, value in match.groupdict().items() if value}
        year, month, day = (_part(parts.get(key, "")) for key in "ymd")
        if 1 <= month <= _MONTHS_OF_YEAR and day <= _DAYS_OF_MONTH:
            yield match, (year, month, day)


def blanked(text: str, start: int, end: int) -> str:
    """Return ``text`` with spaces in a range of it."""
    return f"{text[:start]}{' ' * (end - start)}{text[end:]}"


def _part(said: str) -> int:
    if said[:3].lower() in _MONTHS:
        return _MONTHS.index(said[:3].lower()) + 1
    value = _han_value(said) if said else None
    return 0 if value is None else int(value)


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def _arabic(run: str) -> Fraction | None:
    """Return the digits of 1.5万: None where there are none, or more than one number of them."""
    found = re.findall(_ARABIC, run)
    return _fraction(found[0]) if len(found) == 1 else None


def _han_value(run: str) -> Fraction | None:
    """Return what digits, Chinese numerals or both mean (3万5千, 二〇二四); None if nothing."""
    if len(run) > 1 and all(character in DIGITS for character in run):
        return Fraction(int("".join(str(DIGITS[character]) for character in run)))
    total = section = Fraction(0)
    number: Fraction | None = None
    for piece in _PIECE.finditer(run):
        sign = piece["sign"]
        if sign is None:
            number = _fraction(piece["number"])
        elif sign in DIGITS:
            number = Fraction(DIGITS[sign])
        elif sign in _TENS:
            section += (Fraction(1) if number is None else number) * _TENS[sign]
            number = None
        elif sign in _SCALES:
            whole = section + (number or 0)
            total += (whole or (1 if total == 0 else 0)) * _SCALES[sign]
            section, number = Fraction(0), None
        else:
            return None
    return total + section + (number or 0) if run else None


def _spoken(words: Iterable[str]) -> Fraction:
    total = section = 0
    for word in words:
        if word in WORD_SCALES:
            scale = WORD_SCALES[word]
            if scale == 100:  # noqa: PLR2004
                section = (section or 1) * scale
            else:
                total += (section or 1) * scale
                section = 0
        else:
            section += _WORDS.get(word, ORDINALS.get(word, 0))
    return Fraction(total + section)
