"""What every command shares: options, opening wenqu, showing errors, exit codes.

0   done
1   something outside failed: the database, a model, the disk
2   the command line itself is wrong
3   what was asked for is missing or cannot be used as it is
4   done, but some files could not be read
5   an evaluation fell below what was asked for
6   a repeated answer differs
130 interrupted
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from wenqu import messages
from wenqu.errors import ConflictError, InputError, NotFoundError, WenquError
from wenqu.messages import system_locale, text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    from wenqu.app import App
    from wenqu.messages import Locale
    from wenqu.settings import Settings
    from wenqu.types import Stage

__all__ = [
    "Exit",
    "HomeOption",
    "JsonOption",
    "KbOption",
    "Session",
    "system_text",
]

T = TypeVar("T")


class Exit(IntEnum):
    """Exit codes; see the module."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNUSABLE = 3
    SOME_UNREAD = 4
    BELOW = 5
    DIFFERENT = 6
    INTERRUPTED = 130


def system_text(key: str) -> str:
    """Return a text in the language of the environment: for help, before settings are read."""
    return text(key, system_locale())


HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help=system_text("cli.option.home"), show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help=system_text("cli.option.json"))]
KbOption = Annotated[
    str | None, typer.Option("--kb", "-k", help=system_text("cli.option.kb"), show_default=False)
]


@dataclass(slots=True)
class Session:
    """One run of one command: the settings in force, and where to write."""

    settings: Settings

    @classmethod
    def begin(cls, context: typer.Context, home: Path | None) -> Session:
        """Read the settings; leaves with an exit code where they are wrong.

        Args:
            context: The command's; its root keeps the ``--home`` given before the command.
            home: The command's own ``--home``, which counts first.
        """
        from wenqu.settings import load

        try:
            return cls(load(home=home or context.find_root().obj))
        except WenquError as error:
            fail(error, system_locale())

    @property
    def locale(self) -> Locale:
        """The user's language."""
        return self.settings.language

    @property
    def out(self) -> Console:
        """Standard output."""
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True)

    @property
    def err(self) -> Console:
        """Standard error, for progress and notes."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    def text(self, key: str, **values: object) -> str:
        """Return a text of the catalogue in the user's language."""
        return text(key, self.locale, **values)

    def show_field(self, name: str, value: object) -> None:
        """Print a value with its name before it."""
        self.out.print(f"{self.text('cli.field', name=name)}{value}", markup=False)

    def note(self, key: str, **values: object) -> None:
        """Print a text of the catalogue to standard error."""
        sys.stderr.write(self.text(key, **values) + "\n")

    def note_skipped(self, stage: Stage) -> None:
        """Say that a stage was left out, and why."""
        name = messages.stage(stage.name, self.locale)
        self.note("cli.ask.skipped", stage=name, reason=stage.skipped)

    def confirm(self, question: str) -> None:
        """Ask before something that costs; leaves where a person does not agree, or none is there.

        Standard output stays free for data.
        """
        try:
            agreed = typer.confirm(question, err=True)
        except typer.Abort:
            agreed = False
            sys.stderr.write("\n")
        if not agreed:
            self.note("cli.not_agreed")
            raise typer.Exit(Exit.INTERRUPTED)

    def show_error(self, error: WenquError) -> None:
        """Show what went wrong and what to do about it, and go on."""
        show_error(error, self.locale)

    def print_json(self, payload: object) -> None:
        """Print data, and nothing else, to standard output."""
        sys.stdout.write(json.dumps(payload, ensure_ascii=False, indent=2) + "\n")

    def run(
        self,
        work: Callable[[App], Awaitable[T]],
        *,
        interrupted: Exit = Exit.INTERRUPTED,
        said: str = "cli.interrupted",
    ) -> T:
        """Open wenqu, do the work, close it; an error is shown and ends the program.

        Args:
            work: What to do.
            interrupted: The exit code when the user stops it.
            said: Key of what is said then.
        """
        import asyncio

        from wenqu.app import open_app
        from wenqu.cli.progress import DownloadBar

        async def opened() -> T:
            with DownloadBar(self.err) as bar:
                async with open_app(self.settings, on_download=bar.update) as app:
                    return await work(app)

        try:
            return asyncio.run(opened())
        except WenquError as error:
            fail(error, self.locale)
        except KeyboardInterrupt:
            self.note(said)
            raise typer.Exit(interrupted) from None


def show_error(error: WenquError, locale: Locale) -> None:
    """Show what went wrong and what to do about it."""
    lines = [text("cli.error", locale, message=error.message(locale))]
    if hint := error.hint(locale):
        lines.append(text("cli.hint", locale, hint=hint))
    sys.stderr.write("\n".join(lines) + "\n")


def fail(error: WenquError, locale: Locale) -> NoReturn:
    """Show what went wrong and what to do about it, and leave."""
    show_error(error, locale)
    unusable = isinstance(error, (NotFoundError, InputError, ConflictError))
    raise typer.Exit(Exit.UNUSABLE if unusable else Exit.FAILED) from error
