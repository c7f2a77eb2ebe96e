"""An epoch with DaRec against one of the backbone alone, on toys with MiniLM embeddings, one thread."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from benchmarks.common import SHARED, interleaved, ratio, shared_dataset, spread, write_result
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.text import embed
from darec.training.trainer import Trainer
from darec.types import TextTable

BACKBONES: Final = {"lightgcn": "LightGCN", "gccf": "GCCF", "simgcl": "SimGCL"}
"""Those of docs/studies/target-32.md, name -> title."""


def epoch_of(
    dataset: Dataset, text: TextTable, backbone: str, alignment: str
) -> Callable[[], object]:
    """A function that trains one more epoch of a model of its own."""
    settings = {"backbone": backbone, "alignment": alignment, "options.threads": 1}
    return Trainer(resolve_config(settings), dataset, text).train_epoch


def main() -> None:
    """Measure and write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = shared_dataset("toys", Path(folder) / "toys")
        vectors = SHARED / "toys" / "item_embeddings_minilm.npy"
        text = embed(dataset, f"file:{vectors}", progress=False)
    measured = {}
    for backbone in BACKBONES:
        contenders = {name: epoch_of(dataset, text, backbone, name) for name in ("none", "darec")}
        seconds = interleaved(contenders, rounds=15)
        measured[backbone] = {
            "alone": spread(seconds["none"]),
            "darec": spread(seconds["darec"]),
            "ratio": ratio(seconds["darec"], seconds["none"]),
        }
    what = "seconds an epoch on toys (defaults: d=32, batch 4096), each backbone without and with DaRec"
    write_result("darec_epoch", {"what": what, "backbones": measured})


if __name__ == "__main__":
    main()
