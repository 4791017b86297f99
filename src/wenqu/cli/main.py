"""Names the commands. Each one is in the module of its name, imported when it is named."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wenqu.cli.deferred import Commands, defer
from wenqu.cli.session import Exit, HomeOption, system_text

__all__ = ["app", "run"]

app = typer.Typer(
    name="wenqu",
    cls=Commands,
    help=system_text("cli.help"),
    epilog=system_text("cli.exit_codes"),
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
# In the order in which help shows them.
defer(app, "add", "cli.add.help", "wenqu.cli.add:add")
defer(app, "ask", "cli.ask.help", "wenqu.cli.ask:ask")
defer(app, "search", "cli.search.help", "wenqu.cli.search:search")
defer(app, "chat", "cli.chat.help", "wenqu.cli.chat:chat")
defer(app, "serve", "cli.serve.help", "wenqu.cli.serve:serve")
defer(app, "kb", "cli.kb.help", "wenqu.cli.kb:app")
defer(app, "doc", "cli.doc.help", "wenqu.cli.doc:app")
defer(app, "conversation", "cli.conversation.help", "wenqu.cli.conversation:app")
defer(app, "models", "cli.models.help", "wenqu.cli.models:app")
defer(app, "llm", "cli.llm.help", "wenqu.cli.llm:app")
defer(app, "doctor", "cli.doctor.help", "wenqu.cli.doctor:doctor")
defer(app, "log", "cli.log.help", "wenqu.cli.answers:log")
defer(app, "trace", "cli.trace.help", "wenqu.cli.answers:trace")
defer(app, "replay", "cli.replay.help", "wenqu.cli.answers:replay")
defer(app, "eval", "cli.eval.help", "wenqu.cli.evaluate:app")
defer(app, "gate", "cli.gate.help", "wenqu.cli.gate:app")
defer(app, "tune", "cli.tune.help", "wenqu.cli.tune:tune")
defer(app, "load", "cli.load.help", "wenqu.cli.load:load")


def run() -> None:
    """Run the command line; the program's entry point."""
    # A terminal or a pipe of another encoding must not turn an answer into an error.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app()


def _show_version(asked: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if asked:
        from wenqu import __version__

        typer.echo(f"wenqu {__version__}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def main(
    context: typer.Context,
    home: HomeOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help=system_text("cli.option.version"),
            is_eager=True,
            callback=_show_version,
        ),
    ] = False,
) -> None:
    """Options before the command count for every command."""
    del version  # its callback has done the work
    context.obj = home
