"""``darec demo``: the whole way once, on a synthetic shop, in about a minute."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.limits import LARGEST_SHORT_SEED

if TYPE_CHECKING:
    from rich.table import Table

    from darec.run import Run

MARKER: Final = ".darec-demo"
# Small data give few steps an epoch, so each is larger than the papers' 1e-3; both models take the same.
SETTINGS: Final[dict[str, Any]] = {"train.lr": 5e-3, "train.batch_size": 2048, "train.epochs": 120}


def command(
    out: Annotated[Path, typer.Option(help="Folder for the demo's files and runs.")] = Path("demo"),
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SHORT_SEED, help="Seed of the shop and of training.")
    ] = 0,
) -> None:
    """Make a synthetic shop, train LightGCN with and without DaRec on it, compare them, and recommend."""
    from darec.errors import DataError
    from darec.files import is_free
    from darec.lock import locked

    if not is_free(out) and not (out / MARKER).exists():
        raise DataError(f"{out} holds files that are not the demo's: choose another --out.")
    with locked(out):
        (out / MARKER).touch()
        _run(out, seed)


def _run(out: Path, seed: int) -> None:
    """The steps, in the demo's folder; what an earlier demo left is replaced, and what else is there stays."""
    from darec.api import fit
    from darec.cli.output import ListFormat, print_rows
    from darec.data.build import import_dataset
    from darec.data.synthetic import SyntheticConfig, write_synthetic
    from darec.terminal import Console
    from darec.text import encode_dataset

    say = Console(stderr=True, soft_wrap=True).print
    say("1. A synthetic shop: tastes that the texts show, tastes that they do not, popularity.")
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
    for step, alignment in enumerate(("none", "darec"), 4):
        folder = out / "runs" / f"lightgcn-{alignment}"
        say(
            f"{step}. darec train {out}/data --backbone lightgcn --alignment {alignment} --out {folder}"
        )
        runs[alignment] = fit(
            data,
            backbone="lightgcn",
            alignment=alignment,
            out=folder,
            overwrite=True,
            settings={**SETTINGS, "options.seed": seed},
        )
    console = Console()
    console.print(comparison(runs["none"], runs["darec"]))
    user = data.users.ids[int(data.train.user_degree.argmax())]
    console.print(f"\n{user} liked, among others: {'; '.join(runs['darec'].liked(user, 8))}\n")
    listed = [asdict(item) for item in runs["darec"].recommend(user, 10)]
    print_rows(listed, ListFormat.TABLE, f"LightGCN + DaRec recommends to {user}")
    console.print(f"\nThe runs are in {out}/runs; try: darec evaluate {out}/runs/lightgcn-darec")


def comparison(without: Run, with_: Run) -> Table:
    """Both runs' test metrics, with the difference and its 95% interval over users."""
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
