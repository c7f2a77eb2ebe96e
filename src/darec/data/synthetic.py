"""A synthetic catalogue in which it is known what drives the interactions and what the texts show.

Every user is drawn to items by three things, in shares that are dials of the configuration:

- **shared**: tastes for topics and subtopics, which the item's text also names;
- **specific**: tastes for latent traits of items that the text says nothing about;
- **popularity**: the same for all users, Zipf-like over items.

The texts also name brands, colours and origins that no user cares about (nuisance). The utility of item i for user u
is::

    sharpness * (sqrt(shared_share) * s_ui + sqrt(specific_share) * t_ui + sqrt(popularity_share) * p_i)

with s, t and p each of mean 0 and variance 1 over all U x I pairs and exactly uncorrelated with each other, so that a
share is exactly that component's share of the utility's variance. A user with n interactions takes the n items of
highest utility plus standard Gumbel noise: n draws without replacement, each by softmax of the utility (Plackett-Luce;
Yellott 1977).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator
from rich.console import Console
from rich.progress import track

from darec.config import Settings
from darec.data.dataset import SPLITS, Dataset
from darec.data.idmap import IdMap
from darec.data.split import split_interactions
from darec.data.vocabulary import (
    N_NUISANCE,
    N_TOPICS,
    PHRASES_PER_NUISANCE,
    SUBTOPICS_PER_TOPIC,
    write_items,
)
from darec.errors import ConfigError, DataError
from darec.files import write_atomic
from darec.types import IntArray, Interactions

Factors = NDArray[np.float64]

_START: Final = 1_672_531_200  # 2023-01-01, UTC; in seconds
_DAY: Final = 86_400


class SyntheticConfig(Settings):
    """The dials of a synthetic catalogue. The three shares add up to 1."""

    n_users: int = Field(3000, ge=10)
    """U."""
    n_items: int = Field(2000, ge=20)
    """I; at least five for each subtopic."""
    n_topics: int = Field(N_TOPICS, ge=1, le=N_TOPICS)
    """Topics used, each with four subtopics; items are spread evenly over the subtopics."""
    shared_share: float = Field(0.5, ge=0, le=1)
    """Share of the utility's variance that comes from topics, half from topics and half from subtopics."""
    specific_share: float = Field(0.4, ge=0, le=1)
    """Share that comes from tastes of which the text shows nothing."""
    popularity_share: float = Field(0.1, ge=0, le=1)
    """Share that is the same for all users."""
    specific_dim: int = Field(8, ge=1)
    """Number of latent traits that the text does not show."""
    sharpness: float = Field(3.0, gt=0)
    """Standard deviation of the utility; that of the Gumbel noise of choice is 1.28."""
    nuisance: int = Field(3, ge=0, le=N_NUISANCE)
    """Phrases in each text that have nothing to do with taste, between two sentences of the topic."""
    mean_interactions: float = Field(20.0, ge=1)
    """Interactions per user; the total is this times U, rounded. At most a quarter of the items."""
    min_interactions: int = Field(5, ge=1)
    """Interactions that every user has at least; the rest is spread unevenly (log-normal, sigma 0.8)."""
    seed: int = Field(0, ge=0)
    """Seeds everything."""

    @model_validator(mode="after")
    def _fits(self) -> SyntheticConfig:
        shares = self.shared_share + self.specific_share + self.popularity_share
        if abs(shares - 1) > 1e-9:
            raise ConfigError(f"shared, specific and popularity shares add up to {shares:g}, not 1")
        least = 5 * SUBTOPICS_PER_TOPIC * self.n_topics
        if self.n_items < least:
            raise ConfigError(
                f"{self.n_topics} topics need {least} items: raise n_items or lower n_topics"
            )
        if not self.min_interactions <= self.mean_interactions <= self.n_items / 4:
            raise ConfigError(
                f"mean_interactions must lie between min_interactions ({self.min_interactions}) and a quarter of "
                f"the items ({self.n_items / 4:g})"
            )
        return self


@dataclass(frozen=True)
class World:
    """A synthetic dataset with everything that was planted in it. Rows are those of the dataset.

    Attributes:
        config: the dials.
        dataset: with a random 3:1:1 split.
        interactions: ``user``, ``item``, ``time`` (seconds; a user's items in the order of choice) and ``split``.
        shared_users: [U, d_sh] tastes for topics, then subtopics.
        shared_items: [I, d_sh] membership in topics, then subtopics, less its mean over items.
        specific_users: [U, specific_dim] tastes for the traits that the text does not show.
        specific_items: [I, specific_dim] these traits; of mean zero within each subtopic.
        popularity: [I] of mean zero within each subtopic.
        subtopic: [I] index into ``darec.data.vocabulary.subtopics()``; ``subtopic // 4`` is the topic.
        nuisance: [I, config.nuisance] which phrase of each attribute the text holds.

    The inner products of users' with items' factors, and the popularities, have mean 0 and variance 1.
    """

    config: SyntheticConfig
    dataset: Dataset
    interactions: pl.DataFrame
    shared_users: Factors
    shared_items: Factors
    specific_users: Factors
    specific_items: Factors
    popularity: Factors
    subtopic: IntArray
    nuisance: IntArray

    def utilities(self, users: slice = slice(None)) -> Factors:
        """[U, I] planted utility of every item, of all users or of a slice of them; without the noise of choice."""
        return _utilities(
            self.config,
            (self.shared_users[users], self.shared_items),
            (self.specific_users[users], self.specific_items),
            self.popularity,
        )


def make_synthetic(config: SyntheticConfig | None = None) -> Dataset:
    """The dataset of :func:`make_world`."""
    return make_world(config).dataset


def make_world(config: SyntheticConfig | None = None) -> World:
    """Plant tastes, draw interactions from them, and write texts. The same configuration gives the same world."""
    return _make(config or SyntheticConfig())[0]


def write_synthetic(
    folder: str | Path, config: SyntheticConfig | None = None, *, overwrite: bool = False
) -> World:
    """Write ``interactions.csv`` and ``items.jsonl`` as a shop would hand them over, without splits.

    The columns are ``user_id``, ``item_id`` and ``timestamp`` (seconds since 1970); the items' keys are ``item_id``,
    ``title``, ``description`` and ``tags`` (a list).

    Returns:
        The world that was written; its dataset has the same ids.

    Raises:
        DataError: one of the files is there already, and ``overwrite`` is off.
    """
    folder = Path(folder)
    paths = folder / "interactions.csv", folder / "items.jsonl"
    for path in paths:
        if path.exists() and not overwrite:
            raise DataError(f"{path} exists already: choose another folder, or overwrite it.")
    world, items = _make(config or SyntheticConfig())
    log = world.interactions.select(
        user_id=pl.format("u{}", pl.col("user") + 1),
        item_id=pl.format("i{}", pl.col("item") + 1),
        timestamp="time",
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(paths[0], log.write_csv())
    write_atomic(paths[1], "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
    return world


def _make(config: SyntheticConfig) -> tuple[World, list[dict[str, Any]]]:
    # One stream a purpose: turning one dial leaves what does not depend on it as it was.
    names = ("items", "shared", "specific", "popularity", "activity", "choice", "text", "nuisance")
    seeds = np.random.SeedSequence(config.seed).spawn(len(names))
    rng = {name: np.random.default_rng(seed) for name, seed in zip(names, seeds, strict=True)}
    n_subtopics = SUBTOPICS_PER_TOPIC * config.n_topics
    subtopic = rng["items"].permutation(np.arange(config.n_items) % n_subtopics)

    shared = _shared(config, subtopic, rng["shared"])
    traits = rng["specific"].normal(size=(config.n_items, config.specific_dim))
    # Unit rows: no item is liked by more users than another because its traits are larger.
    traits = _centre_within(traits / np.linalg.norm(traits, axis=1, keepdims=True), subtopic)
    tastes = rng["specific"].normal(size=(config.n_users, config.specific_dim))
    specific = _standardise(tastes, traits)
    ranks = rng["popularity"].permutation(config.n_items) + 1
    popularity = _centre_within(-np.log(ranks)[:, None], subtopic)[:, 0]
    popularity /= popularity.std()

    counts = _activity(config, rng["activity"])
    pairs = _choose(config, shared, specific, popularity, counts, rng["choice"])
    split = split_interactions(pairs, "random", seed=config.seed)
    pairs = pairs.with_columns(split)
    phrases = rng["nuisance"].integers(0, PHRASES_PER_NUISANCE, (config.n_items, N_NUISANCE))
    nuisance = phrases[:, : config.nuisance]
    items = [
        {"item_id": f"i{row + 1}", **item}
        for row, item in enumerate(write_items(subtopic, nuisance, rng["text"]))
    ]
    dataset = _dataset(config, pairs, items)
    world = World(config, dataset, pairs, *shared, *specific, popularity, subtopic, nuisance)
    return world, items


def _shared(
    config: SyntheticConfig, subtopic: IntArray, rng: np.random.Generator
) -> tuple[Factors, Factors]:
    """Exponential tastes for topics and subtopics, and the items' membership."""
    membership = np.concatenate(
        [
            np.eye(config.n_topics)[subtopic // SUBTOPICS_PER_TOPIC],
            np.eye(subtopic.max() + 1)[subtopic],
        ],
        axis=1,
    )
    # A long tail to the right: users love a few topics and are lukewarm about the rest.
    tastes = rng.exponential(size=(config.n_users, membership.shape[1]))
    return _standardise(tastes, membership - membership.mean(0))


def _standardise(users: Factors, items: Factors) -> tuple[Factors, Factors]:
    """Centre the users and scale them, so that users @ items.T has mean 0 and variance 1 over all pairs.

    With centred users, inner products are uncorrelated with any function of the item alone, such as popularity.
    """
    users = users - users.mean(0)
    variance = np.sum((users.T @ users) * (items.T @ items)) / (len(users) * len(items))
    return users / np.sqrt(variance), items


def _centre_within(values: Factors, subtopic: IntArray) -> Factors:
    """Take each subtopic's mean away, so that the values are uncorrelated with topics and subtopics."""
    sums = np.zeros((subtopic.max() + 1, values.shape[1]))
    np.add.at(sums, subtopic, values)
    return np.asarray(values - (sums / np.bincount(subtopic)[:, None])[subtopic])


def _utilities(
    config: SyntheticConfig,
    shared: tuple[Factors, Factors],
    specific: tuple[Factors, Factors],
    popularity: Factors,
) -> Factors:
    total = np.sqrt(config.shared_share) * (shared[0] @ shared[1].T)
    total += np.sqrt(config.specific_share) * (specific[0] @ specific[1].T)
    total += np.sqrt(config.popularity_share) * popularity
    return np.asarray(config.sharpness * total)


def _activity(config: SyntheticConfig, rng: np.random.Generator) -> IntArray:
    """Interactions of each user: the total exact, at least the minimum, at most half of the items."""
    n, most = config.n_users, config.n_items // 2
    counts = np.full(n, config.min_interactions, np.int64)
    weights = rng.lognormal(0, 0.8, n)
    left = round(config.mean_interactions * n) - counts.sum()
    while left > 0:
        room = np.where(counts < most, weights, 0)
        counts += rng.multinomial(left, room / room.sum())
        left = np.maximum(counts - most, 0).sum()
        counts = np.minimum(counts, most)
    return counts


def _choose(
    config: SyntheticConfig,
    shared: tuple[Factors, Factors],
    specific: tuple[Factors, Factors],
    popularity: Factors,
    counts: IntArray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Each user's items by Gumbel top-k, in the order of choice, with times that grow in that order."""
    size = max(1, 2_000_000 // config.n_items)
    starts = range(0, config.n_users, size)
    chosen = []
    for start in track(
        starts,
        "Drawing interactions",
        console=Console(stderr=True),
        transient=True,
        disable=len(starts) <= 10,  # done in a second or two
    ):
        part = slice(start, start + size)
        utility = _utilities(
            config, (shared[0][part], shared[1]), (specific[0][part], specific[1]), popularity
        )
        utility += rng.gumbel(size=utility.shape)
        k = counts[part].max()
        top = np.argpartition(-utility, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(utility, top, axis=1), axis=1)
        top = np.take_along_axis(top, order, axis=1)
        chosen.append(top[np.arange(k) < counts[part, None]])
    users = np.repeat(np.arange(config.n_users), counts)
    gaps = rng.exponential(3 * _DAY, len(users)).astype(np.int64) + 1
    elapsed = np.cumsum(gaps)
    first = np.cumsum(counts) - counts
    joined = _START + rng.integers(0, 365 * _DAY, config.n_users)
    times = elapsed - np.repeat(elapsed[first] - joined, counts)
    return pl.DataFrame({"user": users, "item": np.concatenate(chosen), "time": times})


def _dataset(config: SyntheticConfig, pairs: pl.DataFrame, items: list[dict[str, Any]]) -> Dataset:
    train, valid, test = (
        Interactions.from_pairs(
            part["user"].to_numpy(), part["item"].to_numpy(), config.n_users, config.n_items
        )
        for part in (pairs.filter(pl.col("split") == name) for name in SPLITS)
    )
    catalogue = pl.DataFrame(
        {
            "item_id": [item["item_id"] for item in items],
            "title": [item["title"] for item in items],
            "text": [
                f"{item['title']}. {item['description']} Tags: {', '.join(item['tags'])}."
                for item in items
            ],
        }
    )
    return Dataset(
        IdMap("user", (f"u{row + 1}" for row in range(config.n_users))),
        IdMap("item", catalogue["item_id"].to_list()),
        train,
        valid,
        test,
        catalogue,
        {"source": "darec.data.synthetic", "options": config.model_dump(mode="json")},
    )
