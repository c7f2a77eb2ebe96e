"""What profiling tells: beforehand what it would cost, afterwards what it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darec.text.profiles.prompts import Prompt
from darec.text.profiles.schema import Kind


@dataclass(frozen=True)
class ProfileReport:
    """What a run did.

    Attributes:
        model: as asked.
        path: the folder of the set.
        items: items that have something to be said about them; likewise ``users``. 0 if not asked for.
        profiles: of these, how many have a profile now.
        new: made now.
        reused: taken from the store.
        failed: that the model answered, but not usably: kind, id and reason; ``--only-failed`` asks again.
        unanswered: that the server did not answer: kind, id and reason; the next run asks again.
        left: not asked, for the limit, the budget or a stop.
        tokens_in: tokens read in this run; estimated where the server does not count.
        tokens_out: tokens written.
        cost: dollars of this run; None without a price.
        stopped: why the run ended before everything was asked; None if it did not.
        seconds: time of the whole call.
        notices: what was cut, passed over or assumed, one sentence each.
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
        """Fit for JSON."""
        names = ("kind", "id", "reason")
        lists = {
            key: [dict(zip(names, row, strict=True)) for row in getattr(self, key)]
            for key in ("failed", "unanswered")
        }
        return {**asdict(self), "path": str(self.path), "notices": list(self.notices), **lists}


@dataclass(frozen=True)
class CostEstimate:
    """What a run would ask, and what it would cost.

    Attributes:
        model: as it would be asked.
        requests: prompts that would be asked.
        reused: prompts that are answered already.
        tokens_in: tokens they have, estimated.
        tokens_out: tokens of the answers, estimated.
        most_tokens_out: tokens of the answers if each is as long as it may be.
        cost: dollars; None without a price.
        most: dollars if each answer is as long as it may be.
        prompts: the first three.
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
        """Fit for JSON."""
        return asdict(self)
