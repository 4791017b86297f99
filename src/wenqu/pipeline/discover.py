"""Finds the files that a user means by a list of files and folders."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import NotFoundError
from wenqu.protocols import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wenqu.types import DocumentInfo

__all__ = ["ALWAYS_IGNORED", "discover", "is_below", "named"]

ALWAYS_IGNORED = (".*", "~$*", "__pycache__", "node_modules", "Thumbs.db", "desktop.ini")
"""Names that hold no documents of the user's."""


def discover(paths: Sequence[Path], ignore: Sequence[str] = ()) -> list[SourceFile]:
    """Return the files in ``paths``, folders searched through, each once, in a stable order.

    Links to folders are not followed: they may lead round in a circle.

    Args:
        paths: Files and folders. A file that is named is taken whatever it is called.
        ignore: Shell patterns; one with a slash is matched against the path below the folder,
            any other against each name on the way.

    Raises:
        NotFoundError: A path does not exist.
    """
    found: dict[str, SourceFile] = {}
    for given in paths:
        path = Path(os.path.abspath(given.expanduser()))  # noqa: PTH100  # keeps links as named
        if not path.exists():
            raise NotFoundError("error.path_missing", path=given)
        for file in _files(path, (*ALWAYS_IGNORED, *ignore)) if path.is_dir() else (path,):
            source = _source(file)
            found.setdefault(source, SourceFile(path=file, source=source))
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


def _files(root: Path, ignore: Sequence[str]) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _ignored(here / name, root, ignore))
        for name in sorted(files):
            path = here / name
            if path.is_file() and not _ignored(path, root, ignore):
                yield path


def _ignored(path: Path, root: Path, patterns: Sequence[str]) -> bool:
    below = path.relative_to(root).as_posix()
    return any(
        fnmatch(below if "/" in pattern else path.name, pattern.rstrip("/")) for pattern in patterns
    )
