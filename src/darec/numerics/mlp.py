"""Small multilayer perceptrons that carry text to a model's width."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


def mlp(*widths: int, generator: torch.Generator) -> nn.Sequential:
    """Linear layers of the given widths with LeakyReLU between; Xavier-uniform weights and biases of zero.

    Args:
        *widths: input, hidden widths if any, output.
        generator: source of the initial values.
    """
    layers: list[nn.Module] = []
    for in_dim, out_dim in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, in_dim, out_dim)  # leaves the global generator alone
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LeakyReLU()]
    return nn.Sequential(*layers[:-1])
