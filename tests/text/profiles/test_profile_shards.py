"""Profiles in shards: every prompt asked once, the whole equal to a single run's, and no half is taken for a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from darec.errors import TextError
from darec.text.profiles import Profiler

KINDS = {"kinds": ["item", "user"]}


def test_merged_shards_are_the_single_run(profiler: Callable[..., Profiler], shop: Path) -> None:
    profiler(name="single", **KINDS).run(progress=False)
    reports = [
        profiler(name="parts", shard=f"{i}/3", **KINDS).run(progress=False) for i in (2, 3, 1)
    ]
    single = shop / "profiles" / "single"
    assert sum(report.new for report in reports) == 20
    assert not (shop / "profiles" / "parts").exists()
    merged = profiler(name="parts", **KINDS).merge()
    assert (merged.profiles, merged.new, merged.left) == (20, 20, 0)
    for file in ("items.jsonl", "users.jsonl"):
        assert (shop / "profiles" / "parts" / file).read_bytes() == (single / file).read_bytes()
    assert profiler(name="parts", **KINDS).run(progress=False).new == 0
    assert profiler(name="parts", **KINDS).merge().new == 0  # again: nothing is taken twice


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda place, make: shutil.rmtree(place / "2-of-2"), "lacks shard 2/2"),
        (
            lambda place, make: shutil.copytree(place / "1-of-2", place / "1-of-3"),
            "shards of 2 and of 3, which overlap",
        ),
        (
            lambda place, make: shutil.copy(
                place / "1-of-2" / "answers.jsonl", place / "2-of-2" / "answers.jsonl"
            ),
            "belong to other shards",
        ),
        (
            lambda place, make: (
                shutil.rmtree(place / "1-of-2"),
                make(shard="1/2", limit=1).run(progress=False),
            ),
            "it is not finished",
        ),
        (
            lambda place, make: (
                shutil.rmtree(place / "1-of-2"),
                make({"temperature": 0.9}, shard="1/2").run(progress=False),
            ),
            "lacks .* and holds .*another template",
        ),
    ],
)
def test_shards_that_make_no_whole_are_refused_and_nothing_is_kept(
    profiler: Callable[..., Profiler],
    shop: Path,
    spoil: Callable[[Path, Callable[..., Profiler]], object],
    message: str,
) -> None:
    for shard in ("1/2", "2/2"):
        profiler(shard=shard).run(progress=False)
    spoil(shop / "profiles" / "m.shards", profiler)
    with pytest.raises(TextError, match=message):
        profiler().merge()
    assert not (shop / "profiles" / "m").exists()
