"""What long work of many equal steps shows on standard error: how much is done, rate and time left.

A bar on a terminal; elsewhere (a log) a line every ten seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich import progress as bars

from darec.progress import EVERY
from darec.terminal import Console, TextColumn


class Meter:
    """Progress, or silence.

    Args:
        label: what works: an encoder, a model, a run.
        show: whether to show anything.
        doing: what is done to them.
        unit: what is counted.
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
        """Count ``total`` of them; yields a function that is told how many more are done."""
        if not self.console.is_terminal:
            yield self._lines(total, reused)
            return
        with bars.Progress(
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
        self._line(f"{self.doing} {total:,} {self.unit}, {reused:,} are there already")
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
        """A spinner for work that has no steps to count, which takes seconds."""
        if self.console.is_terminal:
            with self.console.status(f"{self.label}: {total:,} {self.unit}"):
                yield
        else:
            yield


def _rate(speed: float) -> str:
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.2g}/s"
