"""Splitting interactions into train, valid and test: at random per user, by time per user, by time overall, or by item.

The random choices come from a hash of (seed, user, item) and not from a stream of random numbers: the split of a pair
depends only on the pair and the seed, never on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from darec.data.dataset import SPLITS
from darec.errors import ConfigError, DataError, did_you_mean
from darec.types import IntArray
from darec.wording import counted_noun

SPLIT_METHODS: Final = ("random", "leave-last-out", "temporal-user", "global-time", "cold-items")
TIMED_METHODS: Final = ("leave-last-out", "temporal-user", "global-time")
COLD_SHARE: Final = 0.1

TRAIN, VALID, TEST = range(3)


def split_interactions(
    frame: pl.DataFrame,
    method: str,
    *,
    seed: int = 0,
    ratios: tuple[float, float, float] = (3, 1, 1),
    time_cuts: tuple[float, float] | None = None,
    cold_share: float | None = None,
) -> pl.Series:
    """Assign every interaction to ``"train"``, ``"valid"`` or ``"test"``.

    Methods:
        - ``random``: each user's items at random in the ratios (3:1:1 is the protocol of RLMRec and DaRec).
        - ``temporal-user``: each user's items by time in the ratios, the oldest in train.
        - ``leave-last-out``: each user's last item in test, the one before in valid, the rest in train.
        - ``global-time``: train before the first cut, valid from there to before the second, test from there on.
          Without ``time_cuts`` the cuts are the times at the quantiles of the ratios. Users and items may have no
          training interaction; the caller decides about them.
        - ``cold-items``: a share of the items is cold, drawn by :func:`cold_items`; all their interactions are in valid
          (half of the items) or in test (the others). The warm items' interactions are split as by ``random``, so that
          early stopping and settings depend on warm items too, and one run measures both.

    Counts of a user with n items, for the first three (and with n warm items, for the last): test gets n times its
    share of the ratios, rounded half up (leave-last-out: 1), but leaves one item; valid likewise, and leaves one too;
    train gets the rest, so at least one.
    At 3:1:1 the items of users with one or two are all in train. Equal times are ordered by the hash.

    Args:
        frame: one row for each pair, with integer columns ``user`` and ``item``, and a numeric ``time`` if the method
            needs it.
        method: one of ``SPLIT_METHODS``.
        seed: any integer; draws the random split and orders equal times.
        ratios: weights of train, valid and test in any unit; train above 0. Not used by leave-last-out.
        time_cuts: the two cuts of ``global-time``, in the unit of ``time``, the first one before the second.
        cold_share: share of the items that ``cold-items`` makes cold; None: 0.1.

    Returns:
        A String series named ``split``, aligned with the frame.

    Raises:
        ConfigError: the method is unknown, or ratios or cuts cannot be used.
        DataError: a column is missing or not numeric, a time is missing or not finite, a pair is repeated, or a time
            cut leaves a split empty.
    """
    codes = split_codes(
        frame, method, seed=seed, ratios=ratios, time_cuts=time_cuts, cold_share=cold_share
    )
    return pl.Series("split", SPLITS, dtype=pl.String).gather(codes)


def split_codes(
    frame: pl.DataFrame,
    method: str,
    *,
    seed: int = 0,
    ratios: tuple[float, float, float] = (3, 1, 1),
    time_cuts: tuple[float, float] | None = None,
    cold_share: float | None = None,
) -> NDArray[np.int8]:
    """Do as :func:`split_interactions`, but return each split as its place in ``SPLITS``."""
    check_options(method, ratios, time_cuts)
    users, items = _pairs(frame)
    if method == "cold-items":
        codes = cold_items(items, seed, COLD_SHARE if cold_share is None else cold_share)
        warm = codes == TRAIN
        if len(codes):
            codes[warm] = split_codes(frame.filter(warm), "random", seed=seed, ratios=ratios)
    elif method == "global-time":
        codes = _by_cuts(_times(frame, method), ratios, time_cuts)
    else:
        times = {} if method == "random" else {"time": _times(frame, method)}
        keys: dict[str, NDArray[Any]] = {
            "user": users,
            **times,
            "hash": pair_hash(users, items, seed),
        }
        order = pl.DataFrame(keys).select(pl.arg_sort_by(*keys)).to_series().to_numpy()
        shares = (0.0, 0.0) if method == "leave-last-out" else _shares(ratios)
        codes = _by_rank(users, order, shares, last_out=method == "leave-last-out")
    return codes


def cold_items(items: IntArray, seed: int = 0, share: float = COLD_SHARE) -> NDArray[np.int8]:
    """Choose the items that the split ``cold-items`` holds out: 0 for a warm item, 1 for valid, 2 for test.

    Of n distinct items, n times the share, rounded half up and at least 2, are cold: those with the smallest hash of
    seed and item. They go alternately to test and validation; the first goes to test.

    Args:
        items: [E] row of each interaction's item.
        seed: of the draw.
        share: of the items, above 0 and below 1.

    Returns:
        [E] the code of each interaction's item.

    Raises:
        ConfigError: the share is not valid.
        DataError: there are so few items that valid, test or train would have none.
    """
    if not 0 < share < 1:
        raise ConfigError(f"cold share {share}: must be between 0 and 1.")
    known, place = np.unique(items, return_inverse=True)
    n_cold = max(2, int(np.floor(len(known) * share + 0.5 + 1e-9)))
    if len(known) and n_cold >= len(known):
        raise DataError(
            f"{n_cold} of {len(known)} items would be cold and none left for training: choose a smaller share of cold "
            "items, or another split."
        )
    nobody = np.full(
        len(known), 2**31, np.int64
    )  # not a user's row: a draw that is separate from those of pairs
    codes = np.zeros(len(known), np.int8)
    cold = np.argsort(pair_hash(nobody, known, seed))[:n_cold]
    codes[cold] = TEST - np.arange(len(cold)) % 2
    return codes[place]


def pair_hash(users: IntArray, items: IntArray, seed: int) -> NDArray[np.uint64]:
    """A uniform 64-bit number for each pair, distinct among the items of one user.

    Two rounds of the finaliser of SplitMix64 (Steele, Lea & Flood 2014), a bijection of 64-bit integers.
    """
    start = _mix(np.array([seed % 2**64], np.uint64))
    return _mix(_mix(start + users.astype(np.uint64)) + items.astype(np.uint64))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)


def _by_rank(
    users: IntArray, order: IntArray, shares: tuple[float, float], *, last_out: bool
) -> NDArray[np.int8]:
    """Cut each user's sorted items by the rule of counts above."""
    codes = np.empty(len(users), np.int8)
    if not len(users):
        return codes
    in_order = users[order]
    first = np.flatnonzero(np.diff(in_order, prepend=in_order[0] - 1))
    n = np.diff(first, append=len(users))
    n_valid, n_test = (
        np.ones_like(n) if last_out else np.floor(n * share + 0.5 + 1e-9).astype(np.int64)
        for share in shares
    )
    n_test = np.minimum(n_test, n - 1)
    n_valid = np.minimum(n_valid, n - 1 - n_test)
    from_end = np.repeat(first + n, n) - np.arange(len(users))  # 1 for the last item of a user
    ordered = np.where(from_end <= np.repeat(n_test + n_valid, n), VALID, TRAIN)
    codes[order] = np.where(from_end <= np.repeat(n_test, n), TEST, ordered)
    return codes


def _by_cuts(
    times: NDArray[np.float64],
    ratios: tuple[float, float, float],
    time_cuts: tuple[float, float] | None,
) -> NDArray[np.int8]:
    """Cut all interactions at two times."""
    if not len(times):
        return np.empty(0, np.int8)
    cuts = time_cuts
    if cuts is None:
        ordered = np.sort(times)
        first, second = (
            ordered[at] if at < len(times) else np.inf for at in cut_places(ratios, len(times))
        )
        cuts = (float(first), float(second))
    codes = np.searchsorted(np.array(cuts), times, side="right").astype(np.int8)
    counts = np.bincount(codes, minlength=3)
    check_cuts(cuts, counts, (times.min(), times.max()), ratios if time_cuts is None else None)
    return codes


def cut_places(ratios: tuple[float, float, float], n: int) -> tuple[int, int]:
    """Return the places of the cuts among n sorted times, by the ratios; n for a share of zero."""
    valid, test = _shares(ratios)
    first, second = np.floor(np.array([1 - valid - test, 1 - test]) * n + 0.5 + 1e-9).astype(int)
    return int(first), int(second)


def check_cuts(
    cuts: tuple[float, float],
    counts: Sequence[int] | IntArray,
    span: tuple[float, float],
    ratios: tuple[float, float, float] | None,
) -> None:
    """Check that two time cuts leave no wanted split empty.

    Args:
        cuts: the two times.
        counts: number of interactions in each split.
        span: the first and the last time of all.
        ratios: the ratios from which the cuts were computed; None: the user chose the cuts, and every split is wanted.

    Raises:
        DataError: the cuts leave a split empty.
    """
    wanted = [True, True, True] if ratios is None else [ratio > 0 for ratio in ratios]
    for name, count, asked in zip(SPLITS, counts, wanted, strict=True):
        if asked and not count:
            raise DataError(
                f"the time cuts {cuts[0]:g} and {cuts[1]:g} leave {name} empty (times run from "
                f"{span[0]:g} to {span[1]:g}): choose other cuts or ratios, or split per user."
            )


def _shares(ratios: tuple[float, float, float]) -> tuple[float, float]:
    """The fractions of valid and of test."""
    return ratios[1] / sum(ratios), ratios[2] / sum(ratios)


def check_options(
    method: str, ratios: tuple[float, float, float], time_cuts: tuple[float, float] | None
) -> None:
    """Raise ``ConfigError`` on an unknown method, or ratios or cuts that cannot be used."""
    if method not in SPLIT_METHODS:
        raise ConfigError(f"unknown split {method!r}: {did_you_mean(method, SPLIT_METHODS)}")
    usable = len(ratios) == 3 and np.isfinite(ratios).all() and min(ratios) >= 0 < ratios[0]
    if not usable:
        raise ConfigError(
            f"split ratios {ratios!r} cannot be used: give three numbers of at least 0 for train, valid and test, "
            "the first above 0, for example 3, 1, 1."
        )
    if time_cuts is None:
        return
    if method != "global-time":
        raise ConfigError(f"time cuts are for the split 'global-time', not for {method!r}.")
    if len(time_cuts) != 2 or not np.isfinite(time_cuts).all() or time_cuts[0] >= time_cuts[1]:
        raise ConfigError(
            f"time cuts {time_cuts!r} cannot be used: give two times, the earlier one first."
        )


def _pairs(frame: pl.DataFrame) -> tuple[IntArray, IntArray]:
    """Users and items of the frame, checked."""
    for name in ("user", "item"):
        if name not in frame.columns:
            raise DataError(
                f"interactions to split have no column {name!r} (columns: {frame.columns})."
            )
        if not frame.schema[name].is_integer() or frame[name].null_count():
            raise DataError(f"column {name!r} of the interactions to split must hold row numbers.")
    users, items = (frame[name].to_numpy().astype(np.int64) for name in ("user", "item"))
    for name, rows in (("user", users), ("item", items)):
        if rows.size and not 0 <= rows.min() <= rows.max() < 2**31:
            raise DataError(
                f"column {name!r} of the interactions to split holds {rows.min()} to {rows.max()}, but rows are "
                "numbered from 0 to 2^31 - 1: use the rows of an id map."
            )
    pairs = np.sort((users << 32) | items)
    repeats = np.count_nonzero(pairs[1:] == pairs[:-1])
    if repeats:
        raise DataError(
            f"{counted_noun(int(repeats), 'interaction repeats', 'interactions repeat')}"
            f" a user and item, and could fall on both sides of a split: merge them first."
        )
    return users, items


def _times(frame: pl.DataFrame, method: str) -> NDArray[np.float64]:
    if "time" not in frame.columns:
        raise DataError(
            f"the split {method!r} needs the time of each interaction, and there is none: name the column of "
            "timestamps, or choose the split 'random'."
        )
    if not frame.schema["time"].is_numeric():
        raise DataError(f"column 'time' must be numeric, not {frame.schema['time']}.")
    times = frame["time"].cast(pl.Float64).to_numpy()  # null becomes NaN
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise DataError(
            f"{bad.size} interactions have no usable time (the first is row {bad[0] + 1}), and the split {method!r} "
            "needs them all: complete or remove these rows, or choose the split 'random'."
        )
    return np.asarray(times, np.float64)
