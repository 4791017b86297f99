"""Moments as they leave the database."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["iso_utc"]


def iso_utc(moment: datetime) -> str:
    """Return a moment in ISO 8601, in UTC, to the second; SQLite gives it without its zone."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="seconds")
