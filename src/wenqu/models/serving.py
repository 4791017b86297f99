"""How each backend serves a model over OpenAI's protocol: its command, environment and address.

A backend is a program of its own, started with the flags that fit what was asked for and watched
until it ends. Keys travel in the environment: other users can read a command line.

    llamacpp      a GGUF file, by llama.cpp or ik_llama.cpp in a child process; here already
    transformers  a folder or a hub's name, by ``transformers serve``
    vllm          likewise, by ``vllm serve``; wants a GPU
    ollama        a name of its own library, by ``ollama serve``

Source: docs.vllm.ai (``vllm serve --help``), huggingface.co/docs/transformers/serving and
``transformers serve --help``, ollama's envconfig/config.go.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from wenqu.choices import Backend
from wenqu.errors import InputError, ModelMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wenqu.models.llama_engine import Engine

__all__ = ["Launch", "ServeOptions", "launch"]

_GIB = 2**30
_BITS = {4: "bnb-4bit", 8: "bnb-8bit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What is to be served, and how.

    ``context`` is the longest prompt and answer together, in tokens, of each of ``parallel``
    answers at a time. ``bits`` asks the backend to quantise to 4 or 8; None leaves the weights as
    they are. ``engine`` runs a GGUF file; None is the one that ``wenqu models tune`` found best
    here. ``gpus`` is how many one model is spread over. ``api_key`` is what clients must send.
    """

    model: str
    name: str
    host: str = "127.0.0.1"
    port: int = 8080
    context: int = 4096
    parallel: int = 10
    threads: int | None = None
    engine: Engine | None = None
    bits: int | None = None
    dtype: str = "auto"
    gpus: int = 1
    api_key: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A program to start: its command, what its environment has more, and where it answers.

    ``health`` is a path that answers with success once it is ready. ``folders`` must be there
    before, and ``after`` are commands to run then, in the same environment.
    """

    command: tuple[str, ...]
    url: str
    health: str
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    folders: tuple[Path, ...] = ()
    after: tuple[tuple[str, ...], ...] = ()


def launch(backend: Backend, wanted: ServeOptions) -> Launch:
    """Return what to start.

    Raises:
        ModelMissingError: The backend, or a model's file, is not on this machine.
        InputError: The backend cannot do what is asked, or memory is short.
    """
    return _LAUNCHES[backend](wanted)


def _llamacpp(wanted: ServeOptions) -> Launch:
    from wenqu.models import memory
    from wenqu.models.gguf import read_gguf
    from wenqu.models.llama_engine import chosen

    path = Path(wanted.model)
    if not path.is_file():
        raise ModelMissingError("error.llamacpp_missing", path=path)
    if wanted.bits is not None or wanted.gpus != 1:
        raise InputError("error.serve_gguf_bits", model=path.name)
    needed, free = read_gguf(path).memory(wanted.context * wanted.parallel), memory.free_memory()
    if free is not None and needed > free:
        raise InputError(
            "error.serve_memory",
            model=wanted.name,
            needed=f"{needed / _GIB:.1f}",
            free=f"{free / _GIB:.1f}",
        )
    command = [sys.executable, "-P", "-m", "wenqu.models.llama_server"]
    command += ["--engine", wanted.engine or chosen(path)]
    command += ["--model", str(path), "--name", wanted.name]
    command += ["--host", wanted.host, "--port", str(wanted.port)]
    command += ["--context", str(wanted.context), "--parallel", str(wanted.parallel)]
    command += ["--threads", str(wanted.threads)] if wanted.threads else []
    return Launch(
        command=tuple(command),
        url=f"http://{wanted.address}/v1",
        health="/health",
        environment={"LLAMA_SERVER_KEY": wanted.api_key} if wanted.api_key else {},
    )


def _transformers(wanted: ServeOptions) -> Launch:
    program = _program("transformers", "pip install 'transformers[serving]' torch")
    if wanted.api_key:
        raise InputError("error.serve_no_key", backend="transformers")
    if wanted.gpus != 1:
        raise InputError("error.serve_no_gpus", backend="transformers")
    command = [program, "serve", wanted.model]
    # Its batching waits for ever where there is no GPU (transformers 5.17 on a CPU).
    command += ["--continuous-batching"] if _has_gpu() else []
    command += ["--host", wanted.host, "--port", str(wanted.port), "--dtype", wanted.dtype]
    command += ["--quantization", _bits(wanted)] if wanted.bits else []
    return Launch(
        command=tuple(command),
        url=f"http://{wanted.address}/v1",
        health="/health",
        # Without it, the list of models is an error of the server's (transformers 5.17).
        folders=(Path(os.environ.get("HF_HUB_CACHE") or "~/.cache/huggingface/hub").expanduser(),),
    )


def _vllm(wanted: ServeOptions) -> Launch:
    program = _program("vllm", "pip install vllm")
    command = [program, "serve", wanted.model, "--served-model-name", wanted.name]
    command += ["--host", wanted.host, "--port", str(wanted.port), "--dtype", wanted.dtype]
    command += ["--max-model-len", str(wanted.context), "--max-num-seqs", str(wanted.parallel)]
    command += ["--tensor-parallel-size", str(wanted.gpus), "--enable-prefix-caching"]
    if wanted.bits:
        command += ["--quantization", {4: "bitsandbytes", 8: "fp8"}[_checked_bits(wanted)]]
    return Launch(
        command=tuple(command),
        url=f"http://{wanted.address}/v1",
        health="/health",
        environment={"VLLM_API_KEY": wanted.api_key} if wanted.api_key else {},
    )


def _ollama(wanted: ServeOptions) -> Launch:
    program = _program("ollama", "https://ollama.com/download")
    if wanted.api_key:
        raise InputError("error.serve_no_key", backend="ollama")
    if wanted.bits is not None:
        raise InputError("error.serve_ollama_bits")
    return Launch(
        command=(program, "serve"),
        url=f"http://{wanted.address}/v1",
        health="/api/version",
        environment={
            "OLLAMA_HOST": wanted.address,
            "OLLAMA_NUM_PARALLEL": str(wanted.parallel),
            "OLLAMA_CONTEXT_LENGTH": str(wanted.context),
            "OLLAMA_KEEP_ALIVE": "-1",
        },
        after=((program, "pull", wanted.model),),
    )


_LAUNCHES: Mapping[Backend, Callable[[ServeOptions], Launch]] = {
    Backend.LLAMACPP: _llamacpp,
    Backend.TRANSFORMERS: _transformers,
    Backend.VLLM: _vllm,
    Backend.OLLAMA: _ollama,
}


def _program(name: str, install: str) -> str:
    """Return a backend's program: beside this Python first, else on the path."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None or (name == "transformers" and not _has_torch(found)):
        raise ModelMissingError("error.serve_backend", backend=name, install=install)
    return found


def _has_torch(program: str) -> bool:
    """Say whether a program beside this Python could load torch; of another's nothing is known."""
    own = Path(program).parent == Path(sys.executable).parent
    return not own or importlib.util.find_spec("torch") is not None


def _bits(wanted: ServeOptions) -> str:
    return _BITS[_checked_bits(wanted)]


def _checked_bits(wanted: ServeOptions) -> int:
    if wanted.bits not in _BITS:
        raise InputError("error.serve_bits", bits=wanted.bits)
    return wanted.bits


def _has_gpu() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd"))
