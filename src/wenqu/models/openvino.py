"""The encoder on OpenVINO: bfloat16 where the CPU computes in it (AMX), else float32."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import numpy as np

from wenqu.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wenqu.models.blob import Blob

    Floats = NDArray[np.float32]

__all__ = ["OpenVinoEngine"]


def _computes_in_bfloat16() -> bool:
    """Say whether OpenVINO is there and the CPU has bfloat16 arithmetic."""
    try:
        import openvino

        capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (ImportError, RuntimeError):
        return False
    return "BF16" in capabilities


class OpenVinoEngine:
    """Runs the encoder; ``run`` may be called from several threads at once.

    Args:
        blob: The weights.
        threads: How many calls run side by side, each on a core.

    Raises:
        ModelError: OpenVINO is not there or cannot compile the model.
    """

    step = 16
    """Lengths are padded to multiples of this: every new shape costs a compilation."""

    def __init__(self, blob: Blob, threads: int) -> None:
        self._half = _computes_in_bfloat16()
        try:
            import openvino

            self._compiled = openvino.Core().compile_model(
                _Graph(blob).build(),
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": "bf16" if self._half else "f32",
                    "NUM_STREAMS": threads,
                    "INFERENCE_NUM_THREADS": threads,
                },
            )
        except (ImportError, RuntimeError) as error:
            raise ModelError("error.model_engine", engine="openvino", reason=error) from error
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def name(self) -> str:
        """The engine and its arithmetic."""
        return "openvino-bf16" if self._half else "openvino-f32"

    def run(self, embeds: Floats, mask: NDArray[np.int32], *, alone: bool = False) -> Floats:
        """Return the last hidden states; OpenVINO shares the cores out by itself."""
        del alone
        try:
            request = self._requests.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            request.infer({"embeds": embeds, "mask": mask}, share_inputs=True)
            return np.array(request.get_output_tensor().data, np.float32)
        except RuntimeError as error:
            raise ModelError("error.model_engine", engine=self.name, reason=error) from error
        finally:
            self._requests.put(request)


class _Graph:
    """Builds the encoder from summed embeddings to last hidden states."""

    def __init__(self, blob: Blob) -> None:
        from openvino import opset15

        self._blob = blob
        self._sizes = blob.sizes
        self._ops: Any = opset15

    def build(self) -> Any:
        """Return the OpenVINO model."""
        import openvino

        ops = self._ops
        embeds = ops.parameter([-1, -1, self._sizes.hidden], np.float32, name="embeds")
        mask = ops.parameter([-1, -1], np.int32, name="mask")
        keys = ops.unsqueeze(ops.convert(mask, "boolean"), self._numbers([1, 2]))
        x = self._norm(embeds, "emb.ln")
        for layer in range(self._sizes.layers):
            x = self._layer(f"l{layer}", x, keys)
        for node in (embeds, mask):
            node.output(0).tensor.set_names({node.friendly_name})
        return openvino.Model([x], [embeds, mask], "e5")

    def _layer(self, name: str, x: Any, keys: Any) -> Any:
        ops = self._ops
        hidden, inner = self._sizes.hidden, self._sizes.feed_forward
        query, key, value = (
            self._heads(self._linear(x, f"{name}.{part}", hidden, hidden)) for part in "qkv"
        )
        y = ops.scaled_dot_product_attention(query, key, value, keys)
        y = ops.transpose(y, self._numbers([0, 2, 1, 3]))
        y = ops.reshape(y, self._numbers([0, 0, hidden]), special_zero=True)
        x = self._norm(ops.add(x, self._linear(y, f"{name}.ao", hidden, hidden)), f"{name}.aln")
        y = ops.gelu(self._linear(x, f"{name}.fi", inner, hidden), "erf")
        return self._norm(ops.add(x, self._linear(y, f"{name}.fo", hidden, inner)), f"{name}.oln")

    def _heads(self, x: Any) -> Any:
        heads = self._sizes.heads
        shape = self._numbers([0, 0, heads, self._sizes.hidden // heads])
        split = self._ops.reshape(x, shape, special_zero=True)
        return self._ops.transpose(split, self._numbers([0, 2, 1, 3]))

    def _linear(self, x: Any, name: str, rows: int, columns: int) -> Any:
        ops = self._ops
        weights = ops.constant(self._blob.matrix(f"{name}.w", rows, columns))
        product = ops.matmul(x, weights, transpose_a=False, transpose_b=True)
        return ops.add(product, self._row(f"{name}.b"))

    def _norm(self, x: Any, name: str) -> Any:
        ops = self._ops
        centred = ops.mvn(
            x,
            self._numbers([-1]),
            normalize_variance=True,
            eps=self._sizes.epsilon,
            eps_mode="inside_sqrt",
        )
        scaled = ops.multiply(centred, self._row(f"{name}.w"))
        return ops.add(scaled, self._row(f"{name}.b"))

    def _row(self, name: str) -> Any:
        return self._ops.constant(self._blob.floats(name).reshape(1, 1, -1))

    def _numbers(self, values: list[int]) -> Any:
        return self._ops.constant(np.array(values, np.int64))
