"""Memory: the free memory, the memory that the process has used, and its reuse."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Final

from darec.errors import ConfigError

# Names of a group's limit, use and droppable cache in memory.stat, in version 2 and in version 1 of control groups.
_GROUP_FILES: Final = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
_TORCH: Final = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "std::bad_alloc",
    "Invalid buffer size",
    "Storage size calculation overflowed",
)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def peak_rss_mb() -> float:
    """Largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, but bytes on macOS
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)


def require_memory(needed: float, what: str, remedy: str) -> None:
    """Refuse a computation that does not fit into memory, before it begins.

    Args:
        needed: bytes, a lower estimate.
        what: their purpose, such as ``"the weights of 2,000,000,000 columns"``.
        remedy: how to need less, such as ``"lower backbone.dim"``.

    Raises:
        ConfigError: there is not enough memory.
    """
    free = available_memory()
    if free is not None and needed > free:
        raise ConfigError(
            f"{what} would take at least {in_units(needed)} of memory, and {in_units(free)} are free: {remedy}."
        )


def available_memory() -> float | None:
    """Bytes that this process may still use, by the machine, its control group and its own limit; None if unknown."""
    found = [_machine(), _control_group(), _own_limit()]
    return min((free for free in found if free is not None), default=None)


def in_units(size: float) -> str:
    """Bytes in readable units."""
    unit = 0
    while size >= 1024 and unit < 6:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[unit]}"


def failed_allocation(error: BaseException) -> str | None:
    """The description of a failed allocation in an error; None if the error is another one."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return text or "an allocation failed"
    for sign in _TORCH:
        if sign in text:
            return text[text.index(sign) :].partition(". ")[0].rstrip(".")
    return None


def _machine() -> float | None:
    """Memory that is available without swapping, or all memory if the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(
            1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")
        )
    except (OSError, ValueError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return None


def _control_group(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Memory that the control groups of this process, which containers and batch systems set, may still use."""
    try:
        places = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    free = []
    for _, controllers, path in places:
        if controllers not in ("", "memory"):
            continue
        base = root / controllers
        limit, usage, cache = _GROUP_FILES[controllers]
        folder = base / path.lstrip("/")
        for group in (folder, *folder.parents):  # a limit of any group above holds too
            try:
                allowed, used = (
                    float((group / limit).read_text()),
                    float((group / usage).read_text()),
                )
                stat = dict(
                    line.split() for line in (group / "memory.stat").read_text().splitlines()
                )
                free.append(
                    allowed - used + float(stat.get(cache, 0))
                )  # cached files are dropped if necessary
            except (OSError, ValueError):  # no such group in here, or "max"
                pass
            if group == base:
                break
    return max(min(free), 0.0) if free else None


def _own_limit() -> float | None:
    """Memory that the limit on the process's address space leaves."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return float(limit)
    return max(float(limit - pages * resource.getpagesize()), 0.0)


def keep_freed_memory() -> None:
    """Make glibc keep freed blocks for the next step instead of returning them to the system.

    A training step frees and allocates the same [N, d] tables again. By default each allocation has new pages that the
    system must clear, which can take as long as the step's arithmetic. Without glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
