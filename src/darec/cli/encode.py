"""``darec encode``: make the language vectors of a dataset's texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from darec.cli.output import Format
from darec.terminal import echo

if TYPE_CHECKING:
    from darec.text.encoders.base import Precision


def command(
    data: Annotated[Path, typer.Argument(help="Folder of a dataset made by 'darec import'.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="tfidf, minilm, sentence-transformers:MODEL_OR_FOLDER, openai:MODEL, file:VECTORS.npy{more encoders}."
        ),
    ] = "tfidf",
    text: Annotated[
        str,
        typer.Option(
            help="What to encode: text, titles, profiles (or profiles:NAME, by 'darec profile'), or FILE.jsonl with "
            "item_id and text."
        ),
    ] = "text",
    users: Annotated[
        Path | None,
        typer.Option(
            help="JSONL with user_id and text. Without it, users get the vectors of their training items."
        ),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            help="For file: the item id of each row, as .txt, .json or .jsonl. "
            "Default: VECTORS.ids.txt, VECTORS.ids.json or items.jsonl beside the vectors."
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(help="For openai: the server. Default: OPENAI_BASE_URL, else OpenAI."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the encoder, as dim=64."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float16|float32",
            help="Of the numbers on disk. Default: float16 for neural encoders, else float32.",
        ),
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option(
            help="Use the first N coordinates alone, renormalised: for models trained for it (Matryoshka)."
        ),
    ] = None,
    pca: Annotated[
        int | None,
        typer.Option(help="Use N principal components alone, fitted on the items' texts."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Encode the I-th of N parts only, apart from the others."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Encode nothing: put all N shards together.")
    ] = False,
    ray: Annotated[
        int | None,
        typer.Option(metavar="N", help="Encode with N Ray workers, on RAY_ADDRESS or here."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where a neural encoder runs: cpu, cuda.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    format: Annotated[Format, typer.Option(help="How to print the report.")] = Format.TABLE,
) -> None:
    """Make the language vectors of a dataset's item texts (and user texts, if given).

    Only new and changed texts are encoded. An interrupted command goes on where it stopped when it is run again.
    """
    from darec.cli.output import print_json
    from darec.errors import ConfigError
    from darec.overrides import parse_override
    from darec.text import encode_dataset

    options = dict(parse_override(setting, example="dim=64") for setting in settings or [])
    if base_url is not None:
        options["base_url"] = base_url
    if precision not in (None, "float16", "float32"):
        raise ConfigError(f"precision {precision!r}: choose float16 or float32.")
    report = encode_dataset(
        data,
        encoder,
        source=text,
        options=options,
        users=users,
        ids=ids,
        device=device,
        precision=cast("Precision | None", precision),
        dimensions=dimensions,
        pca=pca,
        shard=shard,
        merge=merge,
        ray=ray,
        progress=not quiet,
    )
    values = report.to_dict()
    if format is Format.JSON:
        print_json(values)
        return
    for notice in values.pop("notices"):
        echo(f"note: {notice}", err=True)
    for name, value in values.items():
        if value is None:
            continue
        shown = (
            f"{value:.1%} of the variance"
            if name == "explained"
            else f"{value:,.1f}"
            if isinstance(value, float)
            else f"{value:,}"
            if isinstance(value, int)
            else value
        )
        echo(f"{name.replace('_', ' '):<16} {shown}")
