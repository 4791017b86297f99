"""The worker process: reads or unpacks one file after another until its parent is gone.

It imports the readers and nothing else of wenqu, limits its own memory, and dies with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wenqu.errors import ReadError
from wenqu.readers.wire import ALIVE, OUT_OF_MEMORY, READY, Request, reply_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.protocols import Reader

__all__ = ["serve"]

_MB = 1 << 20
_PR_SET_PDEATHSIG = 1
_PARENT_CHECK_S = 1.0


def serve() -> None:
    """Be the child: read files until the parent closes the pipe. Arguments come by ``sys.argv``."""
    factory, memory_mb, parent, requests, replies = sys.argv[1:]
    _die_with(int(parent))
    _limit(int(memory_mb))
    inbox = Connection(int(requests), writable=False)
    outbox = Connection(int(replies), readable=False)
    readers = _load(factory)
    outbox.send_bytes(READY)
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            request = Request.from_bytes(inbox.recv_bytes(), partial(outbox.send_bytes, ALIVE))
            outbox.send_bytes(_reply(request, readers))


def _load(factory: str) -> Sequence[Reader]:
    from importlib import import_module

    module, _, name = factory.partition(":")
    return cast("Sequence[Reader]", getattr(import_module(module), name)())


def _reply(request: Request, readers: Sequence[Reader]) -> bytes:
    from wenqu.readers import read_file
    from wenqu.readers.unpack import unpack

    path, source, options = request.path, request.source, request.options
    try:
        if request.into is not None:
            return reply_bytes(unpack(path, source, request.into, options))
        return reply_bytes(read_file(path, source, readers, options))
    except ReadError as error:
        return reply_bytes(error)
    except MemoryError:
        return OUT_OF_MEMORY
    except RecursionError:
        return reply_bytes(ReadError("read.damaged", source=source, reason="nested too deeply"))
    except Exception as error:  # noqa: BLE001  # the child's outermost loop: a parser's own mistake
        reason = f"{type(error).__name__}: {error}"
        return reply_bytes(ReadError("read.crashed", source=source, reason=reason))


def _limit(memory_mb: int) -> None:
    """Cap the address space at what is in use now plus the limit, and forbid core files."""
    import resource

    used = 0
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * resource.getpagesize()
    # Not every system can cap the address space; there the time limit still holds.
    with contextlib.suppress(ValueError, OSError):
        limit = used + memory_mb * _MB
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(parent: int) -> None:
    """Make sure that this process ends with its parent, also in the middle of a file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was gone before the line above
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)
