"""What a GGUF file says of itself: parameters, quantisation, and the memory it needs.

Only the header is read, and it is trusted in nothing: every length is checked against what the file
has, and no more than ``_HEADER_BYTES`` are kept. The weights' memory at other widths follows from
the tensors' shapes, so that one file tells the table of all its quantisations.

Source: ggml-org/ggml docs/gguf.md (versions 2 and 3) and ggml's block sizes.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from wenqu.errors import ModelError, ModelMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["WIDTHS", "Gguf", "ModelShape", "read_gguf"]

WIDTHS = (4, 8, 16)
"""Bits a weight that a memory table has columns for."""

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_HEADER_BYTES = 64 << 20  # the largest vocabularies take some 10 MB
_CHUNK = 1 << 20
_MAX_ENTRIES = 1 << 16
_MAX_TENSORS = 1 << 17
_MAX_DIMENSIONS = 4
_MAX_STRING = 1 << 16  # names; longer texts are skipped
_MAX_KEPT = 1 << 12  # elements of an array that are kept: one a layer
_MAX_FILES = 1000
_PART = re.compile(r"-\d{5}-of-(?P<count>\d{5})\.gguf$")
_ALIGNMENT = 32
_WEIGHTS_A_BYTE = 8  # no type takes less than a bit a weight

_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"} | {
    10: "Q",
    11: "q",
    12: "d",
}

# Tensor type → name, weights a block, bytes a block. Of one that is not here, only where it begins
# is checked.
_TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}

# Bits that a weight really takes: llama.cpp's Q4_K, Q8_0 and F16 with their scales. At 4 bits the
# vocabulary's matrices are kept finer (Q6_K), as its own quantiser does.
_MATRIX_BITS = {4: 4.5, 8: 8.5, 16: 16.0}
_VOCABULARY_BITS = {4: 6.5625, 8: 8.5, 16: 16.0}
_VECTOR_BITS = 32
_KV_BYTES = 2  # a cached number: F16
_PROGRAM_BYTES = 200 << 20  # llama.cpp, its graph and the process around it
_BATCH_TOKENS = 256  # as wenqu llm serve reads prompts: the largest result is a batch's logits
_LOGIT_BYTES = 4
_VOCABULARY_TENSORS = ("token_embd.", "output.weight", "per_layer_token_embd.")

_Value = int | float | str | tuple[int | float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What memory follows from.

    Numbers of weights: ``matrices`` without those of the ``vocabulary`` (embedding and output), and
    ``vectors`` (norms, biases). ``kv_values`` are the numbers cached for each token, of all layers;
    a sliding window, which caches fewer, is not counted off. ``tokens`` is the vocabulary's size.
    """

    matrices: int
    vocabulary: int
    vectors: int
    kv_values: int
    tokens: int

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.matrices + self.vocabulary + self.vectors

    @property
    def kv_bytes(self) -> int:
        """Bytes of cache for each token of context."""
        return self.kv_values * _KV_BYTES

    def weight_bytes(self, bits: int) -> int:
        """Return the bytes of the weights at one of ``WIDTHS``."""
        matrices = self.matrices * _MATRIX_BITS[bits]
        vocabulary = self.vocabulary * _VOCABULARY_BITS[bits]
        return round((matrices + vocabulary + self.vectors * _VECTOR_BITS) / 8)

    def memory(self, weight_bytes: int, context: int) -> int:
        """Return the bytes needed to run weights of that size with so many tokens of context.

        The pages of a mapped file count as weights. Where llama.cpp lays weights out anew for the
        processor it holds some twice, but the file's pages can then be taken from it: the default
        model shows 1.9 GB resident and is told to need 1.5, of which it then uses 1.1.
        """
        cache = self.kv_bytes * context
        results = self.tokens * _LOGIT_BYTES * min(context, _BATCH_TOKENS)
        return weight_bytes + cache + results + _PROGRAM_BYTES

    def table(self, context: int) -> dict[int, int]:
        """Return the memory needed, in bytes, at each of ``WIDTHS``."""
        return {bits: self.memory(self.weight_bytes(bits), context) for bits in WIDTHS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gguf:
    """A GGUF file's header.

    Of a model that was cut into several ``files`` it is the sum of all. ``weight_bytes`` are those
    of its tensors, ``quantisation`` is the type that most weights have, ``context`` the longest
    that the model was trained for (0 where it does not say).
    """

    architecture: str
    title: str
    licence: str
    quantisation: str
    layers: int
    context: int
    files: int
    file_bytes: int
    weight_bytes: int
    shape: ModelShape

    @property
    def bits_per_weight(self) -> float:
        """Average of all tensors."""
        return self.weight_bytes * 8 / max(self.shape.parameters, 1)

    def memory(self, context: int) -> int:
        """Return the bytes needed to run the file as it is."""
        return self.shape.memory(self.weight_bytes, context)


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    dimensions: tuple[int, ...]
    kind: int
    offset: int

    @property
    def weights(self) -> int:
        return math.prod(self.dimensions)

    @property
    def size(self) -> int:
        """Bytes; 0 where the type is not known."""
        _, weights, size = _TYPES.get(self.kind, ("", 1, 0))
        return -(-self.weights // weights) * size


class _BrokenError(Exception):
    """The header is not what the format says."""


def read_gguf(path: Path) -> Gguf:
    """Read the header of a GGUF file, and of all others that the model was cut into.

    Raises:
        ModelMissingError: There is no such file, or one of the others is not beside it.
        ModelError: One cannot be read, is not of the format, damaged, or cut short.
    """
    cut = _PART.search(path.name)
    if cut is None:
        return _read(path)
    count = min(int(cut["count"]), _MAX_FILES)
    names = [f"{path.name[: cut.start()]}-{n:05d}-of-{count:05d}.gguf" for n in range(1, count + 1)]
    # The first has all that is said of the model; each has tensors of its own.
    first, *rest = [_read(path.with_name(name)) for name in names]
    for one in rest:
        first = _joined(first, one)
    return first


def _read(path: Path) -> Gguf:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _gguf(_Cursor(file), size)
    except FileNotFoundError:
        raise ModelMissingError("error.gguf_missing", path=path) from None
    except OSError as error:
        raise ModelError("error.gguf_broken", path=path, reason=error.strerror or error) from None
    except _BrokenError as error:
        raise ModelError("error.gguf_broken", path=path, reason=error) from None


def _joined(first: Gguf, other: Gguf) -> Gguf:
    """Return ``first`` with the tensors of ``other``."""
    more = other.shape.parameters > first.shape.parameters
    return replace(
        first,
        quantisation=other.quantisation if more else first.quantisation,
        file_bytes=first.file_bytes + other.file_bytes,
        weight_bytes=first.weight_bytes + other.weight_bytes,
        shape=replace(
            first.shape,
            matrices=first.shape.matrices + other.shape.matrices,
            vocabulary=first.shape.vocabulary + other.shape.vocabulary,
            vectors=first.shape.vectors + other.shape.vectors,
            tokens=max(first.shape.tokens, other.shape.tokens),
        ),
    )


def _gguf(cursor: _Cursor, size: int) -> Gguf:
    if cursor.take(4) != _MAGIC:
        raise _BrokenError("not a GGUF file")
    version = cursor.number("I")
    if version not in _VERSIONS:
        raise _BrokenError(f"GGUF version {version}")
    tensors, entries = cursor.number("Q"), cursor.number("Q")
    if tensors > _MAX_TENSORS or entries > _MAX_ENTRIES:
        raise _BrokenError("too many entries")
    said = dict(_entry(cursor) for _ in range(entries))
    table = [_tensor(cursor) for _ in range(tensors)]
    weight_bytes = _checked(table, cursor.at, said, size)
    return _described(_Said(said), table, weight_bytes, size)


def _checked(tensors: Sequence[_Tensor], header: int, said: Mapping[str, _Value], size: int) -> int:
    """Return the bytes of the tensors, after checking that the file has them."""
    alignment = said.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= _CHUNK:
        raise _BrokenError("alignment")
    start = -(-header // alignment) * alignment
    end = max((tensor.offset + tensor.size for tensor in tensors), default=0)
    if start + end > size:
        raise _BrokenError(f"{start + end - size} bytes are missing at its end")
    if sum(tensor.weights for tensor in tensors) > (size - start) * _WEIGHTS_A_BYTE:
        raise _BrokenError("more weights than the file can hold")
    return size - start


class _Cursor:
    """Reads a header forwards; what lies behind is forgotten."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._data = b""
        self._base = 0  # of _data, in the file
        self._next = 0  # in _data

    @property
    def at(self) -> int:
        """Bytes read so far."""
        return self._base + self._next

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self._next + count > len(self._data):
            self._fill(count)
        begin = self._next
        self._next += count
        return self._data[begin : self._next]

    def _fill(self, count: int) -> None:
        if self.at + count > _HEADER_BYTES:
            raise _BrokenError("the header is too long")
        rest = self._data[self._next :]
        self._base, self._next = self.at, 0
        self._data = rest + self._file.read(max(_CHUNK, count - len(rest)))
        if len(self._data) < count:
            raise _BrokenError("the header is cut short")

    def number(self, code: str) -> int:
        """Return an integer of a ``struct`` code."""
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]
        return value

    def text(self) -> str:
        """Return a text; the empty one in place of one too long to be a name."""
        length = self.number("Q")
        if length > _MAX_STRING:
            self.skip(length)
            return ""
        return self.take(length).decode("utf-8", "replace")

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count:
            count -= len(self.take(min(count, _CHUNK)))


def _entry(cursor: _Cursor) -> tuple[str, _Value]:
    name = cursor.text()
    kind = cursor.number("I")
    return name, _array(cursor) if kind == _ARRAY else _value(cursor, kind)


def _value(cursor: _Cursor, kind: int) -> int | float | str:
    if kind == _STRING:
        return cursor.text()
    if kind not in _NUMBERS:
        raise _BrokenError(f"a value of type {kind}")
    return cursor.number(_NUMBERS[kind])


def _array(cursor: _Cursor) -> _Value:
    """Return an array of a few numbers, or how long it is."""
    kind, count = cursor.number("I"), cursor.number("Q")
    if kind == _STRING:
        for _ in range(min(count, _HEADER_BYTES)):
            cursor.skip(cursor.number("Q"))
        return count
    if kind not in _NUMBERS:
        raise _BrokenError(f"an array of type {kind}")
    code = _NUMBERS[kind]
    if count > _MAX_KEPT:
        cursor.skip(count * struct.calcsize(f"<{code}"))
        return count
    return struct.unpack(f"<{count}{code}", cursor.take(count * struct.calcsize(f"<{code}")))


def _tensor(cursor: _Cursor) -> _Tensor:
    name = cursor.text()
    count = cursor.number("I")
    if count > _MAX_DIMENSIONS:
        raise _BrokenError(f"a tensor of {count} dimensions")
    dimensions = tuple(cursor.number("Q") for _ in range(count))
    return _Tensor(name, dimensions, cursor.number("I"), cursor.number("Q"))


class _Said:
    """A header's metadata, by keys as its architecture names them; of the type asked, or none."""

    def __init__(self, said: Mapping[str, _Value]) -> None:
        self._said = said
        self.architecture = self.text("general.architecture")

    def text(self, key: str) -> str:
        value = self._said.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        value = self._said.get(key)
        return value if isinstance(value, int) and value >= 0 else default

    def of(self, key: str, default: int = 0) -> int:
        return self.number(f"{self.architecture}.{key}", default)

    def each_layer(self, key: str, layers: int, default: int) -> list[int]:
        """Return a number for each layer: given once for all, or one by one."""
        value = self._said.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            return [int(one) for one in value if math.isfinite(one) and one >= 0]
        return [self.of(key, default)] * layers


def _described(said: _Said, tensors: list[_Tensor], weight_bytes: int, file_bytes: int) -> Gguf:
    layers = min(said.of("block_count"), _MAX_KEPT)
    kinds = Counter[int]()
    for tensor in tensors:
        kinds[tensor.kind] += tensor.weights
    most = kinds.most_common(1)[0][0] if kinds else -1
    return Gguf(
        architecture=said.architecture,
        title=said.text("general.name"),
        licence=said.text("general.license"),
        quantisation=_TYPES.get(most, (f"type {most}" if kinds else "", 1, 0))[0],
        layers=layers,
        context=said.of("context_length"),
        files=said.number("split.count", 1) or 1,
        file_bytes=file_bytes,
        weight_bytes=weight_bytes,
        shape=_shape(said, tensors, layers),
    )


def _shape(said: _Said, tensors: Iterable[_Tensor], layers: int) -> ModelShape:
    matrices = vocabulary = vectors = tokens = 0
    for tensor in tensors:
        if tensor.name.startswith(_VOCABULARY_TENSORS):
            vocabulary += tensor.weights
            tokens = max(tokens, *tensor.dimensions[1:2], 0)
        elif len(tensor.dimensions) > 1:
            matrices += tensor.weights
        else:
            vectors += tensor.weights
    return ModelShape(
        matrices=matrices,
        vocabulary=vocabulary,
        vectors=vectors,
        kv_values=_kv_values(said, layers),
        tokens=tokens,
    )


def _kv_values(said: _Said, layers: int) -> int:
    """Return the numbers that are cached for one token, in all layers."""
    heads = said.each_layer("attention.head_count", layers, 1)
    width = said.of("embedding_length") // max(*heads, 1) if heads else 0
    key = said.of("attention.key_length", width)
    value = said.of("attention.value_length", width)
    shared = said.each_layer("attention.head_count_kv", layers, max(heads, default=1))
    return sum(shared) * (key + value)
