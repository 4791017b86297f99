"""Keeps lists of ids in a query short enough for every database."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["batched"]

T = TypeVar("T")


def batched(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Yield the items in order, ``size`` at a time (itertools has this from Python 3.12 on).

    500 ids fit every database: SQLite's limit is 32,766 variables, 999 in old builds.
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
