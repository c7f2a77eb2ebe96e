"""``darec train``: train a backbone with an alignment on a dataset."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darec.cli.output import Format
from darec.cli.parts import alignment_names, backbone_names
from darec.terminal import echo
from darec.wording import counted_noun

if TYPE_CHECKING:
    from darec.run import Run


def command(
    data: Annotated[Path, typer.Argument(help="Dataset folder, made by 'darec import'.")],
    out: Annotated[Path, typer.Option(help="Folder of the new run.")],
    backbone: Annotated[
        str | None,
        typer.Option(
            autocompletion=backbone_names,
            help="One of {backbones}. Without --backbone and --alignment, the recommended settings are used.",
        ),
    ] = None,
    alignment: Annotated[
        str | None,
        typer.Option(
            autocompletion=alignment_names,
            help="One of {alignments}. With --backbone, the default is none.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named settings of the alignment: darec has 'paper'. --set overrides them."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder whose embeddings are used, as named for 'darec encode'; by default that of the newest "
            "embeddings."
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE,...",
            help="Encoded texts to use: text, titles, profiles, profiles:NAME or a file. Give several with commas "
            "between.",
        ),
    ] = None,
    combine: Annotated[
        str | None,
        typer.Option(
            metavar="concat|mean",
            help="How the vectors of several texts are combined; concat by default.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting, such as train.epochs=5. 'darec settings' lists all.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings, such as a run's config.yaml.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; 0 by default.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    refit: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Train the run RUN again on all splits, for use in production. Its settings are kept, it trains "
            "for the number of epochs that validation chose, and it is not evaluated.",
        ),
    ] = None,
    auto: Annotated[
        bool,
        typer.Option(
            "--auto",
            help="Try models, the cheapest first, and keep the one that is best on the validation split.",
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(help="Minutes that --auto may take; 10 by default."),
    ] = None,
    keep_candidates: Annotated[
        bool,
        typer.Option("--keep-candidates", help="With --auto: keep the runs of all candidates."),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train in this number of processes on this machine. Each process has a share of every table.",
        ),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="columns|rows",
            help="What each of several processes has: columns of every table and the whole graph (the default), or "
            "the rows of its own users and items and their part of the graph.",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train in --workers workers of a Ray cluster: HOST:PORT of its head, 'auto' for the cluster of this "
            "machine or of RAY_ADDRESS, or 'local' for a Ray on this machine. All must see the dataset and --out.",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of workers of --ray.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out with its own settings.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard events into the run's folder.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the result.")] = Format.TABLE,
) -> None:
    """Train a recommender and evaluate it.

    The model is evaluated on validation and test, and everything is written into the folder of the run.
    """
    from darec.api import fit
    from darec.automatic import fit_auto
    from darec.cli.automatic import check_options, show
    from darec.cli.output import print_json
    from darec.cli.processes import Start, start_others, taking_part
    from darec.config import resolve_config
    from darec.errors import ConfigError
    from darec.overrides import parse_override
    from darec.processes import current
    from darec.processes.choice import known_shards
    from darec.processes.joining import place
    from darec.processes.launch import launched
    from darec.recommended import names_parts
    from darec.refitting import refit as fit_again
    from darec.run_record import stored_config

    named: dict[str, Any] = {
        "backbone": backbone,
        "alignment": alignment,
        "alignment.preset": preset,
        "text.encoder": encoder,
        "text.sources": [name.strip() for name in text.split(",")] if text else None,
        "text.combine": combine,
    }
    options: dict[str, Any] = {"seed": seed, "device": device, "threads": threads}
    how: dict[str, Any] = {
        "out": out,
        "resume": resume,
        "overwrite": overwrite,
        "progress": not quiet,
        "tensorboard": tensorboard,
    }
    check_options(
        auto,
        {
            "--backbone": backbone,
            "--alignment": alignment,
            "--preset": preset,
            "--config": config,
            "--refit": refit,
            "--tensorboard": tensorboard,
        },
        {"--minutes": minutes is not None, "--keep-candidates": keep_candidates},
    )
    start = Start(processes, ray, workers, device, threads)
    try:
        division = known_shards(shards) if shards else None
        if division and processes is None and ray is None and place(os.environ) is None:
            raise ConfigError(
                f"--shards={division} is for several processes: add --processes or --ray, or start by torchrun."
            )
        start_others(start, alone="--auto" if auto else None)
        with taking_part():
            if auto:
                del how["tensorboard"]
                named |= {f"options.{name}": value for name, value in options.items()}
                given = {key: value for key, value in named.items() if value is not None}
                given |= dict(parse_override(one, example="train.epochs=5") for one in set_ or ())
                found = fit_auto(
                    data, settings=given, minutes=minutes, keep_candidates=keep_candidates, **how
                )
                show(found, format)
                return
            if refit is not None:
                _check_alone({**named, "--set": set_, "--config": config})
                run = fit_again(refit, data=data, shards=division, **options, **how)
            else:
                named |= {f"options.{name}": value for name, value in options.items()}
                given = {key: value for key, value in named.items() if value is not None}
                changed = [parse_override(one, example="train.epochs=5") for one in set_ or ()]
                file = config or (stored_config(out) if resume else None)
                machine = {key: given[key] for key in given if key.startswith("options.")}
                resolve_config(machine)  # refuses bad values before any data is read
                if file is None and not names_parts({**given, **dict(changed)}):
                    run = fit(data, settings={**given, **dict(changed)}, shards=division, **how)
                else:
                    asked = bool(given or set_ or config)
                    settings = (
                        resolve_config(given, file=file, overrides=set_ or ()) if asked else None
                    )
                    run = fit(data, config=settings, shards=division, **how)
            if current().leads:
                print_json(run.metrics) if format is Format.JSON else _print(run)
    except KeyboardInterrupt:
        if not launched():  # the process that started this one prints it
            again = ["darec", "train", str(data), "--out", str(out), *["--auto"] * auto]
            again += [] if refit is None else ["--refit", str(refit)]
            again += start.words
            again += [] if shards is None else ["--shards", shards]
            command = shlex.join([*again, "--resume"])
            echo(
                f"darec: interrupted. Finished work is kept; continue with: {command}",
                err=True,
            )
        raise typer.Exit(130) from None


def _check_alone(settings: Mapping[str, Any]) -> None:
    """Refuse settings together with ``--refit``, which takes all settings from the run."""
    from darec.errors import ConfigError

    for name, value in settings.items():
        if value:
            option = name if name.startswith("--") else f"--{name.rpartition('.')[2]}"
            option = "--text" if option == "--sources" else option
            raise ConfigError(f"--refit takes every setting from the run: leave out {option}.")


def _print(run: Run) -> None:
    from darec.cli.output import metrics_table
    from darec.console import Console

    console = Console()
    names = f"{run.config.backbone.name} + {run.config.alignment.name}"
    cost = (
        f"{run.metrics['seconds_per_epoch']:.2f} s an epoch, peak memory {run.metrics['peak_rss_mb']:.0f} MiB; the "
        f"run is in {run.path}"
    )
    if "bytes_sent_per_step" in run.metrics:
        cost = f"{run.metrics['bytes_sent_per_step']:,} bytes sent a step by each; {cost}"
    if "processes" in run.metrics:
        cost = f"{run.metrics['processes']} processes, {cost}"
    if run.refit is not None:
        counts = run.refit["interactions"]
        splits = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
        epochs = counted_noun(run.metrics["epochs"], "epoch")
        console.print(
            f"{names}, refitted on {counted_noun(sum(counts.values()), 'interaction')} ({splits}), not evaluated",
            soft_wrap=True,
        )
        console.print(f"{epochs}, {cost}", soft_wrap=True)
        return
    shown = {
        name.removeprefix("test/"): value
        for name, value in run.metrics.items()
        if name.startswith("test/") and name.count("/") == 1
    }
    console.print(metrics_table(shown, f"{names}, test split"))
    later = run.config.train.of_later_epochs
    later = f" ({later})" if later else ""
    console.print(
        f"best epoch {run.metrics['best_epoch']} of {run.metrics['epochs']}{later}, {cost}",
        soft_wrap=True,
    )
    temperature = run.metrics.get("diagnostics/chosen/loss.temperature")
    if temperature is not None:
        console.print(f"loss.temperature {temperature:g} was best after one epoch", soft_wrap=True)
    beside = run.config.beside
    if beside is not None:
        weights = {
            name: run.metrics.get(f"diagnostics/beside/{name}", 0.0)
            for name in ("popularity", "niche", "weight")
        }
        parts = [f"popularity with a weight of {weights['popularity']:g}"]
        if weights["niche"]:
            parts[0] += (
                f" (none for the {weights['niche']:.0%} of users with the least popular items)"
            )
        if beside.backbone is not None:
            matrix = f"{beside.backbone.name} + {beside.alignment.name}"
            parts.append(f"the matrix of {matrix} with {weights['weight']:g}")
        console.print(f"beside the tables: {', '.join(parts)}", soft_wrap=True)
