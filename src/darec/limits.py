"""Upper bounds of options. Larger values are typing errors and would block the machine."""

from __future__ import annotations

from typing import Final

LARGEST: Final = 2**31 - 1
"""Upper bound of whole numbers without their own bound."""
LARGEST_SEED: Final = 2**63 - 1
LARGEST_SHORT_SEED: Final = 2**32 - 1
"""Upper bound of seeds that are given to scikit-learn."""
MOST_TRIALS: Final = 1_000_000
MOST_EPOCHS: Final = 1_000_000
MOST_LAYERS: Final = 100
"""Upper bound of layers: after so many steps all nodes look the same."""
MOST_THREADS: Final = 1024
MOST_JOBS: Final = 256
"""Largest number of simultaneous processes."""
MOST_GROUPS: Final = 100
"""Largest number of groups of users or items in an evaluation, because each has its own metrics."""
