"""Distributions for the tests of the theory: random, sparse, deterministic, degenerate."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from darec.theory.information import Joint

KINDS = ("dense", "sparse", "deterministic", "blocks", "point", "skewed")


def draw_joint(rng: np.random.Generator, shape: tuple[int, int, int], kind: str) -> Joint:
    """A world with zeros, empty rows, a determined target, several components, or magnitudes far apart."""
    p = rng.gamma(0.5, size=shape) + 1e-6
    if kind == "sparse":
        p *= rng.random(shape) < 0.4
    elif kind == "deterministic":
        p *= np.eye(shape[2])[rng.integers(shape[2], size=shape[:2])]
    elif kind == "blocks":
        p *= (rng.integers(3, size=shape[0])[:, None] == rng.integers(3, size=shape[1]))[:, :, None]
    elif kind == "point":
        p *= 0
    elif kind == "skewed":
        p **= 40
    if p.sum() == 0:
        p[tuple(rng.integers(n) for n in shape)] = 1.0
    return Joint(p / p.sum())


@st.composite
def joints(draw: st.DrawFn, most: int = 5) -> Joint:
    """Up to most x most x 4 values of every kind."""
    shape = draw(st.tuples(st.integers(1, most), st.integers(1, most), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return draw_joint(rng, shape, draw(st.sampled_from(KINDS)))
