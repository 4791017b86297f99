"""One model on ik_llama.cpp, whose kernels read a prompt several times as fast on a plain CPU.

ik_llama.cpp is a fork of llama.cpp with the same files and another C interface. Its package gives
the library and the layout of its structures; both are of one version, and ``open_model`` refuses
another one, because a structure that has grown would be read wrongly without a word.
Everything here blocks and belongs to one thread at a time.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.metadata
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["PACKAGE", "VERSIONS", "IkModel", "Piece", "Timings", "Turn", "open_model"]

PACKAGE = "ik-llama-cpp-python"
VERSIONS = frozenset({"0.1.5"})
"""Versions of the package whose structures were compared with its header."""

Turn = tuple[str, str]
"""Role and text."""

# A reply that nobody waits for is dropped between batches. Larger ones are not read faster.
_BATCH_TOKENS = 128
# Up to so many tokens the threads sleep while they wait for one another, beyond it they spin. That
# is quicker by an eighth on processors of their own, and a third slower where others run too.
_SLEEPING_TOKENS = 32
# The share of its threads' time that a process gets which has the processors to itself.
_UNDISTURBED = 0.8
_SNAPSHOT_BYTES = 256 << 20
# Below this, reading a prompt's beginning again costs less than keeping it.
_WORTH_KEEPING = 64
_NO = ctypes.c_bool(False)  # noqa: FBT003 - a C argument
_TEMPLATE_KEY = b"tokenizer.chat_template"
_LARGEST_TEMPLATE = 1 << 16
_STATE = b"wenqu-kv-1\n"

# Chat templates that are spelled out here, by the SHA-256 of the template in the file: what the
# model is told when no system turn comes first. A template is a program, and running a stranger's
# is not worth the speed; other models are served by llama.cpp itself.
_CHATML: Mapping[str, str] = {
    "d5495a1e5db0611132a97e46a65dbb64a642a499421228b9c8b93229097fa9a4": (
        "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    ),
}


class IkError(Exception):
    """The library is not there, is another one, or cannot do what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Tokens and seconds of a reply: ``reused`` of the prompt's tokens were known already."""

    prompt: int
    reused: int
    prompt_s: float
    replied: int
    reply_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A step of a reply; ``text`` is empty while the prompt is read. The last one has timings."""

    text: bytes = b""
    timings: Timings | None = None
    ended: bool = False


def open_model(path: Path, *, context: int, threads: int) -> IkModel:
    """Load ``path``, rearranging its weights for this CPU's vectors.

    Raises:
        IkError: The library is missing or of another version, or it cannot run this model.
    """
    try:
        version = importlib.metadata.version(PACKAGE)
        if version not in VERSIONS:
            raise IkError(f"{PACKAGE} {version}: only {', '.join(sorted(VERSIONS))}")
        library = importlib.import_module("ik_llama_cpp._ctypes_api")
    except (ImportError, OSError) as error:
        raise IkError(str(error)) from error
    return IkModel(library, path, context=context, threads=threads)


class IkModel:
    """A model, its context, and the beginnings of prompts that it remembers."""

    def __init__(self, library: Any, path: Path, *, context: int, threads: int) -> None:
        self._c = library
        self._lib = library._lib  # noqa: SLF001 - functions that the package binds not
        _bind(self._lib)
        library.llama_backend_init()
        self._model = self._load(path)
        self._system = self._template()
        self._context_tokens = context
        self._context = self._open_context(context, threads)
        vocabulary = library.llama_model_get_vocab(self._model)
        self._size = library.llama_vocab_n_tokens(vocabulary)
        self._batch = library.llama_batch_init(_BATCH_TOKENS, 0, 1)
        file = path.stat()
        version = importlib.metadata.version(PACKAGE)
        self.identity = f"{path.name} {file.st_size} {file.st_mtime_ns} {_STATE!r} {version}"
        self._start, self._end = self._special("<|im_start|>"), self._special("<|im_end|>")
        self._threads = threads
        self._undisturbed = True
        self._held: list[int] = []
        self._kept: OrderedDict[tuple[int, ...], bytes] = OrderedDict()

    def tokens(self, turns: Sequence[Turn], *, reply: bool = True) -> list[int]:
        """Return the prompt: no text of a turn can pose as a marker of the template."""
        if not turns or turns[0][0] != "system":
            turns = [("system", self._system), *turns]
        ids: list[int] = []
        for role, text in turns:
            ids += [self._start, *self._tokenize(f"{role}\n{text}"), self._end]
            ids += self._tokenize("\n")
        if reply:
            ids += [self._start, *self._tokenize("assistant\n")]
        return ids

    def reply(self, tokens: Sequence[int], most: int) -> Iterator[Piece]:
        """Answer greedily, in steps of one batch or one token each; dropping it stops it.

        Raises:
            IkError: The prompt is too long, or the library failed.
        """
        room = self._context_tokens - len(tokens)
        if room <= 0:
            raise IkError(f"{len(tokens)} tokens, context {self._context_tokens}")
        begun = time.perf_counter()
        reused = self._reuse(tokens)
        for _ in self._reading(tokens, reused):
            yield Piece()
        read = time.perf_counter()
        replied, ended = 0, False
        while replied < min(most, room):
            token = self._likeliest()
            if ended := bool(self._c.llama_token_is_eog(self._model, token)):
                break
            replied += 1
            yield Piece(text=self._text(token))
            if replied < min(most, room):
                self._decode([token])
        timings = Timings(
            prompt=len(tokens),
            reused=reused,
            prompt_s=read - begun,
            replied=replied,
            reply_s=time.perf_counter() - read,
        )
        yield Piece(timings=timings, ended=ended)

    def read(self, tokens: Sequence[int]) -> None:
        """Read a prompt's beginning and remember it.

        Raises:
            IkError: It is too long, or the library failed.
        """
        if len(tokens) >= self._context_tokens:
            raise IkError(f"{len(tokens)} tokens, context {self._context_tokens}")
        for _ in self._reading(tokens, self._reuse([*tokens, -1])):
            pass
        self._snapshot()

    def knows(self, tokens: Sequence[int]) -> bool:
        """Say whether a prompt's beginning is remembered."""
        return tuple(tokens) in self._kept

    def save(self, tokens: Sequence[int], path: Path) -> None:
        """Write what is remembered of ``tokens`` (see ``read``) to a file."""
        state = self._kept[tuple(tokens)]
        head = _STATE + len(tokens).to_bytes(4, "little")
        body = head + bytes((ctypes.c_int32 * len(tokens))(*tokens)) + state
        path.write_bytes(hashlib.sha256(body).digest() + body)

    def load(self, tokens: Sequence[int], path: Path) -> bool:
        """Remember ``tokens`` from a file of ``save``; False where it is not that."""
        try:
            data = path.read_bytes()
        except OSError:
            return False
        digest, body = data[:32], data[32:]
        wanted = _STATE + len(tokens).to_bytes(4, "little")
        wanted += bytes((ctypes.c_int32 * len(tokens))(*tokens))
        if not body.startswith(wanted) or hashlib.sha256(body).digest() != digest:
            return False
        self._remember(tuple(tokens), body[len(wanted) :])
        return True

    def _reuse(self, tokens: Sequence[int]) -> int:
        """Bring the longest known beginning of ``tokens`` into the context; return its length.

        The last token is never reused: the library gives the likelihoods of what it reads only.
        """
        current = _shared(self._held, tokens)
        best = max(self._kept, key=lambda kept: _shared(kept, tokens), default=())
        if (length := _shared(best, tokens)) > current:
            state = self._kept[best]
            self._kept.move_to_end(best)
            self._keep()
            self._lib.llama_kv_cache_seq_rm(self._context, 0, -1, -1)
            if self._lib.llama_state_seq_set_data(self._context, state, len(state), 0, 0):
                self._held = list(best)
                current = length
            else:
                self._held = []
                current = 0
        elif len(self._held) - current > _WORTH_KEEPING:
            self._keep()
        current = min(current, len(tokens) - 1)
        self._lib.llama_kv_cache_seq_rm(self._context, 0, current, -1)
        del self._held[current:]
        return current

    def _keep(self) -> None:
        """Remember the context as it is, unless a longer or equal one is remembered."""
        held = tuple(self._held)
        known = any(kept[: len(held)] == held for kept in self._kept)
        if len(held) >= _WORTH_KEEPING and not known:
            self._snapshot()

    def _snapshot(self) -> None:
        size = self._lib.llama_state_seq_get_size(self._context, 0, 0)
        buffer = ctypes.create_string_buffer(size)
        written = self._lib.llama_state_seq_get_data(self._context, buffer, size, 0, 0)
        if written:
            self._remember(tuple(self._held), buffer.raw[:written])

    def _remember(self, tokens: tuple[int, ...], state: bytes) -> None:
        self._kept[tokens] = state
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _SNAPSHOT_BYTES:
            self._kept.popitem(last=False)

    def _reading(self, tokens: Sequence[int], at: int) -> Iterator[None]:
        """Read ``tokens`` from ``at`` on, a batch a step."""
        while at < len(tokens):
            batch = tokens[at : at + (_BATCH_TOKENS if self._undisturbed else _SLEEPING_TOKENS)]
            begun, cpu_s = time.perf_counter(), time.process_time()
            self._decode(batch)
            share = (time.process_time() - cpu_s) / (time.perf_counter() - begun) / self._threads
            self._undisturbed = share >= _UNDISTURBED
            at += len(batch)
            yield

    def _decode(self, tokens: Sequence[int]) -> None:
        batch, begin = self._batch, len(self._held)
        batch.n_tokens = len(tokens)
        for at, token in enumerate(tokens):
            batch.token[at] = token
            batch.pos[at] = begin + at
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = 0
            batch.logits[at] = at == len(tokens) - 1
        if code := self._c.llama_decode(self._context, batch):
            self._lib.llama_kv_cache_seq_rm(self._context, 0, begin, -1)
            raise IkError(f"llama_decode: {code}")
        self._held += tokens

    def _likeliest(self) -> int:
        import numpy as np

        logits = self._c.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(logits, (self._size,)).argmax())

    def _tokenize(self, text: str, *, special: bool = False) -> list[int]:
        data = text.encode()
        room = (ctypes.c_int32 * (len(data) + 1))()
        count = self._c.llama_tokenize(self._model, data, len(data), room, len(room), _NO, special)
        return list(room[:count])

    def _special(self, marker: str) -> int:
        ids = self._tokenize(marker, special=True)
        if len(ids) != 1:
            raise IkError(f"{marker}: not a token of this model")
        return ids[0]

    def _text(self, token: int) -> bytes:
        room = ctypes.create_string_buffer(512)
        count = self._c.llama_token_to_piece(self._model, token, room, len(room), 0, _NO)
        return room.raw[: max(count, 0)]

    def _template(self) -> str:
        room = ctypes.create_string_buffer(_LARGEST_TEMPLATE)
        size = self._lib.llama_model_meta_val_str(self._model, _TEMPLATE_KEY, room, len(room))
        digest = hashlib.sha256(room.raw[: max(size, 0)]).hexdigest()
        if digest not in _CHATML:
            raise IkError(f"chat template {digest[:12]}")
        return _CHATML[digest]

    def _load(self, path: Path) -> int:
        params = self._c.llama_model_default_params()
        params.n_gpu_layers = 0
        params.use_mmap = False  # weights that are rearranged cannot stay in the file
        params.repack_tensors = True
        model = self._c.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise IkError(f"{path.name}: cannot be loaded")
        return int(model)

    def _open_context(self, size: int, threads: int) -> int:
        params = self._c.llama_context_default_params()
        params.n_ctx = size
        params.n_batch = params.n_ubatch = _BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.n_seq_max = 1
        # Without AVX-VNNI its flash attention can stop the process at an assertion.
        params.flash_attn = False
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise IkError("no context")
        return int(context)


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts have in common at their beginning."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _bind(lib: Any) -> None:
    """Declare the functions that the package leaves out, as its ``llama.h`` has them."""
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    sequence, flags = ctypes.c_int32, ctypes.c_uint32
    for name, result, arguments in (
        ("llama_kv_cache_seq_rm", ctypes.c_bool, [pointer, sequence, sequence, sequence]),
        ("llama_state_seq_get_size", size, [pointer, sequence, flags]),
        ("llama_state_seq_get_data", size, [pointer, text, size, sequence, flags]),
        ("llama_state_seq_set_data", size, [pointer, text, size, sequence, flags]),
        ("llama_model_meta_val_str", ctypes.c_int32, [pointer, text, text, size]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
