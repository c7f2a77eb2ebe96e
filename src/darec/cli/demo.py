"""``darec demo``: every step once, on a synthetic shop, in about a minute."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.limits import LARGEST_SHORT_SEED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from darec.run import Run

MARKER: Final = ".darec-demo"
# Small data give few steps in an epoch, so the learning rate is larger than the papers' 1e-3. All trained models use
# the same one.
SETTINGS: Final[dict[str, Any]] = {"train.lr": 5e-3, "train.batch_size": 2048, "train.epochs": 120}
MODELS: Final = {
    "popular": ("popular", "none", {}),
    "EASE": ("ease", "none", {}),
    "EASE + L3AE": ("ease", "l3ae", {}),
    "LightGCN": ("lightgcn", "none", SETTINGS),
    "LightGCN + DaRec": ("lightgcn", "darec", SETTINGS),
    "the same beside EASE with text": ("lightgcn", "darec", {**SETTINGS, "beside": "ease"}),
}
"""The compared models: backbone, alignment and settings of each, the simple ones first."""


def command(
    out: Annotated[Path, typer.Option(help="Folder for the demo's files and runs.")] = Path("demo"),
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Seed of the shop and of training.")
    ] = 0,
) -> None:
    """Run every step once on a synthetic shop, in about a minute.

    The steps are: generate the shop, import it, encode its texts, train LightGCN with and without DaRec, compare both
    with simple models, and recommend.
    """
    from darec.errors import DataError
    from darec.files import is_free
    from darec.lock import locked

    if not is_free(out) and not (out / MARKER).exists():
        raise DataError(f"{out} holds files that the demo did not write: choose another --out.")
    with locked(out):
        (out / MARKER).touch()
        _run(out, seed)


def _run(out: Path, seed: int) -> None:
    """Run the steps in the demo's folder. Files of an earlier demo are replaced; other files stay."""
    from darec.api import fit
    from darec.cli.output import ListFormat, print_rows
    from darec.console import Console
    from darec.data.build import import_dataset
    from darec.data.synthetic import SyntheticConfig, write_synthetic
    from darec.text import encode_dataset

    say = Console(stderr=True, soft_wrap=True).print
    say(
        "1. A synthetic shop: some tastes show in the texts, some do not, and some items are popular."
    )
    write_synthetic(out / "shop", SyntheticConfig(seed=seed), overwrite=True)
    say(f"2. darec import {out}/shop/interactions.csv --items {out}/shop/items.jsonl")
    data = import_dataset(
        out / "shop" / "interactions.csv",
        items=out / "shop" / "items.jsonl",
        out=out / "data",
        overwrite=True,
    )
    say(f"3. darec encode {out}/data --encoder tfidf")
    encode_dataset(data, "tfidf")
    runs = {}
    for step, (name, (backbone, alignment, settings)) in enumerate(MODELS.items(), 4):
        folder = (
            out / "runs" / "-".join([backbone, alignment, *("beside",) * ("beside" in settings)])
        )
        given = "".join(f" --set {key}={value}" for key, value in settings.items())
        say(
            f"{step}. darec train {out}/data --backbone {backbone} --alignment {alignment} --out {folder}{given}"
        )
        runs[name] = fit(
            data,
            backbone=backbone,
            alignment=alignment,
            out=folder,
            overwrite=True,
            settings={**settings, "options.seed": seed},
        )
    console = Console()
    console.print(side_by_side(runs))
    console.print(comparison(runs["LightGCN"], runs["LightGCN + DaRec"]))
    user = data.users.ids[int(data.train.user_degree.argmax())]
    best = max(runs, key=lambda name: runs[name].metrics["valid/recall@20"])
    console.print(f"\n{user} liked, among others: {'; '.join(runs[best].liked(user, 8))}\n")
    listed = [asdict(item) for item in runs[best].recommend(user, 10)]
    print_rows(
        listed, ListFormat.TABLE, f"{best} (best on the validation split) recommends to {user}"
    )
    console.print(f"\nThe runs are in {out}/runs; try: darec evaluate {runs[best].path}")


def side_by_side(runs: Mapping[str, Run]) -> Table:
    """The test metrics of all models, one model per row, with its training time in seconds."""
    from rich.table import Table

    columns = {
        "recall@20": "test/recall@20",
        "NDCG@20": "test/ndcg@20",
        "recall@20, least popular third": "test/items/1of3/recall@20",
    }
    table = Table(title="Test split", title_justify="left")
    table.add_column("model")
    for column in (*columns, "seconds"):
        table.add_column(column, justify="right")
    for name, run in runs.items():
        figures = [f"{run.metrics[key]:.4f}" for key in columns.values()]
        table.add_row(name, *figures, f"{run.metrics['seconds']:.1f}")
    return table


def comparison(without: Run, with_: Run) -> Table:
    """The test metrics of both runs, their difference and its 95% interval over users."""
    from rich.table import Table

    from darec.evaluation.significance import compare

    a, b = without.evaluate(), with_.evaluate()
    before, after = a.summary(), b.summary()
    table = Table(title="Test split: LightGCN and LightGCN + DaRec", title_justify="left")
    for column in ("metric", "LightGCN", "+ DaRec", "difference", "95% interval"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric in ("recall", "ndcg"):
        for k in with_.config.evaluation.ks:
            name = f"{metric}@{k}"
            found = compare(b, a, name)
            table.add_row(
                name,
                f"{before[name]:.4f}",
                f"{after[name]:.4f}",
                f"{found.difference:+.4f}",
                f"{found.low:+.4f} to {found.high:+.4f}",
            )
    return table
