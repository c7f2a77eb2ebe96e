"""The parts of the synthetic world: tastes and traits in exact proportions, and choices drawn from them.

See :mod:`darec.data.synthetic` for the model and its dials.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from darec.console import Console
from darec.types import IntArray

Factors = NDArray[np.float64]

_START: Final = 1_672_531_200  # 2023-01-01, UTC; in seconds
_DAY: Final = 86_400
_CELLS: Final = 2_000_000  # utilities in memory at once: 16 MB


def topic_tastes(
    n_users: int, subtopic: IntArray, per_topic: int, rng: np.random.Generator
) -> tuple[Factors, Factors]:
    """Draw tastes for topics and subtopics, with the items' membership of them minus its mean; see :func:`standardise`.

    Args:
        n_users: U.
        subtopic: [I] subtopic of each item; ``subtopic // per_topic`` is its topic.
        per_topic: subtopics of each topic.
        rng: draws the tastes.

    Returns:
        [U, d] and [I, d], the topics' columns before the subtopics'.
    """
    n_subtopics = int(subtopic.max()) + 1
    topics = np.eye(-(-n_subtopics // per_topic))[subtopic // per_topic]
    membership = np.concatenate([topics, np.eye(n_subtopics)[subtopic]], axis=1)
    # Exponential, with a long tail to the right: users love a few topics and are lukewarm about the rest.
    tastes = rng.exponential(size=(n_users, membership.shape[1]))
    return standardise(tastes, membership - membership.mean(0))


def latent_tastes(
    shared_users: Factors, n_items: int, dim: int, rng: np.random.Generator
) -> tuple[Factors, Factors]:
    """Draw tastes for latent traits, orthogonal over users to the shared tastes, and the items' traits.

    The users' side is made orthogonal. With the items' side, traits would sum to zero within each subtopic, so items of
    similar text would have dissimilar traits, and the text would have some information about them.

    Args:
        shared_users: [U, d_sh].
        n_items: I.
        dim: number of traits.
        rng: draws both sides.

    Returns:
        [U, dim] and [I, dim], standardised.
    """
    n_users = len(shared_users)
    traits = rng.normal(size=(n_items, dim))
    # Unit rows: no item is liked by more users than another because its traits are larger.
    traits /= np.linalg.norm(traits, axis=1, keepdims=True)
    tastes = rng.normal(size=(n_users, dim))
    known = np.column_stack([np.ones(n_users), shared_users])
    tastes -= known @ np.linalg.lstsq(known, tastes, rcond=None)[0]
    return standardise(tastes, traits - traits.mean(0))


def zipf_popularity(n_items: int, rng: np.random.Generator) -> Factors:
    """[I] minus the logarithm of each item's rank, ranks drawn at random; mean 0 and variance 1."""
    popularity = -np.log(rng.permutation(n_items) + 1.0)
    return np.asarray((popularity - popularity.mean()) / popularity.std())


def standardise(users: Factors, items: Factors) -> tuple[Factors, Factors]:
    """Centre the users and scale them, so that users @ items.T has mean 0 and variance 1 over all pairs.

    With centred users, inner products are uncorrelated with any function of the item alone, such as popularity.
    """
    users = users - users.mean(0)
    variance = np.sum((users.T @ users) * (items.T @ items)) / (len(users) * len(items))
    return users / np.sqrt(variance), items


def activity(
    n_users: int, least: int, mean: float, most: int, rng: np.random.Generator
) -> IntArray:
    """[U] interactions of each user, log-normal (sigma 0.8) above the least; they add up to mean * U, rounded.

    The caller must ensure ``least <= mean < most``.
    """
    counts = np.full(n_users, least, np.int64)
    weights = rng.lognormal(0, 0.8, n_users)
    left = round(mean * n_users) - counts.sum()
    while left > 0:  # interactions above the limit go to the other users
        room = np.where(counts < most, weights, 0)
        counts += rng.multinomial(left, room / room.sum())
        left = np.maximum(counts - most, 0).sum()
        counts = np.minimum(counts, most)
    return counts


def choose(users: Factors, items: Factors, counts: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw items without replacement for each user, by softmax of ``users @ items.T``, through Gumbel top-k.

    Args:
        users: [U, d].
        items: [I, d].
        counts: [U] items to draw for each user.
        rng: draws the noise.

    Returns:
        [counts.sum()] items, user by user, each user's in the order of choice.
    """
    size = max(1, _CELLS // len(items))
    starts = range(0, len(users), size)
    chosen = []
    for start in track(
        starts,
        "Drawing interactions",
        console=Console(stderr=True),
        transient=True,
        disable=len(starts) <= 10,  # done in a second or two
    ):
        part = slice(start, start + size)
        utility = users[part] @ items.T
        utility += rng.gumbel(size=utility.shape)
        k = counts[part].max()
        top = np.argpartition(-utility, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(utility, top, axis=1), axis=1)
        top = np.take_along_axis(top, order, axis=1)
        chosen.append(top[np.arange(k) < counts[part, None]])
    return np.concatenate(chosen)


def visiting_times(counts: IntArray, rng: np.random.Generator) -> IntArray:
    """[counts.sum()] seconds since 1970: each user joins in 2023 and comes back every three days on average."""
    elapsed = np.cumsum(rng.exponential(3 * _DAY, counts.sum()).astype(np.int64) + 1)
    first = np.cumsum(counts) - counts
    joined = _START + rng.integers(0, 365 * _DAY, len(counts))
    return np.asarray(elapsed - np.repeat(elapsed[first] - joined, counts))
