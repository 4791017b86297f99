"""By what a question leans on its conversation."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Leaning"]


class Leaning(StrEnum):
    """By what a question leans on its conversation."""

    REFERENCE = "reference"
    ELLIPSIS = "ellipsis"
    MISSING = "missing"
    COMPARISON = "comparison"
    PERHAPS = "perhaps"
    """Short, and about something that has no name: what is meant may have been said before."""
