"""``darec theory``: the information-gap theorem in small worlds, in a data set, and in training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darec.cli import theory_check, theory_sweep
from darec.cli.output import Format

app = typer.Typer(
    help="What aligning interactions and text costs: exactly in small worlds, estimated from data, and in training.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def exact(
    worlds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORLD]...",
            help="Named worlds, or .json and .npy files of p[d][d'][y]; all named ones by default.",
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option("--curve", help="Also the trade-off between disagreement and cross-entropy."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write the trade-off curves of the worlds as an SVG file.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the figures.")] = Format.TABLE,
) -> None:
    """Compute both sides of the theorem in finite worlds, in nats.

    D are the interactions, D' the text, Y the target; their columns are I(D;Y), I(D';Y) and I(D,D';Y). 'loss' is what
    exact alignment costs in cross-entropy, 'bound' the theorem's |I(D;Y) - I(D';Y)|, 'slack' the difference; 'parts'
    counts the values of what D and D' have in common. 'price': nats saved for each unit of disagreement more.
    """
    from darec.cli.output import ListFormat, print_json, print_rows
    from darec.files import write_atomic
    from darec.terminal import Console
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
        "what the sources tell of Y, and what exact alignment costs, in nats",
    )
    if points:
        print_rows(points, ListFormat.TABLE, "corners of the trade-off curves")


app.command("check")(theory_check.command)
app.command("sweep")(theory_sweep.command)
