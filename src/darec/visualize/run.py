"""The whole of ``darec visualize``: read the runs, look, draw, and write the folder."""

from __future__ import annotations

from pathlib import Path

from darec.errors import ConfigError, RunError
from darec.files import is_free, write_json
from darec.lock import locked
from darec.report.drawing import empty_panels
from darec.run import Run
from darec.terminal import Console
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
        out: folder for the pictures; one that holds something else is refused.
        against: folder of a run on the same data without alignment.
        methods: names between commas, of ``pca``, ``tsne`` and ``umap``.
        n_clusters: K; None: as the alignment has, or 8.
        rows: users, and items, in a map.
        hops: least distance of the pairs of users in the case study.
        seed: of every draw.
        data: where the dataset is now, if it has moved.
        command: how this was asked for, for the record.
        progress: show on standard error what is being done.

    Raises:
        RunError: no run, one that does not fit its weights, or a folder that is another's.
        ConfigError: an unknown method, too many clusters, or a package that is missing.
        TextError: no language vectors.
    """
    out = Path(out)
    if not is_free(out) and not (out / _MARKER).exists():
        raise RunError(f"{out} holds other files: choose another --out.")
    if n_clusters is not None and n_clusters < 2:
        raise ConfigError(f"--clusters {n_clusters}: give at least 2.")
    if rows < 3:
        raise ConfigError(f"--rows {rows}: give at least 3.")
    named = parse_methods(methods)
    empty_panels(1, 1, height=1)  # that matplotlib is there, before anything takes long
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
