from __future__ import annotations

import torch
from torch.nn import functional as F

from darec.config import resolve_config
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestDCCF(BackboneSuite):
    name = "dccf"
    settings = {"intents": 5}  # noqa: RUF012


def dense_messages(x, s, model):  # type: ignore[no-untyped-def]
    """The four messages of one layer by their definitions on dense matrices."""
    backbone = model.backbone
    adjacency = (s != 0).float()
    neighbours = s @ x
    users, items = x.split(backbone.sizes)
    intents = torch.cat(
        [
            torch.softmax(side @ c, 1) @ c.T
            for side, c in ((users, backbone.user_intents), (items, backbone.item_intents))
        ]
    )
    messages = [neighbours, intents]
    for reference in (neighbours, intents):
        unit = F.normalize(reference, dim=1)
        alike = adjacency * ((unit @ unit.T + 1) / 2)
        messages.append((alike / alike.sum(1, keepdim=True)).nan_to_num(0.0) @ x)
    return messages


def test_layers_equal_their_definition() -> None:
    settings = {"backbone": {"name": "dccf", "dim": 4, "layers": 2, "intents": 3}}
    model, _ = train_steps(resolve_config(settings), tiny_dataset(), 3)
    x = model.backbone.ego().detach()
    s = model.backbone.graph.propagate(torch.eye(len(x)))
    first = dense_messages(x, s, model)
    middle = x + sum(first)
    second = dense_messages(middle, s, model)
    total = x + middle + middle + sum(second)
    encoded = model.encode(None, torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoded.entities, total)
    for view, message in zip(encoded.views, [*first, *second], strict=True):
        torch.testing.assert_close(torch.cat([view.users, view.items]), message)


def test_contrast_tells_neighbours_from_the_other_messages() -> None:
    settings = {"backbone": {"name": "dccf", "dim": 4, "layers": 1, "contrast": 0.5}}
    dataset = tiny_dataset()
    model, _ = train_steps(resolve_config(settings), dataset, 1)
    generator = torch.Generator().manual_seed(0)
    users, items = next(iter(model.sampler.epoch(16, generator)))
    batch = model.ranking.batch(users, items, 0, generator=generator, alignment_generator=generator)
    encoded = model.encode(batch, generator)
    expected = torch.zeros(())
    for rows, side in ((users.unique(), "users"), (items.unique(), "items")):
        neighbours, *others = (
            F.normalize(getattr(view, side)[rows], dim=1) for view in encoded.views
        )
        for other in others:
            expected = expected + F.cross_entropy(
                neighbours @ other.T / 0.1, torch.arange(len(rows))
            )
    found = model.backbone.losses(encoded, batch)["contrast"]
    torch.testing.assert_close(found, 0.5 * expected)
