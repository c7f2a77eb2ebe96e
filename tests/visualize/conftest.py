"""Two tiny runs on one dataset: LightGCN alone and with DaRec."""

from __future__ import annotations

import pytest

from darec.api import fit
from darec.run import Run
from darec.testing.worlds import tiny_dataset
from darec.text import encode_dataset


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("visualize")
    data = tiny_dataset(missing_text=2).save(folder / "data")
    encode_dataset(data, "tfidf", options={"dim": 8}, progress=False)
    settings = {"train.epochs": 3, "train.eval_every": 1, "train.lr": 0.02, "options.threads": 1}
    return {
        name: fit(data, alignment=name, out=folder / name, settings=settings, progress=False)
        for name in ("none", "darec")
    }
