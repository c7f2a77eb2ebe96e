"""What encoding shows on standard error while it works: texts done, rate and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console


class Progress:
    """Progress of one encoder, or silence.

    Args:
        label: the encoder.
        show: whether to show anything.
    """

    def __init__(self, label: str, *, show: bool = True) -> None:
        self.label = label
        self.console = Console(stderr=True, quiet=not show, highlight=False, soft_wrap=True)

    @contextmanager
    def counting(self, total: int, reused: int) -> Iterator[Callable[[int], None]]:
        """A bar over ``total`` texts; yields a function that is told how many more are done."""
        if not self.console.is_terminal:
            self.console.print(
                f"{self.label}: encoding {total:,} texts, {reused:,} are there already"
            )
        with bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            bars.TextColumn("texts"),
            bars.TextColumn("{task.fields[rate]}"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as bar:
            task = bar.add_task(self.label, total=total, rate="")

            def advance(n: int) -> None:
                bar.advance(task, n)
                speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
                bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")

            yield advance

    @contextmanager
    def working(self, total: int) -> Iterator[None]:
        """A spinner for work that has no steps to count."""
        if self.console.is_terminal:
            with self.console.status(f"{self.label}: {total:,} texts"):
                yield
        else:
            yield
