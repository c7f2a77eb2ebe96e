"""An epoch of LightGCN + DaRec against an epoch of LightGCN alone, on toys with MiniLM embeddings, one thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import SHARED, interleaved, ratio, shared_dataset, spread, write_result
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.text import embed
from darec.training.trainer import Trainer
from darec.types import TextTable


def epoch_of(dataset: Dataset, text: TextTable, alignment: str) -> Callable[[], object]:
    """A function that trains one more epoch of a model of its own."""
    settings = {"backbone": "lightgcn", "alignment": alignment, "options.threads": 1}
    return Trainer(resolve_config(settings), dataset, text).train_epoch


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = shared_dataset("toys", Path(folder) / "toys")
        vectors = SHARED / "toys" / "item_embeddings_minilm.npy"
        text = embed(dataset, f"file:{vectors}", progress=False)
    names = ("none", "darec")
    seconds = interleaved({name: epoch_of(dataset, text, name) for name in names}, rounds=15)
    write_result(
        "darec_epoch",
        {
            "what": "seconds an epoch on toys: LightGCN (d=32, 3 layers, batch 4096) without and with DaRec",
            "lightgcn": spread(seconds["none"]),
            "lightgcn_darec": spread(seconds["darec"]),
            "ratio": ratio(seconds["darec"], seconds["none"]),
        },
    )


if __name__ == "__main__":
    main()
