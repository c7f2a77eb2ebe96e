"""Progress of long work with many equal steps, on standard error: finished steps, rate and remaining time.

It is a bar on a terminal, and a line every ten seconds elsewhere, such as in a log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich import progress as bars

from darec.console import Console, Progress, TextColumn
from darec.progress import EVERY
from darec.wording import agreeing, counted_noun


class Meter:
    """Shows progress, or nothing.

    Args:
        label: name of the worker: an encoder, a model, a run.
        show: whether to show anything.
        doing: verb for the work.
        unit: name of the counted things.
    """

    def __init__(self, label: str, *, doing: str, unit: str, show: bool = True) -> None:
        self.label, self.doing, self.unit = label, doing, unit
        self.console = Console(stderr=True, quiet=not show, soft_wrap=True)

    def doing_else(self, doing: str, *, show: bool = True) -> Meter:
        """The same for another kind of work."""
        show = show and not self.console.quiet
        return Meter(self.label, show=show, doing=doing, unit=self.unit)

    @contextmanager
    def counting(self, total: int, reused: int) -> Iterator[Callable[[int], None]]:
        """Count ``total`` units; yields a function that is called with the number of newly finished ones."""
        if not self.console.is_terminal:
            yield self._lines(total, reused)
            return
        with Progress(
            TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            TextColumn(self.unit),
            TextColumn("{task.fields[rate]}"),
            bars.TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
        ) as bar:
            task = bar.add_task(self.label, total=total, rate="")

            def advance(n: int) -> None:
                bar.advance(task, n)
                speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
                bar.update(task, rate=_rate(speed) if speed else "")

            yield advance

    def _lines(self, total: int, reused: int) -> Callable[[int], None]:
        unit = counted_noun(total, self.unit.removesuffix("s"), self.unit)
        self._line(f"{self.doing} {unit}, {reused:,} {agreeing(reused, 'exists', 'exist')} already")
        started = shown = monotonic()
        done = 0

        def advance(n: int) -> None:
            nonlocal done, shown
            done += n
            now = monotonic()
            if now - shown >= EVERY and done < total:
                shown, rate = now, done / (now - started)
                left = (total - done) / rate
                self._line(f"{done:,} of {total:,} {self.unit}, {_rate(rate)}, {left:,.0f} s left")

        return advance

    def _line(self, text: str) -> None:
        self.console.print(f"{self.label}: {text}")

    @contextmanager
    def working(self, total: int) -> Iterator[None]:
        """A spinner for work of some seconds without steps."""
        if self.console.is_terminal:
            with self.console.status(f"{self.label}: {total:,} {self.unit}"):
                yield
        else:
            yield


def _rate(speed: float) -> str:
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.2g}/s"
