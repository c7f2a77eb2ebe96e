"""Progress of a search: the current candidate, the remaining time, and the outcome of each candidate."""

from __future__ import annotations

from collections.abc import Callable

from darec.automatic.candidates import Candidate
from darec.automatic.record import Tried
from darec.console import Console
from darec.progress import span
from darec.training.progress import ConsoleReporter, Reporter


class Watch:
    """Shows a search on standard error.

    Args:
        total: number of candidates.
        monitor: the metric on the validation split.
        left: function that returns the remaining seconds.
        shown: whether to show anything.
    """

    def __init__(self, total: int, monitor: str, left: Callable[[], float], *, shown: bool) -> None:
        self.total, self.monitor, self.left, self.shown = total, monitor, left, shown
        self.console = Console(stderr=True, quiet=not shown)

    def reporter(self, place: int, candidate: Candidate) -> Reporter:
        """The display of the training of one candidate; ``place`` is counted from 1."""
        if not self.shown:
            return Reporter()
        label = f"{place} of {self.total}, {candidate.name}"
        return _CandidateReporter(label, candidate.config.train.epochs, self.left)

    def ended(self, tried: Tried) -> None:
        """Print a line with the outcome of a candidate."""
        self.console.print(f"{tried.name}: {told(tried, self.monitor)}", soft_wrap=True)


def told(tried: Tried, monitor: str) -> str:
    """The outcome of a candidate, in a few words."""
    if not tried.done:
        return f"{tried.state}: {tried.reason}"
    ended = f" ({tried.reason})" if tried.reason else ""
    return f"valid {monitor} {tried.value:.4f} in {tried.seconds:.1f} s{ended}"


class _CandidateReporter(ConsoleReporter):
    """The usual display, preceded by the remaining time."""

    def __init__(self, label: str, epochs: int, left: Callable[[], float]) -> None:
        self._named, self._left = label, left
        super().__init__(self._with_time(), epochs)

    def _with_time(self) -> str:
        return f"{self._named} ({span(max(self._left(), 0.0))} left)"

    def step(self, epoch: int, done: int, total: int) -> None:
        """Move the bar, and show the remaining time."""
        self.label = self._with_time()
        super().step(epoch, done, total)
