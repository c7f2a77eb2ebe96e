"""Multilayer perceptrons: shapes, initial values and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from darec.config import resolve_config
from darec.errors import ConfigError
from darec.numerics.mlp import mlp


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_is_the_composition_of_its_layers() -> None:
    network = mlp(5, 7, 6, 3, activation=nn.Tanh, generator=seeded())
    x = torch.randn(4, 5, generator=seeded())
    w1, b1, w2, b2, w3, b3 = network.parameters()
    expected = F.linear(F.linear(F.linear(x, w1, b1).tanh(), w2, b2).tanh(), w3, b3)
    torch.testing.assert_close(network(x), expected)
    assert [tuple(w.shape) for w in (w1, w2, w3)] == [(7, 5), (6, 7), (3, 6)]


def test_without_hidden_layers_is_one_linear_map() -> None:
    network = mlp(5, 3, generator=seeded())
    weight, bias = network.parameters()
    x = torch.randn(4, 5, generator=seeded())
    torch.testing.assert_close(network(x), F.linear(x, weight, bias))


def test_starts_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (mlp(5, 64, 3, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    weight, bias = list(first.parameters())[:2]
    assert not torch.equal(weight, next(other.parameters()))
    assert not bias.any()
    bound = (6 / (5 + 64)) ** 0.5  # Xavier
    assert 0.9 * bound < weight.abs().max() <= bound


@pytest.mark.parametrize("widths", [(), (5,), (5, 0, 3), (-1, 3)])
def test_bad_widths(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="widths"):
        mlp(*widths, generator=seeded())


def test_a_hidden_width_of_zero_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"alignment\.hidden.*greater than 0"):
        resolve_config({"alignment": {"name": "darec", "hidden": [64, 0]}})
