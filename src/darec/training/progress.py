"""Progress of training: a live line on a terminal, and one line for each evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Self

import numpy as np
from rich.progress import BarColumn, TimeElapsedColumn

from darec.console import Console, Progress, TextColumn
from darec.data.dataset import Dataset
from darec.evaluation.result import Evaluation
from darec.progress import EVERY, listening


class Reporter:
    """The base class of reporters, which shows nothing. It is used as a context manager around training."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """A context for the preparation of the model, in which, for example, an alignment finds neighbours."""
        yield

    def step(self, epoch: int, done: int, total: int) -> None:
        """Called after each step with the epoch (from 1) and the number of its finished steps."""

    def tried(self, key: str, candidate: float, metric: str, value: float) -> None:
        """Called after one epoch with a candidate value of a setting, with its value on validation data."""

    def sampled(self, users: int, total: int, half_width: float) -> None:
        """Called before :meth:`evaluated` if a sample of users is evaluated, with half of the interval of the value."""

    def evaluated(
        self, epoch: int, losses: Mapping[str, float], metric: str, value: float, best: float
    ) -> None:
        """Called after each evaluation on validation data."""

    def trained(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Called at regular epochs if nothing is evaluated."""


def told_sample(
    reporter: Reporter, found: Evaluation, monitor: str, dataset: Dataset
) -> dict[str, float]:
    """Report the interval of a value from a sample of users, and return it as diagnostics; empty without a sample."""
    total = int(np.count_nonzero(dataset.valid.user_degree))
    if found.n_users == total:
        return {}
    half_width = found.half_width(monitor, total)
    reporter.sampled(found.n_users, total, half_width)
    return {"validation/users": found.n_users, "validation/half_width": half_width}


class ConsoleReporter(Reporter):
    """Progress on standard error.

    Args:
        label: name of the model.
        epochs: largest number of epochs.
    """

    def __init__(self, label: str, epochs: int) -> None:
        self.label, self.epochs = label, epochs
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task(label, total=None, note="")
        self._sample = ""

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.stop()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Show the long loops before training."""
        said = monotonic()

        def heard(doing: str, done: int, total: int) -> None:
            nonlocal said
            self.progress.update(
                self.task, description=f"{self.label}: {doing}", completed=done, total=total
            )
            if not self.console.is_terminal and monotonic() - said >= EVERY:
                said = monotonic()
                self.console.print(
                    f"{self.label}: {doing}: {done} of {total} steps", soft_wrap=True
                )

        with self, listening(heard):
            yield

    def step(self, epoch: int, done: int, total: int) -> None:
        """Move the bar, which is full at the largest number of epochs."""
        self.progress.update(
            self.task,
            description=f"{self.label}: epoch {epoch} (of at most {self.epochs})",
            completed=(epoch - 1) * total + done,
            total=self.epochs * total,
        )

    def tried(self, key: str, candidate: float, metric: str, value: float) -> None:
        """Show the candidate and its value; on a plain stream, print a line."""
        note = f"one epoch with {key}={candidate:g}: valid {metric} {value:.4f}{self._sample}"
        self.progress.update(self.task, note=note)
        if not self.console.is_terminal:
            self.console.print(f"{self.label}: {note}", soft_wrap=True)

    def sampled(self, users: int, total: int, half_width: float) -> None:
        """Show the interval beside the value."""
        self._sample = f" ± {half_width:.4f} ({users:,} of {total:,} users)"

    def evaluated(
        self, epoch: int, losses: Mapping[str, float], metric: str, value: float, best: float
    ) -> None:
        """Show the newest and the best value; on a plain stream, print a line."""
        note = f"valid {metric} {value:.4f}{self._sample}, best {best:.4f}"
        self.progress.update(self.task, note=note)
        self._line(epoch, note, losses)

    def trained(self, epoch: int, losses: Mapping[str, float]) -> None:
        """On a plain stream, print a line."""
        self._line(epoch, "trained", losses)

    def _line(self, epoch: int, note: str, losses: Mapping[str, float]) -> None:
        if not self.console.is_terminal:
            terms = "  ".join(f"{name} {loss:.4g}" for name, loss in losses.items())
            self.console.print(f"{self.label}: epoch {epoch}  {note}  {terms}", soft_wrap=True)
