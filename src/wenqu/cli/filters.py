"""Options that narrow a search to some documents, the same for every command that searches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import system_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.options import SearchFilter

__all__ = [
    "FolderOption",
    "SinceOption",
    "SourceOption",
    "TagOption",
    "TitleOption",
    "UntilOption",
    "search_filter",
]

SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help=system_text("cli.filter.source"))
]
FolderOption = Annotated[
    list[str] | None, typer.Option("--folder", help=system_text("cli.filter.folder"))
]
TitleOption = Annotated[
    list[str] | None, typer.Option("--title", help=system_text("cli.filter.title"))
]
TagOption = Annotated[list[str] | None, typer.Option("--tag", help=system_text("cli.filter.tag"))]
SinceOption = Annotated[
    str | None, typer.Option("--since", help=system_text("cli.filter.since"), show_default=False)
]
UntilOption = Annotated[
    str | None, typer.Option("--until", help=system_text("cli.filter.until"), show_default=False)
]


def search_filter(
    *,
    source: Sequence[str] | None = None,
    folder: Sequence[str] | None = None,
    title: Sequence[str] | None = None,
    tag: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> SearchFilter:
    """Return the filter that the options ask for.

    A folder is meant as the shell means it: from the current one on. An address stays as it is.
    """
    from wenqu.options import SearchFilter

    return SearchFilter(
        sources=tuple(source or ()),
        folders=tuple(one if "://" in one else str(Path(one).absolute()) for one in folder or ()),
        titles=tuple(title or ()),
        tags=tuple(tag or ()),
        since=since,
        until=until,
    )
