from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.errors import ModelError, ModelMissingError, NotFoundError
from wenqu.models.blob import Blob
from wenqu.models.catalog import CATALOG, PackageParts, find
from wenqu.models.e5 import _groups, _has_amx, open_embedder


@given(st.lists(st.integers(1, 512)), st.sampled_from([1, 16]))
def test_every_text_is_in_one_group_of_one_length(lengths: Sequence[int], step: int) -> None:
    groups = list(_groups(lengths, step))
    assert sorted(chain.from_iterable(groups)) == list(range(len(lengths)))
    for group in groups:
        padded = {-(-lengths[at] // step) for at in group}
        assert len(padded) == 1
        assert len(group) == 1 or len(group) * padded.pop() * step <= 128


def test_a_model_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError) as caught:
        open_embedder(find("multilingual-e5-small"), tmp_path)
    assert "wenqu models pull multilingual-e5-small" in (caught.value.hint("zh") or "")


def test_a_file_that_is_no_model_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"not a model" * 100)
    with pytest.raises(ModelError, match="cannot be read"):
        Blob(path)


def test_an_unknown_model_is_told_with_those_known() -> None:
    with pytest.raises(NotFoundError) as caught:
        find("gpt-17")
    assert "multilingual-e5-small" in (caught.value.hint() or "")


def test_the_catalog_pins_every_file_and_wheel() -> None:
    for entry in CATALOG.values():
        assert len(entry.sha256) == 64
        parts = [s.parts for s in entry.sources if isinstance(s, PackageParts)]
        assert all(len(part.wheel_sha256) == 64 for part in chain.from_iterable(parts))


@pytest.mark.parametrize(("flags", "expected"), [("avx2 amx_bf16", True), ("avx2 fma", False)])
def test_amx_is_read_from_the_flags_of_the_cpu(
    tmp_path: Path,
    flags: str,
    expected: bool,  # noqa: FBT001
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags\t: fpu {flags} sse\n")
    assert _has_amx(cpuinfo) is expected


def test_a_kernel_that_does_not_say_has_no_amx(tmp_path: Path) -> None:
    assert not _has_amx(tmp_path / "absent")
