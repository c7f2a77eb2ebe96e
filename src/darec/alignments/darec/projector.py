"""The projectors that split each side into a shared and a specific part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from darec.errors import ConfigError, did_you_mean

Activation = Literal["relu", "tanh", "gelu", "leaky_relu", "identity"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "identity": nn.Identity,
}


class Projector(nn.Module):
    """A multi-layer perceptron, [n, in_dim] to [n, out_dim], linear at its end.

    Weights start Xavier-uniform (Glorot & Bengio 2010) and biases at zero, drawn from the given generator alone, so
    that building one neither reads nor moves torch's global random state.

    Args:
        in_dim: width of the input.
        out_dim: width of the output.
        hidden: width of each hidden layer; none makes the projector a single linear map.
        activation: what follows each hidden layer.
        generator: source of the initial weights, which are made on its device.

    Raises:
        ConfigError: an unknown activation, or a width below 1.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        hidden: Sequence[int] = (64,),
        activation: Activation = "relu",
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ConfigError(
                f"unknown activation {activation!r}: {did_you_mean(activation, ACTIVATIONS)}"
            )
        widths = [in_dim, *hidden, out_dim]
        if min(widths) < 1:
            raise ConfigError(f"projector widths {widths}: each must be at least 1.")
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            linear = nn.utils.skip_init(nn.Linear, width, following, device=generator.device)
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
            layers += [linear, ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Project [n, in_dim] to [n, out_dim]."""
        projected: Tensor = self.layers(x)
        return projected
