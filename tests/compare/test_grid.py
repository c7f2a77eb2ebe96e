from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.compare.grid import (
    Job,
    make_jobs,
    make_pairs,
    parse_names,
    parse_seeds,
    resolve_pairs,
)
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, TextError
from darec.registry import ALIGNMENTS, BACKBONES
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset
from darec.types import Interactions


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    data = tiny_dataset().save(tmp_path_factory.mktemp("grid") / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    return data


def jobs(shop: Dataset, *overrides: str, alignment: str = "none", seed: int = 0) -> Job:
    pairs = resolve_pairs([("mf", alignment)], overrides=overrides)
    ((job,),) = make_jobs(pairs, [seed], shop).values()
    return job


@given(st.integers(1, 300))
def test_a_number_of_seeds_counts_from_zero(n: int) -> None:
    assert parse_seeds(str(n)) == tuple(range(n))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=9, unique=True))
def test_a_list_of_seeds_is_taken_as_it_is(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)
    with pytest.raises(ConfigError, match=f"{seeds[0]} is given twice"):
        parse_seeds(",".join(map(str, [*seeds, seeds[0]])))


def test_one_seed_is_a_list_of_one() -> None:
    assert parse_seeds("7,") == (7,)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "a", "1,,2", ",", "1,-2", "200000"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="seeds"):
        parse_seeds(text)


def test_names_are_checked_against_the_registry() -> None:
    assert parse_names("mf, lightgcn", BACKBONES) == ("mf", "lightgcn")
    assert parse_names("all", ALIGNMENTS) == tuple(ALIGNMENTS)
    with pytest.raises(ConfigError, match="did you mean 'lightgcn'"):
        parse_names("lihgtgcn", BACKBONES)
    with pytest.raises(ConfigError, match="mf is given twice"):
        parse_names("mf,mf", BACKBONES)


def test_none_comes_first_and_the_rest_as_asked() -> None:
    pairs, left_out = make_pairs("mf,lightgcn", "kar,none,darec")
    assert pairs == [(b, a) for b in ("mf", "lightgcn") for a in ("none", "kar", "darec")]
    assert not left_out


def test_a_pair_that_cannot_be_is_refused_by_name_and_left_out_of_all() -> None:
    with pytest.raises(ConfigError, match=r"alpharec \+ llminit"):
        make_pairs("alpharec", "none,llminit")
    pairs, left_out = make_pairs("alpharec", "all")
    assert ("alpharec", "none") in pairs and ("alpharec", "llminit") not in pairs
    assert [line.partition(" is left out")[0] for line in left_out] == [
        f"alpharec + {name}" for name in ("additive", "collective", "l3ae", "llminit")
    ]


def test_a_parts_setting_goes_to_the_pairs_that_have_it() -> None:
    none, darec = resolve_pairs(
        [("mf", "none"), ("mf", "darec")], overrides=["alignment.rho=0.7", "train.epochs=4"]
    )
    assert darec.config.model_dump()["alignment"]["rho"] == 0.7
    assert none.config == resolve_config({"backbone": "mf", "train.epochs": 4})


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("alignment.rho=0.7", "no pair of the grid has that setting"),
        ("train.epochz=3", "did you mean 'train.epochs'"),
        ("options.seed=3", "the grid decides it"),
        ("backbone=lightgcn", "the grid decides it"),
        ("train.epochs", "write KEY=VALUE"),
    ],
)
def test_settings_that_fit_no_pair_are_refused(override: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        resolve_pairs([("mf", "none")], overrides=[override])


def test_a_config_file_gives_each_part_its_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "backbone: {name: mf, dim: 12}\nalignment: {name: darec, rho: 0.5}\ntrain: {epochs: 9}"
    )
    same, other = resolve_pairs([("mf", "darec"), ("lightgcn", "none")], config=file)
    assert (same.config.model_dump()["backbone"]["dim"], same.config.train.epochs) == (12, 9)
    assert same.config.model_dump()["alignment"]["rho"] == 0.5
    assert other.config == resolve_config({"backbone": "lightgcn", "train.epochs": 9})
    file.write_text("backbone: {dim: 12}")
    with pytest.raises(ConfigError, match="'backbone' has no name"):
        resolve_pairs([("mf", "none")], config=file)


def test_tuned_settings_are_a_file_a_pair(tmp_path: Path) -> None:
    pairs = [("mf", "none"), ("mf", "darec")]
    (tmp_path / "mf+none.yaml").write_text("backbone: {name: mf}\ntrain: {lr: 0.5}")
    with pytest.raises(ConfigError, match=r"no .*mf\+darec\.yaml: write it with 'darec tune"):
        resolve_pairs(pairs, folder=tmp_path)
    tuned = tmp_path / "mf+darec.yaml"
    tuned.write_text("backbone: mf\nalignment: kar")
    with pytest.raises(ConfigError, match=r"is for mf \+ kar, not mf \+ darec"):
        resolve_pairs(pairs, folder=tmp_path)
    tuned.write_text("backbone: mf\nalignment: darec\ntrain: {lr: 0.25}\n")
    none, darec = resolve_pairs(pairs, folder=tmp_path, overrides=["train.epochs=3"])
    assert (none.config.train.lr, darec.config.train.lr) == (0.5, 0.25)
    assert none.config.train.epochs == darec.config.train.epochs == 3
    assert darec.file == tuned
    with pytest.raises(ConfigError, match="either config"):
        resolve_pairs(pairs, folder=tmp_path, config=tuned)
    tuned.write_text("backbone: mf\nalignment: darec\nevaluation: {ks: [7]}\n")
    with pytest.raises(ConfigError, match=r"evaluation\.ks is .* not be comparable"):
        resolve_pairs(pairs, folder=tmp_path)


def test_a_runs_folder_depends_on_what_decides_its_result(shop: Dataset) -> None:
    first = jobs(shop)
    assert first.folder.startswith("mf+none-s0-") and first.folder == jobs(shop).folder
    for same in ("options.threads=3", "evaluation.batch_size=5", "text.pooling=idf"):
        assert jobs(shop, same).folder == first.folder, same
    others = {jobs(shop, o).folder for o in ("train.lr=0.1", "evaluation.mask=train+valid")}
    others |= {jobs(shop, seed=1).folder, jobs(tiny_dataset(seed=1)).folder}
    assert len(others | {first.folder}) == 5


def test_language_vectors_decide_only_where_they_are_read(tmp_path: Path) -> None:
    data = tiny_dataset().save(tmp_path / "data")
    with pytest.raises(TextError, match=r"run darec\.encode_dataset"):
        jobs(data, alignment="darec")
    folders = []
    for dim in (4, 8):
        encode_dataset(data, "tfidf", options={"dim": dim}, progress=False)
        folders.append((jobs(data).folder, jobs(data, alignment="darec").folder))
    assert folders[0][0] == folders[1][0] and folders[0][1] != folders[1][1]
    assert jobs(data, alignment="darec").config.text.encoder == "tfidf"


def test_what_could_not_begin_is_refused_at_once(shop: Dataset) -> None:
    for override in ("train.monitor=recal@20", "evaluation.ks=[500]", "options.device=tpu:x"):
        with pytest.raises(ConfigError):
            jobs(shop, override)
    none = np.zeros(0, np.int64)
    empty = Interactions.from_pairs(none, none, shop.n_users, shop.n_items)
    for split in ("valid", "test"):
        with pytest.raises(DataError, match=f"no {split} interactions"):
            jobs(replace(shop, **{split: empty}))
