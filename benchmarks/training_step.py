"""LightGCN's training step against the same step as research code has it.

The rival is written here in the manner of the published code of RLMRec and its kin: the adjacency as a torch COO
tensor, masked and rebuilt for edge dropout; a Python loop that draws each negative by ``numpy.random.randint`` until
it is not in a ``dok_matrix``; a ``DataLoader`` that collates single samples; the L2 term as a sum over all parameters;
Adam with its default implementation. A leaner rival draws its negatives against a Python set and gathers its batch
without a loader. Same matrix, sizes, dropout and loss; one thread; all have the allocator setting of darec's trainer.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.common import interleaved, ratio, shared_dataset, spread, write_result
from darec.config import resolve_config
from darec.memory import keep_freed_memory
from darec.model import Model
from darec.types import Interactions

DIM, LAYERS, BATCH, KEEP, L2, LR = 32, 3, 4096, 0.8, 1e-6, 1e-3
STEPS = 20  # in a row, as training takes them


class Samples(Dataset[tuple[int, int, int]]):
    """Training pairs with a negative each, one at a time, as a loader takes them."""

    def __init__(self, train: Interactions) -> None:
        self.train = train
        ones = np.ones(len(train), np.float32)
        shape = (train.n_users, train.n_items)
        self.positives = coo_matrix((ones, (train.users, train.items)), shape=shape).todok()
        self.negatives = np.zeros(len(train), np.int64)

    def sample(self, rows: Sequence[int]) -> None:
        """Draw the negatives of some pairs; research code does so for all pairs before an epoch."""
        for row in rows:
            user = self.train.users[row]
            while True:
                negative = np.random.randint(self.train.n_items)  # noqa: NPY002
                if (user, negative) not in self.positives:
                    break
            self.negatives[row] = negative

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, row: int) -> tuple[int, int, int]:
        return self.train.users[row], self.train.items[row], self.negatives[row]


class ResearchCode:
    """The usual implementation of the same step."""

    def __init__(self, train: Interactions, *, lean: bool) -> None:
        self.train, self.lean = train, lean
        self.samples = Samples(train)
        self.positives = set(train.keys.tolist())
        n = train.n_users + train.n_items
        rows = np.concatenate([train.users, train.items + train.n_users])
        columns = np.concatenate([train.items + train.n_users, train.users])
        degree = np.bincount(rows, minlength=n) ** -0.5
        self.index = torch.from_numpy(np.stack([rows, columns]))
        self.values = torch.from_numpy(degree[rows] * degree[columns]).float()
        self.size = (n, n)
        self.user, self.item = (
            torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(size, DIM)))
            for size in (train.n_users, train.n_items)
        )
        self.optimizer = torch.optim.Adam([self.user, self.item], lr=LR)

    def batch(self) -> list[Tensor]:
        """Users, positives and negatives of a random batch; a step's share of an epoch's work."""
        rows = torch.randperm(len(self.train))[:BATCH].tolist()
        if not self.lean:
            self.samples.sample(rows)
            loader = DataLoader(Subset(self.samples, rows), batch_size=BATCH)
            return [column.long() for column in next(iter(loader))]
        users, items, negatives = [], [], []
        for row in rows:
            user = int(self.train.users[row])
            while True:
                negative = random.randrange(self.train.n_items)
                if user * self.train.n_items + negative not in self.positives:
                    break
            users.append(user)
            items.append(int(self.train.items[row]))
            negatives.append(negative)
        return [torch.tensor(column) for column in (users, items, negatives)]

    def step(self) -> None:
        """One optimiser step."""
        users, items, negatives = self.batch()
        kept = torch.rand(len(self.values)) < KEEP
        adjacency = torch.sparse_coo_tensor(
            self.index[:, kept], self.values[kept], self.size, check_invariants=False
        )
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
        self.model.train_step(
            users,
            items,
            self.optimizer,
            step=0,
            generator=self.generator,
            alignment_generator=self.generator,
        )


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        train = shared_dataset("rlmrec-amazon", Path(folder) / "amazon").train
    keep_freed_memory()
    steps = {
        "ours": Ours(train).step,
        "research_code": ResearchCode(train, lean=False).step,
        "lean_research_code": ResearchCode(train, lean=True).step,
    }

    def steps_of(step: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(STEPS):
                step()

        return run

    seconds = interleaved({name: steps_of(step) for name, step in steps.items()}, rounds=10)
    write_result(
        "training_step",
        {
            "what": f"seconds a step: LightGCN, d={DIM}, {LAYERS} layers, batch {BATCH}, Amazon-book matrix",
            **{name: spread([s / STEPS for s in values]) for name, values in seconds.items()},
            "times_faster": ratio(seconds["research_code"], seconds["ours"]),
            "times_faster_than_lean": ratio(seconds["lean_research_code"], seconds["ours"]),
        },
    )


if __name__ == "__main__":
    main()
