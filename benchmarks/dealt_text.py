"""What DaRec's default does where the text says less of taste: ``python -m benchmarks.dealt_text``.

The texts of a share of toys' items are dealt out among them at random, so that each keeps the form of a real text and
says nothing of its item. LightGCN (d = 32, two layers, BPR, learning rate 2e-3, early stopping) alone and with DaRec,
its neighbours trusted as measured and blindly. Results are written after each run and not trained again; the table goes
into docs/studies/reliability.md, and ``--measure`` writes there what is measured on all three data sets.

``--default toys steam`` trains what ``darec train DATA`` takes (:mod:`darec.recommended`): with right texts, with all
texts dealt out, and without text, and writes the table of these runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.common import RESULTS, SHARED, shared_dataset, write_between, write_result
from darec.alignments.darec import DaRecConfig
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.diagnose.text_report import shared_reliability
from darec.graph import Graph
from darec.overrides import flatten
from darec.recommended import recommended
from darec.text import embed
from darec.training import AnyTrainer, make_trainer
from darec.training.trainer import Trainer
from darec.types import TextTable

SHARES: Final = (0.0, 0.5, 1.0)
METHODS: Final[dict[str, dict[str, Any]]] = {
    "none": {"alignment": "none"},
    "darec": {"alignment": "darec"},
    "darec, trusted blindly": {"alignment": "darec", "alignment.reliability": 0.4},
}
SETTINGS: Final[dict[str, Any]] = {
    "backbone": "lightgcn",
    "backbone.layers": 2,
    "train.lr": 2e-3,
    "train.epochs": 300,
    "options.threads": 1,
}
STUDY: Final = RESULTS.parents[1] / "docs" / "studies" / "reliability.md"
MEASURED: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
COMMAND: Final = "python -m benchmarks.dealt_text --default steam toys --seeds 0"
DEFAULT_METRICS: Final = ("recall@20", "ndcg@20", "items/1of3/recall@20")
TEXTS: Final[dict[str, float | None]] = {"right": 0.0, "all dealt out": 1.0, "none": None}
"""The texts of the default's runs: the share that is dealt out."""


def dealt(dataset: Dataset, share: float, folder: Path, name: str = "toys") -> TextTable:
    """MiniLM's vectors of a data set with those of a share of the items permuted among them."""
    vectors = np.load(SHARED / name / "item_embeddings_minilm.npy")
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(vectors))[: round(share * len(vectors))]
    vectors[chosen] = vectors[rng.permutation(chosen)]
    np.save(folder / "vectors.npy", vectors)
    shutil.copy(SHARED / name / "items.jsonl", folder / "items.jsonl")
    return embed(dataset, f"file:{folder / 'vectors.npy'}", progress=False)


def judged(trainer: AnyTrainer, dataset: Dataset) -> dict[str, float]:
    """Metrics of a trained model on the test split."""
    from darec.evaluation.evaluate import evaluate_scorer

    return evaluate_scorer(
        trainer.scorer(),
        target=dataset.test,
        exclude=dataset.train,
        train=dataset.train,
        ks=(20,),
    ).summary()


def train(dataset: Dataset, text: TextTable, method: str, seed: int) -> dict[str, float]:
    """Test figures of one run, and the smoothing."""
    trainer = Trainer(
        resolve_config(SETTINGS | METHODS[method] | {"options.seed": seed}), dataset, text
    )
    trainer.fit()
    found = judged(trainer, dataset)
    smoothing = trainer.model.diagnostics().get("smoothing", 0.0)
    return {
        "test/recall@20": round(found["recall@20"], 5),
        "test/ndcg@20": round(found["ndcg@20"], 5),
        "smoothing": round(smoothing, 3),
    }


def train_default(name: str, share: float | None, seed: int, folder: Path) -> dict[str, Any]:
    """Figures of the default on one data set, and the weights that validation chose."""
    dataset = shared_dataset(name, folder / name)
    text = None if share is None else dealt(dataset, share, folder, name)
    settings = flatten(recommended(dataset, text=text is not None))
    config = resolve_config(settings | {"options.threads": 1, "options.seed": seed})
    trainer = make_trainer(config, dataset, text)
    state = trainer.fit()
    found = judged(trainer, dataset)
    kept = {
        key.removeprefix("beside/"): value
        for key, value in state.diagnostics.items()
        if key.startswith("beside/") or key == "smoothing"
    }
    return {
        "valid/recall@20": round(state.best_value, 5),
        **{f"test/{metric}": round(found[metric], 5) for metric in DEFAULT_METRICS},
        **kept,
    }


def table_of_default(runs: dict[str, dict[str, Any]]) -> str:
    """Markdown, a row a data set and kind of text."""
    lines = [
        "| data | texts | Recall@20 | NDCG@20 | Recall@20, least popular third | weight of the matrix |",
        "|---" * 6 + "|",
    ]
    for name in sorted({run["data"] for run in runs.values()}):
        for text in TEXTS:
            those = [run for run in runs.values() if (run["data"], run["text"]) == (name, text)]
            if not those:
                continue
            cells = [
                "{:.4f}".format(statistics.fmean(run[f"test/{metric}"] for run in those))
                for metric in DEFAULT_METRICS
            ]
            weight = statistics.fmean(run["weight"] for run in those)
            lines.append(f"| {name} | {text} | " + " | ".join(cells) + f" | {weight:.2g} |")
    return "\n".join(lines)


def measure_default(names: list[str], seeds: list[int]) -> None:
    """Train the default where its runs are missing, and write the table."""
    file = RESULTS / "dealt_default.json"
    runs: dict[str, dict[str, Any]] = json.loads(file.read_text())["runs"] if file.is_file() else {}
    for name in names:
        for seed in seeds:
            for text, share in TEXTS.items():
                key = f"{name}, {text}, seed {seed}"
                if key in runs:
                    continue
                with tempfile.TemporaryDirectory() as temporary:
                    figures = train_default(name, share, seed, Path(temporary))
                runs[key] = {**figures, "data": name, "text": text, "seed": seed}
                print(key, figures, file=sys.stderr, flush=True)
                write_result("dealt_default", {"command": COMMAND, "runs": runs})
    write_between(STUDY, "default", table_of_default(runs))


def table(runs: dict[str, dict[str, Any]]) -> str:
    """Markdown, a row a share."""
    lines = [
        "| share of texts dealt out | " + " | ".join(METHODS) + " | smoothing |",
        "|---" * (len(METHODS) + 2) + "|",
    ]
    for share in SHARES:
        cells = []
        for method in METHODS:
            values = [
                run["test/recall@20"]
                for run in runs.values()
                if (run["share"], run["method"]) == (share, method)
            ]
            spread = f" ±.{round(np.std(values, ddof=1) * 1e4):04d}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.4f}{spread}" if values else "")
        left = [
            run["smoothing"]
            for run in runs.values()
            if (run["share"], run["method"]) == (share, "darec")
        ]
        lines.append(f"| {share:.0%} | " + " | ".join(cells) + f" | {np.mean(left):.2f} |")
    return "\n".join(lines)


def measured() -> str:
    """Markdown: the reliability of the neighbours by data set and share."""
    lines = [
        "| texts dealt out | " + " | ".join(f"{share:.0%}" for share in MEASURED) + " | seconds |",
        "|---" * (len(MEASURED) + 2) + "|",
    ]
    for name in ("toys", "steam", "games"):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            dataset = shared_dataset(name, folder / name)
            graph, cells, seconds = Graph(dataset.train), [], []
            for share in MEASURED:
                text = dealt(dataset, share, folder, name)
                started = time.perf_counter()
                cells.append(f"{shared_reliability(text, graph, DaRecConfig().neighbours):.3f}")
                seconds.append(time.perf_counter() - started)
        lines.append(f"| {name} | {' | '.join(cells)} | {statistics.median(seconds):.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--table", action="store_true", help="only write the table")
    parser.add_argument("--measure", action="store_true", help="only measure the reliability")
    parser.add_argument("--default", nargs="+", metavar="DATA", help="train the default on these")
    options = parser.parse_args()
    if options.default:
        measure_default(options.default, options.seeds)
        return
    if options.measure:
        write_between(STUDY, "measured", measured())
        return
    file = RESULTS / "dealt_text.json"
    runs: dict[str, dict[str, Any]] = json.loads(file.read_text())["runs"] if file.is_file() else {}
    if not options.table:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            dataset = shared_dataset("toys", folder / "toys")
            for seed in options.seeds:
                for share in SHARES:
                    text = dealt(dataset, share, folder)
                    for method in METHODS:
                        name = f"{method}, {share:.0%}, seed {seed}"
                        if name in runs:
                            continue
                        # Alone, LightGCN reads no text: one run does for all shares.
                        found = runs.get(f"none, 0%, seed {seed}") if method == "none" else None
                        figures = found or train(dataset, text, method, seed)
                        runs[name] = {**figures, "method": method, "share": share, "seed": seed}
                        print(name, runs[name]["test/recall@20"], file=sys.stderr, flush=True)
                        write_result("dealt_text", {"settings": SETTINGS, "runs": runs})
    write_between(STUDY, "dealt", table(runs))


if __name__ == "__main__":
    main()
