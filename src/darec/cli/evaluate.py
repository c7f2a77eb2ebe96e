"""``darec evaluate``: measure a finished run again, with other cut-offs or another mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli.output import Format, ListFormat
from darec.limits import MOST_GROUPS
from darec.wording import counted_noun


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    split: Annotated[str, typer.Option(help="Split to measure on: test or valid.")] = "test",
    k: Annotated[
        list[int] | None,
        typer.Option("-k", help="Cut-off K of the metrics. Repeat the option for several."),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            help="Items left out of each user's ranking: those of train, or of train+valid."
        ),
    ] = None,
    groups: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_GROUPS,
            help="Number of groups of users by activity, and of items by popularity; 0 for none.",
        ),
    ] = 3,
    cold: Annotated[
        bool,
        typer.Option(
            "--cold", help="Rank the held-out items of a cold-items split, by their text."
        ),
    ] = False,
    how: Annotated[
        str | None,
        typer.Option(
            help="With --cold: the map from text to item vectors: ridge (the default), neighbours or shared."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset, if it has moved since training.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Measure a finished run with other cut-offs or another mask.

    The whole catalogue is ranked for every user and compared with the user's held-out items.
    """
    from darec.cli.output import metrics_table, print_json, print_rows
    from darec.console import Console
    from darec.errors import ConfigError
    from darec.evaluation.result import GROUP_METRICS
    from darec.run import Run

    if how is not None and not cold:
        raise ConfigError("--how needs --cold.")
    if mask is not None and cold:
        raise ConfigError(
            "--mask cannot be combined with --cold: no user has a cold item in training."
        )
    loaded = Run.load(run, dataset=data)
    if cold:
        from darec.cold import ColdStart

        with Console(stderr=True).status("ranking the cold items for every user ..."):
            evaluation = ColdStart(loaded, how=how or "ridge").fit().evaluate(split, k)
    else:
        with Console(stderr=True).status("ranking the catalogue for every user ..."):
            ks = tuple(k) if k else None
            evaluation = loaded.evaluate(split, ks=ks, mask=mask, groups=groups)
    summary = evaluation.summary()
    if format is Format.JSON:
        print_json({f"{split}/{name}": value for name, value in summary.items()})
        return
    console = Console()
    what = f"cold items of the {split} split" if cold else f"{split} split"
    plain = {name: value for name, value in summary.items() if "/" not in name}
    console.print(metrics_table(plain, f"{what}, {counted_noun(evaluation.n_users, 'user')}"))
    most = max(int(name.partition("@")[2]) for name in plain)
    shown = [f"{metric}@{most}" for metric in GROUP_METRICS]
    for kind, title in (("users", "users by activity"), ("items", "items by popularity")):
        rows = [
            {
                "group": f"{group.index} of {group.of}",
                kind: group.size,
                "interactions": f"{group.low} to {group.high}",
                **{name: summary.get(f"{group.name}/{name}") for name in shown},
            }
            for group in evaluation.groups
            if group.kind == kind
        ]
        if rows:
            print_rows(rows, ListFormat.TABLE, title)
