"""How much memory the process has used, and how it is kept."""

from __future__ import annotations

import ctypes
import resource
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


def peak_rss_mb() -> float:
    """Largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, but bytes on macOS
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks for the next step instead of giving them back to the system.

    A training step frees and asks again for the same [N, d] tables. By default each comes as fresh pages that the
    system must clear, which can take as long as the step's arithmetic. Elsewhere than on glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
