"""Commands that are known by name and help alone until one of them is named.

Most of what starting takes is looking at the parameters of commands: only those of the one that
is asked for are looked at, and only its module is imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

from wenqu.cli.session import system_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Commands", "Deferred", "defer"]


class Deferred(TyperCommand):
    """Stands for a command, or a group of them, until it is run."""

    target: ClassVar[str]
    """Where it is: ``module:name`` of a function, or of a group's ``typer.Typer``."""

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
            holder.command(self.name, help=self.help)(found)
        return cast("TyperGroup", typer.main.get_command(holder)).commands[self.name or ""]


class Commands(TyperGroup):
    """The program, or a group of commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command, if there are any.

        Typer loads pydantic to read the value of an option, even of one that is not there.
        """
        kept = self.params, self.add_help_option
        if args and args[0] in self.commands:
            self.params, self.add_help_option = [], False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params, self.add_help_option = kept


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
