"""Progress of tuning: a live line on a terminal, and one line for each trial everywhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from rich.progress import BarColumn

from darec.console import Console, Progress, TextColumn
from darec.progress import span

_QUIET_SECONDS = (
    30.0  # seconds between two lines about the same trial, if the output is not a terminal
)


class TuningReporter:
    """Shows the progress of all trials of one study on standard error.

    Args:
        label: name of the pair.
        metric: the validation metric.
        trials: number of trials of the study.
        epochs: largest number of epochs of a trial.
        shown: whether to show anything.
    """

    def __init__(self, label: str, metric: str, trials: int, epochs: int, *, shown: bool) -> None:
        self.label, self.metric, self.trials, self.epochs = label, metric, trials, epochs
        self.console = Console(stderr=True, quiet=not shown)
        self.live = shown and self.console.is_terminal
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.live,
        )
        self.task = self.progress.add_task(label, total=trials, note="")
        self.begun = self.said = time.monotonic()
        self.here = self.done = self.current = 0
        self.best = ""

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.stop()

    def trial(self, done: int, parameters: Mapping[str, Any], best: float | None) -> None:
        """A trial begins; ``done`` trials are finished or run in other processes."""
        self.done, self.current = done, done + 1
        self.best = "" if best is None else f", best so far {best:.4f}"
        self.said = time.monotonic()
        self._print(f"{shown(parameters)}{self.best}")
        self.step(1, 0, 1)

    def step(self, epoch: int, done: int, total: int) -> None:
        """Move the bar, which covers all trials."""
        share = min(1.0, ((epoch - 1) * total + done) / (self.epochs * total))
        self.progress.update(
            self.task,
            description=f"{self.label}: trial {self.current} of {self.trials}, epoch {epoch}",
            completed=self.done + share,
        )

    def evaluated(self, epoch: int, value: float, best: float) -> None:
        """The trial was validated."""
        note = f"valid {self.metric} {value:.4f}, best of the trial {best:.4f}{self.best}"
        self.progress.update(self.task, note=f"{note}  {self._clock()}")
        if not self.live and time.monotonic() - self.said > _QUIET_SECONDS:
            self.said = time.monotonic()
            self._print(f"epoch {epoch}, {note}")

    def ended(self, outcome: str) -> None:
        """The trial ended."""
        self.here += 1
        self.done += 1
        self._print(f"{outcome}  [{self._clock()}]")

    def say(self, line: str) -> None:
        """A notice."""
        self.console.print(f"{self.label}: {line}", soft_wrap=True)

    def _print(self, line: str) -> None:
        self.console.print(
            f"{self.label}: trial {self.current} of {self.trials}: {line}", soft_wrap=True
        )

    def _clock(self) -> str:
        elapsed = time.monotonic() - self.begun
        if not self.here:
            return f"{span(elapsed)} so far"
        left = elapsed / self.here * max(self.trials - self.done, 0)
        return f"{span(elapsed)} so far, about {span(left)} to go"


def shown(parameters: Mapping[str, Any]) -> str:
    """Settings in the form of the command line, with numbers to four digits."""
    if not parameters:
        return "the starting settings"
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in parameters.items()
    )
