"""The child process in which ik_llama.cpp runs: ``python -m wenqu.models.llama_ik_child``.

It serves OpenAI's protocol (``llama_ik_door``) on a socket, to whoever has its key.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.models.child import Parent
from wenqu.models.llama_ik import IkError, open_model
from wenqu.models.llama_ik_door import build
from wenqu.protocols import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.applications import Starlette

__all__ = ["main"]

# Replies at a time share cells: few prompts are as long as they may be, and one that does not fit
# waits for another to end.
_LONGEST_AT_ONCE = 2


def main(arguments: Sequence[str]) -> None:
    """Serve a model until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--socket")
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prompts", type=Path)
    given = parser.parse_args(arguments)
    parent = Parent(given.socket)
    threading.Thread(target=parent.end_with, daemon=True).start()
    cells = given.context * min(given.slots, _LONGEST_AT_ONCE)
    room = Room(context=given.context, sequences=given.slots, cells=cells)
    try:
        model = open_model(given.model, room, threads=given.threads)
    except IkError as error:
        sys.exit(str(error))
    app = build(model, name=given.model.stem, key=parent.key, prompts=given.prompts)
    _run(app, given.socket, parent)


def _run(app: Starlette, path: str | None, parent: Parent) -> None:
    import uvicorn

    listening, address = _listen(path)
    # Connections wait in the socket's queue until the server takes them.
    parent.ready(address)
    config = uvicorn.Config(app, log_level="error", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(path: str | None) -> tuple[socket.socket, str]:
    if path is None:
        listening = socket.create_server(("127.0.0.1", 0))
        return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    return listening, path


if __name__ == "__main__":
    main(sys.argv[1:])
