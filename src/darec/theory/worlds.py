"""Small worlds that show what the theorem says and what it does not say; worlds can also be read from a file.

In all worlds except ``xor``, S, A and B are fair coins: both sides have S, only the interactions have A, and only the
text has B.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from darec.errors import DataError, did_you_mean
from darec.files import json_value
from darec.theory.information import Joint


def nested() -> Joint:
    """Y is A half the time, else S; D = (S, A), D' = S. The theorem's bound is the whole loss."""
    return factors(lambda s, a, b: (a + s) / 2, text="s")


def specific() -> Joint:
    """Y is S, A or B, a third of the time each; D = (S, A), D' = (S, B). The gap is 0, and yet alignment costs."""
    return factors(lambda s, a, b: (s + a + b) / 3)


def nuisance() -> Joint:
    """Y is S; D = (S, A), D' = (S, B). The specific information is useless, and alignment costs nothing."""
    return factors(lambda s, a, b: float(s))


def leaky() -> Joint:
    """Like ``nuisance``, but the text is wrong about S once in a hundred, so nothing is common any more."""
    return factors(lambda s, a, b: float(s), wrong=0.01)


def mixed() -> Joint:
    """Like ``specific``, and the text is wrong about S once in twenty."""
    return factors(lambda s, a, b: (s + a + b) / 3, wrong=0.05)


def exclusive_or() -> Joint:
    """Y = D xor D': each side alone has no information, so the gap is 0, and alignment loses all of Y."""
    p = np.zeros((2, 2, 2))
    for d, d_prime in product(range(2), repeat=2):
        p[d, d_prime, d ^ d_prime] = 1 / 4
    return Joint(p)


def factors(
    taste: Callable[[int, int, int], float], *, text: str = "sb", wrong: float = 0.0
) -> Joint:
    """A world of three fair coins S, A and B; D = (S, A).

    Args:
        taste: P(Y = 1) given S, A and B.
        text: the coins that D' shows, of ``s`` and ``b``.
        wrong: probability that D' shows the other side of S.
    """
    p = np.zeros((4, 2 ** len(text), 2))
    for s, a, b, flipped in product(range(2), repeat=4):
        shown = {"s": s ^ flipped, "b": b}
        d_prime = int("".join(str(shown[name]) for name in text), 2)
        likes = taste(s, a, b)
        p[2 * s + a, d_prime] += (
            np.array([1 - likes, likes]) * (wrong if flipped else 1 - wrong) / 8
        )
    return Joint(p)


WORLDS: Final[dict[str, Callable[[], Joint]]] = {
    "nested": nested,
    "nuisance": nuisance,
    "specific": specific,
    "xor": exclusive_or,
    "leaky": leaky,
    "mixed": mixed,
}


def read_world(name: str) -> Joint:
    """A world by its name, or from a file: ``.npy``, or ``.json`` with nested lists p[d][d'][y].

    Raises:
        DataError: it is neither a name nor such a file, or the file does not contain a distribution.
    """
    if name in WORLDS:
        return WORLDS[name]()
    path = Path(name)
    if path.suffix not in (".npy", ".json"):
        raise DataError(
            f"no world {name!r}: {did_you_mean(name, WORLDS)} Or name a .json or .npy file of p[d][d'][y]."
        )
    if not path.is_file():
        raise DataError(f"no file {path}: name a .json or .npy file of probabilities p[d][d'][y].")
    try:
        # Never allow_pickle: an array of objects is refused here, not executed.
        read = np.load(path) if path.suffix == ".npy" else json_value(path.read_text())
    except (ValueError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {error}.") from None
    try:
        return Joint(read)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
