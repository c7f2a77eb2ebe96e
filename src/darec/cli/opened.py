"""Open the argument of commands that recommend: a run or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darec.listing.recommending import Recommending


def opened(path: Path, data: Path | None) -> Recommending:
    """The run or the bundle in a folder.

    Args:
        path: the folder of the run or of the bundle.
        data: folder of a run's dataset, if it has moved since training.
    """
    from darec.errors import ConfigError
    from darec.export.manifest import is_bundle

    if is_bundle(path):
        if data is not None:
            raise ConfigError(f"--data is for runs, and {path} is a bundle: leave --data out.")
        from darec.export.bundle import open_bundle

        return open_bundle(path)
    from darec.run import Run

    return Run.load(path, dataset=data)
