"""``darec export``: write a run as a bundle, the folder that serving reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.terminal import echo
from darec.wording import counted_noun


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle, such as shop.darec.")],
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,...",
            help="Item fields to keep for conditions such as --where; all by default.",
        ),
    ] = None,
    text: Annotated[
        bool,
        typer.Option(
            "--text/--no-text", help="Keep the items' texts, so that explanations can name words."
        ),
    ] = True,
    vectors: Annotated[
        bool,
        typer.Option(
            "--vectors/--no-vectors",
            help="Keep the items' language vectors and the encoder's data, so that the bundle can read new texts.",
        ),
    ] = True,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the bundle in --out.")
    ] = False,
) -> None:
    """Write a run as a bundle, the folder that serving reads.

    The bundle holds the scorer, the ids, the items' titles and fields, the interactions of each user, and a hash of
    every file.
    """
    from darec.export.manifest import index_kind
    from darec.export.write import export_bundle

    names = None if fields is None else [one.strip() for one in fields.split(",") if one.strip()]
    index = index_kind(out)
    bundle = export_bundle(
        run, out, data=data, fields=names, text=text, vectors=vectors, overwrite=overwrite
    )
    files = bundle.manifest["files"]
    size = sum(file["bytes"] for file in files.values()) / 1e6
    counts = bundle.manifest["counts"]
    kept = ", ".join(bundle.manifest["fields"]) or "none"
    echo(
        f"{out}: {counted_noun(counts['users'], 'user')}, {counted_noun(counts['items'], 'item')}, "
        f"{counted_noun(counts['seen'], 'interaction')}, fields {kept}; "
        f"{len(files)} files, {size:,.1f} MB, read back and compared with their hashes."
    )
    if vectors and (why := bundle.manifest["new_text"].get("why")) is not None:
        echo(f"darec: note: the bundle cannot read new texts: {why}", err=True)
    if index is not None:
        echo(
            f"darec: note: the earlier bundle had an index ({index}), and the new one has none; make one with 'darec "
            f"index {out}'.",
            err=True,
        )
    if bundle.manifest["run"]["refit"] is None:
        echo(
            "darec: note: the run learned only from its training split; 'darec train --refit' learns from all "
            "interactions.",
            err=True,
        )
