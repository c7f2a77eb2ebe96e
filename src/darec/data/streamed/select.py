"""The exact k-th smallest of numbers that come in pieces, by counting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITS: Final = 16
_ROUNDS: Final = 64 // _BITS


def smallest(
    pieces: Callable[[], Iterable[NDArray[np.float64]]], places: Sequence[int]
) -> list[float]:
    """Return the numbers at some places of the ascending order; infinity for places after the last.

    Each of four rounds finds 16 more bits of the answer: it counts, by their next 16 bits, the numbers that agree with
    the bits found so far.

    Args:
        pieces: returns the finite numbers, again at each call.
        places: counted from 0.
    """
    return [_smallest(pieces, place) for place in places]


def _smallest(pieces: Callable[[], Iterable[NDArray[np.float64]]], place: int) -> float:
    known = np.uint64(0)
    for round in range(_ROUNDS):
        shift = np.uint64(64 - _BITS * (round + 1))
        counts = np.zeros(2**_BITS, np.int64)
        for values in pieces():
            keys = _ascending(values)
            if round:
                keys = keys[keys >> (shift + np.uint64(_BITS)) == known]
            digits = (keys >> shift) & np.uint64(2**_BITS - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=2**_BITS)
        ends = np.cumsum(counts)
        digit = int(np.searchsorted(ends, place, side="right"))
        if digit == len(counts):
            return math.inf
        place -= int(ends[digit] - counts[digit])
        known = known << np.uint64(_BITS) | np.uint64(digit)
    return _value(known)


_SIGN: Final = np.uint64(2**63)


def _ascending(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return whole numbers in the order of the values: the bits of each float, inverted if it is negative."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(key: np.uint64) -> float:
    bits = key ^ _SIGN if key & _SIGN else ~key
    return float(np.array([bits], np.uint64).view(np.float64)[0])
