"""The steps of ``darec visualize``: read the runs, compute, draw, and write the folder."""

from __future__ import annotations

from pathlib import Path

from darec.console import Console
from darec.errors import ConfigError, RunError
from darec.files import is_free, write_json
from darec.lock import locked
from darec.report.drawing import empty_panels
from darec.run import Run
from darec.visualize.anatomy import Anatomy, anatomy_of
from darec.visualize.maps import parse_methods
from darec.visualize.page import write_anatomy

_MARKER = "anatomy.json"


def visualize(
    run: str | Path,
    *,
    out: str | Path,
    against: str | Path | None = None,
    methods: str = "pca,tsne",
    n_clusters: int | None = None,
    rows: int = 500,
    hops: int | None = None,
    seed: int = 0,
    data: str | Path | None = None,
    command: str = "",
    progress: bool = True,
) -> Anatomy:
    """Draw a finished run: ``index.html``, PNG and SVG files, and the figures in ``anatomy.json``.

    Args:
        run: folder of a finished run.
        out: folder for the pictures; a folder with other contents is refused.
        against: folder of a run on the same data without alignment.
        methods: names between commas, of ``pca``, ``tsne`` and ``umap``.
        n_clusters: K; None: that of the alignment, or 8.
        rows: number of users, and of items, in a map.
        hops: smallest distance of the pairs of users in the case study.
        seed: of every draw.
        data: the run's dataset, if it has moved.
        command: the command line, for the record.
        progress: show progress on standard error.

    Raises:
        RunError: there is no run, its weights do not fit, or the folder has other contents.
        ConfigError: a method is unknown, there are too many clusters, or a package is missing.
        TextError: there are no language vectors.
    """
    out = Path(out)
    if not is_free(out) and not (out / _MARKER).exists():
        raise RunError(f"{out} holds other files: choose another --out.")
    if n_clusters is not None and n_clusters < 2:
        raise ConfigError(f"--clusters {n_clusters}: must be at least 2.")
    if rows < 3:
        raise ConfigError(f"--rows {rows}: must be at least 3.")
    named = parse_methods(methods)
    empty_panels(1, 1, height=1)  # check for matplotlib before the long work
    loaded = Run.load(run, dataset=data)
    other = Run.load(against, dataset=loaded.dataset) if against else None
    console = Console(stderr=True, quiet=not progress)
    with locked(out) as lock, console.status("") as status:

        def on_stage(what: str) -> None:
            status.update(f"{what} ...")

        anatomy = anatomy_of(
            loaded,
            against=other,
            methods=named,
            n_clusters=n_clusters,
            rows=rows,
            hops=hops,
            seed=seed,
            on_stage=on_stage,
        )
        lock.check()
        write_json(out / _MARKER, anatomy.tree())
        write_anatomy(anatomy, out, command=command, on_stage=on_stage)
    return anatomy
