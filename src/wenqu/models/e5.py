"""multilingual-e5-small: texts of a hundred languages to vectors of 384 numbers.

Word embeddings stay in 4 bits in the mapped file and are looked up a token at a time; only the
encoder is given to an engine, the quickest that this CPU has.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models import fetch
from wenqu.models.blob import Blob
from wenqu.models.memory import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from wenqu.models.catalog import ModelEntry
    from wenqu.models.tokens import Tokens
    from wenqu.protocols import Vectors

    Floats = NDArray[np.float32]

__all__ = ["E5Embedder", "Engine", "EngineName", "open_embedder"]

EngineName = Literal["auto", "openvino", "onnxruntime"]

_MAX_TOKENS = 512
# Tokens of texts that are run together: short ones share the cost of a call, and longer ones gain
# nothing from company.
_TOGETHER = 128
# Raise it when preparation changes what vectors come out: prefixes, tokens, pooling.
_PREPARATION = 1


class Engine(Protocol):
    """Runs the encoder; called from several threads at once."""

    @property
    def name(self) -> str:
        """The engine and its arithmetic."""

    @property
    def step(self) -> int:
        """Lengths are padded to multiples of this."""

    def run(self, embeds: Floats, mask: NDArray[np.int32], *, alone: bool = False) -> Floats:
        """Return the last hidden states: (texts, length, hidden) → the same shape.

        Args:
            embeds: Summed embeddings.
            mask: 1 for a token and 0 for padding, shape (texts, length).
            alone: Somebody waits for this and nothing else runs: take every core.

        Raises:
            ModelError: The engine failed.
        """


def open_embedder(
    entry: ModelEntry, models_dir: Path, engine: EngineName = "auto", threads: int | None = None
) -> E5Embedder:
    """Return the embedder of ``entry``; its parts are loaded when first used.

    Args:
        entry: What the catalog says of it.
        models_dir: Folder that holds its file, and converted graphs beside it.
        engine: ``auto`` takes the quickest for this CPU.
        threads: Texts embedded side by side; None is one a core.

    Raises:
        ModelMissingError: The file is not in the folder.
    """
    path = fetch.located(entry, models_dir)
    if path is None:
        raise ModelMissingError("error.model_missing", name=entry.name, path=models_dir)
    return E5Embedder(
        path,
        fingerprint=f"{entry.name}:{entry.sha256[:12]}:{_PREPARATION}",
        engine=engine,
        threads=threads or cores(),
    )


class E5Embedder:
    """An embedder over one of two engines. Safe to share between threads and event loops.

    The fingerprint does not name the engine: their vectors agree (cosine above .99, see
    docs/adr/0003-embedding-engine.md), so an index made on one machine serves on another.
    """

    def __init__(self, path: Path, *, fingerprint: str, engine: EngineName, threads: int) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._wanted = engine
        self._threads = threads
        self._loading = threading.Lock()
        self._engine: Engine | None = None
        self._note: str | None = None
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="wenqu-embed")

    @property
    def fingerprint(self) -> str:
        """Names weights and preparation: equal fingerprints give interchangeable vectors."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._blob.sizes.hidden

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that are read, prefix and end included; the rest is cut off."""
        return _MAX_TOKENS

    @property
    def engine(self) -> str:
        """The engine in use and its arithmetic; loads it."""
        return self._loaded().name

    @property
    def note(self) -> str | None:
        """Why the engine in use is not the one chosen first, or None."""
        return self._note

    def token_starts(self, text: str) -> Sequence[int]:
        """Return where each token of ``text`` begins, in code points, ascending."""
        return self._tokens.starts(text)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Return one row a text, in the order given; longer texts are cut at ``max_tokens``.

        Raises:
            ModelError: The model cannot be run.
        """
        return await asyncio.to_thread(self.embed_now, texts, kind)

    def embed_now(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Vectors:
        """Do what ``embed`` does, in the calling thread and the workers.

        Raises:
            ModelError: The model cannot be run.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        if not len(texts):
            return vectors
        engine = self._loaded()
        ids = self._tokens.ids([f"{kind}: {text}" for text in texts], _MAX_TOKENS)
        groups = list(_groups([len(row) for row in ids], engine.step))
        rows = [[ids[at] for at in group] for group in groups]
        if kind == "query" or len(groups) == 1:
            # A question does not wait in the queue behind the documents of an ingest.
            done = [self._vectors(engine, some, alone=True) for some in rows]
        else:
            done = list(self._workers.map(lambda some: self._vectors(engine, some), rows))
        for group, found in zip(groups, done, strict=True):
            vectors[group] = found
        return vectors

    def close(self) -> None:
        """Stop the workers."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _vectors(self, engine: Engine, rows: list[list[int]], *, alone: bool = False) -> Floats:
        """Return mean-pooled vectors of length 1 of rows of ids, shortest row first."""
        step = engine.step
        length = min(-(-len(rows[-1]) // step) * step, _MAX_TOKENS)
        ids = np.empty((len(rows), length), np.int64)
        mask = np.zeros((len(rows), length), np.int32)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            ids[at, len(row) :] = row[-1]
            mask[at, : len(row)] = 1
        embeds = self._blob.rows(ids.reshape(-1)).reshape(len(rows), length, -1)
        embeds += self._positions[:length]
        states = engine.run(embeds, mask, alone=alone)
        # Its own length divides each sum, but the norm would take that away again.
        sums: Floats = np.einsum("tlh,tl->th", states, mask.astype(np.float32))
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)
        return sums

    @cached_property
    def _blob(self) -> Blob:
        return Blob(self._path)

    @cached_property
    def _tokens(self) -> Tokens:
        from wenqu.models.tokens import Tokens

        return Tokens(self._blob)

    @cached_property
    def _positions(self) -> Floats:
        """What is added to a word's embedding at each position; type 0 is the only one used."""
        hidden = self._blob.sizes.hidden
        positions = self._blob.floats("emb.pos").reshape(-1, hidden)
        return positions + self._blob.floats("emb.type")[:hidden]

    def _loaded(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = self._choose()
            return self._engine

    def _choose(self) -> Engine:
        first, second = "onnxruntime", "openvino"
        if self._wanted == "openvino" or (self._wanted == "auto" and _has_amx()):
            first, second = second, first
        try:
            return self._open(first)
        except ModelError as error:
            self._note = str(error)
            return self._open(second)

    def _open(self, name: str) -> Engine:
        if name == "openvino":
            from wenqu.models.openvino import OpenVinoEngine

            return OpenVinoEngine(self._blob, self._threads)
        from wenqu.models.onnx import OnnxEngine

        return OnnxEngine(self._blob, self._path.parent, self._threads)


def _has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Say whether the CPU multiplies matrices of bfloat16, as Intel servers since 2023 do.

    Asking OpenVINO would cost half a second wherever the answer is no. Where the kernel does not
    say (macOS, Windows), the answer is no: no such machine was measured.
    """
    try:
        return "amx_bf16" in cpuinfo.read_text("utf-8", errors="replace")
    except OSError:
        return False


def _groups(lengths: Sequence[int], step: int) -> Iterator[list[int]]:
    """Yield the positions of texts to be run together: equal in padded length, shortest first."""
    padded = [-(-length // step) * step for length in lengths]
    group: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = padded[at] * (len(group) + 1) > _TOGETHER
        if group and (full or padded[at] != padded[group[0]]):
            yield group
            group = []
        group.append(at)
    if group:
        yield group
