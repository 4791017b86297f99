"""llama.cpp's own server, set up alike in each process of wenqu that runs one.

It says nothing, shows no page and fetches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NoReturn

    from wenqu.models.child import Parent

__all__ = ["parameters", "serve_parent"]


def parameters(model: str, *, threads: int, batch: int) -> Any:
    """Return ``xllamacpp.CommonParams`` to which a process adds what its server is for.

    Args:
        model: Path of the GGUF file.
        threads: CPU threads.
        batch: Tokens that go through the model at a time.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.ui = params.endpoint_slots = params.warmup = params.fit_params = False
    params.offline = True
    params.n_batch = params.n_ubatch = batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    return params


def serve_parent(params: Any, given_socket: str | None, parent: Parent) -> NoReturn:
    """Serve whoever has the parent's key, at its socket or a free port, as long as it lives."""
    import xllamacpp

    params.hostnames = [given_socket or "127.0.0.1"]
    params.port = 0
    params.api_keys = [parent.key]
    params.cors_origins = ""
    server = xllamacpp.Server(params)
    parent.ready(server.listening_address)
    parent.end_with()
