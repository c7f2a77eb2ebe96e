"""One run of ``darec theory sweep``: a planted world, a recommender in it, and probes of its representations.

The world comes from :mod:`darec.data.synthetic`, with parameters for the causes of choices: tastes that the text also
shows (both), tastes that it does not show (interactions only), popularity, and words without influence on taste
(nuisance). Taste that only the text shows cannot cause interactions in that world. It is made by removing the training
interactions of a share of the items, so that only their texts show who will like them.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from darec.config import RunConfig, resolve_config
from darec.data.synthetic import SyntheticConfig, World, make_world
from darec.errors import ConfigError
from darec.settings import Settings, validated
from darec.theory.probes import linear_gap, linear_r2
from darec.types import Interactions, TextTable

if TYPE_CHECKING:
    from darec.model import Model

ZERO: Final = "none"
"""The method of strength zero."""
_SCHEMA: Final = 1

Pair = tuple[NDArray[Any], NDArray[Any]]


class Dials(Settings):
    """The world of a sweep, and the length of training. The rest of the shares is popularity."""

    both: float = Field(0.5, ge=0, le=1)
    """Share of the utility's variance from tastes that the text also shows."""
    interactions_only: float = Field(0.4, ge=0, le=1)
    """Share from tastes that the text does not show."""
    text_only: float = Field(0.1, ge=0, lt=1)
    """Share of the items whose training interactions are removed."""
    nuisance: int = Field(3, ge=0)
    """Number of phrases in each text that do not depend on taste."""
    n_users: int = Field(800, ge=60)
    """U."""
    n_items: int = Field(400, ge=120)
    """I."""
    epochs: int = Field(100, ge=1)
    """Largest number of epochs of a run."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.both + self.interactions_only > 1:
            raise ConfigError(
                f"shares of {self.both:g} (both) and {self.interactions_only:g} (interactions only) add up to more "
                "than 1: lower one."
            )
        self.world(0)
        return self

    def world(self, seed: int) -> SyntheticConfig:
        """The synthetic catalogue of one seed."""
        values = {
            "n_users": self.n_users,
            "n_items": self.n_items,
            "n_topics": 6,
            "shared_share": self.both,
            "specific_share": self.interactions_only,
            "popularity_share": max(0.0, 1 - self.both - self.interactions_only),
            "nuisance": self.nuisance,
            "seed": seed,
        }
        return validated(SyntheticConfig, values)


@dataclass(frozen=True)
class Task:
    """One run of the sweep: ``none`` at strength 0, or an alignment at its ``rho``."""

    method: str
    strength: float
    seed: int
    dials: Dials

    @property
    def config(self) -> RunConfig:
        """Every setting of the run. An epoch has few steps, so the learning rate is larger than the papers' 1e-3."""
        strength = {} if self.method == ZERO else {"alignment.rho": self.strength}
        # Text may only enter through the losses that the strength scales, so that strength zero is none.
        losses_alone = {
            "darec": {"alignment.start": "random", "alignment.smoothing": 0.0},
        }
        return resolve_config(
            {
                "backbone": "lightgcn",
                "alignment": self.method,
                "train.lr": 5e-3,
                "train.batch_size": 2048,
                "train.epochs": self.dials.epochs,
                "train.eval_every": 4,
                "train.patience": 6,
                "options.seed": self.seed,
                "options.threads": 1,
                **strength,
                **losses_alone.get(self.method, {}),
            }
        )

    @property
    def name(self) -> str:
        """The run's file name, without the ending."""
        settled = [_SCHEMA, self.dials.model_dump(), self.config.model_dump(mode="json")]
        digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.method}-{self.strength:g}-s{self.seed}-{digest}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run.

    Attributes:
        method: the alignment.
        strength: its rho; 0 for none.
        seed: seed of the world and of the run.
        recall: test Recall@20.
        ndcg: test NDCG@20.
        gap: mean over users and items of :func:`~darec.theory.probes.linear_gap`.
        probes: R^2 of the planted factors, mean over users and items: ``E_C/shared``, ``E_C/specific``, the same of
            E_L, and of DaRec's four parts.
        epochs: epochs trained.
        seconds: seconds of the run, including its probes.
    """

    method: str
    strength: float
    seed: int
    recall: float
    ndcg: float
    gap: float
    probes: dict[str, float]
    epochs: int
    seconds: float


def run(task: Task) -> Outcome:
    """Make one run: a world, a recommender, its accuracy and its probes."""
    from darec.evaluation.evaluate import evaluate_scorer
    from darec.runtime import using_threads
    from darec.training.trainer import Trainer

    started = time.perf_counter()
    world, text = planted(task.dials, task.seed)
    data = world.dataset
    with using_threads(task.config.options.threads):
        trainer = Trainer(task.config, data, text)
        state = trainer.fit()
    found = evaluate_scorer(
        trainer.scorer(), target=data.test, exclude=data.train, train=data.train, ks=(20,)
    ).summary()
    tables = representations(trainer.model, text)
    E_C, E_L = tables["E_C"], tables["E_L"]
    probes = {}
    for name, (users, items) in tables.items():
        for factor in ("shared", "specific"):
            of_users = linear_r2(users, getattr(world, f"{factor}_users"))
            of_items = linear_r2(items, getattr(world, f"{factor}_items"))
            probes[f"{name}/{factor}"] = (of_users + of_items) / 2
    return Outcome(
        method=task.method,
        strength=task.strength,
        seed=task.seed,
        recall=found["recall@20"],
        ndcg=found["ndcg@20"],
        gap=sum(linear_gap(c, language) for c, language in zip(E_C, E_L, strict=True)) / 2,
        probes=probes,
        epochs=state.epoch,
        seconds=time.perf_counter() - started,
    )


def planted(dials: Dials, seed: int) -> tuple[World, TextTable]:
    """Make the world of one seed, without the training interactions of some items, and its TF-IDF text."""
    from darec.text import embed

    world = make_world(dials.world(seed))
    data = world.dataset
    order = np.random.default_rng([seed, 1]).permutation(data.n_items)
    withheld = order[: round(dials.text_only * data.n_items)]
    kept = ~np.isin(data.train.items, withheld)
    train = Interactions.from_pairs(
        data.train.users[kept], data.train.items[kept], data.n_users, data.n_items
    )
    data = replace(data, train=train)
    return replace(world, dataset=data), embed(data, "tfidf")


def representations(model: Model, text: TextTable) -> dict[str, Pair]:
    """Return users' and items' rows of E_C and E_L, and of their parts if the alignment has these, as arrays."""
    import torch

    with torch.no_grad():
        encoded = model.encode()
        parts = model.alignment.parts(encoded)
    tables = {
        "E_C": (encoded.users.numpy(), encoded.items.numpy()),
        "E_L": (text.users, text.items),
    }
    for name, users in parts.get("users", {}).items():
        tables[name] = (users.numpy(), parts["items"][name].numpy())
    return tables
