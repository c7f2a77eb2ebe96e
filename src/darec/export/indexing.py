"""An index for a bundle: built, measured against exact lists, and put into the folder in one step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from torch.nn import functional as F

from darec.errors import ConfigError, FolderError
from darec.export.bundle import INDEX, INDEX_VERSION, SCORER, SIMILAR, Bundle, open_bundle
from darec.export.index import EFFORTS, ItemIndex, import_faiss
from darec.export.manifest import marker_text, resealed
from darec.export.search import Indexable, IndexSearch
from darec.files import read_json
from darec.listing.search import EXACT, Search
from darec.numerics.vector_index import BUILD, KINDS, LINKS, Kind
from darec.progress import OnStage
from darec.scoring import TableScorer
from darec.swap import MARKER, replacing
from darec.types import IntArray

FEW: Final = 100_000
"""Items below which ``auto`` makes no index: all of them are scored in a few milliseconds."""
K: Final = 20
"""Length of the lists by which an index is measured."""
SAMPLE: Final = 300
"""Users, and items, whose lists are compared."""


@dataclass(frozen=True)
class Measured:
    """An index and what it finds.

    Attributes:
        index: with the least effort that reaches the recall that was asked for, or else with the most there is.
        recall: share of the exact lists that it finds, at :data:`K`; None where there is nobody to measure it on.
    """

    index: ItemIndex
    recall: float | None


def index_bundle(
    path: str | Path,
    kind: Literal["auto", "flat", "hnsw", "ivf"] = "auto",
    *,
    recall: float = 0.98,
    seed: int = 0,
    on_stage: OnStage = lambda _: None,
) -> Bundle:
    """Put an index of its items into a bundle, in place of one that it may have.

    Effort, how much a search looks at, is raised until the lists of a sample of users have the recall.

    Args:
        path: the bundle's folder.
        kind: ``hnsw``; ``ivf``; ``flat``, which takes an index out, so that lists are ranked exactly; or ``auto``,
            which is ``hnsw`` from 100,000 items on.
        recall: share of the exact lists, at 20, that an index is to find.
        seed: of the sample, and of ``ivf``.
        on_stage: is told what is done.

    Returns:
        The bundle, opened anew. ``manifest["index"]`` says what was made and what it finds.

    Raises:
        ConfigError: another kind, faiss is not installed, or a scorer that has no inner product.
        RunError: no whole bundle there.
        FolderError: it was replaced meanwhile, another process writes it, or it cannot be written.
    """
    path = Path(path)
    if kind not in ("auto", *KINDS):
        raise ConfigError(f"--kind={kind}: choose from auto, {', '.join(KINDS)}.")
    if not 0 < recall <= 1:
        raise ConfigError(f"--recall={recall}: give a share above 0 and up to 1.")
    bundle = open_bundle(path, index=False)
    made: Kind = kind if kind != "auto" else ("hnsw" if _is_large(bundle) else "flat")
    started = time.monotonic()
    found: dict[str, Measured] = {}
    if made != "flat":
        found = _build(bundle, made, recall, seed, on_stage)
    about = _about(bundle, made, found, recall, time.monotonic() - started)

    def unchanged() -> None:
        if read_json(path / MARKER) != bundle.manifest:
            raise FolderError(f"{path} was replaced while its index was built: run it again.")

    with replacing(path, unchanged) as new:
        for name, measured in found.items():
            measured.index.save(new / name)
        manifest = resealed(bundle.manifest, new, (INDEX, SIMILAR), {"index": about})
        (new / MARKER).write_text(marker_text(manifest))
    return open_bundle(path)


def _is_large(bundle: Bundle) -> bool:
    """Whether an index saves time and is possible; other scorers are exact by themselves."""
    try:
        Indexable.of(bundle.scorer)
    except ConfigError:
        return False
    return len(bundle.items) >= FEW


def _build(
    bundle: Bundle, kind: Kind, recall: float, seed: int, on_stage: OnStage
) -> dict[str, Measured]:
    try:
        parts = Indexable.of(bundle.scorer)
    except ConfigError as error:
        raise ConfigError(f"--kind={kind} does not fit {bundle.path}: {error}") from None
    if not len(bundle.items):
        raise ConfigError(f"{bundle.path} has no items: there is nothing to index.")
    draw = np.random.default_rng(seed)
    vectors = parts.items()
    size, k = len(vectors), min(K, len(vectors))
    on_stage(f"building an index of {size:,} items ({kind})")
    index = ItemIndex.build(vectors, kind, seed=seed)
    on_stage("comparing its lists with exact ones")
    users = _sample(draw, np.flatnonzero(bundle.seen.user_degree))

    def of_users(search: Search) -> IntArray:
        return search.top_k(bundle.scorer, users, k, None, bundle.seen)[0]

    found = {
        INDEX: _measured(index, lambda one: IndexSearch(parts, one, always=True), of_users, recall)
    }
    if isinstance(bundle.scorer, TableScorer) and size > 1:
        on_stage(f"building an index of items like one ({kind})")
        unit = F.normalize(bundle.scorer.tables.items.float(), dim=1).cpu().numpy()
        alike = ItemIndex.build(unit, kind, seed=seed)
        on_stage("comparing its lists with exact ones")
        items = _sample(draw, np.arange(size))

        def of_items(search: Search) -> IntArray:
            lists = [search.similar(bundle.scorer, int(item), k).items for item in items]
            return np.concatenate(lists)

        found[SIMILAR] = _measured(
            alike, lambda one: IndexSearch(parts, index, one, always=True), of_items, recall
        )
    return found


def _sample(draw: np.random.Generator, rows: IntArray) -> IntArray:
    return draw.permutation(rows)[:SAMPLE]


def _measured(
    index: ItemIndex,
    search: Callable[[ItemIndex], Search],
    lists: Callable[[Search], IntArray],
    recall: float,
) -> Measured:
    """Raise the effort of an index until its lists have the recall."""
    exact = lists(EXACT)
    if not len(exact):
        return Measured(index, None)
    found = 0.0
    for effort in EFFORTS[index.kind]:
        index.effort = effort
        found = _overlap(exact, lists(search(index)))
        if found >= recall:
            break
    return Measured(index, found)


def _overlap(exact: IntArray, found: IntArray) -> float:
    """Mean share of the items of each list of [n, k] that stand in the other as well."""
    shares = [
        np.isin(one[one >= 0], other).mean()
        for one, other in zip(exact, found, strict=True)
        if (one >= 0).any()
    ]
    return float(np.mean(shares)) if shares else 1.0


def _about(
    bundle: Bundle, kind: Kind, found: dict[str, Measured], recall: float, seconds: float
) -> dict[str, Any]:
    """What the manifest says of the indexes."""
    about: dict[str, Any] = {"version": INDEX_VERSION, "kind": kind, "darec": version("darec")}
    if not found:
        return about
    parameters = {"links": LINKS, "build": BUILD} if kind == "hnsw" else {}
    return about | {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 1),
        "faiss": import_faiss().__version__,
        "scorer": bundle.manifest["files"][SCORER]["sha256"],
        "parameters": parameters,
        "effort": {name: one.index.effort for name, one in found.items()},
        "recall": {
            "k": K,
            "wanted": recall,
            "found": {
                name: None if one.recall is None else round(one.recall, 4)
                for name, one in found.items()
            },
        },
    }
