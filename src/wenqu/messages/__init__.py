"""Every text that a person reads, in Chinese and English, from one catalogue.

The catalogue is the ``*.toml`` files of this package. A section is a key; it has ``en`` and ``zh``,
and an error may have ``en_hint`` and ``zh_hint``: what to do about it. ``{name}`` is filled in;
``{name:file|files}`` is a number and the word that goes with it.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Locale",
    "Phrase",
    "catalogue",
    "hint",
    "stage",
    "stages",
    "system_locale",
    "text",
    "wrong_value",
]

Locale = Literal["zh", "en"]

# Not importlib.resources, which takes as long to import as all of this.
_FOLDER = Path(__file__).parent
_FILES = ("help.toml", "cli.toml", "evaluation.toml", "errors.toml", "answers.toml", "web.toml")
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


class Phrase(str):
    """A text of the catalogue that is told in the user's language where it is used.

    As a string, in JSON say, it is English; ``text`` fills in what it is in its own language.
    """

    __slots__ = ("key", "values")
    key: str
    values: Mapping[str, object]

    def __new__(cls, key: str, /, **values: object) -> Self:
        """Return the text of ``key`` with ``values`` filled in."""
        made = super().__new__(cls, text(key, "en", **values))
        made.key, made.values = key, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.key,), dict(self.values)

    def told(self, locale: Locale) -> str:
        """Return it in a language."""
        return text(self.key, locale, **self.values)


_WRONG_VALUES = {
    "missing": "value.missing",
    "extra_forbidden": "value.unknown",
    "int_parsing": "value.whole_number",
    "int_type": "value.whole_number",
    "int_from_float": "value.whole_number",
    "float_parsing": "value.number",
    "float_type": "value.number",
    "bool_parsing": "value.boolean",
    "bool_type": "value.boolean",
    "string_type": "value.text",
    "list_type": "value.list",
    "model_type": "value.object",
    "literal_error": "value.one_of",
    "enum": "value.one_of",
    "greater_than": "value.greater_than",
    "greater_than_equal": "value.at_least",
    "less_than": "value.less_than",
    "less_than_equal": "value.at_most",
}
"""Text of each of pydantic's complaints that a user can bring about."""


def wrong_value(found: Mapping[str, Any]) -> Phrase | str:
    """Return what is wrong with a value, to be shown in the user's language.

    Args:
        found: One of the ``errors()`` of a pydantic ``ValidationError``.
    """
    key = _WRONG_VALUES.get(found["type"])
    if key is None:
        return str(found["msg"])
    limits = found.get("ctx", {}).items()
    return Phrase(key, **{name: str(limit).replace(" or ", ", ") for name, limit in limits})


def text(key: str, locale: Locale, /, **values: object) -> str:
    """Return the text of ``key`` in ``locale`` with ``values`` filled in.

    Raises:
        KeyError: The catalogue has no such key (a mistake of the program, not of its user).
    """
    return _filled(_entry(key)[locale], locale, values)


def stage(name: str, locale: Locale) -> str:
    """Return what a stage of an answer is called; of one that is not known, its name."""
    return stages(locale).get(name, name)


def stages(locale: Locale) -> Mapping[str, str]:
    """Return what each stage of an answer is called, by its name."""
    said = _read("answers.toml").items()
    return {key[6:]: entry[locale] for key, entry in said if key.startswith("stage.")}


def hint(key: str, locale: Locale, /, **values: object) -> str | None:
    """Return what to do about the error ``key``, or None where the catalogue has no hint."""
    said = _entry(key).get(f"{locale}_hint")
    return _filled(said, locale, values) if said else None


class _Count(int):
    """A number that brings the word that goes with it: ``one|several``."""

    def __format__(self, spec: str) -> str:
        one, bar, several = spec.partition("|")
        return f"{int(self)} {one if self == 1 else several}" if bar else super().__format__(spec)


def _filled(said: str, locale: Locale, values: Mapping[str, object]) -> str:
    shown: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Phrase):
            shown[name] = value.told(locale)
        else:
            shown[name] = _Count(value) if type(value) is int else value
    return said.format(**shown)


def system_locale(environment: Mapping[str, str] = os.environ) -> Locale:
    """Return the language of the environment: WENQU_LANGUAGE first, then the POSIX locale."""
    for name in ("WENQU_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
