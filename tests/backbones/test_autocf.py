from __future__ import annotations

import pytest
import torch

from darec.backbones.autocf import Attention
from darec.config import resolve_config
from darec.errors import ConfigError
from darec.graph import Pattern
from darec.testing.suites import BackboneSuite, train_steps
from darec.testing.worlds import tiny_dataset


class TestAutoCF(BackboneSuite):
    name = "autocf"
    settings = {"seeds": 3}  # noqa: RUF012


def autocf(**settings: object):  # type: ignore[no-untyped-def]
    return resolve_config({"backbone": {"name": "autocf", "dim": 8, "seeds": 3, **settings}})


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_edges_around_the_seeds_are_masked(depth: int) -> None:
    dataset = tiny_dataset()
    model, _ = train_steps(autocf(seeds=1, mask_depth=depth), dataset, 1)
    backbone = model.backbone
    near = {int(backbone.seeds[0])}
    ends = list(zip(dataset.train.users, dataset.train.items + dataset.n_users, strict=True))
    masked: set[int] = set()
    for _ in range(depth):
        fresh = {e for e, pair in enumerate(ends) if e not in masked and set(pair) & near}
        near = {int(end) for e in fresh for end in ends[e]}
        masked |= fresh
    weights, _ = backbone._mask()
    found = {int(e) for e in backbone.graph.edges[weights == 0]}
    assert found == masked and 0 < len(masked) < len(ends)


def test_attention_equals_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    pattern = Pattern.from_pairs(*torch.randint(7, (2, 12), generator=generator), 7)
    attention, x = Attention(6, 2, generator), torch.randn(7, 6, generator=generator)
    mask = torch.zeros(7, 7, dtype=torch.bool)
    mask[pattern.rows, pattern.indices.long()] = True
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        query, key, value = (
            (x @ matrix)[:, part] for matrix in (attention.query, attention.key, attention.value)
        )
        scores = (query @ key.T).masked_fill(~mask, -torch.inf)
        heads.append(torch.softmax(scores, 1).nan_to_num(0.0) @ value)
    torch.testing.assert_close(attention(x, pattern), torch.cat(heads, 1))


def test_the_masking_in_use_survives_saving() -> None:
    dataset = tiny_dataset()
    trained, _ = train_steps(autocf(every=10), dataset, 4)
    fresh, _ = train_steps(autocf(every=10), dataset, 0)
    fresh.load_state_dict(trained.state_dict())
    views = [model.encode(None, torch.Generator()).users for model in (trained, fresh)]
    assert torch.equal(*views)
    assert not torch.equal(views[0], trained.encode().users)


def test_seeds_are_chosen_every_few_steps() -> None:
    model, _ = train_steps(autocf(every=4), tiny_dataset(), 0)
    generator, drawn = torch.Generator().manual_seed(0), []
    for step in range(9):
        model.backbone.on_step(step, generator)
        drawn.append(int(model.backbone.draw))
    assert len(set(drawn[:4])) == len(set(drawn[4:8])) == 1
    assert len(set(drawn)) == 3


def test_agreement_with_the_neighbourhood() -> None:
    dataset = tiny_dataset()
    model, _ = train_steps(autocf(), dataset, 1)
    backbone = model.backbone
    x = backbone.embedding.detach()
    a = (backbone.graph.propagate(torch.eye(len(x))) != 0).float()
    two = a @ a
    two.fill_diagonal_(0)
    mean = (a + two) @ x / (a + two).sum(1, keepdim=True).clamp_min(1)
    expected = torch.sigmoid(torch.cosine_similarity(mean, x)).log()
    torch.testing.assert_close(backbone._agreement(), expected)


def test_heads_divide_the_width() -> None:
    with pytest.raises(ConfigError, match=r"3 heads do not divide backbone\.dim 32"):
        resolve_config({"backbone": {"name": "autocf", "heads": 3}})
