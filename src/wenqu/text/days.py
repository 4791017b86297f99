"""Dates as people and file formats write them, as the days that they may mean."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date
from email.utils import parsedate_to_datetime
from typing import NamedTuple

__all__ = ["Days", "days_of"]

_GIVEN = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
_NUMBERS = re.compile(
    r"(?<!\d)(?P<year>[12]\d{3})"
    r"(?:\s*[-/.年]\s*(?P<month>\d{1,2})(?:\s*[-/.月]\s*(?P<day>\d{1,2}))?)?(?!\d)"
)
_COMPACT = re.compile(r"(?<!\d)(?P<year>[12]\d{3})(?P<month>[01]\d)(?P<day>[0-3]\d)(?=\D|\d{6}|$)")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[12]\d{3})\b"
_WORDS = (
    re.compile(rf"\b{_MONTH}\s+{_DAY}\s*,?\s+{_YEAR}", re.IGNORECASE),
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}", re.IGNORECASE),
    re.compile(rf"\b{_MONTH},?\s+{_YEAR}", re.IGNORECASE),
)


class Days(NamedTuple):
    """The first and the last day that a date may mean; ``2024-02`` means all of a month."""

    first: str
    last: str


def days_of(text: str, *, exact: bool = False) -> Days | None:
    """Return the days, as ``2024-03-05``, that a date means; None where it is none.

    Args:
        text: A date, maybe with a time behind it. Which of 03/04/2024 is the month nobody knows,
            so that is none.
        exact: Whether only ``2024``, ``2024-03`` and ``2024-03-05`` are dates.
    """
    text = text.strip()
    if exact:
        return _days(*text.split("-")) if _GIVEN.fullmatch(text) else None
    if found := _COMPACT.match(text) or _NUMBERS.match(text) or _said(text):
        parts = found.groupdict()
        return _days(parts["year"], parts.get("month"), parts.get("day"))
    try:
        return _days(*parsedate_to_datetime(text).date().isoformat().split("-"))
    except ValueError:
        return None


def _said(text: str) -> re.Match[str] | None:
    return next((found for pattern in _WORDS if (found := pattern.search(text))), None)


def _days(year: str, month: str | None = None, day: str | None = None) -> Days | None:
    try:
        if month is None:
            return Days(f"{int(year):04}-01-01", f"{int(year):04}-12-31")
        number = int(month) if month.isdigit() else _MONTHS.index(month.lower()) + 1
        last = monthrange(int(year), number)[1] if 1 <= number <= 12 else 0  # noqa: PLR2004
        first = date(int(year), number, int(day) if day else 1)
        return Days(first.isoformat(), (first if day else first.replace(day=last)).isoformat())
    except ValueError:
        return None
