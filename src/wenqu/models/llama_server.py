"""llama.cpp's server in a process of its own: ``python -m wenqu.models.llama_server``.

It answers OpenAI's protocol with several answers at a time (continuous batching): the tokens of all
that are being written go through the model together. Ends when it is told to.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_KEY_VARIABLE = "LLAMA_SERVER_KEY"
_PROMPT_CACHE_MIB = 512
_BATCH_TOKENS = 256


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    # Threads that spin while they wait would take the processor from each other's work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.name}
    params.hostnames = [given.host]
    params.port = given.port
    key = os.environ.pop(_KEY_VARIABLE, None)
    params.api_keys = [key] if key else []
    params.ui = params.endpoint_slots = params.warmup = params.fit_params = False
    params.offline = params.cont_batching = True
    params.n_parallel = given.parallel
    params.n_ctx = given.context * given.parallel
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    threads = given.threads or len(os.sched_getaffinity(0))
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.verbosity = 0
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = xllamacpp.Server(params)  # kept by this name while it serves
    ended.wait()
    del server
    os._exit(0)  # its threads hold nothing that must be saved


if __name__ == "__main__":
    main(sys.argv[1:])
