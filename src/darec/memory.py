"""How much memory the process has used."""

from __future__ import annotations

import resource
import sys


def peak_rss_mb() -> float:
    """Largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, but bytes on macOS
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
