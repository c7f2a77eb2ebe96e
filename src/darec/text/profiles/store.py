"""The store of answers: one JSONL file to which answers are appended, and the profiles of each kind of entity.

::

    profiles/NAME/
      answers.jsonl    a head with the format, then a line an answer: its record and a checksum of it
      items.jsonl      item_id, text and profile of the items of the last run that asked for items
      users.jsonl      likewise for users
      meta.json        of these two: model, dataset, counts
      .lock            there while a process writes (darec.lock)

An answer is appended in one write and flushed to disk immediately, so a kill loses only the requests in flight. A line
that is damaged or cut short is skipped, and its prompt is sent again. The last record of a key is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from darec.errors import TextError
from darec.files import json_value, write_atomic, write_json
from darec.text.profiles.schema import Kind

FOLDER: Final = "profiles"
"""Name of the folder in a dataset's folder."""
FORMAT: Final = 1
_HEAD: Final = json.dumps({"darec": "profiles", "format": FORMAT})


@dataclass(frozen=True)
class Answer:
    """The result of one prompt.

    Attributes:
        key: key of the prompt.
        kind: ``"item"`` or ``"user"``.
        id: id of the entity.
        model: name of the model.
        profile: the checked profile, or None.
        reason: why there is no profile.
        tokens_in: number of tokens read in all attempts; ``tokens_out``: number of tokens written.
        attempts: number of attempts.
        written: time, UTC.
    """

    key: str
    kind: Kind
    id: str
    model: str
    profile: dict[str, Any] | None
    reason: str | None
    tokens_in: int
    tokens_out: int
    attempts: int
    written: str


class AnswerStore:
    """The folder of one set of profiles; opening it reads every answer.

    Attributes:
        answers: the last one of each key.
        damaged: number of damaged lines.

    Raises:
        TextError: the file has another format, or was not written by darec.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "answers.jsonl"
        self.answers: dict[str, Answer] = {}
        self.damaged = 0
        self._read()

    def add(self, answer: Answer) -> None:
        """Store one answer. It is completely on disk when this returns."""
        record = asdict(answer)
        line = json.dumps({"record": record, "sum": _checksum(record)}) + "\n"
        with self.path.open("ab", buffering=0) as file:
            left = memoryview(line.encode())
            while left:  # a disk that is nearly full writes a part without an error
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        self.answers[answer.key] = answer

    def begin(self) -> None:
        """Create the file, or end a line that a full disk cut short. Only the process with the lock may call it."""
        if not self.path.exists():
            write_atomic(self.path, _HEAD + "\n")
            return
        with self.path.open("rb+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def publish(
        self, kind: Kind, rows: Iterable[tuple[str, Answer]], meta: Mapping[str, Any]
    ) -> int:
        """Write the profiles of one kind for encoders. Returns their number.

        Args:
            kind: kind of the entities.
            rows: ids and answers; those without a profile are left out.
            meta: metadata of the profiles.
        """
        from darec.text.profiles.schema import FORMS

        lines = [
            json.dumps(
                {
                    f"{kind}_id": identifier,
                    "text": FORMS[kind].model_validate(answer.profile).text(),
                    "profile": answer.profile,
                },
                ensure_ascii=False,
            )
            for identifier, answer in rows
            if answer.profile is not None
        ]
        data = "".join(line + "\n" for line in lines).encode()
        write_atomic(self.folder / f"{kind}s.jsonl", data)
        about = {**meta, "profiles": len(lines), "sha256": hashlib.sha256(data).hexdigest()}
        write_json(self.folder / "meta.json", {**read_meta(self.folder), kind: about})
        return len(lines)

    def _read(self) -> None:
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        try:
            head = json_value(lines[0])
            known = head["darec"] == "profiles" and head["format"]
        except (ValueError, KeyError, TypeError):
            known = None
        if known != FORMAT:
            raise TextError(
                f"{self.path} has format {known!r} and this darec reads {FORMAT}: choose another --name."
                if known
                else f"{self.path}, line 1: not a file of answers: move it away, or choose another --name."
            )
        for line in lines[1:]:
            if not line:
                continue
            try:
                entry = json_value(line)
                answer = Answer(**entry["record"])
                whole = entry["sum"] == _checksum(entry["record"])
            except (ValueError, KeyError, TypeError, RecursionError):
                whole = False
            if whole:
                self.answers[answer.key] = answer
            else:
                self.damaged += 1


def read_meta(folder: Path) -> dict[str, Any]:
    """The content of ``meta.json`` for each kind; empty if there is none. Raises ``TextError`` if it is damaged."""
    try:
        return dict(json_value((folder / "meta.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise TextError(f"{folder / 'meta.json'} is damaged: run 'darec profile' again.") from error


def _checksum(record: Mapping[str, Any]) -> str:
    data = json.dumps(record, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:16]
