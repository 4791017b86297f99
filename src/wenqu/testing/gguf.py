"""Small GGUF files, made on the spot: headers that tell something, and weights of nought."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["F16", "F32", "Q4_K", "SMALL", "Made", "Tensor", "size_of", "text"]

F32, F16, Q4_K = 0, 1, 12
BLOCKS = {F32: (1, 4), F16: (1, 2), Q4_K: (256, 144)}
Tensor = tuple[str, tuple[int, ...], int]


def text(value: str) -> bytes:
    """Return a text as GGUF writes it."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value_of(value: object) -> bytes:
    """Return a value with its type: texts, 32-bit numbers, and lists of either."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if not isinstance(value, list):
        raise TypeError(value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(one) for one in value)
    return struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)


@dataclass
class Made:
    """A small GGUF file of an architecture named ``tiny``."""

    said: Mapping[str, object] = field(default_factory=dict)
    tensors: Sequence[Tensor] = ()
    cut: int = 0

    def data(self) -> bytes:
        """Return the file."""
        said = {"general.architecture": "tiny", **self.said}
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(said))
        head += b"".join(text(name) + _value_of(value) for name, value in said.items())
        offset = 0
        for name, dimensions, kind in self.tensors:
            head += text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
            head += struct.pack("<IQ", kind, offset)
            offset += size_of(dimensions, kind)
        return head + bytes(-len(head) % 32) + bytes(max(offset - self.cut, 0))

    def at(self, path: Path) -> Path:
        """Write the file; return where."""
        path.write_bytes(self.data())
        return path


def size_of(dimensions: tuple[int, ...], kind: int) -> int:
    """Return the bytes of a tensor."""
    weights, size = BLOCKS[kind]
    count = 1
    for one in dimensions:
        count *= one
    return count // weights * size


SMALL = Made(
    {
        "general.name": "Tiny",
        "general.license": "mit",
        "tiny.block_count": 2,
        "tiny.context_length": 512,
        "tiny.embedding_length": 256,
        "tiny.attention.head_count": 8,
        "tiny.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": ["a", "b", "问"],
    },
    [
        ("token_embd.weight", (256, 3), F16),
        ("blk.0.ffn_up.weight", (256, 64), Q4_K),
        ("blk.1.ffn_up.weight", (256, 64), Q4_K),
        ("output_norm.weight", (256,), F32),
    ],
)
