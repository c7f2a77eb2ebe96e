"""``darec theory``: test the information-gap theorem in small worlds, on a dataset and in training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli import theory_check, theory_sweep
from darec.cli.output import Format

app = typer.Typer(
    help="Compute what exact alignment of interactions and text costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def exact(
    worlds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORLD]...",
            help="Names of built-in worlds, or .json and .npy files with p[d][d'][y]. The default is all built-in "
            "worlds.",
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve", help="Also compute the trade-off between disagreement and cross-entropy."
        ),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write the trade-off curves of the worlds as an SVG file.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Output format of the numbers.")] = Format.TABLE,
) -> None:
    """Compute both sides of the theorem in finite worlds, in nats.

    D stands for the interactions, D' for the text and Y for the target. The columns show I(D;Y), I(D';Y) and I(D,D';Y).
    'loss' is the cost of exact alignment in cross-entropy, 'bound' is the theorem's |I(D;Y) - I(D';Y)|, and 'slack' is
    loss minus bound. 'parts' is the number of values of the common part of D and D'. 'price' is the number of nats
    saved per unit of additional disagreement.
    """
    from darec.cli.output import ListFormat, print_json, print_rows
    from darec.console import Console
    from darec.files import write_atomic
    from darec.theory.near_gap import trade_off
    from darec.theory.report import curve_rows, world_row
    from darec.theory.worlds import WORLDS, read_world

    joints = {name: read_world(name) for name in worlds or WORLDS}
    rows = [world_row(name, joint) for name, joint in joints.items()]
    curves = {}
    if curve or plot:
        with Console(stderr=True).status("") as status:
            for name, joint in joints.items():
                curves[name] = trade_off(
                    joint,
                    on_progress=lambda done, total, name=name: status.update(  # type: ignore[misc]
                        f"{name}: {done:,} of {total:,} pairs of encoders"
                    ),
                )
    if plot:
        from darec.report.drawing import svg
        from darec.theory.plots import trade_off_plot

        write_atomic(plot, svg(trade_off_plot(curves)))
    points = curve_rows(curves) if curve else []
    if format is Format.JSON:
        print_json({"worlds": rows, "curves": points} if curve else {"worlds": rows})
        return
    print_rows(
        rows,
        ListFormat.TABLE,
        "information of the sources about Y, and cost of exact alignment, in nats",
    )
    if points:
        print_rows(points, ListFormat.TABLE, "corners of the trade-off curves")


app.command("check")(theory_check.command)
app.command("sweep")(theory_sweep.command)
