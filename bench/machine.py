"""What the benches share: memory of a process and its children, percentiles, the load they ran at.

Memory is read from /proc where there is one; elsewhere only a process's own peak is known.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_PROC = Path("/proc")
_MB = 1 << 20
_SAMPLE_S = 0.1


def own_peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MB if sys.platform == "darwin" else peak / 1024


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """Return what /proc says a process holds (``VmRSS``) or has held (``VmHWM``), in MB; else 0."""
    try:
        status = (_PROC / str(pid) / "status").read_text("utf-8", "replace")
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(sizes[0]) / 1024 if sizes else 0.0


def process_tree(pid: int) -> list[int]:
    """Return ``pid`` and all that it started, directly or not."""
    found, at = [pid], 0
    while at < len(found):
        for task in (_PROC / str(found[at]) / "task").glob("*/children"):
            try:
                found.extend(map(int, task.read_text("ascii").split()))
            except OSError:
                continue
        at += 1
    return found


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that /proc says a process has used; else 0."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return 0.0
    used = stat.rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


class MemoryWatch:
    """Watches what a process and its children hold together; their shared pages count twice."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self.peak_mb = max(self.peak_mb, sum(map(resident_mb, process_tree(self._pid))))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not below ``share`` of the values; ``values`` not empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 100) * len(ordered) // 100) - 1))]


def folder_mb(folder: Path) -> float:
    """Return the size of all files in a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _MB


def machine() -> str:
    """Return a line that says where and under which load a bench ran."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{os.cpu_count()} cores, load {load:.1f} at this point, Python {sys.version.split()[0]}"
