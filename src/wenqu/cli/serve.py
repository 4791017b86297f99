"""``wenqu serve``: the server and its web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.cli.session import Exit
from wenqu.http.server import serve

if TYPE_CHECKING:
    from wenqu.app import App
    from wenqu.cli.session import Session

__all__ = ["serve_forever"]


def serve_forever(session: Session, *, host: str | None, port: int | None, kb: str | None) -> None:
    """Serve until interrupted."""
    server = session.settings.server

    async def work(app: App) -> None:
        await serve(
            app,
            host=host or server.host,
            port=server.port if port is None else port,
            kb=kb,
            on_ready=lambda url: session.note("cli.serve.ready", url=url),
        )

    # To be interrupted is how a server ends, and it may end before it is told so twice.
    session.run(work, interrupted=Exit.DONE, said="cli.serve.stopped")
    session.note("cli.serve.stopped")
