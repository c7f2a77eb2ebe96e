"""Items that have only text: the study behind docs/studies/cold-start.md.

    python -m benchmarks.cold_start --data data/cold --runs runs/cold
    python -m benchmarks.cold_start --data data/cold --runs runs/cold --report

A tenth of the items is held out with all its interactions (``darec import --split cold-items``), half for validation
and half for test; LightGCN is trained on the warm part, which never meets them. Then the cold items get rows by their
text and are ranked among themselves for every user who has one. Runs are taken up where they stopped.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import SHARED
from darec.api import fit
from darec.data.build import import_dataset
from darec.data.cold import warm_part
from darec.data.dataset import Dataset
from darec.run import Run
from darec.text import encode_dataset

DATA = ("toys", "steam")
ALIGNMENTS = ("none", "darec")
SETTINGS = {  # the loss is BPR by default
    "backbone.dim": 64,
    "train.lr": 2e-3,
    "options.seed": 0,
    "options.threads": 1,
}


def cold_dataset(name: str, seed: int, folder: Path) -> tuple[Dataset, Path]:
    """A data set with cold items, encoded, and the folder of its warm part."""
    whole, warm = folder / f"{name}-{seed}", folder / f"{name}-{seed}-warm"
    if not (whole / "manifest.json").is_file():
        source = SHARED / name
        import_dataset(
            source / "interactions.csv",
            items=source / "items.jsonl",
            split="cold-items",
            seed=seed,
            users_without_train="drop",
            out=whole,
        )
    data = Dataset.load(whole)
    encode_dataset(data, "minilm")
    if not (warm / "manifest.json").is_file():
        warm_part(data).save(warm)
        shutil.copytree(
            whole / "text", warm / "text"
        )  # by hash of the text: nothing is encoded twice
        encode_dataset(warm, "minilm")  # drops the vectors of cold items
    return data, warm


def runs(seeds: list[int], folder: Path, out: Path) -> Iterator[tuple[str, int, Dataset, str, Run]]:
    """Every run: data set, seed of the cold items, the whole data, alignment, what was trained on the warm part."""
    for seed in seeds:
        for name in DATA:
            data, warm = cold_dataset(name, seed, folder)
            for alignment in ALIGNMENTS:
                run = fit(
                    warm,
                    backbone="lightgcn",
                    alignment=alignment,
                    settings=SETTINGS,
                    out=out / f"{name}-{seed}-{alignment}",
                    resume=True,
                )
                yield name, seed, data, alignment, run


def main() -> None:
    """Train what is missing; with --report, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/cold"))
    parser.add_argument("--runs", type=Path, default=Path("runs/cold"))
    parser.add_argument(
        "--splits", type=int, nargs="+", default=[0], help="seeds of the cold items"
    )
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    for name, seed, _, alignment, run in runs(arguments.splits, arguments.data, arguments.runs):
        valid, seconds = run.metrics["valid/recall@20"], run.metrics["seconds"]
        print(f"{name}, split {seed}, {alignment}: valid {valid:.4f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
