"""Multilayer perceptrons, which map the rows of one side to the width of the other, or both to a common width."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


def mlp(
    *widths: int, generator: torch.Generator, activation: type[nn.Module] = nn.LeakyReLU
) -> nn.Sequential:
    """Linear layers of the given widths with an activation between them; a single linear map for two widths.

    Weights start Xavier-uniform (Glorot & Bengio 2010) and biases at zero, drawn from the given generator alone, so
    that building one neither reads nor moves torch's global random state.

    Args:
        *widths: input, hidden widths if any, output.
        generator: source of the initial weights, which are made on its device.
        activation: the function after each hidden layer.

    Raises:
        ValueError: there are fewer than two widths, or one is below 1.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths {list(widths)}: at least two are needed, each at least 1.")
    layers: list[nn.Module] = []
    for in_dim, out_dim in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, in_dim, out_dim, device=generator.device)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])
