"""A server in a thread of its own, so that clients are tested against real connections."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.routing import BaseRoute

__all__ = ["running"]


@contextmanager
def running(*routes: BaseRoute) -> Iterator[str]:
    """Serve the routes on a free port of this machine until the block ends; give the address."""
    import uvicorn
    from starlette.applications import Starlette

    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical", lifespan="off")
    runner = uvicorn.Server(config)
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    while not runner.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{runner.servers[0].sockets[0].getsockname()[1]}"
    finally:
        runner.force_exit = runner.should_exit = True
        thread.join()
