"""From a reading of a data set to a range of strengths to search; the thresholds are conventions, not results.

What the estimates support is an order: the larger the share that only one side tells, the more an exactly aligned pair
must lose, and the more a strong pull has to make up for by regularising. How much a *partial* pull loses is not in the
estimates (see :mod:`darec.theory.near_gap`), so the advice is where to begin a search and never its result. On toys,
games and steam the share is 0.51 to 0.62 (docs/theory.md), and of a few values validation chose a rho of 0.3 on each
(docs/studies/first-darec.md): every range therefore holds 0.3, and differs in the side on which it goes further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from darec.theory.check import InformationCheck

Level = Literal["unclear", "none", "weak", "moderate", "strong"]

THRESHOLDS: Final = (0.2, 0.5)
"""Shares of the information below which strong, and above which only weak alignment is tried first."""
RANGES: Final[dict[Level, tuple[float, float] | None]] = {
    "unclear": None,
    "none": None,
    "weak": (0.03, 0.5),
    "moderate": (0.1, 1.0),
    "strong": (0.2, 3.0),
}
"""Where to search ``alignment.rho`` first."""


@dataclass(frozen=True)
class Advice:
    """How strongly to align, and why.

    Attributes:
        level: in one word.
        rho: range of ``alignment.rho`` to search first; None where alignment has nothing to go by.
        reasons: sentences, the most important first.
    """

    level: Level
    rho: tuple[float, float] | None
    reasons: tuple[str, ...]


def advise(found: InformationCheck) -> Advice:
    """Where to begin, from what a data set told."""
    level = _level(found)
    price = found.price
    weaker, stronger = ("text", "interactions")
    if found.gap.value < 0:
        weaker, stronger = stronger, weaker
    reasons = []
    if level == "unclear":
        reasons.append("Neither side tells anything measurable about the held-out preferences.")
    elif level == "none":
        reasons.append(
            "The text adds nothing measurable to the interactions: alignment may regularise, but has no information "
            "to bring in. Compare with alignment none before anything else, or try another encoder."
        )
    else:
        reasons.append(
            f"Exactly aligned, the two sides would lose at least some {price.value:.0%} ({price.low:.0%} to "
            f"{price.high:.0%}) of what they tell together, since the weaker side, {weaker}, does not tell it."
        )
        if price.low < _border(price.value) < price.high:
            reasons.append(
                "The interval reaches over a threshold: search the neighbouring range, too."
            )
    if level == "weak" and stronger == "text":
        reasons.append(
            "The text is the stronger side: prefer what reads it into the model (dual, alpharec, llminit) to pulling "
            "the ids towards it."
        )
    if level in ("weak", "moderate"):
        reasons.append(
            "Prefer alignments that leave room for what is specific (darec, or a text tower of its own as in dual)."
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
