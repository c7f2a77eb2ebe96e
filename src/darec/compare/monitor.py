"""Progress of the training of a grid: a live table on a terminal, one line for each finished run elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from darec.compare.grid import Job
from darec.compare.kinds import Title
from darec.console import Console
from darec.files import json_value, parse_json
from darec.progress import span

_TAIL: Final = 8192  # bytes of a history that surely hold its last line
_ROOM: Final = 8  # lines of a terminal that are not rows


class GridMonitor:
    """Watches the runs of a grid; see the module.

    Args:
        jobs: the runs of each variant.
        out: the comparison's folder, whose runs' histories are read.
        at_once: number of runs trained at the same time.
        monitor: the validation metric.
        shown: whether to show anything.
    """

    def __init__(
        self,
        jobs: Mapping[Title, Sequence[Job]],
        out: Path,
        *,
        at_once: int,
        monitor: str,
        shown: bool = True,
    ) -> None:
        self.jobs, self.out, self.at_once, self.monitor = jobs, out, at_once, monitor
        self.console = Console(stderr=True, quiet=not shown)
        self.seconds: dict[Title, list[float]] = {title: [] for title in jobs}
        self.running: dict[str, tuple[Job, float]] = {}
        self.errors: dict[str, tuple[Job, str]] = {}
        self.total = sum(len(runs) for runs in jobs.values())
        for title, runs in jobs.items():
            self.seconds[title] = [
                metrics["seconds"] for job in runs if (metrics := self._metrics(job))
            ]
        self.found = self.done
        self.begun = time.monotonic()
        self.live = Live(
            console=self.console, transient=True, auto_refresh=False, get_renderable=self.table
        )

    @property
    def done(self) -> int:
        """Number of finished runs."""
        return sum(len(seconds) for seconds in self.seconds.values())

    def __enter__(self) -> Self:
        if self.found:
            self._print(f"{self.found} of {self.total} runs are finished already.")
        if self.console.is_terminal and self.found < self.total:
            self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.live.stop()

    def started(self, job: Job) -> None:
        """A process has begun a run."""
        self.running[job.folder] = (job, time.monotonic())

    def ended(self, job: Job, error: str | None) -> None:
        """A run is finished, or has failed."""
        _, since = self.running.pop(job.folder)
        metrics = self._metrics(job)
        if error is not None or metrics is None:
            self.errors[job.folder] = (job, error or "")
            self._print(f"{job.label} failed: {error}")
            return
        # The time of a run includes its start and the evaluation at the end, not only training.
        self.seconds[job.title].append(max(metrics["seconds"], time.monotonic() - since))
        if not self.console.is_terminal:
            metric = f"test/{self.monitor}"
            value = f"test {self.monitor} {metrics[metric]:.4f}, " if metric in metrics else ""
            self._print(
                f"[{self.done}/{self.total}] {job.label}: {value}best epoch {metrics['best_epoch']} of "
                f"{metrics['epochs']}, {span(metrics['seconds'])}; {self._clock()}"
            )

    def refresh(self) -> None:
        """Read the state of the runs again."""
        if self.live.is_started:
            self.live.refresh()

    def table(self) -> Group:
        """The live table with one row for each variant, or only the active ones if there is too little room."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("", "done", "running", "failed"):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        titles = list(self.jobs)
        room = max(self.console.height - _ROOM, self.at_once)
        if len(titles) > room:
            busy = {job.title for job, _ in self.running.values()}
            titles = [title for title in titles if title in busy]
        for title in titles:
            done, total = len(self.seconds[title]), len(self.jobs[title])
            work = [self._at_work(job) for job, _ in self.running.values() if job.title == title]
            failed = [str(job.seed) for job, _ in self.errors.values() if job.title == title]
            table.add_row(
                title.name,
                Text(f"{done}/{total}", style="green" if done == total else ""),
                "; ".join(work),
                Text(f"seed {', '.join(failed)}" if failed else "", style="red"),
            )
        hidden = len(self.jobs) - len(titles)
        more = f"{hidden} others; " if hidden else ""
        return Group(table, Text(f"{more}{self.done} of {self.total} runs done, {self._clock()}"))

    def _at_work(self, job: Job) -> str:
        """Seed, epoch and validation value of a run, from its history."""
        last = _last_line(self.out / "runs" / job.folder / "history.jsonl")
        if last is None:
            return f"seed {job.seed}: starting"
        value = last.get(f"valid/{self.monitor}", float("nan"))
        return f"seed {job.seed}: epoch {last['epoch']}, {self.monitor} {value:.4f}"

    def _clock(self) -> str:
        """Elapsed time and estimated remaining time, from the variant's finished runs or from all."""
        now = time.monotonic()
        known = [value for seconds in self.seconds.values() for value in seconds]
        passed = f"{span(now - self.begun)} so far"
        if not known:
            return passed
        every = sum(known) / len(known)
        left = 0.0
        for title, runs in self.jobs.items():
            mine = self.seconds[title]
            each = sum(mine) / len(mine) if mine else every
            failed = sum(job.title == title for job, _ in self.errors.values())
            left += each * (len(runs) - len(mine) - failed)
            for job, since in self.running.values():
                if job.title == title:
                    left -= min(now - since, each)
        return f"{passed}, about {span(max(left, 0.0) / self.at_once)} to go"

    def _metrics(self, job: Job) -> dict[str, Any] | None:
        try:
            text = (self.out / "runs" / job.folder / "metrics.json").read_text()
            metrics: dict[str, Any] = json_value(text)
            return metrics if isinstance(metrics["seconds"], int | float) else None
        except (OSError, ValueError, KeyError, TypeError):  # damaged: the summary says so
            return None

    def _print(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)


def _last_line(history: Path) -> dict[str, Any] | None:
    """The last complete line of a history that is being written."""
    try:
        with history.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().split(b"\n")
        return parse_json(lines[-2]) if len(lines) > 1 else None
    except (OSError, ValueError):
        return None
