"""Archives as folders: their members are written out, to be read as documents of their own.

This runs in the worker process, where a damaged archive costs nothing but itself. Names and sizes
in an archive are only claims: no member is written outside the folder, nothing but plain files is
written, and the bytes are counted as they come.
"""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.readers.encoding import decode
from wenqu.readers.zipaes import is_aes, open_aes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wenqu.protocols import ReadOptions, Sample

__all__ = ["Member", "is_archive", "unpack"]

_MB = 1 << 20
_PIECE = 1 << 16
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_TAR_AT, _TAR = 257, b"ustar"
_IGNORED = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an archive: its name in it, and its file; or why there is none."""

    name: str
    path: Path | None = None
    error: ReadError | None = None


def is_archive(sample: Sample) -> bool:
    """Say whether a file that no reader takes is an archive of files."""
    head = sample.head
    if sample.container == "zip":
        return True
    return head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR or head.startswith((_GZIP, _BZIP2, _XZ))


def unpack(path: Path, source: str, into: Path, options: ReadOptions) -> list[Member]:
    """Write the members of an archive into a folder, each in a folder of its own number.

    Args:
        path: The archive: ZIP, or TAR plain or compressed.
        source: Named by errors.
        into: An empty folder.
        options: Passwords, and what all members together may come to.

    Raises:
        ReadError: It is damaged, has more members than allowed, or unpacks to more bytes.
    """
    budget = _Budget(source, options.max_unpacked_mb * _MB)
    try:
        with ExitStack() as stack:
            members = _members(path, source, options, stack)
            return [_written(one, into, number, budget) for number, one in enumerate(members)]
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise ReadError("read.damaged", source=source, reason=reason) from error


@dataclass(slots=True)
class _Budget:
    source: str
    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ReadError("read.archive_large", source=self.source)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    ways: tuple[Callable[[], IO[bytes]], ...]  # one a password; none where a password is missing


def _written(entry: _Entry, into: Path, number: int, budget: _Budget) -> Member:
    name = entry.name
    if not entry.ways:
        return Member(name=name, error=ReadError("read.encrypted", source=name))
    # Under its own last name, by which readers tell formats; in a folder that no other member has.
    folder = into / str(number)
    folder.mkdir()
    path = folder / _file_name(name)
    failures = []
    for way in entry.ways:
        error = _copied(way, path, name, budget)
        if error is None:
            return Member(name=name, path=path)
        failures.append(error)
    path.unlink(missing_ok=True)
    # One of 256 wrong passwords looks right until the end, so damage only counts if nothing else.
    wrong = next((error for error in failures if error.key == "read.password"), None)
    return Member(name=name, error=wrong or failures[-1])


def _copied(
    way: Callable[[], IO[bytes]], path: Path, name: str, budget: _Budget
) -> ReadError | None:
    try:
        with way() as packed, path.open("wb") as file:
            while piece := packed.read(_PIECE):
                budget.take(len(piece))
                file.write(piece)
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        return ReadError("read.damaged", source=name, reason=reason)
    except RuntimeError:  # zipfile: the password is wrong
        return ReadError("read.password", source=name)
    return None


def _members(path: Path, source: str, options: ReadOptions, stack: ExitStack) -> Iterator[_Entry]:
    if zipfile.is_zipfile(path):
        archive = stack.enter_context(zipfile.ZipFile(path))
        infos: Sequence[zipfile.ZipInfo] = archive.infolist()
        entries = (_zip_entry(archive, info, options) for info in infos if not info.is_dir())
    else:
        tar = stack.enter_context(tarfile.open(path, "r:*", errorlevel=2))  # noqa: SIM115
        entries = (_tar_entry(tar, info) for info in tar if info.isreg())
    wanted = 0
    for entry in entries:
        if _IGNORED.intersection(entry.name.split("/")):
            continue
        wanted += 1
        if wanted > options.max_members:
            raise ReadError("read.archive_members", source=source, limit=options.max_members)
        yield entry


def _tar_entry(tar: tarfile.TarFile, info: tarfile.TarInfo) -> _Entry:
    def opened() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise EOFError(info.name)
        return file

    return _Entry(_safe_name(info.name), (opened,))


def _zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, options: ReadOptions) -> _Entry:
    name = _safe_name(_zip_name(info))
    if not info.flag_bits & _ENCRYPTED_FLAG:
        return _Entry(name, (lambda: archive.open(info),))

    def opened(password: bytes) -> IO[bytes]:
        if is_aes(info) and archive.fp is not None:
            return open_aes(archive.fp, info, password)
        return archive.open(info, pwd=password)

    # Programs on a Chinese Windows encode a password as they do names.
    spelled = (one.encode(code) for one in options.passwords for code in ("utf-8", "gb18030"))
    return _Entry(name, tuple(partial(opened, one) for one in dict.fromkeys(spelled)))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; where its encoding is not said, it is told from the bytes."""
    name = info.filename
    if info.flag_bits & _UTF8_FLAG or name.isascii():
        return name
    try:
        return decode(name.encode("cp437"), name)[0]
    except (UnicodeEncodeError, ReadError):
        return name


def _safe_name(name: str) -> str:
    """Return a relative path without steps upwards; it names a source, never a place to write."""
    parts = name.replace("\\", "/").replace("\0", "").split("/")
    return "/".join(part for part in parts if part not in {"", ".", ".."}) or "?"


def _file_name(name: str) -> str:
    """Return a name that any file system takes, with the suffix of the member's."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    plain = "".join(c if c.isalnum() else "_" for c in suffix)[:10]
    return f"member{dot}{plain}" if stem else "member"
