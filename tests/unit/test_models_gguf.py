"""GGUF headers: what they tell, and that damaged ones tell an error."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models.gguf import read_gguf

if TYPE_CHECKING:
    from pathlib import Path
from wenqu.testing.gguf import F32, Q4_K, SMALL, Made, Tensor, size_of, text


def test_a_header_tells_parameters_quantisation_and_cache(tmp_path: Path) -> None:
    header = read_gguf(SMALL.at(tmp_path / "small.gguf"))
    assert (header.architecture, header.title, header.licence) == ("tiny", "Tiny", "mit")
    assert header.quantisation == "Q4_K"
    assert (header.layers, header.context, header.files) == (2, 512, 1)
    shape = header.shape
    assert (shape.matrices, shape.vocabulary, shape.vectors) == (2 * 256 * 64, 3 * 256, 256)
    assert shape.tokens == 3
    # Two layers, each with 2 heads of 32 numbers for keys and as many for values, at two bytes.
    assert shape.kv_bytes == 2 * 2 * (32 + 32) * 2
    assert header.weight_bytes == 3 * 256 * 2 + 2 * 64 * 144 + 256 * 4


def test_memory_grows_with_bits_and_context(tmp_path: Path) -> None:
    header = read_gguf(SMALL.at(tmp_path / "small.gguf"))
    short, long = header.shape.table(256), header.shape.table(1256)
    assert short[4] < short[8] < short[16]
    assert long[8] - short[8] == 1000 * header.shape.kv_bytes
    assert header.memory(256) - header.memory(512) == -256 * header.shape.kv_bytes


def test_a_model_in_several_files_is_the_sum_of_them(tmp_path: Path) -> None:
    whole = read_gguf(SMALL.at(tmp_path / "small.gguf"))
    first = Made({**SMALL.said, "split.count": 2}, SMALL.tensors[:1])
    first.at(tmp_path / "cut-00001-of-00002.gguf")
    with pytest.raises(ModelMissingError, match="cut-00002-of-00002"):
        read_gguf(tmp_path / "cut-00001-of-00002.gguf")
    Made({}, SMALL.tensors[1:]).at(tmp_path / "cut-00002-of-00002.gguf")
    for number in (1, 2):
        joined = read_gguf(tmp_path / f"cut-0000{number}-of-00002.gguf")
        assert joined.shape == whole.shape
        assert joined.weight_bytes == whole.weight_bytes
        assert (joined.quantisation, joined.layers, joined.files) == ("Q4_K", 2, 2)


def test_a_number_for_each_layer_is_summed(tmp_path: Path) -> None:
    said = {**SMALL.said, "tiny.attention.head_count_kv": [2, 0]}
    header = read_gguf(Made(said, SMALL.tensors).at(tmp_path / "mixed.gguf"))
    assert header.shape.kv_bytes == 2 * (32 + 32) * 2


def test_seven_billion_weights_need_what_their_makers_say(tmp_path: Path) -> None:
    """Baichuan2-7B's own table: 5.1, 8.0 and 15.3 GB at 4, 8 and 16 bits, without a long prompt."""
    width, inner, layers, words = 4096, 11008, 32, 125_696
    tensors: list[Tensor] = [
        ("token_embd.weight", (width, words), Q4_K),
        ("output.weight", (width, words), Q4_K),
    ]
    for layer in range(layers):
        tensors += [(f"blk.{layer}.attn_{name}.weight", (width, width), Q4_K) for name in "qkvo"]
        tensors += [(f"blk.{layer}.ffn_{name}.weight", (width, inner), Q4_K) for name in "abc"]
        tensors += [(f"blk.{layer}.norm_{name}.weight", (width,), F32) for name in "ab"]
    said = {
        "tiny.block_count": layers,
        "tiny.embedding_length": width,
        "tiny.attention.head_count": 32,
    }
    path = tmp_path / "sparse.gguf"
    data = Made(said, tensors, cut=1 << 62).data()
    with path.open("wb") as file:
        file.write(data)
        file.truncate(len(data) + sum(size_of(shape, kind) for _, shape, kind in tensors))
    shape = read_gguf(path).shape
    assert shape.parameters == pytest.approx(7.5e9, rel=0.01)
    gigabytes = {bits: size / 1e9 for bits, size in shape.table(256).items()}
    assert gigabytes == pytest.approx({4: 5.1, 8: 8.0, 16: 15.3}, rel=0.08)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short"),
        (b"PK\x03\x04" + bytes(100), "not a GGUF"),
        (b"GGUF" + struct.pack("<I", 9), "version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 40, 0), "too many"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 60), "cut short"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 77), "type 77"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("a") + struct.pack("<I", 9), "dimensions"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1),
            "array of type 9",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 8, 1 << 60),
            "cut short",
        ),
    ],
)
def test_what_is_not_the_format_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=reason) as refused:
        read_gguf(path)
    assert refused.value.hint("zh")


def test_no_more_of_a_file_is_read_than_a_header_can_take(tmp_path: Path) -> None:
    path = tmp_path / "long.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 40))
        file.truncate(1 << 40)  # sparse: it takes no room
    with pytest.raises(ModelError, match="too long"):
        read_gguf(path)


def test_a_file_that_was_cut_off_is_told(tmp_path: Path) -> None:
    cut = Made(SMALL.said, SMALL.tensors, cut=1000)
    with pytest.raises(ModelError, match="1000 bytes are missing"):
        read_gguf(cut.at(tmp_path / "cut.gguf"))


def test_weights_of_an_unknown_type_must_still_fit_into_the_file(tmp_path: Path) -> None:
    data = SMALL.data()
    shape = struct.pack("<QQI", 256, 64, Q4_K)
    path = tmp_path / "new.gguf"
    path.write_bytes(data.replace(shape, struct.pack("<QQI", 256, 64, 250)))
    assert read_gguf(path).shape.matrices == 2 * 256 * 64
    path.write_bytes(data.replace(shape, struct.pack("<QQI", 1 << 50, 1 << 50, 250)))
    with pytest.raises(ModelError, match="more weights"):
        read_gguf(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError):
        read_gguf(tmp_path / "absent.gguf")
    with pytest.raises(ModelError):
        read_gguf(tmp_path)


ANY_PATH = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


@settings(max_examples=300, suppress_health_check=ANY_PATH)
@given(
    edits=st.lists(st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=8)), max_size=4)
)
def test_a_damaged_header_gives_an_error_or_a_sane_answer(
    edits: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    data = bytearray(SMALL.data())
    for at, patch in edits:
        data[at : at + len(patch)] = patch
    path = tmp_path / "damaged.gguf"
    path.write_bytes(data)
    try:
        header = read_gguf(path)
    except ModelError:
        return
    assert 0 <= header.weight_bytes <= len(data)
    assert header.shape.parameters <= len(data) * 8
    assert header.memory(4096) > 0


@settings(max_examples=60, suppress_health_check=ANY_PATH)
@given(length=st.integers(0, len(SMALL.data()) - 1))
def test_a_header_cut_anywhere_gives_an_error(length: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(SMALL.data()[:length])
    with pytest.raises(ModelError):
        read_gguf(path)
