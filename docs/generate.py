"""Writes the pages that follow from the code: settings and command line, in both languages.

Run ``python docs/generate.py`` after changing a setting, an option or a help text; a test fails
while a page is stale. Command-line help takes its language from the environment when the program
starts, so each language's pages are made by a process of their own.
"""
# ruff: noqa: INP001  # a script beside the pages it writes, no package

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tomllib
import typing
from dataclasses import dataclass
from enum import EnumType
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import typer
    from pydantic.fields import FieldInfo

    from wenqu.messages import Locale

DOCS = Path(__file__).resolve().parent
PAGES: dict[tuple[str, Locale], Path] = {
    ("settings", "en"): DOCS / "settings.md",
    ("settings", "zh"): DOCS / "zh" / "settings.md",
    ("cli", "en"): DOCS / "cli.md",
    ("cli", "zh"): DOCS / "zh" / "cli.md",
}
_TEXTS = tomllib.loads((DOCS / "generate.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One parameter of a command: ``names`` as they are typed, ``kind`` of value, its default."""

    names: tuple[str, ...]
    kind: str
    default: str
    help: str
    required: bool


def main() -> None:
    """Write all pages."""
    for locale in ("en", "zh"):
        for name, page in pages(locale).items():
            PAGES[name, locale].write_text(page, "utf-8")


def pages(locale: Locale) -> dict[str, str]:
    """Return page name → text in one language, made by a fresh process of that language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WENQU_")}
    done = subprocess.run(  # noqa: S603  # this very file, by this very interpreter
        [sys.executable, __file__, "--pages"],
        env={**kept, "WENQU_LANGUAGE": locale},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(done.stdout))


def _print_pages() -> None:
    from wenqu.messages import system_locale

    locale = system_locale()
    made = {"settings": settings_page(locale), "cli": cli_page(locale)}
    sys.stdout.write(json.dumps(made))


def settings_page(locale: Locale) -> str:
    """Return the page of settings."""
    from wenqu.settings import Settings

    say = _TEXTS["settings"]
    translated = dict(_TEXTS["meanings"])
    lines = [say["head"][locale]]
    sections: dict[str, Mapping[str, FieldInfo]] = {"": {}}
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        sections[name if inner else ""] = inner or {**sections[""], name: field}
    for section, fields in sections.items():
        lines += ["", f"## {section or say['top'][locale]}"]
        if section:
            about = inspect.getdoc(Settings.model_fields[section].annotation) or ""
            lines += ["", about if locale == "en" else translated.pop(section)]
        lines += ["", say["columns"][locale], "|---|---|---|---|"]
        for name, field in fields.items():
            key = f"{section}.{name}" if section else name
            meaning = field.description or ""
            if locale == "zh":
                meaning = translated.pop(key)
            lines.append(_setting_row(key, field, meaning, locale))
    if locale == "zh" and translated:
        raise SystemExit(f"generate.toml describes what is no setting: {', '.join(translated)}")
    return "\n".join([*lines, "", say["foot"][locale]])


def _setting_row(key: str, field: FieldInfo, meaning: str, locale: Locale) -> str:
    variable = f"WENQU_{key.upper().replace('.', '__')}"
    kind = _kind(field.annotation, locale)
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if hasattr(limit, name)
    ]
    default = _setting_default(key, field, locale)
    return f"| `{key}`<br>`{variable}` | {', '.join([kind, *limits])} | {default} | {meaning} |"


def _setting_default(key: str, field: FieldInfo, locale: Locale) -> str:
    if field.default_factory is not None:
        return str(_TEXTS["defaults"][key][locale])
    return "" if field.default is None else f"`{field.default}`"


def cli_page(locale: Locale) -> str:
    """Return the page of commands."""
    from wenqu.cli.main import app
    from wenqu.messages import text

    say = _TEXTS["cli"]
    lines = [say["head"][locale], "", f"## {say['codes'][locale]}", ""]
    lines += [say["code_columns"][locale], "|---|---|"]
    codes = text("cli.exit_codes", locale).partition(": " if locale == "en" else "：")[2]
    for code in codes.rstrip(".。").split("·"):
        number, _, meaning = code.strip().partition(" ")
        lines.append(f"| {number} | {meaning} |")
    for name, command, help_text in _commands(app):
        lines += ["", *_command_section(name, command, help_text, locale)]
    return "\n".join([*lines, "", say["foot"][locale]])


def _commands(app: typer.Typer, prefix: str = "wenqu") -> Iterator[tuple[str, Any, str]]:
    """Yield each command's full name, function and help."""
    from wenqu.cli.deferred import Deferred

    left_out = getattr(app.info.cls, "left_out", None)  # a command that need not be named
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        full = prefix if name == left_out else f"{prefix} {name}"
        later = command.cls is not None and issubclass(command.cls, Deferred)
        found = command.cls.found() if later else command.callback  # type: ignore[union-attr]
        if hasattr(found, "registered_commands"):
            yield from _commands(found, full)
        else:
            yield full, found, command.help or ""


def _command_section(
    name: str, command: Callable[..., None], help_text: str, locale: Locale
) -> list[str]:
    say = _TEXTS["cli"]
    rows = list(_rows(command, locale))
    arguments = [row for row in rows if not row.names[0].startswith("-")]
    usage = " ".join(
        [name, *(row.names[0] if row.required else f"[{row.names[0]}]" for row in arguments)]
    )
    lines = [
        f"## {name}",
        "",
        help_text,
        "",
        "```text",
        f"{usage} [{say['options'][locale]}]",
        "```",
        "",
    ]
    lines += [say["columns"][locale], "|---|---|---|---|"]
    for row in rows:
        names = ", ".join(f"`{one}`" for one in row.names)
        lines.append(f"| {names} | {row.kind} | {row.default} | {row.help} |")
    return lines


def _rows(command: Callable[..., None], locale: Locale) -> Iterator[Row]:
    # Of each parameter typer keeps what the program says of it as Annotated[kind, info]; reading
    # that rather than the built command stays clear of what differs between typer's versions.
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if get_origin(hints[name]) is not Annotated:
            continue  # the context
        kind, info = get_args(hints[name])[:2]
        required = parameter.default is inspect.Parameter.empty
        default = "" if required or parameter.default in (None, False) else parameter.default
        option = type(info).__name__ == "OptionInfo"
        declared = (info.default, *(info.param_decls or ())) if option else (name.upper(),)
        if default is True and option:
            default = declared[0].partition("/")[0]
        yield Row(
            names=tuple(declared),
            kind="" if kind is bool else _kind(kind, locale),
            default=f"`{default}`" if default else "",
            help=info.help or "",
            required=required,
        )


def _kind(annotation: Any, locale: Locale) -> str:
    """Return a type as an operator thinks of it."""
    if get_origin(annotation) in (UnionType, typing.Union):
        parts = [one for one in get_args(annotation) if one is not NoneType]
        return ", ".join(_kind(one, locale) for one in parts)
    if get_origin(annotation) is Literal:
        return " \\| ".join(f"`{one}`" for one in get_args(annotation))
    if isinstance(annotation, EnumType):
        return " \\| ".join(f"`{one.value}`" for one in annotation)
    if get_origin(annotation) is list:
        return f"{_kind(get_args(annotation)[0], locale)} …"
    names = {"Path": "path", "str": "text", "int": "integer", "float": "number"}
    name = names.get(annotation.__name__, "secret")
    return name if locale == "en" else str(_TEXTS["kinds"][name])


if __name__ == "__main__":
    if sys.argv[1:] == ["--pages"]:
        _print_pages()
    else:
        main()
