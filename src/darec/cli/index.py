"""``darec index``: an index in a bundle, so that lists of large catalogues take less time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from darec.cli.output import Format, print_json
from darec.terminal import echo


class IndexKind(StrEnum):
    """Kinds of index."""

    AUTO = "auto"
    FLAT = "flat"
    HNSW = "hnsw"
    IVF = "ivf"


def command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    kind: Annotated[
        IndexKind,
        typer.Option(
            help="auto: exact below 100,000 items, hnsw from there on; flat: exact, and no index; hnsw: a graph of "
            "neighbours; ivf: lists of items that are near to each other."
        ),
    ] = IndexKind.AUTO,
    recall: Annotated[
        float, typer.Option(help="Share of the exact lists that the index is to find.")
    ] = 0.98,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of the sample of users and of ivf.")
    ] = 0,
    format: Annotated[Format, typer.Option(help="How to print what was made.")] = Format.TABLE,
) -> None:
    """Index the items of a bundle by inner product, measure it against exact lists, and put it into the bundle."""
    from darec.export.indexing import K, index_bundle
    from darec.export.search import IndexSearch

    def stage(doing: str) -> None:
        echo(f"darec: {doing}", err=True)

    opened = index_bundle(bundle, kind.value, recall=recall, seed=seed, on_stage=stage)
    made = opened.manifest
    about: dict[str, Any] = made["index"]
    if format is Format.JSON:
        print_json(about)
        return
    items = f"{made['counts']['items']:,} items"
    if about["kind"] == "flat":
        echo(f"{bundle}: {items}, ranked exactly, without an index.")
        return
    size = sum(made["files"][name]["bytes"] for name in about["effort"]) / 1e6
    echo(f"{bundle}: {items}, {about['kind']}, {size:,.1f} MB, {about['seconds']:.1f} s.")
    measured = about["recall"]
    for name, what in (("index.faiss", "lists of users"), ("similar.faiss", "items like one")):
        if name not in about["effort"]:
            continue
        found = measured["found"][name]
        said = f"recall@{measured['k']} {found} against exact lists"
        said = "nobody to measure it on" if found is None else said
        echo(f"{what}: {said}, at effort {about['effort'][name]}.")
        if found is not None and found < measured["wanted"]:
            echo(
                f"darec: note: that is below --recall={measured['wanted']}, and no effort reached it: try another "
                "--kind.",
                err=True,
            )
    if isinstance(opened.search, IndexSearch) and not opened.search.pays(opened.search.items, K):
        echo(
            "darec: note: the items are so few that to score all of them is quicker, so the index is not searched: "
            "--kind flat takes it out.",
            err=True,
        )
