"""Titles, profiles and files in place of the items' text, from encoding to training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import darec
from darec.data.dataset import Dataset
from darec.errors import ConfigError, TextError
from darec.text import encode_dataset, load_text
from darec.text.combine import combine_tables
from darec.text.profiles import Profiler
from darec.types import TextTable
from scripted_server import ScriptedServer


def same(a: TextTable, b: TextTable) -> None:
    for name in ("users", "items", "user_mask", "item_mask"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.fixture
def data(shop: Dataset, tmp_path: Path) -> Dataset:
    return shop.save(tmp_path / "shop")


def profiled(
    data: Dataset, server: ScriptedServer, name: str | None = None, **more: object
) -> None:
    settings = {"base_url": server.url}
    Profiler(data, "m", settings=settings, name=name, **more).run(progress=False)


def test_titles_and_files_have_vectors_of_their_own(
    data: Dataset, fake: type, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"item_id": "i5", "text": "five"}\n{"item_id": "i0", "text": "nought"}\n')
    for source in ("text", "titles", str(file)):
        encode_dataset(data, "fake", source=source, progress=False)
    calls = {tuple(sorted(batch)) for batch in fake.calls}
    assert ("five", "nought") in calls and tuple(f"Title {n}" for n in range(6)) in calls
    text, titles, mine = (load_text(data, sources=[s]) for s in ("text", "titles", str(file)))
    assert text.item_mask.tolist() == [True, True, True, False, False, True]
    assert titles.item_mask.all() and titles.name == "fake"
    assert mine.item_mask.tolist() == [True] + [False] * 4 + [True]
    same(
        load_text(data, "fake", sources=["titles", "text"]),
        combine_tables([titles, text], "concat"),
    )
    assert load_text(data, sources=["titles", "text"]).dim == 16
    same(
        load_text(data, sources=["titles", "text"], combine="mean"),
        combine_tables([titles, text], "mean"),
    )
    assert encode_dataset(data, "fake", source="titles", progress=False).new == 0
    file.unlink()  # what was encoded stays
    same(load_text(data, sources=[str(file)]), mine)
    catalogue = data.catalogue.with_columns(title=data.catalogue["title"] + "!")
    catalogue.write_parquet(data.path / "items.parquet")
    with pytest.raises(
        TextError, match=r"6 items .* run darec\.encode_dataset\(.* source='titles'\) again"
    ):
        load_text(Dataset.load(data.path), sources=["titles"])


def test_profiles_of_items_and_users(data: Dataset, fake: type, server: ScriptedServer) -> None:
    with pytest.raises(TextError, match=r"no profiles .* run 'darec profile"):
        encode_dataset(data, "fake", source="profiles", progress=False)
    profiled(data, server, kinds=["item"])
    report = encode_dataset(data, "fake", source="profiles", progress=False)
    assert (report.source, report.users, report.missing_items) == ("profiles", 0, 0)
    pooled = load_text(data, sources=["profiles"])
    profiled(data, server)
    report = encode_dataset(data, "fake", source="profiles", progress=False)
    assert (report.users, report.missing_users) == (4, 1)  # u3 has nothing in training
    own = load_text(data, sources=["profiles"])
    assert own.user_mask.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(own.items, pooled.items)
    assert not np.array_equal(own.users[0], pooled.users[0])
    profiled(data, server, name="second")
    with pytest.raises(TextError, match="choose from profiles:m, profiles:second"):
        encode_dataset(data, "fake", source="profiles", progress=False)
    assert encode_dataset(data, "fake", source="profiles:m", progress=False).items == 6
    with pytest.raises(TextError, match=r"no profiles third .*it has m, second"):
        encode_dataset(data, "fake", source="profiles:third", progress=False)


def test_profiles_of_another_split_are_refused(
    data: Dataset, fake: type, server: ScriptedServer
) -> None:
    profiled(data, server)
    encode_dataset(data, "fake", source="profiles", progress=False)
    other = replace(data, train=data.train.union(data.test), test=data.valid)
    other = other.save(data.path, overwrite=True)
    for attempt in (
        lambda: load_text(other, sources=["profiles"]),
        lambda: encode_dataset(other, "fake", source="profiles", progress=False),
    ):
        with pytest.raises(TextError, match="made from other training items"):
            attempt()
    server.requests.clear()
    profiled(other, server)
    assert len(server.requests) == 1  # u3 has a training item now; all else is as it was
    encode_dataset(other, "fake", source="profiles", progress=False)
    assert load_text(other, sources=["profiles"]).user_mask.all()


def test_refusals(data: Dataset, fake: type, server: ScriptedServer, tmp_path: Path) -> None:
    with pytest.raises(TextError, match="no source of texts 'title': did you mean 'titles'"):
        encode_dataset(data, "fake", source="title", progress=False)
    strangers = tmp_path / "strangers.jsonl"
    strangers.write_text('{"item_id": "x", "text": "y"}\n')
    with pytest.raises(TextError, match="has no text about any item"):
        encode_dataset(data, "fake", source=str(strangers), progress=False)
    with pytest.raises(ConfigError, match="reads ids, so it cannot encode titles"):
        encode_dataset(data, "file:v.npy", source="titles", progress=False)
    encode_dataset(data, "fake", progress=False)
    with pytest.raises(
        TextError, match=r"no vectors of titles .*it has fake\): run .*source='titles'"
    ):
        load_text(data, sources=["titles"])
    profiled(data, server)
    with (data.path / "profiles/m/items.jsonl").open("a") as file:
        file.write(json.dumps({"item_id": "i9", "text": "by hand"}) + "\n")
    with pytest.raises(TextError, match="has been changed since 'darec profile' wrote it"):
        encode_dataset(data, "fake", source="profiles", progress=False)


def test_training_reads_the_sources_it_is_told(
    data: Dataset, fake: type, server: ScriptedServer, tmp_path: Path
) -> None:
    profiled(data, server)
    for source in ("titles", "profiles"):
        encode_dataset(data, "fake", source=source, progress=False)
    settings = {
        "text.sources": ["titles", "profiles"],
        "train.epochs": 1,
        "train.monitor": "recall@2",
        "evaluation.ks": [2],
        "backbone.dim": 4,
    }
    run = darec.fit(
        data, alignment="direct", settings=settings, out=tmp_path / "run", progress=False
    )
    assert run.config.text.sources == ("titles", "profiles") and run.config.text.encoder == "fake"
    again = darec.load_run(tmp_path / "run").config
    assert again == run.config
    with pytest.raises(ConfigError, match="combine"):
        darec.fit(data, alignment="direct", settings={"text.combine": "sum"}, progress=False)
