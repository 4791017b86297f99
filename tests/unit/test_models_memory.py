"""How much memory is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wenqu.models.memory import fit, free_memory

if TYPE_CHECKING:
    from pathlib import Path

MEMINFO = "MemTotal:  8000 kB\nMemFree: 100 kB\nMemAvailable:   4000 kB\n"


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text(MEMINFO, "ascii")
    return path


def limited(folder: Path, limit: str, used: int, cached: int) -> Path:
    folder.mkdir()
    (folder / "memory.max").write_text(limit, "ascii")
    (folder / "memory.current").write_text(f"{used}\n", "ascii")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n", "ascii")
    return folder


def test_memory_that_can_be_made_free_counts_as_free(meminfo: Path, tmp_path: Path) -> None:
    assert free_memory(meminfo, tmp_path) == 4000 * 1024
    assert free_memory(tmp_path / "absent", tmp_path) is None


def test_the_limit_of_a_container_counts_where_it_is_less(meminfo: Path, tmp_path: Path) -> None:
    assert free_memory(meminfo, limited(tmp_path / "a", "2000000\n", 1500000, 300000)) == 800000
    assert free_memory(meminfo, limited(tmp_path / "b", "max\n", 1500000, 0)) == 4000 * 1024
    assert free_memory(meminfo, limited(tmp_path / "c", "900000000\n", 0, 0)) == 4000 * 1024


def test_the_limit_of_a_container_of_the_first_kind_counts_too(
    meminfo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("2000000\n", "ascii")
    (folder / "memory.usage_in_bytes").write_text("1500000\n", "ascii")
    (folder / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 300000\n", "ascii")
    assert free_memory(meminfo, tmp_path) == 800000
    (folder / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n", "ascii")
    assert free_memory(meminfo, tmp_path) == 4000 * 1024


def test_a_model_fits_easily_tightly_or_not() -> None:
    free = 1000
    assert [fit(needed, free) for needed in (800, 801, 1000, 1001)] == [
        "yes",
        "tight",
        "tight",
        "no",
    ]
    assert fit(1, None) == "unknown"
