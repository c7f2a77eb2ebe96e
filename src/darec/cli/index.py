"""``darec index``: add a nearest-neighbour index to a bundle, so that lists from large catalogues take less time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from darec.cli.output import Format, print_json
from darec.cli.stages import stages
from darec.terminal import echo
from darec.wording import counted_noun

NAMES: Final = {"index.faiss": "lists of users", "similar.faiss": "items like one"}
"""The use of each file of an index."""


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
            help="auto: exact below 100,000 items, otherwise the first of hnsw, ivf and exact that reaches "
            "--recall; flat: exact, and no index; hnsw: a graph of neighbours; ivf: lists of similar items."
        ),
    ] = IndexKind.AUTO,
    recall: Annotated[
        float, typer.Option(help="Share of the items of the exact lists that the index must find.")
    ] = 0.98,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, help="Seed of the sample of users and of the ivf clusters."
        ),
    ] = 0,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Add a nearest-neighbour index to a bundle.

    The items are indexed by inner product. The index is compared with exact lists before it is written into the
    bundle.
    """
    from darec.export.indexing import index_bundle

    with stages() as stage:
        opened = index_bundle(bundle, kind.value, recall=recall, seed=seed, on_stage=stage)
    about: dict[str, Any] = opened.manifest["index"]
    if format is Format.JSON:
        print_json(about)
        return
    size = counted_noun(len(opened.items), "item")
    why = f" ({about['why']})" if kind is IndexKind.AUTO else ""
    if about["kind"] == "flat":
        echo(f"{bundle}: {size}, ranked exactly, without an index{why}.")
        return
    files = opened.manifest["files"]
    megabytes = sum(files[name]["bytes"] for name in about["effort"]) / 1e6
    echo(f"{bundle}: {size}, {about['kind']}{why}, {megabytes:,.1f} MB, {about['seconds']:.1f} s.")
    for name, what in NAMES.items():
        if name in about["effort"]:
            _tell(what, about, name)
    if about["left_out"]:
        echo(f"items like one: ranked exactly ({about['left_out']}).")
    if not about["tried"][-1]["pays"]:
        echo(
            "darec: note: scoring all items is faster than searching the index at that effort, so lists of users are "
            "ranked exactly. To remove the index, use --kind auto or --kind flat.",
            err=True,
        )


def _tell(what: str, about: dict[str, Any], name: str) -> None:
    """Print the recall of an index, and whether it reaches the requested one."""
    measured = about["recall"]
    found = measured["found"][name]
    said = f"recall@{measured['k']} {found} against exact lists, at effort {about['effort'][name]}"
    echo(f"{what}: {'no user to measure it on' if found is None else said}.")
    if found is not None and found < measured["wanted"]:
        echo(
            f"darec: note: that is below --recall={measured['wanted']}, and no effort reached it. --kind auto chooses "
            "a kind that does, or none.",
            err=True,
        )
