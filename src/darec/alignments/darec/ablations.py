"""The ablations of DaRec for ``darec ablate``: its start, its terms, and each departure from the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ABLATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "random start": {"start": "random"},
    "no neighbours": {"smoothing": 0.0},
    "whole text": {"text_part": "whole"},
    "trusted blindly": {"reliability": 0.4},
    "neither": {"start": "random", "smoothing": 0.0},
    "text beside": {"text_width": 32},
    "no push": {"rho": 0.0},
    "without orthogonality": {"w_or": 0.0},
    "without uniformity": {"w_uni": 0.0},
    "without global structure": {"w_glo": 0.0},
    "without local structure": {"w_loc": 0.0},
    "without any structure": {"w_glo": 0.0, "w_loc": 0.0},
    "not centred": {"centre": False},
    "MLP projectors": {"hidden": (64,)},
    "users and items together": {"entities": "together"},
    "aligned at every step": {"every": 1},
    "greedy matching": {"matching": "greedy"},
    "fixed lambda": {"balance": "fixed"},
}
"""Name -> settings of :class:`~darec.alignments.darec.DaRecConfig`."""
