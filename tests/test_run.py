"""Recommendations against brute force over the tables, and the public functions around runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import darec
from darec.config import resolve_config
from darec.data.synthetic import SyntheticConfig, write_synthetic
from darec.errors import ConfigError, DataError, FolderError, RunError
from darec.run import Run
from darec.scoring import TableScorer
from darec.testing.worlds import tiny_dataset
from darec.types import Tables


@pytest.fixture(scope="module")
def run() -> Run:
    dataset = tiny_dataset()
    generator = torch.Generator().manual_seed(0)
    tables = Tables(
        torch.randn(dataset.n_users, 4, generator=generator),
        torch.randn(dataset.n_items, 4, generator=generator),
    )
    return Run(resolve_config(), dataset, TableScorer(tables), {})


def test_recommend_is_the_ranking_of_inner_products(run: Run) -> None:
    data, user = run.dataset, "u3"
    row = data.users.row(user)
    scores = (run.tables.users[row] @ run.tables.items.T).numpy()
    seen = np.concatenate([data.split(s).of_user(row) for s in ("train", "valid", "test")])
    scores[seen] = -np.inf
    best = np.argsort(-scores)[:5]
    listed = run.recommend(user, 5)
    assert [item.item_id for item in listed] == [data.items.ids[i] for i in best]
    assert [item.score for item in listed] == pytest.approx(scores[best].tolist(), rel=1e-5)
    assert [item.title for item in listed] == [data.title(int(i)) for i in best]


def test_recommend_lists_no_more_than_there_is(run: Run) -> None:
    data = run.dataset
    seen = {
        int(i)
        for s in ("train", "valid", "test")
        for i in data.split(s).of_user(data.users.row("u1"))
    }
    assert len(run.recommend("u1", data.n_items)) == data.n_items - len(seen)


def test_similar_is_the_ranking_of_cosines(run: Run) -> None:
    unit = torch.nn.functional.normalize(run.tables.items, dim=1)
    row = run.dataset.items.row("i2")
    cosines = unit @ unit[row]
    cosines[row] = -2
    best = int(cosines.argmax())
    first = run.similar("i2", 1)[0]
    assert first.item_id == run.dataset.items.ids[best]
    assert first.score == pytest.approx(float(cosines[best]), rel=1e-5)


def test_liking_one_item_recommends_what_its_vector_scores_highest(run: Run) -> None:
    row = run.dataset.items.row("i2")
    vector = torch.nn.functional.normalize(run.tables.items[row], dim=0)
    scores = run.tables.items @ vector
    scores[row] = -torch.inf
    assert run.recommend_for(["i2"], 1)[0].item_id == run.dataset.items.ids[int(scores.argmax())]
    with pytest.raises(ConfigError, match="name at least one"):
        run.recommend_for([], 1)


def test_liked_titles_are_the_training_items(run: Run) -> None:
    data = run.dataset
    items = data.train.of_user(data.users.row("u3"))
    assert run.liked("u3") == [data.title(int(item)) for item in items]
    assert len(run.liked("u3", 2)) == 2


def test_unknown_ids_name_the_nearest(run: Run) -> None:
    with pytest.raises(DataError, match="no item is called 'i2x': did you mean 'i2"):
        run.similar("i2x")


def test_load_dataset_reads_raw_files_and_folders(tmp_path: Path) -> None:
    write_synthetic(tmp_path, SyntheticConfig(n_users=150, n_items=300, mean_interactions=8))
    raw = darec.load_dataset(tmp_path / "interactions.csv", items=tmp_path / "items.jsonl")
    assert raw.path is None
    kept = darec.load_dataset(
        tmp_path / "interactions.csv", items=tmp_path / "items.jsonl", out=tmp_path / "shop"
    )
    again = darec.load_dataset(tmp_path / "shop")
    assert raw.fingerprint() == kept.fingerprint() == again.fingerprint()
    assert again.catalogue.equals(raw.catalogue)
    with pytest.raises(DataError, match="is already imported"):
        darec.load_dataset(tmp_path / "shop", items=tmp_path / "items.jsonl")
    with pytest.raises(ConfigError, match="did you mean 'k_core'"):
        darec.load_dataset(tmp_path / "interactions.csv", kcore=3)


def test_load_run_and_fit_refuse_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run at"):
        darec.load_run(tmp_path)
    with pytest.raises(ConfigError, match="not both"):
        darec.fit(tiny_dataset(), backbone="mf", config=resolve_config())
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="is a file"):
        darec.fit(tiny_dataset(), out=tmp_path / "file")


def test_public_names_are_there() -> None:
    for name in darec.__all__:
        assert getattr(darec, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        darec.nope  # noqa: B018
