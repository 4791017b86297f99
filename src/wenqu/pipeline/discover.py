"""Finds the files that a user means by a list of files and folders."""

from __future__ import annotations

import os
from errno import EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR
from fnmatch import fnmatch
from pathlib import Path
from stat import S_IFREG, S_ISREG
from typing import TYPE_CHECKING

from wenqu.errors import NotFoundError, ReadError
from wenqu.protocols import MissedFile, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wenqu.types import DocumentInfo

__all__ = ["ALWAYS_IGNORED", "discover", "is_below", "named"]

ALWAYS_IGNORED = (".*", "~$*", "__pycache__", "node_modules", "Thumbs.db", "desktop.ini")
"""Names that hold no documents of the user's."""

_NOT_THERE = frozenset({ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EINVAL})


def discover(paths: Sequence[Path], ignore: Sequence[str] = ()) -> list[SourceFile | MissedFile]:
    """Return the files in ``paths``, folders searched through, each once, in a stable order.

    Links to folders are not followed: they may lead round in a circle. A folder that cannot be
    looked into is among them as missed: what it holds is not gone.

    Args:
        paths: Files and folders. A file that is named is taken whatever it is called.
        ignore: Shell patterns; one with a slash is matched against the path below the folder,
            any other against each name on the way.

    Raises:
        NotFoundError: A path does not exist.
    """
    found: dict[str, SourceFile | MissedFile] = {}
    for given in paths:
        path = Path(os.path.abspath(given.expanduser()))  # noqa: PTH100  # keeps links as named
        if _mode(path) is None:
            raise NotFoundError("error.path_missing", path=given)
        closed: list[OSError] = []
        for file in _files(path, (*ALWAYS_IGNORED, *ignore), closed.append):
            source = _source(file)
            found.setdefault(source, SourceFile(path=file, source=source))
        for error in closed:
            source = _source(error.filename)
            missed = ReadError("read.access", source=source, reason=error.strerror or error)
            found.setdefault(source, MissedFile(source=source, error=missed))
    return list(found.values())


def is_below(source: str, folder: Path) -> bool:
    """Say whether ``source`` is a path inside ``folder``."""
    absolute = os.path.abspath(folder.expanduser())  # noqa: PTH100  # as in discover
    return source.startswith(_source(os.path.join(absolute, "")))  # noqa: PTH118  # with final slash


def named(name: str, documents: Sequence[DocumentInfo]) -> DocumentInfo:
    """Return the document that ``name`` means: an id, a source, or the end of one source.

    Raises:
        NotFoundError: None or more than one is meant.
    """
    for document in documents:
        if name in {document.id, document.source}:
            return document
    tail = "/" + name.removeprefix("./")
    meant = [document for document in documents if document.source.endswith(tail)]
    if len(meant) != 1:
        raise NotFoundError("error.document_missing", name=name)
    return meant[0]


def _source(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files(
    root: Path, ignore: Sequence[str], on_closed: Callable[[OSError], None]
) -> Iterator[Path]:
    if not os.path.isdir(root):  # noqa: PTH112  # Path.is_dir raises where it may not look
        yield root
        return
    for folder, folders, files in os.walk(root, onerror=on_closed):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _ignored(here / name, root, ignore))
        for name in sorted(files):
            path = here / name
            if not _ignored(path, root, ignore) and S_ISREG(_mode(path) or 0):
                yield path


def _mode(path: Path) -> int | None:
    """Return the mode of a file, None where there is none.

    One that may not be looked at is taken for a file, so that reading it tells the reason.
    """
    try:
        return path.stat().st_mode
    except OSError as error:
        return None if error.errno in _NOT_THERE else S_IFREG


def _ignored(path: Path, root: Path, patterns: Sequence[str]) -> bool:
    below = path.relative_to(root).as_posix()
    return any(
        fnmatch(below if "/" in pattern else path.name, pattern.rstrip("/")) for pattern in patterns
    )
