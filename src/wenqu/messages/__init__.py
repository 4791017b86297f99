"""Every text that a person reads, in Chinese and English, from one catalogue.

The catalogue is the ``*.toml`` files of this package. A section is a key; it has ``en`` and ``zh``,
and an error may have ``en_hint`` and ``zh_hint``: what to do about it. ``{name}`` is filled in.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Locale", "catalogue", "hint", "system_locale", "text"]

Locale = Literal["zh", "en"]

# Not importlib.resources, which takes as long to import as all of this.
_FOLDER = Path(__file__).parent
_FILES = ("cli.toml", "evaluation.toml", "errors.toml", "answers.toml", "web.toml")
"""Those that help needs come first: a file is read when the ones before it lack a key."""


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return the whole catalogue: key → {"en", "zh", maybe "en_hint", "zh_hint"}."""
    return {key: entry for name in _FILES for key, entry in _read(name).items()}


@cache
def _read(name: str) -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((_FOLDER / name).read_text("utf-8"))


def _entry(key: str) -> Mapping[str, str]:
    for name in _FILES:
        if (entry := _read(name).get(key)) is not None:
            return entry
    raise KeyError(key)


def text(key: str, locale: Locale, /, **values: object) -> str:
    """Return the text of ``key`` in ``locale`` with ``values`` filled in.

    Raises:
        KeyError: The catalogue has no such key (a mistake of the program, not of its user).
    """
    return _entry(key)[locale].format(**values)


def hint(key: str, locale: Locale, /, **values: object) -> str | None:
    """Return what to do about the error ``key``, or None where the catalogue has no hint."""
    said = _entry(key).get(f"{locale}_hint")
    return said.format(**values) if said else None


def system_locale(environment: Mapping[str, str] = os.environ) -> Locale:
    """Return the language of the environment: WENQU_LANGUAGE first, then the POSIX locale."""
    for name in ("WENQU_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
