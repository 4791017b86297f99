"""``wenqu conversation``: look at conversations, export and delete them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.deferred import Group
from wenqu.cli.session import HomeOption, JsonOption, Session, system_text
from wenqu.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.app import App
    from wenqu.types import Conversation

__all__ = ["app"]

app = Group("cli.conversation.help")
IdArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.conversation"))]


class Form(StrEnum):
    """What a conversation is written as."""

    MARKDOWN = "markdown"
    JSON = "json"


@app.command("list", help=system_text("cli.conversation.list.help"))
def list_conversations(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """List conversations, the last used first."""
    session = Session.begin(context, home)

    async def work(opened: App) -> Sequence[Conversation]:
        return await opened.conversations.list()

    found = session.run(work)
    if json_output:
        shown = [
            {"id": talk.id, "kb": talk.kb_name, "title": talk.title, "used_at": talk.used_at}
            for talk in found
        ]
        session.print_json({"conversations": shown})
        return
    if not found:
        session.note("cli.conversation.none")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("id", "time", "kb", "title"):
        last = column == "title"
        heading = session.text(f"cli.conversation.{column}")
        table.add_column(heading, no_wrap=not last, overflow="fold")
    for talk in found:
        used = talk.used_at[:16].replace("T", " ")
        # As text: a title may hold [what looks like markup].
        table.add_row(*map(Text, (talk.id, used, talk.kb_name or "–", talk.title)))
    session.out.print(table)


@app.command("show", help=system_text("cli.conversation.show.help"))
def show(
    context: typer.Context,
    conversation: IdArgument,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show a conversation."""
    session = Session.begin(context, home)
    form = Form.JSON if json_output else Form.MARKDOWN
    text = session.run(
        lambda opened: opened.conversing.export(conversation, form.value, session.locale)
    )
    session.out.print(text, markup=False, end="")


@app.command("export", help=system_text("cli.conversation.export.help"))
def export(
    context: typer.Context,
    conversation: IdArgument,
    path: Annotated[Path, typer.Argument(help=system_text("cli.conversation.export.path"))],
    form: Annotated[
        Form | None,
        typer.Option(
            "--form", help=system_text("cli.conversation.export.form"), show_default=False
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write a conversation to a file."""
    import asyncio

    session = Session.begin(context, home)
    wanted = form or (Form.JSON if path.suffix.lower() == ".json" else Form.MARKDOWN)

    async def work(opened: App) -> None:
        text = await opened.conversing.export(conversation, wanted.value, session.locale)
        try:
            await asyncio.to_thread(path.write_text, text, "utf-8")
        except OSError as error:
            raise InputError("error.conversation_export", path=path, reason=error) from None

    session.run(work)
    session.note("cli.chat.written", path=path)


@app.command("delete", help=system_text("cli.conversation.delete.help"))
def delete(
    context: typer.Context,
    conversations: Annotated[
        list[str], typer.Argument(help=system_text("cli.argument.conversation"))
    ],
    home: HomeOption = None,
) -> None:
    """Delete conversations."""
    session = Session.begin(context, home)

    async def work(opened: App) -> int:
        for one in conversations:
            await opened.conversations.get(one)
        return await opened.conversations.delete(conversations)

    session.note("cli.conversation.deleted", count=session.run(work))
