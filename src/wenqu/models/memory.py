"""What this machine has for a model: processors, and memory that is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

__all__ = ["Fit", "cores", "fit", "free_memory"]

Fit = Literal["yes", "tight", "no", "unknown"]

_EASY = 0.8
"""A model that takes no more than this share of what is free leaves room for everything else."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_CONTAINER_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Of the kernel's second version of control groups, and of its first: limit, use, and its parts."""


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows: no affinity to respect


def free_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Return the bytes of memory that are free, or could be made so; None where unknown.

    A container's limit counts where it leaves less than the machine has.
    """
    try:
        lines = meminfo.read_text("ascii").splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    said = values.get("MemAvailable", "").split()
    if not said:
        return None
    machine = int(said[0]) * 1024
    container = _left(cgroup)
    return machine if container is None else min(machine, container)


def fit(needed: int, free: int | None) -> Fit:
    """Say whether ``needed`` bytes go into the ``free`` ones: easily, tightly, or not."""
    if free is None:
        return "unknown"
    if needed > free:
        return "no"
    return "yes" if needed <= free * _EASY else "tight"


def _left(cgroup: Path) -> int | None:
    """Return what a container may still take; cached files of its own could be given back."""
    for limit, used, stat, cached in _CONTAINER_FILES:
        try:
            most = int((cgroup / limit).read_text("ascii"))
            taken = int((cgroup / used).read_text("ascii"))
            lines = (cgroup / stat).read_text("ascii").splitlines()
        except (OSError, ValueError):
            continue  # none is set ("max"), or there is no such thing here
        files = sum(int(line.split()[1]) for line in lines if line.startswith(f"{cached} "))
        return max(most - taken + files, 0)
    return None
