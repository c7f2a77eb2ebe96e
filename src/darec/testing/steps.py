"""A few steps of training on a small world, of which the tests of every part are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.model import Model
from darec.processes import ALONE, Group
from darec.processes.choice import Shards, chosen_layout
from darec.types import TextTable


def tiny_text(dataset: Dataset, dim: int = 6, seed: int = 0) -> TextTable:
    """Random language embeddings for a small dataset."""
    rng = np.random.default_rng(seed)
    return TextTable(
        rng.normal(size=(dataset.n_users, dim)).astype(np.float32),
        rng.normal(size=(dataset.n_items, dim)).astype(np.float32),
        np.ones(dataset.n_users, bool),
        np.ones(dataset.n_items, bool),
        "tiny",
    )


def train_steps(
    config: RunConfig,
    dataset: Dataset,
    steps: int,
    *,
    reached: set[str] | None = None,
    group: Group = ALONE,
    shards: Shards = "columns",
    double: bool = False,
) -> tuple[Model, list[Any]]:
    """A model after a few optimiser steps, with the losses of each.

    Args:
        config: the pair.
        dataset: what to train on.
        steps: how many.
        reached: filled with the names of the parameters that got a gradient in any step.
        group: the processes that train it, of which this is one.
        shards: how several processes divide tables.
        double: compute in float64.
    """
    layout = chosen_layout(shards, group, config.backbone.model_dump()["dim"], dataset.train)
    start = torch.Generator().manual_seed(0)
    model = Model(config, dataset.train, tiny_text(dataset), start, layout)
    if double:
        model.double()
    generator = torch.Generator().manual_seed(1)
    alignment_generator = torch.Generator().manual_seed(2)
    # Adam would blow up the rounding of a gradient that is zero.
    kind = torch.optim.SGD if double else torch.optim.Adam
    optimizer = kind(model.parameter_groups(1e-6, decoupled=False), lr=0.02)
    reports: list[Any] = []
    while len(reports) < steps:
        for users, items in model.sampler.epoch(32, generator):
            report = model.train_step(
                users,
                items,
                optimizer,
                step=len(reports),
                generator=generator,
                alignment_generator=alignment_generator,
            )
            reports.append(report)
            for name, parameter in model.named_parameters():
                if parameter.grad is not None and reached is not None:
                    assert torch.isfinite(parameter.grad).all(), f"gradient of {name} is not finite"
                    reached.add(name)
            if len(reports) == steps:
                break
    return model, reports
