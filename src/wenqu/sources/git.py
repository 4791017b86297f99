"""The documents of a git repository, by the system's own ``git``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wenqu.errors import SourceError
from wenqu.sources.addresses import resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["GitSource", "Repository", "clone", "is_repository", "parse"]

_PREFIX = "git+"
_SCHEMES = ("https", "http", "ssh", "file")
_PORTS = {"https": 443, "http": 80, "ssh": 22}
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:(?!//)\S+\.git\Z")
_SECRET = re.compile(r"//[^/@]*@")
_DOCS = ("docs", "doc", "documentation")
_README = re.compile(r"readme(?:[._-].*)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository and the folder in it whose documents are wanted; "" for the usual ones."""

    url: str
    folder: str = ""


class GitSource:
    """Gives copies of repositories in folders of their own, which are gone afterwards.

    Args:
        allow_private: Whether hosts of this machine's networks, and repositories on its disk, may
            be asked.
        timeout_s: Seconds that copying may take.
    """

    def __init__(self, *, allow_private: bool, timeout_s: float) -> None:
        self._allow_private = allow_private
        self._timeout_s = timeout_s

    def takes(self, target: str) -> bool:
        """Say whether ``target`` names a repository."""
        return is_repository(target)

    def root(self, target: str) -> str:
        """Return what the sources of its files begin with, free of a name and a password."""
        url = target.removeprefix(_PREFIX).partition("#")[0]
        return _shown(url).rstrip("/")

    @asynccontextmanager
    async def copy(self, target: str) -> AsyncIterator[tuple[Path, list[Path]]]:
        """Give a copy's folder, and what in it holds the documents."""
        with TemporaryDirectory(prefix="wenqu-") as folder:
            into = Path(folder) / "copy"
            yield (
                into,
                await clone(
                    parse(target),
                    into,
                    allow_private=self._allow_private,
                    timeout_s=self._timeout_s,
                ),
            )


def is_repository(target: str) -> bool:
    """Say whether a user means a repository by ``target``, and not a page or a path."""
    if target.startswith(_PREFIX):
        return True
    plain = target.partition("#")[0]
    return _SCP_LIKE.match(plain) is not None or (
        plain.endswith(".git") and urlsplit(plain).scheme in _SCHEMES
    )


def parse(target: str) -> Repository:
    """Return what ``URL.git#folder`` or ``git+URL#folder`` names.

    Raises:
        SourceError: The URL's scheme is none that is spoken here, or the folder leads out of it.
    """
    url, _, folder = target.removeprefix(_PREFIX).partition("#")
    folder = folder.strip("/")
    known = _SCP_LIKE.match(url) is not None or urlsplit(url).scheme in _SCHEMES
    if not known or url.startswith("-") or ".." in folder.split("/"):
        raise SourceError("source.git_url", url=_shown(target))
    return Repository(url=url, folder=folder)


async def clone(
    repository: Repository, into: Path, *, allow_private: bool, timeout_s: float
) -> list[Path]:
    """Copy the newest state of a repository into a folder; return what holds its documents.

    That is the folder it was asked for; else its documentation folder and the files called README;
    else all of it. Nothing of the repository is run, and no link in it becomes one here.

    Args:
        repository: What to copy.
        into: A folder that does not exist yet.
        allow_private: Whether hosts of this machine's networks, and repositories on its disk, may
            be asked.
        timeout_s: Seconds that it may take.

    Raises:
        SourceError: There is no git here, the host must not be asked, git failed, or there is no
            such folder.
    """
    program = shutil.which("git")
    if program is None:
        raise SourceError("source.git_missing")
    await _check_host(repository.url, allow_private=allow_private)
    process = await asyncio.create_subprocess_exec(
        program,
        *_options(allow_private=allow_private),
        "clone",
        "--quiet",
        "--depth=1",
        "--single-branch",
        "--no-tags",
        "--no-recurse-submodules",
        "--",
        repository.url,
        os.fspath(into),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    try:
        async with asyncio.timeout(timeout_s):
            _, complaint = await process.communicate()
    except TimeoutError as error:
        raise SourceError(
            "source.timeout", url=_shown(repository.url), timeout_s=f"{timeout_s:g}"
        ) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines() or ["?"]
        raise SourceError("source.failed", url=_shown(repository.url), reason=_shown(lines[-1]))
    return _wanted(repository, into)


def _shown(text: str) -> str:
    """Return a text without the names and passwords of the addresses in it."""
    return _SECRET.sub("//", text)


def _wanted(repository: Repository, root: Path) -> list[Path]:
    if repository.folder:
        folder = root / repository.folder
        if not folder.is_dir():
            raise SourceError(
                "source.git_folder", url=_shown(repository.url), folder=repository.folder
            )
        return [folder]
    docs = [root / name for name in _DOCS if (root / name).is_dir()]
    if not docs:
        return [root]
    return [*sorted(file for file in root.iterdir() if _README.match(file.name)), *docs]


async def _check_host(url: str, *, allow_private: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        if not allow_private:
            raise SourceError("source.private", host=_shown(url), address="file")
        return
    host = parts.hostname or url.partition("@")[2].partition(":")[0]
    await resolve(host, parts.port or _PORTS.get(parts.scheme, 22), allow_private=allow_private)


def _options(*, allow_private: bool) -> list[str]:
    settings = [
        "protocol.allow=never",
        "protocol.https.allow=always",
        "protocol.http.allow=always",
        "protocol.ssh.allow=always",
        f"protocol.file.allow={'always' if allow_private else 'never'}",
        "http.followRedirects=false",  # a redirect could lead where nobody has looked
        "core.hooksPath=/dev/null",
        "core.symlinks=false",
        "core.fsmonitor=false",
        "filter.lfs.smudge=",
        "filter.lfs.required=false",
    ]
    return [part for setting in settings for part in ("-c", setting)]


def _environment() -> dict[str, str]:
    """Return an environment in which git asks nobody anything."""
    return os.environ | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C.UTF-8",
    }
