"""Commands that are known by name and help alone until one of them is named.

Most of what starting takes is looking at the parameters of commands: only those of the one that
is asked for are looked at, and only its module is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

from wenqu.cli.helping import help_of, usage_of, wrong_line
from wenqu.cli.session import Exit, system_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Command", "Commands", "Deferred", "Group", "defer"]

F = TypeVar("F", bound="Callable[..., Any]")

# Typer has no public name for what is wrong with a command line, of which this is one case.
_UsageError = cast("type[Exception]", typer.BadParameter.__base__)


class _Helpful:
    """Has a command, or a group, speak the user's language."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the whole help."""
        formatter.write(help_of(self, ctx))

    def get_usage(self, ctx: Any) -> str:
        """Return the line that says how it is called."""
        return usage_of(self, ctx)


class Command(_Helpful, TyperCommand):
    """A command whose help is in the user's language."""


class Deferred(Command):
    """Stands for a command, or a group of them, until it is run."""

    target: ClassVar[str]
    """Where it is: ``module:name`` of a function, or of a ``Group``."""

    @classmethod
    def found(cls) -> typer.Typer | Callable[..., None]:
        """Return what it stands for."""
        module, _, name = cls.target.partition(":")
        return cast("typer.Typer | Callable[..., None]", getattr(import_module(module), name))

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **more: Any) -> Any:
        """Let what it stands for read the arguments, and be run."""
        return self._whole().make_context(info_name, args, *rest, **more)

    def _whole(self) -> Any:
        found, holder = self.found(), typer.Typer(add_completion=False)
        holder.callback()(_nothing)  # with it typer makes a group, even of one command
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self.name)
        else:
            holder.command(self.name, help=self.help, cls=Command)(found)
        return cast("TyperGroup", typer.main.get_command(holder)).commands[self.name or ""]


class Commands(_Helpful, TyperGroup):
    """The program, or a group of commands; help and errors are in the user's language."""

    def main(self, *args: Any, **more: Any) -> NoReturn:
        """Run the command line, and leave with its exit code."""
        try:
            code = super().main(*args, **{**more, "standalone_mode": False})
        except _UsageError as error:
            typer.echo(wrong_line(error), err=True)
            code = Exit.USAGE
        except typer.Abort:
            code = Exit.INTERRUPTED
        sys.exit(code if isinstance(code, int) else Exit.DONE)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, if there are any.

        Typer loads pydantic to read the value of an option, even of one that is not there.
        """
        if not args and self.no_args_is_help:
            typer.echo(ctx.get_help())
            ctx.exit(Exit.USAGE)
        kept = self.params, self.add_help_option
        if args and args[0] in self.commands:
            self.params, self.add_help_option = [], False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params, self.add_help_option = kept


class Group(typer.Typer):
    """A group of commands, as a module of the command line makes it.

    Args:
        help_key: Key of what is said of it.
        cls: What kind of group.
    """

    def __init__(self, help_key: str, cls: type[Commands] = Commands) -> None:
        super().__init__(cls=cls, help=system_text(help_key), no_args_is_help=True)

    def command(self, name: str | None = None, **more: Any) -> Callable[[F], F]:
        """Take a function for a command."""
        return super().command(name, **{"cls": Command, **more})


def defer(app: typer.Typer, name: str, help_key: str, target: str) -> None:
    """Have ``app`` know a command.

    Args:
        app: The program.
        name: How it is called.
        help_key: Key of what is said of it.
        target: See ``Deferred``.
    """
    cls = type(Deferred.__name__, (Deferred,), {"target": target})
    app.command(name, help=system_text(help_key), cls=cls)(_nothing)


def _nothing() -> None:
    """Stand where typer wants a function."""
