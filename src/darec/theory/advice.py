"""Advice: a range of strengths to search, from the estimates on a dataset. The thresholds are conventions, not results.

The estimates support an order: the larger the share of information that only one side has, the more an exactly aligned
pair must lose, and the more strong alignment must gain by regularisation. The loss of *partial* alignment is not in the
estimates (see :mod:`darec.theory.near_gap`), so the advice is the start of a search and never its result. On toys,
games and steam the share is 0.51 to 0.62 (docs/theory.md), and validation chose a rho of 0.3 on each among a few values
(docs/studies/first-darec.md). Every range therefore contains 0.3, and is extended to one side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from darec.theory.check import InformationCheck

Level = Literal["unclear", "none", "weak", "moderate", "strong"]

THRESHOLDS: Final = (0.2, 0.5)
"""Shares of the information: below the first, strong alignment is tried first; above the second, only weak
alignment."""
RANGES: Final[dict[Level, tuple[float, float] | None]] = {
    "unclear": None,
    "none": None,
    "weak": (0.03, 0.5),
    "moderate": (0.1, 1.0),
    "strong": (0.2, 3.0),
}
"""Ranges in which ``alignment.rho`` is searched first."""


@dataclass(frozen=True)
class Advice:
    """How strongly to align, with reasons.

    Attributes:
        level: the strength in one word.
        rho: range of ``alignment.rho`` to search first; None if there is nothing to align.
        reasons: sentences, the most important first.
    """

    level: Level
    rho: tuple[float, float] | None
    reasons: tuple[str, ...]


def advise(found: InformationCheck) -> Advice:
    """The advice for the estimates of a dataset."""
    level = _level(found)
    price = found.price
    weaker, stronger = ("text", "interactions")
    if found.gap.value < 0:
        weaker, stronger = stronger, weaker
    reasons = []
    if level == "unclear":
        reasons.append("Neither side has measurable information about the held-out preferences.")
    elif level == "none":
        reasons.append(
            "The text adds nothing measurable to the interactions: alignment may regularise, but has no "
            "information to add. Compare with alignment none first, or try another encoder."
        )
    else:
        reasons.append(
            f"With exact alignment, the two sides would lose at least about {price.value:.0%} ({price.low:.0%} to "
            f"{price.high:.0%}) of their joint information, because the weaker side, {weaker}, does not have it."
        )
        if price.low < _border(price.value) < price.high:
            reasons.append("The interval contains a threshold: search the neighbouring range, too.")
    if level == "weak" and stronger == "text":
        reasons.append(
            "The text is the stronger side: prefer models that read it (dual, alpharec, llminit) to pulling the "
            "ids towards it."
        )
    if level in ("weak", "moderate"):
        reasons.append(
            "Prefer alignments that leave room for specific information (darec, or a separate text tower as in "
            "dual)."
        )
    return Advice(level, RANGES[level], tuple(reasons))


def _level(found: InformationCheck) -> Level:
    if found.both.low <= 0:
        return "unclear"
    if found.only_text.low <= 0 and found.gap.value > 0:
        return "none"
    low, high = THRESHOLDS
    share = found.price.value
    return "strong" if share < low else "weak" if share > high else "moderate"


def _border(share: float) -> float:
    return min(THRESHOLDS, key=lambda threshold: abs(threshold - share))
