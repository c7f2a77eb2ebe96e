"""Texts and id lists from a user's own files. Bad input is refused with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from darec.errors import TextError
from darec.files import json_value


def read_texts(path: Path, kind: Literal["item", "user"]) -> dict[str, str | None]:
    """Text by id from JSONL, with ``{"user_id": "U1", "text": "..."}`` (or ``item_id``) on each line.

    Other keys are ignored.

    Raises:
        TextError: the file does not exist, is not UTF-8 or is not JSONL, an id is missing or repeated, or a text is not
            a string.
    """
    texts: dict[str, str | None] = {}
    for line, row in read_jsonl(path):
        identifier = _identifier(row.get(f"{kind}_id"), f"{kind}_id", path, line)
        if identifier in texts:
            raise TextError(
                f"{path}, line {line}: {kind} {identifier!r} already has a line: keep one."
            )
        texts[identifier] = _text(row, path, line)
    if not texts:
        raise TextError(
            f"{path} is empty: write one JSON object with {kind}_id and text on each line."
        )
    return texts


def read_reviews(path: Path) -> dict[tuple[str, str], str]:
    """Reviews by user and item id, from JSONL with ``user_id``, ``item_id`` and ``text``.

    Raises:
        TextError: as :func:`read_texts`; of several reviews of one pair the last is kept.
    """
    return {
        (
            _identifier(row.get("user_id"), "user_id", path, line),
            _identifier(row.get("item_id"), "item_id", path, line),
        ): _text(row, path, line) or ""
        for line, row in read_jsonl(path)
    }


def read_ids(path: Path) -> list[str]:
    """Ids in row order: ``.txt`` (one on each line), ``.json`` (an array) or ``.jsonl`` (each line's ``item_id``).

    Raises:
        TextError: the file does not exist, has another format or no ids, or an id is repeated.
    """
    if path.suffix == ".jsonl":
        ids = [_identifier(row.get("item_id"), "item_id", path, n) for n, row in read_jsonl(path)]
    elif path.suffix == ".json":
        values = _parse(_read_text(path), str(path))
        if not isinstance(values, list):
            raise TextError(f"{path} must be a JSON array of ids.")
        ids = [_identifier(value, "id", path, n) for n, value in enumerate(values, 1)]
    elif path.suffix == ".txt":
        ids = _read_text(path).splitlines()
    else:
        raise TextError(
            f"{path}: give the ids as .txt (one on each line), .json (array) or .jsonl."
        )
    if not ids:
        raise TextError(f"{path} has no ids.")
    first: dict[str, int] = {}
    for n, identifier in enumerate(ids, 1):
        if first.setdefault(identifier, n) != n:
            raise TextError(
                f"{path}: id {identifier!r} occurs at positions {first[identifier]} and {n}."
            )
    return ids


def _text(row: dict[str, Any], path: Path, line: int) -> str | None:
    text = row.get("text")
    if not isinstance(text, str | None):
        raise TextError(f"{path}, line {line}: 'text' must be a string or null, not {text!r}.")
    if text is not None and not _is_unicode(text):
        raise TextError(f"{path}, line {line}: 'text' has half of a surrogate pair: correct it.")
    return text


def _is_unicode(text: str) -> bool:
    r"""Whether a string has an unpaired surrogate, which JSON can contain: ``"\ud800"``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise TextError(f"no file {path}.") from None
    except UnicodeDecodeError as error:
        raise TextError(f"{path} is not UTF-8 (byte {error.start}): convert it.") from None


def read_jsonl(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file, each with its line. Raises ``TextError`` naming file and line."""
    rows = []
    # Not splitlines(): JSON strings may contain U+2028 and similar characters unescaped.
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if line.strip():
            row = _parse(line, f"{path}, line {number}")
            if not isinstance(row, dict):
                raise TextError(f"{path}, line {number}: expected a JSON object.")
            rows.append((number, row))
    return rows


def _parse(text: str, place: str) -> Any:
    try:
        return json_value(text)
    except ValueError as error:
        raise TextError(f"{place}: not JSON ({getattr(error, 'msg', error)}).") from None


def _identifier(value: object, key: str, path: Path, line: int) -> str:
    """An id as the importer writes it. A whole number is an id too, written in digits."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TextError(
        f"{path}, line {line}: {key!r} must be a string or a whole number, not {value!r}."
    )
