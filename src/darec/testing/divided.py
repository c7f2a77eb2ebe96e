"""Checks of tables that are divided among processes: they learn the same as one process."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from darec.config import RunConfig
from darec.model import Model
from darec.processes import Group
from darec.processes.choice import Shards
from darec.testing.steps import train_steps
from darec.testing.worlds import tiny_dataset


def whole_state(model: Model, *, gradients: bool = False) -> dict[str, Tensor] | None:
    """The weights of a model, or their gradients, with all parts; None on all processes but the leader."""
    state = model.state_dict()
    if gradients:
        state = {name: x.grad for name, x in model.named_parameters() if x.grad is not None}
    collect = model.layout.collected
    found = {
        name: collect(x, "entities") if name in model.divided else x for name, x in state.items()
    }
    return (
        {name: x for name, x in found.items() if x is not None}
        if model.layout.group.leads
        else None
    )


def assert_divided_is_whole(
    config: RunConfig, group: Group, steps: int = 2, shards: Shards = "columns"
) -> None:
    """Several processes compute the losses, gradients and weights of one, to 1e-9 in float64.

    Args:
        config: the pair; its width may not divide by the number of processes.
        group: the processes, of which this is one.
        steps: optimiser steps after which they are compared.
        shards: how they divide tables.
    """
    dataset = tiny_dataset()
    model, reports = train_steps(config, dataset, steps, group=group, shards=shards, double=True)
    found = [whole_state(model, gradients=gradients) for gradients in (True, False)]
    encoded = model.encoded()
    if encoded is None:
        return
    alone, expected = train_steps(config, dataset, steps, double=True)
    wanted = [whole_state(alone, gradients=gradients) for gradients in (True, False)]
    compared = [*zip(reports, expected, strict=True), *zip(found, wanted, strict=True)]
    tables = [vars(one) for one in (model.tables(encoded), alone.tables())]
    compared.append((tables[0], tables[1]))
    pair = f"{config.backbone.name} + {config.alignment.name} by {shards}"
    for ours, theirs in compared:
        assert ours is not None and ours.keys() == theirs.keys(), pair
        for name, value in theirs.items():
            message = partial("{}: {}: {}".format, pair, name)
            torch.testing.assert_close(ours[name], value, rtol=1e-9, atol=1e-9, msg=message)
