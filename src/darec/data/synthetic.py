"""A synthetic catalogue in which the causes of the interactions and the contents of the texts are known.

Three things attract a user to items. Their shares are settings of the configuration:

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
from pydantic import Field, model_validator

from darec.data.dataset import SPLITS, Dataset
from darec.data.planting import (
    Factors,
    activity,
    choose,
    latent_tastes,
    topic_tastes,
    visiting_times,
    zipf_popularity,
)
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
from darec.ids.idmap import IdMap
from darec.limits import LARGEST_SEED
from darec.memory import require_memory
from darec.settings import Settings
from darec.types import IntArray, Interactions

# New purposes are added at the end, so that older worlds do not change.
_STREAMS: Final = (
    "items",
    "shared",
    "specific",
    "popularity",
    "activity",
    "choice",
    "time",
    "text",
    "nuisance",
)


class SyntheticConfig(Settings):
    """Settings of a synthetic catalogue. The three shares add up to 1."""

    n_users: int = Field(3000, ge=10)
    """U; at least ten for each topic."""
    n_items: int = Field(2000, ge=20)
    """I; at least five for each subtopic."""
    n_topics: int = Field(N_TOPICS, ge=1, le=N_TOPICS)
    """Topics used, each with four subtopics; items are spread evenly over the subtopics."""
    shared_share: float = Field(0.5, ge=0, le=1)
    """Share of the utility's variance that comes from topics, half from topics and half from subtopics."""
    specific_share: float = Field(0.4, ge=0, le=1)
    """Share that comes from tastes that the text does not show."""
    popularity_share: float = Field(0.1, ge=0, le=1)
    """Share that is the same for all users: Zipf's law with exponent sharpness * sqrt(share) / std(log rank), or about
    the numerator, since that standard deviation is close to 1."""
    specific_dim: int = Field(8, ge=1)
    """Number of latent traits that the text does not show."""
    sharpness: float = Field(3.0, gt=0)
    """Standard deviation of the utility; that of the Gumbel noise of choice is 1.28."""
    nuisance: int = Field(3, ge=0, le=N_NUISANCE)
    """Phrases in each text that have nothing to do with taste, between two sentences of the topic."""
    mean_interactions: float = Field(20.0, ge=1)
    """Interactions per user; the total is this times U, rounded. At most a quarter of the items."""
    min_interactions: int = Field(5, ge=1)
    """Smallest number of interactions of a user; the rest is spread unevenly (log-normal, sigma 0.8)."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
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
        if self.n_users < 10 * self.n_topics:
            raise ConfigError(
                f"{self.n_topics} topics need {10 * self.n_topics} users: raise n_users or lower n_topics"
            )
        if not self.min_interactions <= self.mean_interactions <= self.n_items / 4:
            raise ConfigError(
                f"mean_interactions must lie between min_interactions ({self.min_interactions}) and a quarter of "
                f"the items ({self.n_items / 4:g})"
            )
        return self


@dataclass(frozen=True)
class World:
    """A synthetic dataset with all its planted factors. Rows are those of the dataset.

    Attributes:
        config: the settings.
        dataset: with a random 3:1:1 split.
        interactions: ``user``, ``item``, ``time`` (seconds; a user's items in the order of choice) and ``split``.
        shared_users: [U, d_sh] tastes for topics, then subtopics.
        shared_items: [I, d_sh] membership in topics, then subtopics, less its mean over items.
        specific_users: [U, specific_dim] tastes for traits that the text does not show; orthogonal to shared_users.
        specific_items: [I, specific_dim] these traits, drawn independently of topics.
        popularity: [I] minus the logarithm of the rank, standardised, drawn independently of topics and traits.
        subtopic: [I] index into ``darec.data.vocabulary.subtopics()``; ``subtopic // 4`` is the topic.
        nuisance: [I, config.nuisance] number of the phrase of each attribute in the text.

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
        """[U, I] planted utility of every item for all users or a slice of them, without the noise of choice."""
        tastes, traits = _joint(
            self.config,
            (self.shared_users[users], self.shared_items),
            (self.specific_users[users], self.specific_items),
            self.popularity,
        )
        return np.asarray(tastes @ traits.T)


def make_synthetic(config: SyntheticConfig | None = None) -> Dataset:
    """The dataset of :func:`make_world`."""
    return make_world(config).dataset


def make_world(config: SyntheticConfig | None = None) -> World:
    """Plant tastes, draw interactions from them, and write texts. The same configuration gives the same world."""
    return _make(config or SyntheticConfig())[0]


def write_synthetic(
    folder: str | Path, config: SyntheticConfig | None = None, *, overwrite: bool = False
) -> World:
    """Write ``interactions.csv`` and ``items.jsonl`` like the exports of a shop, without splits.

    The columns are ``user_id``, ``item_id`` and ``timestamp`` (seconds since 1970); the items' keys are ``item_id``,
    ``title``, ``description`` and ``tags`` (a list).

    Returns:
        The world that was written; its dataset has the same ids.

    Raises:
        DataError: one of the files exists already, and ``overwrite`` is off.
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
    # For an interaction: user, item, time and split, and their order; for a user or an item: its factors.
    size = 48.0 * config.n_users * config.mean_interactions + 8.0 * 60 * (
        config.n_users + config.n_items
    )
    what = f"a world of {config.n_users:,} users and {config.n_items:,} items"
    require_memory(size, what, "make it smaller")
    # One stream for each purpose: a change of one setting does not change what is independent of it.
    seeds = np.random.SeedSequence(config.seed).spawn(len(_STREAMS))
    rng = {name: np.random.default_rng(seed) for name, seed in zip(_STREAMS, seeds, strict=True)}
    n_subtopics = SUBTOPICS_PER_TOPIC * config.n_topics
    subtopic = rng["items"].permutation(np.arange(config.n_items) % n_subtopics)

    shared = topic_tastes(config.n_users, subtopic, SUBTOPICS_PER_TOPIC, rng["shared"])
    specific = latent_tastes(shared[0], config.n_items, config.specific_dim, rng["specific"])
    popularity = zipf_popularity(config.n_items, rng["popularity"])

    least, mean, most = config.min_interactions, config.mean_interactions, config.n_items // 2
    counts = activity(config.n_users, least, mean, most, rng["activity"])
    users = np.repeat(np.arange(config.n_users), counts)
    chosen = choose(*_joint(config, shared, specific, popularity), counts, rng["choice"])
    times = visiting_times(counts, rng["time"])
    pairs = pl.DataFrame({"user": users, "item": chosen, "time": times})
    pairs = pairs.with_columns(split_interactions(pairs, "random", seed=config.seed))

    phrases = rng["nuisance"].integers(0, PHRASES_PER_NUISANCE, (config.n_items, N_NUISANCE))
    nuisance = phrases[:, : config.nuisance]
    items = [
        {"item_id": f"i{row + 1}", **item}
        for row, item in enumerate(write_items(subtopic, nuisance, rng["text"]))
    ]
    dataset = _dataset(config, pairs, items)
    world = World(config, dataset, pairs, *shared, *specific, popularity, subtopic, nuisance)
    return world, items


def _joint(
    config: SyntheticConfig,
    shared: tuple[Factors, Factors],
    specific: tuple[Factors, Factors],
    popularity: Factors,
) -> tuple[Factors, Factors]:
    """The three components side by side, weighted: one inner product is the utility."""
    weights = config.sharpness * np.sqrt(
        [config.shared_share, config.specific_share, config.popularity_share]
    )
    everyone = np.ones((len(shared[0]), 1))
    users = (weights[0] * shared[0], weights[1] * specific[0], weights[2] * everyone)
    items = (shared[1], specific[1], popularity[:, None])
    return np.concatenate(users, axis=1), np.concatenate(items, axis=1)


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
