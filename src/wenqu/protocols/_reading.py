"""Readers: bytes of a file become a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wenqu.errors import WenquError
    from wenqu.types import (
        Document,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of a file before it is read: enough to choose its reader.

    ``head`` is its first 4 KiB. ``container`` says what a ZIP or OLE file holds, by its members and
    not by its name ("docx", "xls", "zip", …; see ``readers.detect``), and is "" for any other file.
    """

    name: str
    head: bytes
    container: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to be added: where it lies now, and the name it is known by.

    ``source`` is an absolute path, a URL, or the path of an archive followed by that of a member.
    Bytes of a path that are not UTF-8 are written in it by their numbers.
    """

    path: Path
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedFile:
    """A file that was meant, but could not be had."""

    source: str
    error: WenquError


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files are to be read.

    ``passwords`` are tried in order on an encrypted file. ``ocr`` says whether pages without usable
    text are recognised, and ``ocr_weights`` where the weights for it are, if they are here. A
    document of more than ``max_characters`` is refused. ``nesting`` is how deep files inside files
    are read. ``alive`` is called after each part that may take long, such as a recognised page:
    the clock of the time limit then begins anew.
    """

    passwords: tuple[str, ...] = field(default=(), repr=False)
    ocr: bool = True
    ocr_weights: Path | None = None
    max_characters: int = 20_000_000
    nesting: int = 3
    max_members: int = 10_000
    max_unpacked_mb: int = 2000
    alive: Callable[[], None] = field(default=_nothing, repr=False, compare=False)


DEFAULT_OPTIONS = ReadOptions()


class Reader(Protocol):
    """Turns the bytes of one format family into a document."""

    @property
    def name(self) -> str:
        """Name and version: a document is read again when it changes."""

    def accepts(self, sample: Sample) -> bool:
        """Say whether this reader takes such a file: by its content first, by its name last."""

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the document in ``data``.

        Raises:
            ReadError: The bytes are not what they seem, ask for a password, hold no text, or more
                of it than allowed.
        """
