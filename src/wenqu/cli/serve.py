"""``wenqu serve``: the server and its web page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wenqu.cli.session import Exit, HomeOption, Session, system_text

if TYPE_CHECKING:
    from wenqu.app import App

__all__ = ["serve"]


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", help=system_text("cli.serve.host"))] = None,
    port: Annotated[
        int | None, typer.Option("--port", help=system_text("cli.serve.port"), min=0, max=65535)
    ] = None,
    kb: Annotated[str | None, typer.Option("--kb", "-k", help=system_text("cli.serve.kb"))] = None,
    home: HomeOption = None,
) -> None:
    """Serve until interrupted."""
    from wenqu.http import server as http_server

    session = Session.begin(context, home)
    server = session.settings.server

    async def work(app: App) -> None:
        if kb is not None:
            await app.bases.id_of(kb)  # a name that there is not is told before anyone comes
        await http_server.serve(
            app,
            host=host or server.host,
            port=server.port if port is None else port,
            kb=kb,
            on_ready=lambda url: session.note("cli.serve.ready", url=url),
        )

    # To be interrupted is how a server ends, and it may end before it is told so twice.
    session.run(work, interrupted=Exit.DONE, said="cli.serve.stopped")
    session.note("cli.serve.stopped")
