"""Reports of profiling: an estimate of the cost before it, and the result after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darec.text.profiles.prompts import Prompt
from darec.text.profiles.schema import Kind


@dataclass(frozen=True)
class ProfileReport:
    """The result of a run.

    Attributes:
        model: name of the model.
        path: the folder of the set.
        items: number of items with a title or text; ``users`` likewise. 0 if they are not described.
        profiles: how many of these have a profile now.
        new: number of new profiles.
        reused: number of profiles from the store.
        failed: entities with an unusable answer: kind, id and reason. ``--only-failed`` sends them again.
        unanswered: entities without an answer: kind, id and reason. The next run sends them again.
        left: number of prompts that were not sent because of the limit, the budget or a stop.
        tokens_in: number of tokens read in this run; estimated if the server does not count.
        tokens_out: number of tokens written.
        cost: dollars of this run; None without a price.
        stopped: why the run ended before all prompts were sent; None if it did not.
        seconds: duration of the whole call.
        notices: sentences about cut or skipped texts and about assumptions.
    """

    model: str
    path: Path
    items: int
    users: int
    profiles: int
    new: int
    reused: int
    failed: list[tuple[Kind, str, str]]
    unanswered: list[tuple[Kind, str, str]]
    left: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    stopped: str | None
    seconds: float
    notices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The attributes as values for JSON."""
        names = ("kind", "id", "reason")
        lists = {
            key: [dict(zip(names, row, strict=True)) for row in getattr(self, key)]
            for key in ("failed", "unanswered")
        }
        return {**asdict(self), "path": str(self.path), "notices": list(self.notices), **lists}


@dataclass(frozen=True)
class CostEstimate:
    """The prompts and the estimated cost of a run.

    Attributes:
        model: name of the model.
        requests: number of prompts that would be sent.
        reused: number of prompts that already have an answer.
        tokens_in: estimated number of tokens of the prompts.
        tokens_out: estimated number of tokens of the answers.
        most_tokens_out: number of tokens of the answers if each has the largest length.
        cost: estimated dollars; None without a price.
        most: dollars if each answer has the largest length.
        prompts: the first three prompts.
    """

    model: str
    requests: int
    reused: int
    tokens_in: int
    tokens_out: int
    most_tokens_out: int
    cost: float | None
    most: float | None
    prompts: tuple[Prompt, ...]

    def to_dict(self) -> dict[str, Any]:
        """The attributes as values for JSON."""
        return asdict(self)
