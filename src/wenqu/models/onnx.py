"""The encoder in 8 bits on ONNX Runtime: runs on any x86-64 or Arm CPU.

The graph is written for ONNX Runtime rather than exported: attention as one operator and without
a mask, and integer products with 7-bit weights. Without VNNI, x86 adds two products of unsigned
and signed bytes in 16 bits, which overflows with 8-bit weights (255 × 127 × 2 > 32,767) and not
with 7-bit ones.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wenqu.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wenqu.models.blob import Blob

    Floats = NDArray[np.float32]

__all__ = ["OnnxEngine", "failures"]

# Raise it when the graph below changes: it names the cached file.
_VERSION = 2
_FUSED = "com.microsoft"
_LARGEST = 63  # of a 7-bit weight


class OnnxEngine:
    """Runs the encoder; ``run`` may be called from several threads at once.

    Args:
        blob: The weights.
        cache: Folder for the converted graph, 22 MB, made on first use.
        threads: Threads for what runs alone.

    Raises:
        ModelError: ONNX Runtime is not there or refuses the graph.
    """

    name = "onnxruntime-int8"
    step = 1
    """Lengths are padded to multiples of this."""

    def __init__(self, blob: Blob, cache: Path, threads: int) -> None:
        path = cache / f"multilingual-e5-small-int8-v{_VERSION}.onnx"
        try:
            self._session = _session(_converted(blob, path), threads=1)
        except ModelError:
            # A file cut short by a full disk or a crash of the machine: it is only a cache.
            path.unlink(missing_ok=True)
            self._session = _session(_converted(blob, path), threads=1)
        self._alone = _session(path, threads=threads) if threads > 1 else self._session

    def run(self, embeds: Floats, mask: NDArray[np.int32], *, alone: bool = False) -> Floats:
        """Return the last hidden states: (texts, length, hidden) → the same shape.

        With a step of 1 there is no padding, so ``mask`` has nothing to hide.
        """
        del mask
        session = self._alone if alone else self._session
        try:
            (states,) = session.run(None, {"embeds": embeds})
        except failures() as error:
            raise ModelError("error.model_engine", engine=self.name, reason=error) from error
        return np.asarray(states, np.float32)


def failures() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises: a family of classes without a parent of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidGraph", "InvalidProtobuf", "InvalidArgument", "NoSuchFile")
    found = [getattr(state, name) for name in (*names, "NotImplemented", "RuntimeException")]
    return (*found, RuntimeError, ValueError)


def _session(path: Path, *, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("error.model_engine", engine=OnnxEngine.name, reason=error) from error
    options = onnxruntime.SessionOptions()
    # Two texts on a thread each are quicker than two threads on a text; but one text that somebody
    # waits for, a question, is a third quicker on two that spin between its operators.
    options.intra_op_num_threads = threads
    # They stop with it: to spin on would take a core from the search that follows.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The graph is as it should be. Left to optimise, ONNX Runtime joins Add and LayerNormalization
    # into an operator that was seen to make the whole a fifth slower.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except failures() as error:
        raise ModelError("error.model_engine", engine=OnnxEngine.name, reason=error) from error


def _converted(blob: Blob, path: Path) -> Path:
    """Return the cached graph, after converting it if it is not there."""
    if path.exists():
        return path
    try:
        data = _Graph(blob).build()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).chmod(0o644)  # a models folder may be shared between users
        Path(file.name).replace(path)
    except (ImportError, OSError) as error:
        raise ModelError("error.model_engine", engine=OnnxEngine.name, reason=error) from error
    return path


class _Graph:
    """Builds the encoder as an ONNX graph from summed embeddings to last hidden states."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._sizes = blob.sizes
        self._constants: list[Any] = []
        self._nodes: list[Any] = []

    def build(self) -> bytes:
        """Return the serialised model."""
        from onnx import TensorProto, helper

        hidden = self._sizes.hidden
        (x,) = self._node(
            "LayerNormalization",
            "embeds",
            *self._norm("emb.ln"),
            axis=-1,
            epsilon=self._sizes.epsilon,
        )
        for layer in range(self._sizes.layers):
            x = self._layer(f"l{layer}", x)
        self._nodes.append(helper.make_node("Identity", [x], ["states"]))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "e5",
            [
                value("embeds", TensorProto.FLOAT, ["texts", "length", hidden]),
            ],
            [value("states", TensorProto.FLOAT, ["texts", "length", hidden])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        data: bytes = model.SerializeToString()
        return data

    def _layer(self, name: str, x: str) -> str:
        hidden, inner = self._sizes.hidden, self._sizes.feed_forward
        matrix, floats = self._blob.matrix, self._blob.floats
        weights = np.concatenate([matrix(f"{name}.{part}.w", hidden, hidden) for part in "qkv"])
        bias = np.concatenate([floats(f"{name}.{part}.b") for part in "qkv"])
        joined = self._linear(x, f"{name}.qkv", weights, bias)
        parts = self._node("Split", joined, outputs=3, domain="", axis=-1, num_outputs=3)
        (y,) = self._node("MultiHeadAttention", *parts, domain=_FUSED, num_heads=self._sizes.heads)
        y = self._stored(y, f"{name}.ao", hidden, hidden)
        x = self._add_norm(y, x, f"{name}.aln")
        y = self._stored(x, f"{name}.fi", inner, hidden)
        (y,) = self._node("Gelu", y, domain=_FUSED)
        y = self._stored(y, f"{name}.fo", hidden, inner)
        return self._add_norm(y, x, f"{name}.oln")

    def _stored(self, x: str, name: str, rows: int, columns: int) -> str:
        weights = self._blob.matrix(f"{name}.w", rows, columns)
        return self._linear(x, name, weights, self._blob.floats(f"{name}.b"))

    def _linear(self, x: str, name: str, weights: Floats, bias: Floats) -> str:
        """Add ``x @ weights.T + bias``, each row of the weights in 7 bits with its own scale."""
        scales = np.abs(weights).max(axis=1) / _LARGEST
        scales[scales == 0] = 1
        whole = np.round(weights / scales[:, None]).astype(np.int8)
        (y,) = self._node(
            "DynamicQuantizeMatMul",
            x,
            self._constant(f"{name}.q", np.ascontiguousarray(whole.T)),
            self._constant(f"{name}.s", scales.astype(np.float32)),
            self._constant(f"{name}.z", np.zeros(len(scales), np.int8)),
            self._constant(f"{name}.b", bias),
            domain=_FUSED,
        )
        return y

    def _add_norm(self, x: str, skip: str, name: str) -> str:
        (y,) = self._node("Add", x, skip)
        (y,) = self._node(
            "LayerNormalization", y, *self._norm(name), axis=-1, epsilon=self._sizes.epsilon
        )
        return y

    def _norm(self, name: str) -> tuple[str, str]:
        weight, bias = f"{name}.w", f"{name}.b"
        return (
            self._constant(weight, self._blob.floats(weight)),
            self._constant(bias, self._blob.floats(bias)),
        )

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def _node(
        self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        number = len(self._nodes)
        names = [f"t{number}_{output}" for output in range(outputs)]
        self._nodes.append(
            helper.make_node(
                kind, inputs, names, name=f"{kind}_{number}", domain=domain, **attributes
            )
        )
        return names
