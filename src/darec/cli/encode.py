"""``darec encode``: turn the texts of a dataset into language vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from darec.cli.output import Format
from darec.terminal import echo

if TYPE_CHECKING:
    from darec.text.encoders.base import Precision


def command(
    data: Annotated[Path, typer.Argument(help="Dataset folder, made by 'darec import'.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="tfidf, minilm, sentence-transformers:MODEL_OR_FOLDER, openai:MODEL, file:VECTORS.npy{more encoders}."
        ),
    ] = "tfidf",
    text: Annotated[
        str,
        typer.Option(
            help="What to encode: text, titles, profiles or profiles:NAME (made by 'darec profile'), or FILE.jsonl "
            "with item_id and text."
        ),
    ] = "text",
    users: Annotated[
        Path | None,
        typer.Option(
            help="JSONL file with user_id and text. Without it, a user's vector is made from the vectors of their "
            "training items."
        ),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            help="For the encoder file: the item id of each row, as .txt, .json or .jsonl. The default is "
            "VECTORS.ids.txt, VECTORS.ids.json or items.jsonl in the folder of the vectors."
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            help="For the encoder openai: address of the server. The default is OPENAI_BASE_URL, or OpenAI if that is "
            "not set."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the encoder, such as dim=64."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float16|float32",
            help="Precision of the stored vectors. The default is float16 for neural encoders and float32 for others.",
        ),
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option(
            help="Keep only the first N coordinates, renormalised. This is for models trained for it (Matryoshka)."
        ),
    ] = None,
    pca: Annotated[
        int | None,
        typer.Option(help="Keep only N principal components, fitted on the items' vectors."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Encode only the I-th of N parts. Other machines can encode the other parts.",
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Encode nothing; join the N parts of --shard.")
    ] = False,
    ray: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Encode with N Ray workers, on the cluster at RAY_ADDRESS or on this machine.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Device of a neural encoder: cpu or cuda.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the report.")] = Format.TABLE,
) -> None:
    """Turn the texts of a dataset into language vectors.

    The texts are those of the items and, if given, of the users. Only new and changed texts are encoded. If the command
    is interrupted, run it again: it continues where it stopped.
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
