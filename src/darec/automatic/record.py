"""The record of a search, ``auto.json`` in its folder, from which a resumed search continues."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from darec.errors import RunError
from darec.files import json_value, read_json, write_json
from darec.run_folder import SEARCH
from darec.types import TextTable

State = Literal["begun", "finished", "stopped", "skipped", "failed"]


@dataclass(frozen=True)
class Tried:
    """The outcome of one candidate.

    Attributes:
        name: its name.
        settings: its parts, or the difference from the recommended settings.
        state: ``begun`` if it was interrupted; ``finished``; ``stopped`` at the time limit, with the best weights so
            far; ``skipped`` because of too little time; ``failed`` with an error.
        value: value of the monitored metric on the validation split, or None.
        seconds: elapsed time.
        epochs: number of trained epochs; 1 for a closed form.
        per_epoch: seconds of training in an epoch, without evaluation.
        reason: why it was skipped, was stopped or failed.
    """

    name: str
    settings: Mapping[str, Any]
    state: State
    value: float | None = None
    seconds: float = 0.0
    epochs: int = 0
    per_epoch: float = 0.0
    reason: str | None = None

    @property
    def done(self) -> bool:
        """Whether it has a model."""
        return self.state in ("finished", "stopped")


@dataclass(frozen=True)
class Record:
    """The inputs and the results of a search.

    Attributes:
        minutes: time limit.
        monitor: the metric on the validation split by which it chooses.
        settings: settings of all candidates, by dotted key.
        fingerprint: fingerprint of the dataset.
        text: hash of the language vectors, or None.
        candidates: the outcomes so far, in order.
        chosen: name of the best candidate; None if it is not chosen yet.
        why: one sentence with the reason.
    """

    minutes: float
    monitor: str
    settings: Mapping[str, Any]
    fingerprint: str
    text: str | None
    candidates: tuple[Tried, ...] = ()
    chosen: str | None = None
    why: str | None = None

    def check_text(self, text: TextTable | None) -> None:
        """Raise ``RunError`` if the language vectors have changed since the search began."""
        if self.text != (text.fingerprint() if text else None):
            raise RunError(
                "the language vectors have changed since the search was started: encode with the same options as then, "
                "or search again with --overwrite."
            )

    @property
    def seconds(self) -> float:
        """Seconds used so far."""
        return sum(tried.seconds for tried in self.candidates)

    def find(self, name: str) -> Tried | None:
        """The outcome of a candidate, or None."""
        return next((tried for tried in self.candidates if tried.name == name), None)

    def noted(self, tried: Tried) -> Self:
        """The record with the outcome of one candidate added."""
        if self.find(tried.name) is None:
            return replace(self, candidates=(*self.candidates, tried))
        noted = (tried if one.name == tried.name else one for one in self.candidates)
        return replace(self, candidates=tuple(noted))

    def ranking(self) -> list[Tried]:
        """The candidates that have a model, best first. Equal ones keep the order in which they were tried."""
        done = [tried for tried in self.candidates if tried.done]
        return sorted(done, key=lambda tried: -(tried.value or 0.0))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "seconds": self.seconds}

    def save(self, folder: Path) -> None:
        """Write ``auto.json``."""
        write_json(folder / SEARCH, self.as_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``auto.json``. Raises ``RunError`` if it is damaged."""
        try:
            stored = read_json(folder / SEARCH)
            del stored["seconds"]
            tried = tuple(Tried(**one) for one in stored.pop("candidates"))
            return cls(**stored, candidates=tried)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{folder / SEARCH} is damaged ({error}): search again with --overwrite."
            ) from error


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in the form of JSON, with lists for tuples."""
    value: dict[str, Any] = json_value(json.dumps(dict(settings)))
    return value
