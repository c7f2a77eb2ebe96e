"""What ``darec train DATA`` reaches against every rival: ``python -m benchmarks.target NAME=COMPARISON ...``.

Reads the finished runs of comparisons' folders, several of one name as one. A pair that was trained with several
settings is represented by those with the best mean Recall@20 on validation. Ours has a matrix beside its tables, which
are of DaRec over LightGCN, or of LightGCN where there is no text; every other model without DaRec is a rival. For each
metric the best rival is the one with the highest *test* mean, so the choice is in the rivals' favour. Tests are paired
over users, each with the mean over the seeds that both have, and Holm-corrected over all rivals, metrics and data sets.
A model without chance in it has one run, which stands for each seed. Size and time a request are measured on each
model's first run.
The tables go into docs/studies/target.md and README.md; ``python docs/pictures.py`` draws the plot of README from them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.common import RESULTS, load_result, percent, write_between, write_result
from benchmarks.target_32 import METRICS, Trained, correct, figures, mean, read
from darec.compare.gains import gains_over
from darec.compare.grid import has_chance
from darec.config import resolve_config
from darec.data.dataset import Dataset
from darec.memory import keep_freed_memory
from darec.registry import BACKBONES
from darec.scoring import Scorer

Runs = dict[int, Trained]
Model = tuple[str, ...]
"""Backbone and alignment, and :data:`NICHE` where users with a niche taste get no popularity."""

OURS: Final[Model] = ("lightgcn", "darec")
NICHE: Final = "niche"
FLOORS: Final = ("popular", "itemknn")
PERMUTATIONS: Final = 30_000  # Holm multiplies the smallest p by more than a hundred
ASKED: Final = 200  # requests timed, one after the other
CHOSEN_BY: Final = "recall@20"
SAME: Final = 0.05  # of a figure: another processor changes a run about as another seed does


def title(pair: Model) -> str:
    """What a model is called."""
    if pair == OURS:
        return "**darec's default**"
    return " + ".join(part for part in pair if part != "none")


def gathered(arguments: Sequence[str]) -> dict[str, dict[Model, Runs]]:
    """The finished runs of ``NAME=COMPARISON`` arguments, by name and pair.

    Runs that differ in their seeds alone stand together. Of several settings of a pair, validation chooses. A rival
    whose users with a niche taste get no popularity is a model of its own.
    """
    found: dict[str, dict[Model, dict[str, Runs]]] = defaultdict(lambda: defaultdict(dict))
    for argument in arguments:
        name, _, folder = argument.partition("=")
        for kind, runs in read(Path(folder)).items():
            for seed, run in runs.items():
                settings = resolve_config(file=run.folder / "config.yaml")
                beside = settings.beside
                pair = OURS if beside is not None and beside.backbone is not None else kind
                if pair != OURS and run.metrics.get("diagnostics/beside/niche", 0) > 0:
                    pair = (*kind, NICHE)
                # Whether users are spared is in ``pair`` already, however the settings say it.
                key = settings.model_dump_json(exclude={"options": True, "beside": {"niche"}})
                found[name][pair].setdefault(key, {})[seed] = run
    return {
        name: {
            pair: max(ways.values(), key=lambda runs: mean_of(runs, f"valid/{CHOSEN_BY}"))
            for pair, ways in pairs.items()
        }
        for name, pairs in found.items()
    }


def every_seed(runs: Runs, seeds: Mapping[int, Any]) -> Runs:
    """The runs of a model by seed; the one of a model without chance for each."""
    one = next(iter(runs.values()))
    if has_chance(resolve_config(file=one.folder / "config.yaml")):
        return runs
    return dict.fromkeys(seeds, one)


def cost(run: Trained, dataset: Dataset) -> dict[str, float]:
    """Megabytes that are stored, and microseconds of a user's 20 best, one user at a time, on one thread."""
    file = run.folder / "scorer.safetensors"
    scorer = Scorer.load(file)
    scorer.check()
    scorer.trusted = True
    users = np.random.default_rng(0).permutation(np.flatnonzero(dataset.train.user_degree))[:ASKED]
    seconds = []
    for user in users:
        begun = time.perf_counter()
        scorer.top_k(np.array([user]), 20)
        seconds.append(time.perf_counter() - begun)
    return {"mb": file.stat().st_size / 2**20, "us": 1e6 * statistics.median(seconds)}


def measured(
    name: str, pairs: dict[Model, Runs]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for every model, and one for every rival and metric with our gain over it, not corrected."""
    if OURS not in pairs:
        raise SystemExit(f"{name}: no run of {' + '.join(OURS)} is among the comparisons.")
    ours = pairs[OURS]
    mine = {seed: run.evaluation() for seed, run in ours.items()}
    folder = next(iter(ours.values())).folder
    config = resolve_config(file=folder / "config.yaml")
    if config.beside is None or config.beside.backbone is None:
        raise SystemExit(f"{name}: our runs have no matrix beside the tables.")
    dataset = Dataset.load(dataset_of(folder))
    models, gains = [], []
    for pair, runs in pairs.items():
        models.append(
            {"data": name, "model": title(pair), "linear": BACKBONES.get(pair[0]).closed_form}
            | {"seeds": sorted(runs), "seconds": mean_of(runs, "seconds")}
            | {
                metric: [run.metrics[f"test/{metric}"] for run in runs.values()]
                for metric in METRICS.values()
            }
            | {f"valid/{m}": mean_of(runs, f"valid/{m}") for m in METRICS.values()}
            | cost(next(iter(runs.values())), dataset)
        )
        if pair[1] == "darec":
            continue
        theirs = every_seed(runs, ours)
        same = {seed: run for seed, run in ours.items() if seed in theirs}
        found = gains_over(
            {seed: run.evaluation() for seed, run in theirs.items() if seed in ours},
            mine,
            METRICS.values(),
            permutations=PERMUTATIONS,
        )
        gains += [
            {"data": name, "rival": title(pair), "metric": metric}
            | {"rival mean": mean(runs, metric), "ours": mean(same, metric), **figures(gain)}
            for metric, gain in found.items()
        ]
    return models, gains


def measured_all(arguments: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of :func:`measured` for all data sets of ``NAME=COMPARISON`` arguments."""
    models: list[dict[str, Any]] = []
    gains: list[dict[str, Any]] = []
    for name, pairs in gathered(arguments).items():
        print(name, flush=True)
        found = measured(name, pairs)
        models += found[0]
        gains += found[1]
    return models, gains


def added(
    former: Mapping[str, Any],
    models: list[dict[str, Any]],
    gains: list[dict[str, Any]],
    *,
    replace: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of a former call, and those of this one that are new or better on validation.

    Args:
        former: result of the former call.
        models: rows of this one.
        gains: rows of this one.
        replace: whether all rows of this one stay.

    Raises:
        SystemExit: Our runs are not those of the former call, so its gains say nothing of them.
    """
    before = {(row["data"], row["model"]): row for row in former["models"]}
    stays = set(before) - {(row["data"], row["model"]) for row in models}
    for row in models:
        pair = row["data"], row["model"]
        if replace or pair not in before:
            continue
        old = before[pair]
        if row["model"] == title(OURS):
            same_runs(old, row)
            stay = len(old["seeds"]) >= len(row["seeds"])
        else:
            stay = old[f"valid/{CHOSEN_BY}"] >= row[f"valid/{CHOSEN_BY}"]
        stays |= {pair} if stay else set()
    rows = [row for row in models if (row["data"], row["model"]) not in stays]
    rivals = [row for row in gains if (row["data"], row["rival"]) not in stays]
    rivals += [row for row in former["gains"] if (row["data"], row["rival"]) in stays]
    order = list(dict.fromkeys(name for name, _ in before))
    return (
        sorted(
            rows + [row for pair, row in before.items() if pair in stays],
            key=lambda row: order.index(row["data"]),
        ),
        sorted(rivals, key=lambda row: order.index(row["data"])),
    )


def same_runs(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse runs of one model that reach something else with a seed that both have."""
    old, new = (dict(zip(row["seeds"], row[CHOSEN_BY], strict=True)) for row in (before, now))
    if any(abs(old[seed] - new[seed]) > SAME * old[seed] for seed in old.keys() & new.keys()):
        raise SystemExit(
            f"{now['data']}: {now['model']} reaches another {CHOSEN_BY} than in the former call, "
            "so the rows of that call cannot stay: measure all models in one call."
        )


def renew_costs(models: list[dict[str, Any]], found: dict[str, dict[Model, Runs]]) -> None:
    """Put size and time a request, measured now, into the rows of a former call."""
    for name, pairs in found.items():
        for pair, runs in pairs.items():
            one = next(iter(runs.values()))
            (row,) = (row for row in models if (row["data"], row["model"]) == (name, title(pair)))
            row |= cost(one, Dataset.load(dataset_of(one.folder)))


def dataset_of(folder: Path) -> Path:
    """Where the dataset of a run is."""
    return Path(json.loads((folder / "run.json").read_text())["dataset"])


def mean_of(runs: Runs, figure: str) -> float:
    """Mean of a figure over the seeds."""
    return statistics.fmean(run.metrics[figure] for run in runs.values())


def spread(values: list[float]) -> str:
    """Mean, and standard deviation over seeds where there are several."""
    shown = f"{statistics.fmean(values):.4f}"
    return shown if len(values) == 1 else f"{shown} ± {statistics.stdev(values):.4f}"


def table(models: list[dict[str, Any]]) -> str:
    """Markdown: every model of every data set, the best first."""
    lines = [
        "| data | model | seeds | "
        + " | ".join(METRICS)
        + " | seconds to fit | MB | µs a request |",
        "|---" * 9 + "|",
    ]
    for row in sorted(models, key=lambda row: (row["data"], -statistics.fmean(row["recall@20"]))):
        cells = [row["data"], row["model"], str(len(row["seeds"]))]
        cells += [spread(row[metric]) for metric in METRICS.values()]
        cells += [f"{row['seconds']:.0f}", f"{row['mb']:.1f}", f"{row['us']:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def best(gains: list[dict[str, Any]], name: str, metric: str) -> dict[str, Any]:
    """The rival with the highest test mean."""
    rows = [row for row in gains if (row["data"], row["metric"]) == (name, metric)]
    return max(rows, key=lambda row: row["rival mean"])


def against(gains: list[dict[str, Any]]) -> str:
    """Markdown: for each data set and metric, the best rival and our gain over it."""
    lines = [
        "| data | metric | best rival | its mean | darec's default | gain [95%] | p, Holm |",
        "|---" * 7 + "|",
    ]
    for name in dict.fromkeys(row["data"] for row in gains):
        for label, metric in METRICS.items():
            row = best(gains, name, metric)
            p = row["p, Holm"]
            gain = percent([100 * share for share in row["gain"]]) if row["gain"] else ""
            lines.append(
                f"| {name} | {label} | {row['rival']} | {row['rival mean']:.4f} | {row['ours']:.4f} | {gain} | "
                f"{'<.001' if p < 0.001 else f'{p:.3f}'} |"
            )
    return "\n".join(lines)


def front(models: list[dict[str, Any]]) -> str:
    """Markdown for README: the models of :func:`front_models`."""
    lines = [
        "| data | model | Recall@20 | NDCG@20 | Recall@20, least popular third | seconds to fit |",
        "|---" * 6 + "|",
    ]
    for name, kind, row in front_models(models):
        label = f"{kind}: {row['model']}" if kind else row["model"]
        lines.append(f"| {name} | {label} | {cells(row)} |")
    return "\n".join(lines)


def front_models(models: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Data set, kind and row: of each the best floor, linear model and other alignment by Recall@20, and ours.

    DaRec is no rival of ours, over whatever backbone.
    """
    for name in dict.fromkeys(row["data"] for row in models):
        here = [row for row in models if row["data"] == name]
        rivals = [
            row for row in here if row["model"] != title(OURS) and "darec" not in row["model"]
        ]
        kinds = {
            "floor": [row for row in rivals if row["model"] in FLOORS],
            "best linear": [r for r in rivals if r["linear"] and r["model"] not in FLOORS],
            "best alignment": [r for r in rivals if not r["linear"] and aligned(r["model"])],
        }
        for kind, rows in kinds.items():
            if rows:
                yield name, kind, max(rows, key=lambda row: statistics.fmean(row["recall@20"]))
        (ours,) = (row for row in here if row["model"] == title(OURS))
        yield name, "", ours


def aligned(model: str) -> bool:
    """Whether a model by its title has an alignment."""
    return bool(set(model.split(" + ")[1:]) - {NICHE})


def cells(row: dict[str, Any]) -> str:
    """The figures of a row of the front page."""
    return " | ".join(
        [f"{statistics.fmean(row[metric]):.4f}" for metric in METRICS.values()]
        + [f"{row['seconds']:,.0f}"]
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparisons", nargs="*", metavar="NAME=COMPARISON")
    parser.add_argument("--costs", action="store_true", help="only measure size and requests anew")
    parser.add_argument(
        "--renew",
        action="store_true",
        help="keep the rows of the former call that are not better now",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="keep the rows of the former call for models that this one lacks",
    )
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.tables or options.costs:
        result = load_result("target")
        models, gains = result["models"], result["gains"]
        if options.costs:
            renew_costs(models, gathered(options.comparisons))
            write_result("target", {"models": models, "gains": gains})
    else:
        models, gains = measured_all(options.comparisons)
        if options.renew or options.replace:
            former = load_result("target")
            models, gains = added(former, models, gains, replace=options.replace)
        correct(gains)
        write_result("target", {"models": models, "gains": gains})
    docs = RESULTS.parents[1]
    document = docs / "docs" / "studies" / "target.md"
    write_between(document, "best", against(gains))
    write_between(document, "all", table(models))
    write_between(docs / "README.md", "accuracy", front(models))


if __name__ == "__main__":
    main()
