"""Help, and what is wrong with a command line, in the user's language.

Typer's own words for them are English, and its tables cut Chinese text off in a narrow terminal.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import typer

from wenqu.messages import Phrase, system_locale, text, wrong_value

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["help_of", "usage_of", "wrong_line"]

_WIDEST = 100
_NAMES_WIDEST = 26  # columns of names before help stands on lines of its own
_GAP = 2  # columns before and between names and help

_OPENING, _CLOSING = "（“《「", "，。；：、！？）”》」"
_WIDE = "\u2e80-\u9fff\uff00-\uffef"
_PIECE = re.compile(
    rf"\s+|[{_OPENING}]*"
    rf"(?:`[^`]*`|\[[^\[\]]{{1,24}}\]|[^\s{_WIDE}]+|[^\s{_OPENING}{_CLOSING}])[{_CLOSING}]*|\S"
)

_BARE = str.maketrans("", "", "{}'")  # without what typer puts around names

_KINDS = {"str": "text", "int": "whole_number", "float": "number", "path": "path"}
_KIND = re.compile(r" <(?:list\[)?(\w+)\]?(?: range)?>|<|>")
_ABOUT = re.compile(r"  \[([^\[\]]+)\]$")

# What typer says is wrong with a command line, by the words in which it says so.
_WRONG = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"Missing argument '?(?P<name>.+?)'?\.", "cli.usage.no_argument"),
        (r"Missing option '?(?P<name>.+?)'?\.", "cli.usage.no_given_option"),
        (r"Missing command\.", "cli.usage.no_given_command"),
        (
            r"No such option: (?P<name>\S+) \(Possible options: (?P<near>.+)\)",
            "cli.usage.no_option_near",
        ),
        (r"No such option: (?P<name>\S+)", "cli.usage.no_option"),
        (
            r"No such command '(?P<name>.+)'\. Did you mean (?P<near>.+)\?",
            "cli.usage.no_command_near",
        ),
        (r"No such command '(?P<name>.+)'\.", "cli.usage.no_command"),
        (r"Option '(?P<name>.+)' requires .+\.", "cli.usage.no_value"),
        (r"Option '(?P<name>.+)' does not take a value\.", "cli.usage.needless_value"),
        (r"Got unexpected extra arguments?(?:\(s\))? \((?P<extra>.+)\)", "cli.usage.extra"),
        (r"Invalid value for '?(?P<name>.+?)'?: (?P<reason>.+)", "cli.usage.wrong_value"),
    )
)
_NOT_ONE_OF = re.compile(r".* is not one of (?P<expected>.+?)\.?")


def help_of(command: Any, context: Any) -> str:
    """Return the help of a command or a group, as wide as the terminal.

    Args:
        command: Typer's command.
        context: Typer's context of it.
    """
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = [usage_of(command, context), "", *_wrapped(command.help or "", width)]
    arguments: list[tuple[str, str]] = []
    options: list[tuple[str, str]] = []
    for param in command.get_params(context):
        if record := param.get_help_record(context):
            rows = arguments if param.param_type_name == "argument" else options
            rows.append(_row(param, *record))
    commands = [
        (name, one.help or "")
        for name in (command.list_commands(context) if hasattr(command, "commands") else ())
        if (one := command.get_command(context, name)) and not one.hidden
    ]
    for key, rows in (("arguments", arguments), ("options", options), ("commands", commands)):
        if rows:
            lines += ["", _styled(_say(f"cli.usage.{key}"), bold=True), *_table(rows, width)]
    if command.epilog:
        lines += ["", *_wrapped(command.epilog, width)]
    return "\n".join(lines)


def usage_of(command: Any, context: Any) -> str:
    """Return the line that says how a command is called."""
    said = {"[OPTIONS]": "cli.usage.options_here", "COMMAND [ARGS]...": "cli.usage.command_here"}
    pieces = [
        _say(said[piece]) if piece in said else _argument(piece)
        for piece in command.collect_usage_pieces(context)
    ]
    return _say("cli.usage.usage", line=" ".join([context.command_path, *pieces]))


def wrong_line(error: Any) -> str:
    """Return what is wrong with a command line, how it should be, and where more is said.

    Args:
        error: Typer's, which may have the command's context.
    """
    lines = [_say("cli.error", message=_wrong(error))]
    if error.ctx is not None:
        lines.insert(0, usage_of(error.ctx.command, error.ctx))
        lines.append(_say("cli.hint", hint=_say("cli.usage.more", command=error.ctx.command_path)))
    return "\n".join(lines)


def _wrong(error: Any) -> str:
    message = str(error.format_message())
    for pattern, key in _WRONG:
        if found := pattern.fullmatch(message):
            said: dict[str, Any] = found.groupdict()
            if "argument" in key:
                said["name"] = _argument(said["name"])
            if "reason" in said:
                said["reason"] = _reason(error, said["reason"])
            return _say(key, **{name: _bare(value) for name, value in said.items()})
    return message


def _reason(error: Any, said: str) -> Phrase | str:
    """Return what is wrong with a value; what wenqu itself says of it stays as it is."""
    if found := _NOT_ONE_OF.fullmatch(said):
        return Phrase("value.one_of", expected=_bare(found["expected"]))
    cause = getattr(error.__cause__, "errors", None)
    return wrong_value(cause()[0]) if cause else said.rstrip(".。")


def _bare(value: Any) -> Any:
    # A phrase is told in the user's language later.
    plain = isinstance(value, str) and not isinstance(value, Phrase)
    return value.translate(_BARE) if plain else value


def _row(param: Any, names: str, about: str) -> tuple[str, str]:
    """Return a parameter's names with the kind of its value, and what is said of it."""
    if param.param_type_name == "argument":
        names = _argument(names.partition(" ")[0])
    else:
        names = _KIND.sub(lambda kind: f" {_kind(kind[1])}" if kind[1] else "", names)
    if "--help" in param.opts:
        return names, _say("cli.usage.help")
    notes = []
    if found := _ABOUT.search(about):
        about = about[: found.start()]
        notes = [_note(note) for note in found[1].split("; ")]
    return names, " ".join([about, f"[{', '.join(notes)}]"] if notes else [about])


def _kind(name: str) -> str:
    return _say(f"cli.usage.kind.{_KINDS[name]}") if name in _KINDS else name


def _note(note: str) -> str:
    name, _, value = note.partition(": ")
    match name:
        case "required":
            return _say("cli.usage.required")
        case "default":
            return _say("cli.usage.default", value=value)
        case "env var":
            return value
        case _:
            return note.replace("<=", " ≤ ").replace(">=", " ≥ ").replace("x", "N", 1)


def _argument(name: str) -> str:
    return name.translate(_BARE).upper()


def _table(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    first = min(max(_cells(names) for names, _ in rows), _NAMES_WIDEST, width // 3)
    indent = " " * (first + 2 * _GAP)
    for names, about in rows:
        shown = " " * _GAP + _styled(names, fg=typer.colors.CYAN)
        lines = _wrapped(about, width - len(indent)) or [""]
        if _cells(names) > first:
            yield shown
        else:
            yield (shown + " " * (first - _cells(names) + _GAP) + lines.pop(0)).rstrip()
        yield from (indent + line for line in lines)


def _wrapped(said: str, width: int) -> list[str]:
    """Return a text in lines; Chinese breaks anywhere but before or after its punctuation."""
    lines, line = [], ""
    for piece in _PIECE.findall(said):
        if line and _cells(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def _styled(said: str, **style: Any) -> str:
    return said if os.environ.get("NO_COLOR") else typer.style(said, **style)


def _cells(said: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in said)


def _say(key: str, **values: object) -> str:
    return text(key, system_locale(), **values)
