"""``wenqu chat``: a conversation in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import HomeOption, Session, system_text

if TYPE_CHECKING:
    from wenqu.app import App

__all__ = ["chat"]


def chat(
    context: typer.Context,
    kb: Annotated[
        str | None,
        typer.Option("--kb", "-k", help=system_text("cli.chat.kb"), show_default=False),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option("--continue", "-c", help=system_text("cli.chat.continue"), show_default=False),
    ] = None,
    llm: Annotated[bool, typer.Option("--llm/--no-llm", help=system_text("cli.ask.llm"))] = True,
    home: HomeOption = None,
) -> None:
    """Talk, line by line."""
    from wenqu.cli.talk import Talk

    session = Session.begin(context, home)

    async def work(app: App) -> None:
        talk = (
            await app.conversations.get(conversation)
            if conversation
            else await app.conversing.begin(kb)
        )
        await Talk(session, app, talk, use_llm=llm).run()

    session.run(work)
