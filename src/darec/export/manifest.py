"""The manifest of a bundle: its description, the version of its format, and the hash of every file.

The manifest also holds a hash of itself, so a change of any byte of a bundle is detected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from darec.errors import RunError
from darec.files import parse_json
from darec.swap import MARKER

FORMAT: Final = "darec bundle"
VERSION: Final = 1
"""Version of the format; it rises whenever an earlier darec would read a bundle wrongly."""
_OWN: Final = "sha256"


def sealed(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a folder of files.

    Args:
        folder: that holds every file of the bundle except the manifest.
        about: further entries.
    """
    return _sealed({"format": FORMAT, "version": VERSION, **about, "files": _described(folder)})


def resealed(
    manifest: Mapping[str, Any], folder: Path, without: Iterable[str], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest of a bundle after some files are replaced.

    Args:
        manifest: of the present bundle.
        folder: that holds the new files.
        without: names of files that are removed.
        about: other entries that change.
    """
    files = {name: file for name, file in manifest["files"].items() if name not in without}
    return _sealed({**manifest, **about, "files": files | _described(folder)})


def marker_text(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as the text of its file."""
    return json.dumps(manifest, indent=2, sort_keys=True) + "\n"


def is_bundle(path: Path) -> bool:
    """Whether a folder has the manifest of a bundle, complete or not."""
    try:
        return parse_json((path / MARKER).read_bytes()).get("format") == FORMAT
    except (OSError, ValueError):
        return False


def index_kind(path: Path) -> str | None:
    """Return the kind of the index in a bundle; None if it has none, or there is no bundle."""
    try:
        kind = parse_json((path / MARKER).read_bytes())["index"]["kind"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return None if kind == "flat" else str(kind)


def read_manifest(path: Path, content: bytes) -> dict[str, Any]:
    """Read a manifest and check it.

    Raises:
        RunError: there is none, or it was changed or is of a later version.
    """
    try:
        manifest = parse_json(content)
    except ValueError as error:
        raise RunError(f"{path / MARKER} is damaged ({error}): export again.") from None
    if manifest.get("format") != FORMAT:
        raise RunError(f"{path} is not a bundle: make one with 'darec export RUN --out FOLDER'.")
    version = manifest.get("version")
    if isinstance(version, int) and version > VERSION:
        raise RunError(
            f"{path} is a bundle of version {version}, and this darec reads up to {VERSION}: upgrade darec, or export "
            "again with this one."
        )
    if version != VERSION or manifest.get(_OWN) != _digest(manifest):
        raise RunError(
            f"{path / MARKER} was changed after the export: copy the bundle again, or export again."
        )
    return manifest


def check_files(path: Path, manifest: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise ``RunError`` on a file that is missing or was changed."""
    for name in names:
        about = manifest["files"][name]
        file = path / name
        if not file.is_file():
            raise RunError(f"{file} is missing: copy the bundle again, or export again.")
        if file.stat().st_size != about["bytes"] or _hash(file) != about["sha256"]:
            raise RunError(
                f"{file} was changed after the export: copy the bundle again, or export again."
            )


def _described(folder: Path) -> dict[str, Any]:
    return {
        file.name: {"bytes": file.stat().st_size, "sha256": _hash(file)}
        for file in sorted(folder.iterdir())
    }


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {**manifest, _OWN: _digest(manifest)}


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in manifest.items() if name != _OWN}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
