"""Builds an index for a bundle, measures it against exact lists, and puts it into the folder in one step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, cast

from darec.errors import ConfigError, FolderError
from darec.export.bundle import INDEX, INDEX_VERSION, SCORER, SIMILAR, Bundle, open_bundle
from darec.export.index import import_faiss
from darec.export.manifest import marker_text, resealed
from darec.export.search import Indexable
from darec.export.trials import K, Measured, Trials
from darec.files import read_json, writing
from darec.numerics.vector_index import BUILD, KINDS, LINKS, Kind
from darec.progress import OnStage
from darec.swap import MARKER, replacing

FEW: Final = 100_000
"""With fewer items, ``auto`` makes no index: scoring all of them takes a few milliseconds."""
INDEXES: Final[tuple[Kind, ...]] = ("hnsw", "ivf")
"""Kinds that ``auto`` tries, the fastest to search first."""


def index_bundle(
    path: str | Path,
    kind: Literal["auto", "flat", "hnsw", "ivf"] = "auto",
    *,
    recall: float = 0.98,
    seed: int = 0,
    on_stage: OnStage = lambda _: None,
) -> Bundle:
    """Put an index of its items into a bundle; an existing index is replaced.

    The effort of a search is raised until the lists of a sample of users reach the recall.

    Args:
        path: the bundle's folder.
        kind: ``hnsw``; ``ivf``; ``flat``, which removes an index, so that lists are ranked exactly; or ``auto``. With
            100,000 items or more, ``auto`` takes the first of ``hnsw`` and ``ivf`` that reaches the recall in less time
            than scoring all items; it takes ``flat`` if neither does or there are fewer items.
        recall: share of the exact lists, at 20, that an index must find. If ``kind`` names one, that index is made even
            if it finds less.
        seed: of the sample, and of ``ivf``.
        on_stage: is called with the name of each stage.

    Returns:
        The bundle, opened again. ``manifest["index"]`` holds the index, the reason for it, its recall and the kinds
        that were tried.

    Raises:
        ConfigError: the kind is unknown, faiss is not installed, or the scorer has no inner product.
        RunError: the folder holds no complete bundle.
        FolderError: the bundle was replaced meanwhile, another process writes it, or it cannot be written.
    """
    path = Path(path)
    if kind not in ("auto", *KINDS):
        raise ConfigError(f"--kind={kind}: choose from auto, {', '.join(KINDS)}.")
    if not 0 < recall <= 1:
        raise ConfigError(f"--recall={recall}: choose a share above 0 and up to 1.")
    bundle = open_bundle(path, index=False)
    started = time.monotonic()
    made = _choose(bundle, kind, recall, seed, on_stage)
    about = _about(bundle, made, recall, time.monotonic() - started)

    def unchanged() -> None:
        if read_json(path / MARKER) != bundle.manifest:
            raise FolderError(f"{path} was replaced while its index was built: run it again.")

    with writing(path), replacing(path, unchanged) as new:
        for name, measured in made.found.items():
            measured.index.save(new / name)
        manifest = resealed(bundle.manifest, new, (INDEX, SIMILAR), {"index": about})
        (new / MARKER).write_text(marker_text(manifest))
    return open_bundle(path)


@dataclass(frozen=True)
class _Made:
    """The choice of an index.

    Attributes:
        kind: of the index.
        why: the reason, in words.
        found: the indexes, by file; none for ``flat``.
        tried: each kind that was built, in order.
        left_out: why there is no index for items like one; None: there is one, or there cannot be.
        parts: of the scorer, if there is an index.
    """

    kind: Kind
    why: str
    found: Mapping[str, Measured] = field(default_factory=dict)
    tried: tuple[dict[str, Any], ...] = ()
    left_out: str | None = None
    parts: Indexable | None = None


def _choose(bundle: Bundle, kind: str, recall: float, seed: int, on_stage: OnStage) -> _Made:
    """Build the kind that was asked for; for ``auto``, build kinds, the fastest first, until one reaches the recall."""
    size = len(bundle.items)
    if kind == "flat":
        return _Made("flat", "as asked for")
    try:
        parts = Indexable.of(bundle.scorer)
    except ConfigError as error:
        if kind == "auto":
            return _Made("flat", str(error).split(":")[0])
        raise ConfigError(f"--kind={kind} does not fit {bundle.path}: {error}") from None
    if kind == "auto" and size < FEW:
        return _Made("flat", f"below {FEW:,} items all are scored in a few milliseconds")
    if not size:
        raise ConfigError(f"{bundle.path} has no items, so there is nothing to index.")
    trials = Trials(bundle, parts, recall, seed, on_stage)
    tried: list[dict[str, Any]] = []
    for one in INDEXES if kind == "auto" else (cast(Kind, kind),):
        measured = trials.of_users(one)
        tried.append(measured.about(recall))
        if kind != "auto" or (measured.reaches(recall) and measured.pays):
            why = "as asked for" if kind != "auto" else _told(tried)
            return _with_alike(
                trials, measured, _Made(one, why, tried=tuple(tried), parts=parts), kind
            )
    return _Made("flat", _told(tried), tried=tuple(tried))


def _with_alike(trials: Trials, measured: Measured, made: _Made, kind: str) -> _Made:
    """Add an index for items like one, unless ``auto`` finds that it misses the recall."""
    found = {INDEX: measured}
    alike = trials.alike(made.kind, measured.index)
    if alike is not None and kind == "auto" and not alike.reaches(trials.recall):
        return replace(made, found=found, left_out=alike.said(trials.recall))
    return replace(made, found=found | ({SIMILAR: alike} if alike else {}))


def _told(tried: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{one['kind']}: {one['said']}" for one in tried)


def _about(bundle: Bundle, made: _Made, recall: float, seconds: float) -> dict[str, Any]:
    """Return the manifest's entry on the indexes."""
    about: dict[str, Any] = {
        "version": INDEX_VERSION,
        "kind": made.kind,
        "why": made.why,
        "darec": version("darec"),
        "tried": list(made.tried),
    }
    if made.parts is None or not made.found:
        return about
    parameters = {"links": LINKS, "build": BUILD} if made.kind == "hnsw" else {}
    return about | {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 1),
        "faiss": import_faiss().__version__,
        "scorer": bundle.manifest["files"][SCORER]["sha256"],
        "parameters": parameters,
        "scale": made.parts.scale,
        "left_out": made.left_out,
        "effort": {name: one.index.effort for name, one in made.found.items()},
        "recall": {
            "k": K,
            "wanted": recall,
            "found": {name: one.about(recall)["recall"] for name, one in made.found.items()},
        },
    }
