"""Long loops are heard of by who listens, and by nobody else."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from rich.console import Console

from darec.graph import nearest_neighbours
from darec.progress import counted, listening, span
from darec.training import progress as training_progress
from darec.training.progress import ConsoleReporter

Heard = list[tuple[str, int, int]]


def test_a_loop_tells_before_its_first_step_and_after_each() -> None:
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        assert list(counted("ab", "letters")) == ["a", "b"]
    assert heard == [("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2)]


def test_nobody_hears_what_runs_after_listening_not_even_after_an_error() -> None:
    heard: Heard = []
    with pytest.raises(ZeroDivisionError), listening(lambda *told: heard.append(told)):
        raise ZeroDivisionError
    assert list(counted("ab", "letters")) == ["a", "b"]
    assert heard == []


def test_the_search_for_neighbours_counts_its_blocks() -> None:
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        nearest_neighbours(torch.eye(5), 2, block=2)
    assert heard[-1] == ("nearest neighbours", 3, 3)


def test_a_log_has_a_line_for_preparations_that_take_long(monkeypatch: Any) -> None:
    clock = iter(range(0, 100, 6))
    monkeypatch.setattr(training_progress, "monotonic", lambda: float(next(clock)))
    reporter = ConsoleReporter("lightgcn + darec", 3)
    reporter.console.file = stream = io.StringIO()
    with reporter.preparing():
        list(counted("abc", "letters"))
    assert (
        stream.getvalue()
        == "lightgcn + darec: letters: 1 of 3 steps\nlightgcn + darec: letters: 3 of 3 steps\n"
    )


def test_a_terminal_has_a_bar_for_preparations_and_then_for_training() -> None:
    reporter = ConsoleReporter("lightgcn + darec", 3)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    reporter.console = reporter.progress.live.console = console
    reporter.progress.disable = False
    with reporter.preparing():
        list(counted("abc", "letters"))
        reporter.progress.refresh()
    with reporter:
        reporter.step(2, 5, 10)
        reporter.progress.refresh()
    shown = stream.getvalue()
    assert shown.index("lightgcn + darec: letters") < shown.index("epoch 2 (of at most 3)")


def test_times_are_hours_minutes_and_seconds() -> None:
    assert span(3_723.4) == "1:02:03"
