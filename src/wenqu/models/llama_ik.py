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
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from wenqu.protocols import Entry, Room

__all__ = ["PACKAGE", "VERSIONS", "IkError", "IkModel", "Turn", "open_model"]

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
# Below this a step is too short to tell by how others disturb it.
_TELLING_TOKENS = 16
# The share of free cells between those in use from which on the library moves them together.
_SCATTERED = 0.5
_NO_STRETCH = 1
_ERROR_LEVEL = 4
_NO = ctypes.c_bool(False)  # noqa: FBT003 - a C argument
_TEMPLATE_KEY = b"tokenizer.chat_template"
_LARGEST_TEMPLATE = 1 << 16

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


def open_model(path: Path, room: Room, *, threads: int) -> IkModel:
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
    return IkModel(library, path, room, threads=threads)


class IkModel:
    """A model and its context, in which ``sequences`` prompts and their replies live side by side.

    ``cells`` tokens fit in all of them together, ``context`` in one.
    """

    def __init__(self, library: Any, path: Path, room: Room, *, threads: int) -> None:
        self._c = library
        self._lib = library._lib  # noqa: SLF001 - functions that the package binds not
        _bind(self._lib)
        self._lib.llama_log_set(_LOG, None)
        library.llama_backend_init()
        self._model = self._load(path)
        self._system = self._template()
        self.room = room
        self._context = self._open_context(threads)
        vocabulary = library.llama_model_get_vocab(self._model)
        self._size = library.llama_vocab_n_tokens(vocabulary)
        self._batch = library.llama_batch_init(self._largest_batch, 0, 1)
        file = path.stat()
        version = importlib.metadata.version(PACKAGE)
        self.identity = f"{path.name} {file.st_size} {file.st_mtime_ns} {version}"
        self._start, self._end = self._special("<|im_start|>"), self._special("<|im_end|>")
        self._threads = threads
        self._undisturbed = True

    @property
    def batch_tokens(self) -> int:
        """Most tokens of the next batch: fewer while other processes want the processor too."""
        return _BATCH_TOKENS if self._undisturbed else _SLEEPING_TOKENS

    @property
    def _largest_batch(self) -> int:
        return max(_BATCH_TOKENS, self.room.sequences)  # a token of each must fit

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

    def plain(self, text: str) -> list[int]:
        """Return a prompt without turns; what looks like a marker of the template is one."""
        return self._tokenize(text, special=True)

    def decode(self, entries: Sequence[Entry]) -> bool:
        """Send a batch through the model; False where no stretch of cells for all of it is free.

        Raises:
            IkError: The library failed.
        """
        batch = self._batch
        batch.n_tokens = len(entries)
        for at, (sequence, place, token, wanted) in enumerate(entries):
            batch.token[at] = token
            batch.pos[at] = place
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = sequence
            batch.logits[at] = wanted
        begun, cpu_s = time.perf_counter(), time.process_time()
        code = self._c.llama_decode(self._context, batch)
        if len(entries) > _TELLING_TOKENS:
            share = (time.process_time() - cpu_s) / (time.perf_counter() - begun) / self._threads
            self._undisturbed = share >= _UNDISTURBED
        if code not in {0, _NO_STRETCH}:
            raise IkError(f"llama_decode: {code}")
        return not code

    def likelihoods(self, at: int) -> NDArray[np.float32]:
        """Return the logits of entry ``at`` of the batch, which wanted them; valid until the next.

        One a token of the vocabulary. They may be written to.
        """
        import numpy as np

        logits = self._c.llama_get_logits_ith(self._context, at)
        return np.ctypeslib.as_array(logits, (self._size,))

    def text(self, token: int) -> bytes:
        """Return what a token says, which may be a part of a character."""
        room = ctypes.create_string_buffer(512)
        count = self._c.llama_token_to_piece(self._model, token, room, len(room), 0, _NO)
        return room.raw[: max(count, 0)]

    def ends(self, token: int) -> bool:
        """Say whether a token ends a reply."""
        return bool(self._c.llama_token_is_eog(self._model, token))

    def trim(self, sequence: int, length: int = 0) -> None:
        """Forget what a sequence holds from place ``length`` on."""
        self._lib.llama_kv_cache_seq_rm(self._context, sequence, length, -1)

    def share(self, source: int, sequence: int, length: int) -> None:
        """Let an empty sequence begin as another does; both use the same cells for it."""
        self._lib.llama_kv_cache_seq_cp(self._context, source, sequence, 0, length)

    def state(self, sequence: int) -> bytes:
        """Return what a sequence holds, or nothing where the library cannot say."""
        size = self._lib.llama_state_seq_get_size(self._context, sequence, 0)
        buffer = ctypes.create_string_buffer(size)
        written = self._lib.llama_state_seq_get_data(self._context, buffer, size, sequence, 0)
        return buffer.raw[:written]

    def restore(self, sequence: int, state: bytes) -> bool:
        """Put back what ``state`` returned; where that fails the sequence is empty."""
        self.trim(sequence)
        data = self._lib.llama_state_seq_set_data(self._context, state, len(state), sequence, 0)
        if not data:
            self.trim(sequence)
        return bool(data)

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

    def _open_context(self, threads: int) -> int:
        params = self._c.llama_context_default_params()
        params.n_ctx = self.room.cells
        params.n_batch = params.n_ubatch = self._largest_batch
        params.n_threads = params.n_threads_batch = threads
        params.n_seq_max = self.room.sequences
        params.defrag_thold = _SCATTERED
        # Without AVX-VNNI its flash attention can stop the process at an assertion.
        params.flash_attn = False
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise IkError("no context")
        return int(context)


def _say(level: int, text: bytes | None, _: object) -> None:
    if level == _ERROR_LEVEL and text:
        os.write(2, text)


_LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_say)


def _bind(lib: Any) -> None:
    """Declare the functions that the package leaves out, as its ``llama.h`` has them."""
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    sequence = place = ctypes.c_int32
    flags = ctypes.c_uint32
    for name, result, arguments in (
        ("llama_log_set", None, [type(_LOG), pointer]),
        ("llama_kv_cache_seq_rm", ctypes.c_bool, [pointer, sequence, place, place]),
        ("llama_kv_cache_seq_cp", None, [pointer, sequence, sequence, place, place]),
        ("llama_state_seq_get_size", size, [pointer, sequence, flags]),
        ("llama_state_seq_get_data", size, [pointer, text, size, sequence, flags]),
        ("llama_state_seq_set_data", size, [pointer, text, size, sequence, flags]),
        ("llama_model_meta_val_str", ctypes.c_int32, [pointer, text, text, size]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
