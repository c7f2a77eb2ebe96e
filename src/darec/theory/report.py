"""The theory's figures as rows for tables and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darec.theory.check import InformationCheck
from darec.theory.information import Joint, informations
from darec.theory.near_gap import TradeOff
from darec.theory.zero_gap import zero_gap

Row = dict[str, Any]


def world_row(name: str, joint: Joint) -> Row:
    """Both sides of the theorem in one world, in nats."""
    found, zero = informations(joint), zero_gap(joint)
    return {
        "world": name,
        "D": _figure(found.I_D),
        "D'": _figure(found.I_D_prime),
        "both": _figure(found.I_both),
        "parts": zero.n_components,
        "bound": _figure(zero.bound),
        "loss": _figure(zero.loss),
        "slack": _figure(zero.slack),
    }


def curve_rows(curves: Mapping[str, TradeOff]) -> list[Row]:
    """The corners of each world's trade-off curve, and the price of further alignment."""
    rows = []
    for name, curve in curves.items():
        for corner, price in zip(curve.hull, (*curve.prices, None), strict=True):
            rows.append(
                {
                    "world": name,
                    "disagreement": _figure(corner.disagreement),
                    "cross-entropy": _figure(corner.cross_entropy),
                    "price": None if price is None else _figure(price),
                    "f": _labels(corner.f),
                    "g": _labels(corner.g),
                }
            )
    return rows


def check_rows(found: InformationCheck) -> list[tuple[str, str, str, str]]:
    """Name, value, interval and kind of every figure of a check."""
    bound = "lower bound on "
    kinds = {
        "interactions": bound + "I(D;Y)",
        "text": bound + "I(D';Y)",
        "both": bound + "I(D,D';Y)",
        "gap": "estimates I(D;Y) - I(D';Y)",
        "only_interactions": "estimates I(D;Y|D')",
        "only_text": "estimates I(D';Y|D)",
        "shared": "estimates the shared information minus synergy",
        "price": "estimates the least share lost by exact alignment",
    }
    rows = []
    for name, kind in kinds.items():
        figure = getattr(found, name)
        low, high = f"{figure.low:.4f}", f"{figure.high:.4f}"
        rows.append((name.replace("_", " "), f"{figure.value:.4f}", f"{low} to {high}", kind))
    return rows


def _figure(value: float) -> float:
    """Round away the last digits, which are rounding errors, and the sign of zero."""
    return round(value, 12) + 0.0


def _labels(labels: tuple[int, ...]) -> str:
    return " ".join("-" if label < 0 else str(label) for label in labels)
