"""Progress of the report of a comparison: the tests of each variant, and the plots of the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from darec.console import Console
from darec.progress import EVERY, OnStage

AFTER: Final = 2.0
"""Seconds until the first stage is printed, if there is no terminal."""


@contextmanager
def reporting(console: Console) -> Iterator[OnStage]:
    """Yield a function to call with each stage as it begins.

    On a terminal, one line shows the stage and is removed at the end. Elsewhere, a stage is printed after two seconds,
    and then at most one every ten seconds.
    """
    due = time.monotonic() + AFTER
    with console.status("report") as status:

        def stage(doing: str) -> None:
            nonlocal due
            status.update(f"report: {doing}")
            if not console.is_terminal and time.monotonic() >= due:
                console.print(f"report: {doing}", soft_wrap=True)
                due = time.monotonic() + EVERY

        yield stage
