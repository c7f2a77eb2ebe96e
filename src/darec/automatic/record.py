"""What a search has tried and how it went: ``auto.json`` in its folder, and what a resumed search goes on from."""

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
    """What became of one candidate.

    Attributes:
        name: its name.
        settings: its parts, or what differs from the recommended settings.
        state: ``begun`` and cut short; ``finished``; ``stopped`` by the end of the time, with the best weights until
            then; ``skipped`` for want of time; ``failed`` by an error.
        value: of the monitored metric on the validation split; None where there is none.
        seconds: by the clock.
        epochs: trained; 1 for a closed form.
        per_epoch: seconds of training an epoch, without its evaluation.
        reason: why it was skipped or stopped, or failed.
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
        """Whether it has a model to choose."""
        return self.state in ("finished", "stopped")


@dataclass(frozen=True)
class Record:
    """What a search was begun with, and what it has come to.

    Attributes:
        minutes: what it may take.
        monitor: the metric on the validation split by which it chooses.
        settings: given for all candidates, by dotted key.
        fingerprint: of the dataset.
        text: hash of the language vectors; None: there are none.
        candidates: those that were looked at, in the order of trying.
        chosen: name of the best; None: not settled yet.
        why: one sentence.
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
        """Raise ``RunError`` where the language vectors are not those that the search was begun with."""
        if self.text != (text.fingerprint() if text else None):
            raise RunError(
                "the language vectors are not those that the search was begun with: encode as then, or search anew "
                "with --overwrite."
            )

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return sum(tried.seconds for tried in self.candidates)

    def find(self, name: str) -> Tried | None:
        """What became of a candidate; None: it was not looked at."""
        return next((tried for tried in self.candidates if tried.name == name), None)

    def noted(self, tried: Tried) -> Self:
        """With what became of one candidate."""
        if self.find(tried.name) is None:
            return replace(self, candidates=(*self.candidates, tried))
        noted = (tried if one.name == tried.name else one for one in self.candidates)
        return replace(self, candidates=tuple(noted))

    def ranking(self) -> list[Tried]:
        """Those that have a model, best first; of equals, the one that was tried first."""
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
        """Read ``auto.json``. Raises ``RunError`` where it is damaged."""
        try:
            stored = read_json(folder / SEARCH)
            del stored["seconds"]
            tried = tuple(Tried(**one) for one in stored.pop("candidates"))
            return cls(**stored, candidates=tried)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{folder / SEARCH} is damaged ({error}): search anew with --overwrite."
            ) from error


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are read back from JSON: lists for tuples."""
    value: dict[str, Any] = json_value(json.dumps(dict(settings)))
    return value
