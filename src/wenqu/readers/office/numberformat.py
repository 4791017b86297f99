"""Numbers of a spreadsheet as its reader sees them: the cell's value through its format code.

Dates that a format writes in digits alone come out as ISO 8601, since ``1/2/08`` is read in three
ways; those with names of months or 年 月 日 are written as the format says. Colours, widths and
calendars other than the Gregorian are left out.
Source: ECMA-376-1:2016, 18.8.30 and 18.8.31 (numFmts).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache

__all__ = ["BUILT_IN", "display", "is_date"]

BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00",
    5: '"$"#,##0_);("$"#,##0)', 6: '"$"#,##0_);("$"#,##0)',
    7: '"$"#,##0.00_);("$"#,##0.00)', 8: '"$"#,##0.00_);("$"#,##0.00)',
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd hh:mm",
    27: 'yyyy"年"m"月"', 28: 'm"月"d"日"', 29: 'm"月"d"日"', 30: "yyyy-mm-dd",
    31: 'yyyy"年"m"月"d"日"', 32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"',
    34: 'AM/PMh"时"mm"分"', 35: 'AM/PMh"时"mm"分"ss"秒"', 36: 'yyyy"年"m"月"',
    37: "#,##0_);(#,##0)", 38: "#,##0_);(#,##0)", 39: "#,##0.00_);(#,##0.00)",
    40: "#,##0.00_);(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0",
    49: "@", 50: 'yyyy"年"m"月"', 51: 'm"月"d"日"', 52: 'yyyy"年"m"月"', 53: 'm"月"d"日"',
    54: 'm"月"d"日"', 55: 'AM/PMh"时"mm"分"', 56: 'AM/PMh"时"mm"分"ss"秒"',
    57: 'yyyy"年"m"月"', 58: 'm"月"d"日"',
}  # fmt: skip
"""Format codes that files refer to by number alone. 14, 22 and 30 follow the reader's system."""

_TOKEN = re.compile(
    r'"[^"]*"?|\\.|_.|\*.|\[[^\]]*\]'
    r"|General|AM/PM|am/pm|A/P|a/p|上午/下午|e[+-]0+|E[+-][0#?]+"
    r"|[yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?|[aA]{3,4}|e+|g+|b+|[0#?]+|.",
    re.DOTALL,
)
_DATE_TOKEN = re.compile(r"\A(?:[yY]+|[mM]+|[dD]+|[hH]+|[sS]+(?:\.0+)?|[aA]{3,4}|e+)\Z")
_ELAPSED = re.compile(r"\A\[(h+|m+|s+)\]\Z", re.IGNORECASE)
_CONDITION = re.compile(r"\A\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]\Z")
_CURRENCY = re.compile(r"\A\[\$([^\]-]*)(?:-[^\]]*)?\]\Z")
_NOON = {"am/pm", "a/p", "上午/下午"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS = "一二三四五六日"
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # dates in cells have no zone
_FIRST_OF_MARCH_1900 = 61  # before it, day numbers count a 29 February 1900 that never was
_DAYS_1904 = 1462
_LAST_DAY = 2958466  # 1 January 10000
_GENERAL_WIDTH = 12
_GENERAL_DIGITS = 10
_WHOLE = 1e15
_HUGE = 1e21
_HALF_UP = 1 + 1e-15
_PLACEHOLDERS = "0#?"
_DIGITS = "0#?.,"
_SHORT_YEAR = 2
_MONTH_NAME = 3
_MONTH_LETTER = 5


@dataclass(frozen=True, slots=True)
class _Section:
    tokens: tuple[str, ...]
    condition: tuple[str, float] | None
    date: bool


def display(value: float, code: str, *, since_1904: bool = False) -> str:
    """Return ``value`` as a cell of format ``code`` shows it; a broken code counts for none.

    Args:
        value: The number in the cell; of a date, days since 1900 began.
        code: The format code, with up to four sections.
        since_1904: Whether the workbook counts days from 1904.
    """
    section, negative = _choose(_sections(code), value)
    if section is None or "General" in section.tokens or not section.tokens:
        return _general(value)
    if not math.isfinite(value) or abs(value) >= _HUGE:
        return _general(value)
    if section.date:
        return _date(value + (_DAYS_1904 if since_1904 else 0), section.tokens)
    shown = abs(value) if negative else value
    return _number(shown, section.tokens).strip() or _general(value)


def is_date(code: str) -> bool:
    """Say whether a format code shows dates or times."""
    sections = _sections(code)
    return bool(sections) and sections[0].date


@lru_cache(maxsize=512)
def _sections(code: str) -> tuple[_Section, ...]:
    parts: list[list[str]] = [[]]
    conditions: list[tuple[str, float] | None] = [None]
    for token in _TOKEN.findall(code[:1000]):
        if token == ";":  # noqa: S105  # a sign of the format
            parts.append([])
            conditions.append(None)
        elif (found := _CONDITION.match(token)) is not None:
            conditions[-1] = (found[1], float(found[2]) if found[2].count(".") < 2 else 0.0)  # noqa: PLR2004
        else:
            parts[-1].append(token)
    return tuple(
        _Section(tuple(part), condition, _has_date(part))
        for part, condition in zip(parts[:4], conditions, strict=False)
    )


def _has_date(tokens: list[str]) -> bool:
    if "General" in tokens or any(token[0] in "0#" for token in tokens):
        # Fractions of seconds are in the token of the seconds.
        return False
    return any(_DATE_TOKEN.match(token) or _ELAPSED.match(token) for token in tokens)


def _choose(sections: tuple[_Section, ...], value: float) -> tuple[_Section | None, bool]:
    """Return the section for a value, and whether it writes the sign itself."""
    if any(section.condition for section in sections):
        for at, section in enumerate(sections[:3]):
            if section.condition is None or _holds(section.condition, value):
                return section, value < 0 and at > 0 and section.condition is not None
        return None, False
    if value < 0 and len(sections) > 1:
        return sections[1], True
    if value == 0 and len(sections) > 2:  # noqa: PLR2004
        return sections[2], False
    return (sections[0], False) if sections else (None, False)


def _holds(condition: tuple[str, float], value: float) -> bool:
    sign, limit = condition
    return {
        "<": value < limit,
        ">": value > limit,
        "=": value == limit,
        "<=": value <= limit,
        ">=": value >= limit,
        "<>": value != limit,
    }[sign]


def _general(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < _WHOLE:
        return str(int(value))
    text = f"{value:.15g}"
    if len(text) > _GENERAL_WIDTH:
        text = f"{value:.{_GENERAL_DIGITS}g}"
    return text.replace("e", "E")


def _literal(token: str) -> str | None:
    """Return what a token writes as it stands; None for one that stands for digits."""
    first = token[0]
    if first == '"':
        return token.strip('"')
    if first == "\\":
        return token[1:]
    if first in "_*":
        return " " if first == "_" else ""
    if first == "[":
        currency = _CURRENCY.match(token)
        return currency[1] if currency else ""
    return None


def _date(day: float, tokens: tuple[str, ...]) -> str:
    if not 0 <= day < _LAST_DAY:
        return _general(day)
    units = [_elapsed_unit(token) or token for token in tokens if _literal_date(token) is None]
    if _all_digits(tokens):
        return _iso(day, units)
    parts: list[str] = []
    moment = _moment(day, units)
    for at, token in enumerate(tokens):
        written = _literal_date(token)
        parts.append(_date_part(tokens, at, day, moment) if written is None else written)
    return "".join(parts).strip()


def _literal_date(token: str) -> str | None:
    return None if _ELAPSED.match(token) else _literal(token)


def _elapsed_unit(token: str) -> str | None:
    found = _ELAPSED.match(token)
    return found[1] if found else None


def _all_digits(tokens: tuple[str, ...]) -> bool:
    """Say whether a date is written as digits and separators: then ISO says it without doubt."""
    kinds = {token[0].lower() for token in tokens if _DATE_TOKEN.match(token)}
    if not {"y", "d"} <= kinds:
        return False
    for at, token in enumerate(tokens):
        written = _literal_date(token)
        if written is not None and written.strip(" /.-,:"):
            return False
        if token[0] in "mM" and len(token) >= _MONTH_NAME and not _is_minute(tokens, at):
            return False
        if token[0] in "dDaA" and len(token) >= _MONTH_NAME and _DATE_TOKEN.match(token):
            return False
    return True


def _iso(day: float, units: list[str]) -> str:
    moment = _moment(day, units)
    text = f"{moment:%Y-%m-%d}"
    if any(unit[0] in "hH" for unit in units):
        text += f" {moment:%H:%M}"
        if any(unit[0] in "sS" for unit in units):
            text += f":{moment:%S}"
    return text


def _moment(day: float, units: list[str]) -> datetime:
    """Return the moment, rounded to the least unit that is shown."""
    whole = math.floor(day)
    seconds = (day - whole) * 86400
    digits = max((len(unit.partition(".")[2]) for unit in units if unit[0] in "sS"), default=0)
    seconds = round(seconds, min(digits, 6))
    if day < _FIRST_OF_MARCH_1900:
        whole += 1
    return _EPOCH + timedelta(days=whole, seconds=seconds)


def _is_minute(tokens: tuple[str, ...], at: int) -> bool:
    """Say whether an ``m`` is minutes: it follows hours, or seconds follow it."""
    if len(tokens[at]) > 2:  # noqa: PLR2004
        return False
    units = [
        (place, (_elapsed_unit(token) or token)[0].lower())
        for place, token in enumerate(tokens)
        if _DATE_TOKEN.match(token) or _ELAPSED.match(token)
    ]
    order = [place for place, _ in units]
    here = order.index(at)
    before = units[here - 1][1] if here else ""
    after = units[here + 1][1] if here + 1 < len(units) else ""
    return before == "h" or after == "s"


def _date_part(tokens: tuple[str, ...], at: int, day: float, moment: datetime) -> str:
    token = tokens[at]
    if (unit := _elapsed_unit(token)) is not None:
        factor = {"h": 24, "m": 1440, "s": 86400}[unit[0].lower()]
        # Rounded first: an hour is not quite a 24th of a day in binary.
        return str(math.floor(round(day * 86400) / (86400 // factor))).zfill(len(unit))
    if token.lower() in _NOON:
        return _noon(token, moment)
    if not _DATE_TOKEN.match(token):
        return token
    kind, length = token[0].lower(), len(token)
    if kind == "s":
        return _second(token, moment)
    if kind != "h" and not (kind == "m" and _is_minute(tokens, at)):
        return _day_part(kind, length, moment)
    half = any(other.lower() in _NOON for other in tokens)
    hour = (moment.hour - 1) % 12 + 1 if half else moment.hour
    return str(hour if kind == "h" else moment.minute).zfill(min(length, 2))


def _noon(token: str, moment: datetime) -> str:
    morning, evening = token.split("/")
    return morning if moment.hour < 12 else evening  # noqa: PLR2004  # noon


def _second(token: str, moment: datetime) -> str:
    plain, _, fraction = token.partition(".")
    text = str(moment.second).zfill(min(len(plain), 2))
    return f"{text}.{moment.microsecond:06d}"[: len(text) + 1 + len(fraction)] if fraction else text


def _day_part(kind: str, length: int, moment: datetime) -> str:
    if kind in "ye":
        short = kind == "y" and length <= _SHORT_YEAR
        return f"{moment.year % 100:02d}" if short else str(moment.year)
    if kind == "a":
        return ("星期" if length > _MONTH_NAME else "") + _WEEKDAYS[moment.weekday()]
    number, names = (moment.month, _MONTHS) if kind == "m" else (moment.day, _DAYS)
    if length < _MONTH_NAME:
        return str(number).zfill(length)
    name = names[number - 1] if kind == "m" else names[moment.weekday()]
    if length == _MONTH_LETTER and kind == "m":
        return name[0]
    return name[:_MONTH_NAME] if length == _MONTH_NAME else name


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a section writes a number: what stands around the digits, and which digits."""

    before: str
    after: str
    percents: int
    scale: int
    decimals: int
    needed: int
    whole: int
    thousands: bool
    power: str
    inner: tuple[str, ...]


def _number(value: float, tokens: tuple[str, ...]) -> str:
    """Write a number: digits go where the placeholders are, all else stays where it stands."""
    if "/" in tokens and any(token.startswith("?") or token.isdecimal() for token in tokens):
        return _fraction(value, tokens)
    plan = _plan(tokens)
    if plan is None:
        sign = "-" if value < 0 else ""
        return sign + "".join(map(_plain, tokens)).replace("@", _general(abs(value)))
    digits = _digits(abs(value), plan)
    # What rounds to nothing has no sign.
    minus = "-" if value < 0 and any(digit in digits for digit in "123456789") else ""
    return f"{minus}{plan.before}{digits}{plan.after}"


@lru_cache(maxsize=512)
def _plan(tokens: tuple[str, ...]) -> _Plan | None:
    places = [at for at, token in enumerate(tokens) if token[0] in _PLACEHOLDERS]
    if not places:
        return None
    first, last = places[0], places[-1]
    inner = tokens[first : last + 1]
    core = "".join(token for token in inner if token[0] in _DIGITS)
    while last + 1 < len(tokens) and tokens[last + 1] == ",":
        core, last = core + ",", last + 1
    stem = core.rstrip(",")
    whole, _, decimals = stem.partition(".")
    decimals = decimals.replace(",", "")
    power = next((token for token in tokens if token[:2] in {"E+", "E-"}), "")
    return _Plan(
        before="".join(map(_plain, tokens[:first])).lstrip(),
        after="".join(_plain(token) for token in tokens[last + 1 :] if token != power).rstrip(),
        percents=tokens.count("%"),
        scale=len(core) - len(stem),
        decimals=min(len(decimals), 30),
        needed=len(decimals.rstrip("#?")),
        whole=whole.count("0"),
        thousands="," in whole,
        power=power,
        inner=inner if any(token[0] not in _DIGITS for token in inner) else (),
    )


def _digits(value: float, plan: _Plan) -> str:
    # Halves go up, as they do where decimals are rounded: in binary 2.675 lies below its half.
    value *= 100.0**plan.percents / 1000.0**plan.scale * _HALF_UP
    if plan.power:
        mantissa, _, exponent = f"{value:.{plan.decimals}E}".partition("E")
        size = int(exponent)
        sign = "-" if size < 0 else ("+" if plan.power[1] == "+" else "")
        return f"{mantissa}E{sign}{abs(size):0{len(plan.power) - 2}d}"
    integer, _, part = f"{value:.{plan.decimals}f}".partition(".")
    while len(part) > plan.needed and part.endswith("0"):
        part = part[:-1]
    integer = integer.lstrip("0").zfill(plan.whole)
    if plan.inner:
        return _interleaved(integer, part, plan.inner)
    if plan.thousands and len(integer) > 3:  # noqa: PLR2004
        integer = f"{int(integer):0{len(integer) + (len(integer) - 1) // 3},d}"
    return f"{integer}.{part}" if part else integer or "0"


def _interleaved(integer: str, part: str, tokens: tuple[str, ...]) -> str:
    """Write digits with literals among them, as in ``000-00-0000``: filled from the right."""
    at = tokens.index(".") if "." in tokens else len(tokens)
    placed = [place for place, token in enumerate(tokens[:at]) if token[0] in _PLACEHOLDERS]
    written = ""
    for place in range(at - 1, -1, -1):
        if place not in placed:
            written = _plain(tokens[place]) + written
            continue
        cut = max(len(integer) - len(tokens[place]), 0) if place != placed[0] else 0
        written, integer = integer[cut:] + written, integer[:cut]
    after = "".join(_plain(token) for token in tokens[at + 1 :] if token[0] not in _PLACEHOLDERS)
    return f"{written}.{part}{after}" if part else written + after


def _plain(token: str) -> str:
    literal = _literal(token)
    return token if literal is None else literal


def _fraction(value: float, tokens: tuple[str, ...]) -> str:
    at = tokens.index("/")
    below = tokens[at + 1] if at + 1 < len(tokens) else "?"
    exact = Fraction(value).limit_denominator(10**12)
    whole, rest = divmod(abs(exact), 1)
    if not any(token[0] in "#0" for token in tokens[: max(at - 1, 0)]):
        whole, rest = 0, abs(exact)
    if below.isdecimal() and int(below):
        part = f"{round(rest * int(below))}/{int(below)}" if rest else ""
    else:
        near = rest.limit_denominator(10 ** min(len(below), 4) - 1)
        whole, part = (whole + 1, "") if near == 1 else (whole, str(near) if near else "")
    sign = "-" if value < 0 else ""
    return sign + (" ".join(filter(None, (str(whole) if whole else "", part))) or "0")
