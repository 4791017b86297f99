"""Brings together the files that a user means by paths, pages and repositories."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wenqu.errors import SourceError
from wenqu.pipeline.discover import discover, is_below
from wenqu.protocols import MissedFile, SourceFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

__all__ = ["Repositories", "Web", "gather", "is_meant"]


class Web(Protocol):
    """Fetches pages."""

    def takes(self, target: str) -> bool:
        """Say whether ``target`` names a page."""

    def files(self, target: str) -> AsyncGenerator[SourceFile | MissedFile, None]:
        """Yield the page, and those that it is to be followed to, as files."""


class Repositories(Protocol):
    """Fetches git repositories."""

    def takes(self, target: str) -> bool:
        """Say whether ``target`` names a repository."""

    def root(self, target: str) -> str:
        """Return what the sources of its files begin with, without a final slash."""

    def copy(self, target: str) -> AbstractAsyncContextManager[tuple[Path, Sequence[Path]]]:
        """Give a copy's folder, and what in it holds the documents, until the context ends.

        Raises:
            SourceError: It could not be fetched.
        """


async def gather(
    targets: Sequence[str],
    *,
    ignore: Sequence[str],
    web: Web,
    repositories: Repositories,
    on_found: Callable[[int], None],
) -> AsyncGenerator[SourceFile | MissedFile, None]:
    """Return the files of all targets; a fetched one is there until the next is asked for.

    Args:
        targets: Paths, pages and repositories.
        ignore: Patterns of files to leave out; see ``discover``.
        web: Fetches pages.
        repositories: Fetches repositories.
        on_found: Told how many files more are coming, as soon as that is known.

    Raises:
        NotFoundError: A path does not exist.
    """
    remote = {target for target in targets if repositories.takes(target) or web.takes(target)}
    paths = [Path(target) for target in targets if target not in remote]
    here = await asyncio.to_thread(discover, paths, ignore)
    on_found(len(here))
    fetched = [
        _checked_out(target, ignore, repositories, on_found)
        if repositories.takes(target)
        else _counted(web.files(target), on_found)
        for target in dict.fromkeys(targets)
        if target in remote
    ]
    return _all(here, fetched)


async def _all(
    here: Sequence[SourceFile | MissedFile],
    fetched: Sequence[AsyncGenerator[SourceFile | MissedFile, None]],
) -> AsyncGenerator[SourceFile | MissedFile, None]:
    for file in here:
        yield file
    for files in fetched:
        async with aclosing(files):
            async for one in files:
                yield one


def is_meant(source: str, target: str, web: Web, repositories: Repositories) -> bool:
    """Say whether a stored source would be found again through ``target``, were it still there.

    Pages are never taken for gone: what a crawl reaches depends on more than their being there.
    """
    if repositories.takes(target):
        return source.startswith(repositories.root(target) + "/")
    return not web.takes(target) and is_below(source, Path(target))


async def _counted(
    files: AsyncGenerator[SourceFile | MissedFile, None], on_found: Callable[[int], None]
) -> AsyncGenerator[SourceFile | MissedFile, None]:
    async with aclosing(files):
        async for file in files:
            on_found(1)
            yield file


async def _checked_out(
    target: str,
    ignore: Sequence[str],
    repositories: Repositories,
    on_found: Callable[[int], None],
) -> AsyncGenerator[SourceFile | MissedFile, None]:
    root = repositories.root(target)
    try:
        async with repositories.copy(target) as (folder, wanted):
            files = await asyncio.to_thread(discover, wanted, ignore)
            on_found(len(files))
            for file in files:
                if isinstance(file, MissedFile):
                    yield file
                    continue
                below = file.path.relative_to(folder).as_posix()
                yield SourceFile(path=file.path, source=f"{root}/{below}")
    except SourceError as error:
        on_found(1)
        yield MissedFile(source=root, error=error)
