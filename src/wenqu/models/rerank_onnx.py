"""Reranking by a cross-encoder in ONNX: it reads a question and a text together, and scores them.

Any sequence classifier with one output (its score) or two (no, yes) will do, as exported by
Optimum or found on a model hub: ``model.onnx`` with ``tokenizer.json`` beside it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models.onnx import failures
from wenqu.text.chunk import embedding_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

    from wenqu.types import Hit

__all__ = ["OnnxReranker", "located"]

_ENGINE = "onnxruntime"
_GRAPHS = ("model.onnx", "model_quantized.onnx", "model_int8.onnx", "model_O3.onnx")
_MAX_TOKENS = 512
_TOGETHER = 8
"""Pairs of about one length that run at once; between two batches it can be stopped."""
_PADS = ("[PAD]", "<pad>", "<|endoftext|>")


def located(path: Path) -> tuple[Path, Path]:
    """Return the graph and the tokeniser that ``path`` means: a folder, or a graph's file.

    Raises:
        ModelMissingError: One of them is not there.
    """
    folders = [path, path / "onnx"] if path.is_dir() else [path.parent]
    graphs = [folder / name for folder in folders for name in _GRAPHS] if path.is_dir() else [path]
    graph = next((one for one in graphs if one.is_file()), None)
    beside = [folder / "tokenizer.json" for folder in (*folders, folders[0].parent)]
    tokenizer = next((one for one in beside if one.is_file()), None)
    if graph is None or tokenizer is None:
        missing = "tokenizer.json" if graph else "model.onnx"
        raise ModelMissingError("error.reranker_missing", path=path, missing=missing)
    return graph, tokenizer


class OnnxReranker:
    """A ``Reranker`` on a cross-encoder's graph; ``load`` opens it, as does the first question.

    Args:
        path: A folder with the graph and its ``tokenizer.json``, or the graph.
        threads: CPU threads; None takes what ONNX Runtime takes.
        max_tokens: Longest question and text together; the text is cut off.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, max_tokens: int = _MAX_TOKENS
    ) -> None:
        self._path = path
        self._threads = threads
        self._max_tokens = max_tokens
        self._loading = threading.Lock()
        self._graph: _Graph | None = None

    @property
    def name(self) -> str:
        """The name of its folder or file."""
        return self._path.stem if self._path.suffix == ".onnx" else self._path.name

    async def load(self) -> None:
        """Open the model, so that the first question does not wait for it.

        Raises:
            ModelMissingError: A file of it is not there.
            ModelError: It is no such model.
        """
        await asyncio.to_thread(self._opened)

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return the model's score of each hit (a logit), in the hits' order.

        Raises:
            ModelMissingError: A file of it is not there.
            ModelError: It is no such model, or failed.
        """
        texts = [embedding_text(hit.chunk, hit.document.title) for hit in hits]
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(self._scores, question, texts, stopped)
        finally:
            stopped.set()  # whoever does not wait any more needs no more batches

    async def close(self) -> None:
        """Free the model."""
        self._graph = None

    def _scores(self, question: str, texts: Sequence[str], stopped: threading.Event) -> list[float]:
        return self._opened().scores(question, texts, stopped) if texts else []

    def _opened(self) -> _Graph:
        with self._loading:
            if self._graph is None:
                graph, tokenizer = located(self._path)
                self._graph = _Graph(graph, tokenizer, self._threads, self._max_tokens)
            return self._graph


class _Graph:
    """An open model: session, tokeniser, and which inputs it wants."""

    def __init__(self, graph: Path, tokenizer: Path, threads: int | None, max_tokens: int) -> None:
        self._path = graph
        self._tokenizer = _tokenizer(tokenizer, max_tokens)
        self._pad = next(
            (pad for name in _PADS if (pad := self._tokenizer.token_to_id(name)) is not None), 0
        )
        self._session = _session(graph, threads)
        self._types = {
            one.name: np.int32 if "int32" in one.type else np.int64
            for one in self._session.get_inputs()
        }
        if "input_ids" not in self._types:
            raise self._error(f"inputs: {', '.join(self._types)}")

    def scores(self, question: str, texts: Sequence[str], stopped: threading.Event) -> list[float]:
        pairs = self._tokenizer.encode_batch([(question, text) for text in texts])
        # Padding costs as much as text: pairs of about one length run together.
        order = sorted(range(len(pairs)), key=lambda number: len(pairs[number].ids))
        found = np.zeros(len(pairs))
        for at in range(0, len(order), _TOGETHER):
            if stopped.is_set():
                break
            some = order[at : at + _TOGETHER]
            found[some] = self._run([pairs[number] for number in some])
        return [float(score) for score in found]

    def _run(self, pairs: Sequence[Encoding]) -> NDArray[np.float64]:
        shape = len(pairs), max(len(pair.ids) for pair in pairs)
        arrays = {
            "input_ids": np.full(shape, self._pad),
            "attention_mask": np.zeros(shape, int),
            "token_type_ids": np.zeros(shape, int),
        }
        for row, pair in enumerate(pairs):
            length = len(pair.ids)
            arrays["input_ids"][row, :length] = pair.ids
            arrays["attention_mask"][row, :length] = 1
            arrays["token_type_ids"][row, :length] = pair.type_ids
        wanted = {
            name: arrays[name].astype(kind) for name, kind in self._types.items() if name in arrays
        }
        try:
            logits = np.asarray(self._session.run(None, wanted)[0], float)
        except failures() as error:
            raise self._error(error) from error
        logits = logits.reshape(len(pairs), -1)
        if logits.shape[1] not in {1, 2} or not np.isfinite(logits).all():
            raise self._error(f"output: {logits.shape[1]} numbers a pair")
        return logits[:, -1] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]

    def _error(self, reason: object) -> ModelError:
        return ModelError("error.reranker_broken", path=self._path, reason=reason)


def _tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError("error.reranker_broken", path=path, reason=error) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    return tokenizer


def _session(path: Path, threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("error.model_engine", engine=_ENGINE, reason=error) from error
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except failures() as error:
        raise ModelError("error.reranker_broken", path=path, reason=error) from error
