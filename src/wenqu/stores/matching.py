"""Which documents a ``SearchFilter`` lets through."""

from __future__ import annotations

import fnmatch
import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from wenqu.errors import InputError
from wenqu.text.days import Days, days_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from wenqu.options import SearchFilter

__all__ = ["Described", "Names", "described", "given_days", "matching", "own_tags"]

_DATES = ("date", "modified", "updated", "lastmod", "published", "created")
"""Keys of a document's meta that may hold its date, the one that is meant most first."""
_TAGS = ("tags", "keywords")
_BETWEEN_TAGS = re.compile(r"[,;，；、\n\[\]]+")


class Names(NamedTuple):
    """What documents are called, in one order: ids, sources, and titles without case."""

    ids: Sequence[str]
    sources: Sequence[str]
    titles: Sequence[str]


class Described(NamedTuple):
    """What documents say of themselves: ids by tag, without case, and days by id."""

    tags: Mapping[str, Collection[str]]
    days: Mapping[str, Days]


def described(metas: Iterable[tuple[str, Mapping[str, str]]]) -> Described:
    """Return what documents say of themselves in their meta, given with their ids."""
    tags: dict[str, set[str]] = {}
    days: dict[str, Days] = {}
    # In a large base most dates and tags are there many times, and reading one takes a while.
    read_days = cache(days_of)
    read_tags = cache(lambda text: [tag.casefold() for tag in _split(text)])
    for document_id, meta in metas:
        for key in _TAGS:
            if key in meta:
                for tag in read_tags(meta[key]):
                    tags.setdefault(tag, set()).add(document_id)
        for key in _DATES:
            if key in meta and (found := read_days(meta[key])):
                days[document_id] = found
                break
    return Described(tags, days)


def own_tags(meta: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tags and keywords that a document gives itself, each once, in its order."""
    return tuple(dict.fromkeys(tag for key in _TAGS for tag in _split(meta.get(key, ""))))


def matching(
    where: SearchFilter, names: Names, own: Described, tagged: Mapping[str, Collection[str]]
) -> frozenset[str]:
    """Return the ids of the documents that ``where`` lets through.

    Args:
        where: The conditions.
        names: What the documents are called.
        own: What they say of themselves; looked at only for tags and dates.
        tagged: The tags that users gave, by document id.

    Raises:
        InputError: A date is none.
    """
    found: Iterable[int] = range(len(names.ids))
    if where.folders:
        folders = tuple(folder.rstrip("/") + "/" for folder in where.folders)
        found = [row for row in found if f"{names.sources[row]}/".startswith(folders)]
    if where.titles:
        parts = [title.casefold() for title in where.titles]
        found = [row for row in found if any(part in names.titles[row] for part in parts)]
    if where.sources:
        patterns = re.compile("|".join(_patterns(where.sources)))
        found = [row for row in found if patterns.match(names.sources[row])]
    ids = frozenset(names.ids[row] for row in found)
    if where.tags:
        ids &= _tagged(where.tags, own, tagged)
    if days := given_days(where):
        ids &= {
            one
            for one, its in own.days.items()
            if its.last >= days.first and its.first <= days.last
        }
    return ids


def given_days(where: SearchFilter) -> Days | None:
    """Return the days that ``where`` asks for, None where it does not ask for any.

    Raises:
        InputError: A date is none.
    """
    if where.since is None and where.until is None:
        return None
    first = _given(where.since).first if where.since is not None else ""
    return Days(first, _given(where.until).last if where.until is not None else "~")


def _tagged(
    wanted: Iterable[str], own: Described, tagged: Mapping[str, Collection[str]]
) -> set[str]:
    folded = {tag.strip().casefold() for tag in wanted}
    found = {one for one, tags in tagged.items() if any(tag.casefold() in folded for tag in tags)}
    return found.union(*(own.tags.get(tag, ()) for tag in folded))


def _split(text: str) -> list[str]:
    return [tag for part in _BETWEEN_TAGS.split(text) if (tag := part.strip(" \t\"'#"))]


def _patterns(sources: Iterable[str]) -> Iterable[str]:
    for source in sources:
        yield fnmatch.translate(source)
        yield fnmatch.translate(f"*/{source}")


def _given(text: str) -> Days:
    days = days_of(text, exact=True)
    if days is None:
        raise InputError("error.filter_date", date=text)
    return days
