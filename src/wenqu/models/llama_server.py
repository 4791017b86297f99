"""A GGUF file served in a process of its own: ``python -m wenqu.models.llama_server``.

It answers OpenAI's protocol with several answers at a time (continuous batching): the tokens of all
that are being written go through the model together. ik_llama.cpp does that where it is asked to
and can; else it is llama.cpp's own server. Ends when it is told to.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.models.child import WAITING
from wenqu.models.llama_set_up import parameters
from wenqu.models.memory import cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.models.llama_ik import IkModel

__all__ = ["fast_model", "main"]

_KEY_VARIABLE = "LLAMA_SERVER_KEY"
_PROMPT_CACHE_MIB = 512
_BATCH_TOKENS = 256
_ENDING_S = 2


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--threads", type=int, default=cores())
    given = parser.parse_args(arguments)
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    key = os.environ.pop(_KEY_VARIABLE, None)
    model = fast_model(given) if given.engine == "ik_llama.cpp" else None
    if model is not None:
        _serve_fast(model, given, key)
    else:
        _serve(given, key)


def fast_model(given: argparse.Namespace) -> IkModel | None:
    """Return the model on ik_llama.cpp, or None where that cannot run it; says why."""
    from wenqu.models.llama_ik import IkError, open_model
    from wenqu.protocols import Room

    cells = given.context * given.parallel
    room = Room(context=given.context, sequences=given.parallel, cells=cells)
    try:
        return open_model(given.model, room, threads=given.threads)
    except IkError as error:
        sys.stderr.write(f"ik_llama.cpp: {error}\n")
        return None


def _serve_fast(model: IkModel, given: argparse.Namespace, key: str | None) -> None:
    import uvicorn

    from wenqu.models.llama_ik_door import build

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))  # uvicorn raises it again when it has ended
    config = uvicorn.Config(
        build(model, name=given.name, key=key),
        host=given.host,
        port=given.port,
        log_level="error",
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=_ENDING_S,
    )
    uvicorn.Server(config).run()


def _serve(given: argparse.Namespace, key: str | None) -> None:
    import xllamacpp

    params = parameters(str(given.model), threads=given.threads, batch=_BATCH_TOKENS)
    params.model_alias = {given.name}
    params.hostnames = [given.host]
    params.port = given.port
    params.api_keys = [key] if key else []
    params.cont_batching = True
    params.n_parallel = given.parallel
    params.n_ctx = given.context * given.parallel
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = xllamacpp.Server(params)  # kept by this name while it serves
    ended.wait()
    del server
    os._exit(0)  # its threads hold nothing that must be saved


if __name__ == "__main__":
    main(sys.argv[1:])
