"""``darec tune``: search for the settings with the best validation value."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darec.cli.output import Format
from darec.cli.parts import alignment_names, backbone_names
from darec.limits import MOST_EPOCHS, MOST_TRIALS
from darec.terminal import echo

if TYPE_CHECKING:
    from darec.config import RunConfig
    from darec.tuning import Tuned


def command(
    data: Annotated[Path, typer.Argument(help="Dataset folder, made by 'darec import'.")],
    out: Annotated[Path, typer.Option(help="Folder for the study and the best settings.")],
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            "--backbones",
            autocompletion=backbone_names,
            help="One of {backbones}, or several with commas between, which make a grid; lightgcn by default.",
        ),
    ] = None,
    alignment: Annotated[
        str | None,
        typer.Option(
            "--alignment",
            "--alignments",
            autocompletion=alignment_names,
            help="One of {alignments}, or several with commas between, which make a grid; none by default.",
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_TRIALS,
            help="Number of trials of each pair, over all processes and restarts.",
        ),
    ] = 30,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_EPOCHS,
            help="Largest number of epochs of a trial. The written settings keep their own train.epochs.",
        ),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=WHERE",
            help="Search this setting: KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=a,b,c.",
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="KEY,...", help="Search only these settings.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Give this setting a fixed value, so that it is not searched.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings from which the search starts.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Journal file or SQL URL of the study, which several machines may share; OUT/study.journal by "
            "default."
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option(help="Stop trials early that are below the median of the others.")
    ] = True,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder whose embeddings are used, as named for 'darec encode'; by default that of the newest "
            "embeddings."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draws and the runs.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Search for the settings with the best validation value.

    The test split is not used. The parts declare the search space, and the first trial uses the settings from which the
    search starts. The best settings are written to OUT/BACKBONE+ALIGNMENT.yaml, which 'darec train --config' and 'darec
    compare --settings OUT' read; for a single pair they are also written to OUT/best.yaml. If the command is stopped,
    run it again: it continues where it stopped. To share the work, run the same command several times at once.
    """
    from darec.cli.output import print_json
    from darec.config import resolve_config
    from darec.data.dataset import Dataset
    from darec.errors import ConfigError
    from darec.overrides import parse_override
    from darec.search import narrowed
    from darec.training.checks import check_config
    from darec.tuning import Tuning

    named: dict[str, Any] = {
        "text.encoder": encoder,
        "options.seed": seed,
        "options.device": device,
        "options.threads": threads,
    }
    given = {key: value for key, value in named.items() if value is not None}
    pinned = [parse_override(text, example="train.epochs=5")[0] for text in set_ or ()]
    keys = _listed(only, "--only") if only else []
    configs = [
        resolve_config({**pair, **given}, file=config, overrides=set_ or ())
        for pair in _pairs(backbone, alignment)
    ]
    grid = len(configs) > 1
    found: set[str] = set()
    spaces = []
    for settings in configs:
        own = [key for key in keys if not grid or _has(settings, key)]
        wanted = [
            text for text in search or () if not grid or _has(settings, text.partition("=")[0])
        ]
        found |= {*own, *wanted}
        # In a grid, --only may name settings of other pairs only. This pair then keeps its starting settings.
        idle = bool(keys) and not own and not wanted
        kept = [*own, *(text.partition("=")[0].strip() for text in wanted)] if keys else []
        space = narrowed(settings, search=wanted, only=kept, pinned=pinned)
        spaces.append({} if idle else space)
    for text in [*keys, *(search or ())]:
        if text not in found:
            raise ConfigError(f"{text!r}: no pair of the grid has that setting.")
    dataset = Dataset.load(data)
    for settings in configs:  # for all pairs, before the study of the first one begins
        check_config(settings, dataset)
    results: list[Tuned] = []
    text = None
    try:
        studies = []
        for settings, space in zip(configs, spaces, strict=True):
            study = Tuning(
                dataset,
                settings,
                space,
                out=out,
                trials=trials,
                epochs=epochs,
                also=None if grid else out / "best.yaml",
                storage=storage,
                prune=prune,
                text=text,
                progress=not quiet,
            )
            text = study.text or text
            studies.append(study)
        for study in studies:
            results.append(study.run())
    except KeyboardInterrupt:
        again = shlex.join(["darec", *sys.argv[1:]])
        echo(f"darec: interrupted. Finished trials are kept; continue with: {again}", err=True)
        raise typer.Exit(130) from None
    if format is Format.JSON:
        print_json([result.row() for result in results])
    else:
        _print(results)
    if any(result.best is None and not result.running for result in results):
        raise typer.Exit(1)


def _pairs(backbone: str | None, alignment: str | None) -> list[dict[str, str]]:
    """The named pairs, as settings. If neither list is given, a single empty one."""
    backbones = _listed(backbone, "--backbone") if backbone else []
    alignments = _listed(alignment, "--alignment") if alignment else []
    rows = [{"backbone": name} for name in backbones] or [{}]
    if not alignments:
        return rows
    return [{**row, "alignment": name} for row in rows for name in alignments]


def _listed(text: str, option: str) -> list[str]:
    """Names between commas. Raises ``ConfigError`` on an empty or repeated one."""
    from darec.errors import ConfigError

    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name:
            raise ConfigError(f"{option} {text!r}: a name is missing between commas.")
        if names.count(name) > 1:
            raise ConfigError(f"{option} {text!r}: {name!r} is named twice.")
    return names


def _has(config: RunConfig, key: str) -> bool:
    from darec.search import fields

    return key.strip() in dict(fields(config))


def _print(results: list[Tuned]) -> None:
    from rich.table import Table

    from darec.cli.output import cell
    from darec.console import Console
    from darec.tuning.reporter import shown

    table = Table(title=f"best validation {results[0].metric}", title_justify="left")
    for name in ("pair", "best", "start", "gain"):
        table.add_column(name, justify="left" if name == "pair" else "right")
    table.add_column("trials")
    for result in results:
        best, start = result.best, result.start
        counts = {
            name: getattr(result, name) for name in ("finished", "pruned", "diverged", "running")
        }
        table.add_row(
            f"{result.backbone} + {result.alignment}",
            cell(best),
            cell(start),
            f"{best / start - 1:+.1%}" if best and start else "",
            ", ".join(f"{count} {name}" for name, count in counts.items() if count),
        )
    console = Console()
    console.print(table)
    for result in results:
        pair = f"{result.backbone} + {result.alignment}"
        if result.config is None:
            console.print(f"{pair}: no trial has finished")
            continue
        console.print(f"{pair}: settings in {result.path}", soft_wrap=True)
        for key, value in result.parameters.items():
            share = result.importance.get(key)
            note = "" if share is None else f"  ({share:.0%} of the variance)"
            console.print(f"  {shown({key: value})}{note}", soft_wrap=True)
