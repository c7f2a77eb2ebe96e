"""LightGCN's training step against the same step as research code has it.

The rival is written here in the usual manner: the adjacency as a torch COO tensor, masked and rebuilt for edge
dropout, a Python loop that draws negatives until one is not in a set of positives, the L2 term as a sum over all
parameters, Adam with its default implementation. Same matrix, sizes, dropout and loss; one thread.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common import interleaved, ratio, shared_dataset, spread, write_result
from darec.config import resolve_config
from darec.model import Model
from darec.types import Interactions

DIM, LAYERS, BATCH, KEEP, L2, LR = 32, 3, 4096, 0.8, 1e-6, 1e-3


class ResearchCode:
    """The usual implementation of the same step."""

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.positives = set(train.keys.tolist())
        n = train.n_users + train.n_items
        rows = np.concatenate([train.users, train.items + train.n_users])
        columns = np.concatenate([train.items + train.n_users, train.users])
        degree = np.bincount(rows, minlength=n) ** -0.5
        self.index = torch.from_numpy(np.stack([rows, columns]))
        self.values = torch.from_numpy(degree[rows] * degree[columns]).float()
        self.size = (n, n)
        self.user = torch.nn.Parameter(
            torch.nn.init.xavier_uniform_(torch.empty(train.n_users, DIM))
        )
        self.item = torch.nn.Parameter(
            torch.nn.init.xavier_uniform_(torch.empty(train.n_items, DIM))
        )
        self.optimizer = torch.optim.Adam([self.user, self.item], lr=LR)
        self.batches = self._batches()

    def _batches(self) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(self.train)).split(BATCH)[:-1]

    def step(self) -> None:
        """One optimiser step."""
        chosen = next(self.batches).tolist()
        users = [int(self.train.users[row]) for row in chosen]
        items = [int(self.train.items[row]) for row in chosen]
        negatives = []
        for user in users:
            while True:
                negative = random.randrange(self.train.n_items)
                if user * self.train.n_items + negative not in self.positives:
                    break
            negatives.append(negative)
        kept = torch.rand(len(self.values)) < KEEP
        adjacency = torch.sparse_coo_tensor(self.index[:, kept], self.values[kept], self.size)
        layers = [torch.cat([self.user, self.item])]
        for _ in range(LAYERS):
            layers.append(torch.sparse.mm(adjacency, layers[-1]))
        total = torch.stack(layers).sum(0)
        user_table, item_table = total[: self.train.n_users], total[self.train.n_users :]
        u, p, n = user_table[users], item_table[items], item_table[negatives]
        loss = -F.logsigmoid((u * p).sum(1) - (u * n).sum(1)).mean()
        loss = loss + L2 * (self.user.norm(2).square() + self.item.norm(2).square())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class Ours:
    """The step as darec's trainer takes it."""

    def __init__(self, train: Interactions) -> None:
        config = resolve_config({"backbone.dim": DIM, "backbone.layers": LAYERS})
        self.generator = torch.Generator().manual_seed(0)
        self.model = Model(config, train, None, self.generator)
        self.optimizer = torch.optim.Adam(
            self.model.parameter_groups(L2, decoupled=False), lr=LR, fused=True
        )
        self.batches = self._batches()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            for users, items in self.model.sampler.epoch(BATCH, self.generator):
                if len(users) == BATCH:
                    yield users, items

    def step(self) -> None:
        """One optimiser step."""
        users, items = next(self.batches)
        batch = self.model.ranking.batch(
            users, items, 0, generator=self.generator, alignment_generator=self.generator
        )
        self.optimizer.zero_grad(set_to_none=True)
        self.model.backward(batch, self.generator)
        self.optimizer.step()


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train = shared_dataset("rlmrec-amazon", Path(folder) / "amazon").train
    ours, theirs = Ours(train), ResearchCode(train)

    def five(step: Callable[[], None]) -> None:
        for _ in range(5):
            step()

    seconds = interleaved(
        {"ours": lambda: five(ours.step), "research_code": lambda: five(theirs.step)}, rounds=20
    )
    write_result(
        "training_step",
        {
            "what": f"seconds a step: LightGCN, d={DIM}, {LAYERS} layers, batch {BATCH}, Amazon-book matrix",
            "ours": spread([s / 5 for s in seconds["ours"]]),
            "research_code": spread([s / 5 for s in seconds["research_code"]]),
            "times_faster": ratio(seconds["research_code"], seconds["ours"]),
        },
    )


if __name__ == "__main__":
    main()
