"""The projectors: shapes, initial values and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from darec.alignments.darec import Projector
from darec.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_is_the_composition_of_its_layers() -> None:
    projector = Projector(5, 3, (7, 6), "tanh", generator=seeded())
    x = torch.randn(4, 5, generator=seeded())
    w1, b1, w2, b2, w3, b3 = projector.parameters()
    expected = F.linear(F.linear(F.linear(x, w1, b1).tanh(), w2, b2).tanh(), w3, b3)
    torch.testing.assert_close(projector(x), expected)
    assert [tuple(w.shape) for w in (w1, w2, w3)] == [(7, 5), (6, 7), (3, 6)]


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "leaky_relu", "identity"])
def test_only_identity_is_linear(activation: str) -> None:
    projector = Projector(5, 3, (32,), activation, generator=seeded())  # type: ignore[arg-type]
    x, y = torch.randn(2, 50, 5, generator=seeded()).unbind()
    linear = torch.allclose(projector(x + y), projector(x) + projector(y), atol=1e-5)
    assert linear == (activation == "identity")


def test_without_hidden_layers_is_one_linear_map() -> None:
    projector = Projector(5, 3, (), generator=seeded())
    weight, bias = projector.parameters()
    x = torch.randn(4, 5, generator=seeded())
    torch.testing.assert_close(projector(x), F.linear(x, weight, bias))


def test_starts_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (Projector(5, 3, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    weight, bias = list(first.parameters())[:2]
    assert not torch.equal(weight, next(other.parameters()))
    assert not bias.any()
    bound = (6 / (5 + 64)) ** 0.5  # Xavier
    assert 0.9 * bound < weight.abs().max() <= bound


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match="did you mean 'relu'"):
        Projector(5, 3, activation="rellu", generator=seeded())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="widths"):
        Projector(5, 3, (0,), generator=seeded())
