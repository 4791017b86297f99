"""Compares embedding engines: tokens and texts a second, agreement with float32.

Usage: python bench/embed.py MODELS_DIR CORPUS_DIR [--rounds 3] [--texts 24]

Every engine embeds the same texts in each round, one after the other, so that a machine that is
busy for a while slows all of them; the median round counts. ``naive`` is what an export gives:
plain operators, ONNX Runtime's dynamic 8-bit quantisation, batches of 8 padded to the longest.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wenqu.models.blob import Blob
from wenqu.models.catalog import find
from wenqu.models.e5 import open_embedder
from wenqu.models.memory import cores
from wenqu.models.onnx import _Graph
from wenqu.models.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

_LENGTHS = (16, 128, 400)
_BATCH = 8


class PlainGraph(_Graph):
    """The encoder in standard float32 operators, as exporters write it, with a mask."""

    def build(self) -> bytes:
        """Return the serialised model with a second input, ``bias``, added to the scores."""
        import onnx

        heads, hidden = self._sizes.heads, self._sizes.hidden
        self._constant("split", np.array([0, 0, heads, hidden // heads]))
        self._constant("join", np.array([0, 0, hidden]))
        self._constant("scale", np.float32((hidden // heads) ** -0.5).reshape(1))
        self._constant("half", np.float32([0.5]))
        self._constant("root", np.float32([0.5**0.5]))
        self._constant("one", np.float32([1]))
        model = onnx.load_from_string(super().build())
        model.graph.input.append(
            onnx.helper.make_tensor_value_info("bias", onnx.TensorProto.FLOAT, ["texts", 1, 1, "n"])
        )
        return model.SerializeToString()

    def _linear(self, x: str, name: str, weights: Any, bias: Any) -> str:
        (y,) = self._node("MatMul", x, self._constant(f"{name}.q", weights.T.copy()))
        (y,) = self._node("Add", y, self._constant(f"{name}.b", bias))
        return y

    def _node(self, kind: str, *inputs: str, **options: Any) -> list[str]:
        if kind == "MultiHeadAttention":
            return self._attention(*inputs)
        if kind == "Gelu":
            (half,) = self._node("Mul", *inputs, "half")
            (y,) = self._node("Mul", *inputs, "root")
            (y,) = self._node("Erf", y)
            (y,) = self._node("Add", y, "one")
            return self._node("Mul", half, y)
        return super()._node(kind, *inputs, **options)

    def _attention(self, *parts: str) -> list[str]:
        split = [self._node("Reshape", part, "split")[0] for part in parts]
        query, key, value = (
            self._node("Transpose", part, perm=perm)[0]
            for part, perm in zip(split, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
        )
        (y,) = self._node("MatMul", query, key)
        (y,) = self._node("Mul", y, "scale")
        (y,) = self._node("Add", y, "bias")
        (y,) = self._node("Softmax", y, axis=-1)
        (y,) = self._node("MatMul", y, value)
        (y,) = self._node("Transpose", y, perm=[0, 2, 1, 3])
        return self._node("Reshape", y, "join")


def plain(blob: Blob, tokens: Tokens, path: Path) -> Embed:
    """Return an embedder over a plain graph: batches sorted by length and padded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options)
    hidden = blob.sizes.hidden
    places = blob.floats("emb.pos").reshape(-1, hidden) + blob.floats("emb.type")[:hidden]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = tokens.ids([f"passage: {text}" for text in texts], 512)
        out = np.empty((len(texts), hidden), np.float32)
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            length = len(rows[batch[-1]])
            ids = np.array([rows[at] + [1] * (length - len(rows[at])) for at in batch])
            mask = (ids != 1).astype(np.float32)
            embeds = blob.rows(ids.reshape(-1)).reshape(len(batch), length, hidden)
            bias = (mask[:, None, None, :] - 1) * 1e9
            (states,) = session.run(
                None, {"embeds": embeds + places[:length], "bias": bias.astype(np.float32)}
            )
            sums = np.einsum("tlh,tl->th", states, mask)
            out[batch] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return out

    return embed


def texts_of(corpus: Path, tokens: Tokens, count: int) -> dict[str, list[str]]:
    """Return real texts: cut to each length in tokens, and pieces of 60 to 900 characters."""
    chance = random.Random(0)  # noqa: S311 - the same sample every time
    files = sorted(corpus.rglob("*.md"))
    whole = [path.read_text("utf-8", errors="replace") for path in chance.sample(files, 40)]
    text = "\n".join(whole)[:400_000]
    starts = tokens.starts(text)
    named = {}
    for length in _LENGTHS:
        some = chance.sample(range(len(starts) - length), max(_BATCH, count * 16 // length))
        named[f"{length} tokens"] = [text[starts[at] : starts[at + length - 4]] for at in some]
    named["mix"] = [
        text[at : at + chance.randint(60, 900)]
        for at in chance.sample(range(len(text) - 900), count)
    ]
    return named


def engines_of(models_dir: Path, folder: Path, tokens: Tokens, blob: Blob) -> dict[str, Embed]:
    """Return every engine under its name, float32 first."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    full, naive = folder / "f32.onnx", folder / "naive.onnx"
    full.write_bytes(PlainGraph(blob).build())
    quantize_dynamic(full, naive, weight_type=QuantType.QInt8)
    entry = find("multilingual-e5-small")
    ours = {name: open_embedder(entry, models_dir, name) for name in ("onnxruntime", "openvino")}
    return {
        "f32": plain(blob, tokens, full),
        "naive int8": plain(blob, tokens, naive),
    } | {
        f"wenqu {e.engine}": lambda texts, e=e: e.embed_now(texts, "passage") for e in ours.values()
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models_dir", type=Path)
    parser.add_argument("corpus_dir", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=24)
    options = parser.parse_args()
    blob = Blob(options.models_dir / find("multilingual-e5-small").file)
    tokens = Tokens(blob)
    with tempfile.TemporaryDirectory() as folder:
        engines = engines_of(options.models_dir, Path(folder), tokens, blob)
        print(f"load {os.getloadavg()[0]:.1f} on {cores()} cores")
        for name, texts in texts_of(options.corpus_dir, tokens, options.texts).items():
            measure(name, texts, engines, tokens, options.rounds)


def measure(
    name: str, texts: list[str], engines: dict[str, Embed], tokens: Tokens, rounds: int
) -> None:
    """Print one row an engine: tokens/s, texts/s, ratio to naive, CPU ratio, least cosine."""
    count = sum(map(len, tokens.ids([f"passage: {text}" for text in texts], 512)))
    vectors = {engine: embed(texts) for engine, embed in engines.items()}
    walls: dict[str, list[float]] = {engine: [] for engine in engines}
    cpus: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        for engine, embed in engines.items():
            wall, cpu = time.perf_counter(), time.process_time()
            embed(texts)
            walls[engine].append(time.perf_counter() - wall)
            cpus[engine].append(time.process_time() - cpu)
    base, base_cpu = (statistics.median(d["naive int8"]) for d in (walls, cpus))
    print(f"\n{name}: {len(texts)} texts, {count} tokens")
    for engine, found in vectors.items():
        wall, cpu = statistics.median(walls[engine]), statistics.median(cpus[engine])
        print(
            f"  {engine:<24} {count / wall:7.0f} tok/s {len(texts) / wall:7.1f} texts/s "
            f"{base / wall:5.2f}x  CPU {base_cpu / cpu:5.2f}x  "
            f"cosine {(found * vectors['f32']).sum(axis=1).min():.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
