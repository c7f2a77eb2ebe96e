"""Bounds of what may be asked for: beyond them lies no use, but a slip of the keys and a machine that hangs."""

from __future__ import annotations

from typing import Final

LARGEST: Final = 2**31 - 1
"""Of whole numbers that name no bound of their own."""
LARGEST_SEED: Final = 2**63 - 1
LARGEST_SHORT_SEED: Final = 2**32 - 1
"""Of what hands its seed to scikit-learn."""
MOST_TRIALS: Final = 1_000_000
MOST_EPOCHS: Final = 1_000_000
MOST_LAYERS: Final = 100
"""Of any stack: from so many steps away every node looks the same."""
MOST_THREADS: Final = 1024
MOST_JOBS: Final = 256
"""Processes at once."""
MOST_GROUPS: Final = 100
"""Of users or items in an evaluation: each has metrics of its own."""
