"""The contents of the pictures and of the page, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from darec.data.dataset import Dataset
from darec.errors import RunError
from darec.numerics.diagnostics import effective_rank, similarity_spread
from darec.progress import OnStage
from darec.run import Run
from darec.text.load import stored_encoders
from darec.types import IntArray
from darec.visualize.cases import SHOWN, CaseStudy, study_cases
from darec.visualize.maps import Partners, Plane, partnered, plane
from darec.visualize.sides import KINDS, Sides, n_clusters_of, sample_rows, sides_of
from darec.visualize.similarity import Similarities, similarities
from darec.visualize.words import typical_words, words_of

_MATRIX_ROWS = 120  # more dots cannot be distinguished on a page, and make a large file


@dataclass(frozen=True)
class View:
    """The users, or the items.

    Attributes:
        kind: ``users`` or ``items``.
        compared: names of the two tables whose structures are compared.
        partners: clusters of these two over all entities.
        rows: [m] the entities in the maps.
        maps: method -> table -> [m, 2] places.
        together: whether the compared tables share one map; they must have one width.
        similarities: cosines of some of the rows.
        ranks: table -> effective rank over all entities.
        spreads: table -> standard deviation of the cosine over all pairs of entities.
        names: [K] typical words of each cluster of the first compared table.
        titles: [m] name of each entity in the maps.
    """

    kind: str
    compared: tuple[str, str]
    partners: Partners
    rows: IntArray
    maps: dict[str, dict[str, Plane]]
    together: bool
    similarities: Similarities
    ranks: dict[str, float]
    spreads: dict[str, float]
    names: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    def figures(self) -> dict[str, Any]:
        """Return the numbers of the view."""
        before = self.similarities.correlation("E_C", "E_L")
        after = self.similarities.correlation(*self.compared)
        return {
            "clusters": self.partners.n_clusters,
            "in_partner_clusters": self.partners.agreement,
            "in_partner_clusters_by_chance": self.partners.by_chance,
            "similarity_correlation/E_C,E_L": before,
            f"similarity_correlation/{','.join(self.compared)}": after,
            **{f"effective_rank/{name}": rank for name, rank in self.ranks.items()},
            **{f"similarity_spread/{name}": spread for name, spread in self.spreads.items()},
        }


@dataclass(frozen=True)
class Anatomy:
    """The contents of the page of a run.

    Attributes:
        run: its pair and folder, such as ``lightgcn + darec (runs/a)``.
        against: the same for the run without alignment; None without such a run.
        dataset: name of the dataset's folder.
        encoder: that made the language vectors E_L.
        has_parts: whether the alignment has shared and specific parts.
        views: of the users and of the items.
        study: users whose texts are similar; None if there are none.
    """

    run: str
    against: str | None
    dataset: str
    encoder: str
    has_parts: bool
    views: tuple[View, ...]
    study: CaseStudy | None

    def tree(self) -> dict[str, Any]:
        """Return the figures as JSON values, with the first cases in full."""
        study = self.study
        cases: dict[str, Any] | None = None
        if study is not None:
            names = study.cases[0].near
            cases = {
                "pairs": len(study.cases),
                "least_hops": study.hops,
                "users": study.n_users,
                "median_rank": {name: study.median_rank(name) for name in names},
                "first": [asdict(case) for case in study.cases[:SHOWN]],
            }
        return {
            "run": self.run,
            "against": self.against,
            "dataset": self.dataset,
            "encoder": self.encoder,
            "has_parts": self.has_parts,
            **{view.kind: view.figures() for view in self.views},
            "cases": cases,
        }


def anatomy_of(
    run: Run,
    *,
    against: Run | None = None,
    methods: Sequence[str] = ("pca", "tsne"),
    n_clusters: int | None = None,
    rows: int = 500,
    hops: int | None = None,
    seed: int = 0,
    on_stage: OnStage = lambda what: None,
) -> Anatomy:
    """Encode a run's entities and compute the contents of its page.

    Args:
        run: a finished run with a folder.
        against: a run on the same dataset without alignment; its E_C is shown beside the run's.
        methods: of :data:`darec.visualize.maps.METHODS`.
        n_clusters: K; None: that of the alignment, or 8.
        rows: number of entities of each kind in a map, drawn at random.
        hops: smallest distance of the pairs of users; None: see :data:`darec.visualize.cases.FAR`.
        seed: of every draw.
        on_stage: called with the name of each stage.

    Raises:
        RunError: the weights do not fit, the language vectors have changed, or ``against`` has another dataset.
        TextError: there are no language vectors.
        ConfigError: there are more clusters than entities.
    """
    on_stage("encoding the run")
    sides = sides_of(run)
    bare: dict[str, Tensor] = {}
    if against is not None:
        if against.dataset.fingerprint() != run.dataset.fingerprint():
            raise RunError(f"{against.path} and {run.path} are runs on different datasets.")
        on_stage("encoding the other run")
        bare = {kind: side.tables["E_C"] for kind, side in sides_of(against).items()}
    wanted = n_clusters or n_clusters_of(run)
    views = tuple(
        _view(run.dataset, sides[kind], bare.get(kind), methods, wanted, rows, seed, on_stage)
        for kind in KINDS
    )
    users = sides["users"]
    tables = {"E_L": users.tables["E_L"]}
    if against is not None:
        tables["E_C, other run"] = bare["users"]
    tables["E_C"] = users.tables["E_C"]
    tables |= {name: users.tables[name] for name in ("C_sh", "L_sh") if name in users.tables}
    study = study_cases(run.dataset, users, tables, hops=hops, seed=seed, on_stage=on_stage)
    path = run.dataset.path
    return Anatomy(
        run=_called(run),
        against=_called(against) if against else None,
        dataset=path.resolve().name if path else "",
        encoder=run.config.text.encoder or stored_encoders(run.dataset)[0],
        has_parts=users.compared != ("E_C", "E_L"),
        views=views,
        study=study,
    )


def _view(
    dataset: Dataset,
    sides: Sides,
    bare: Tensor | None,
    methods: Sequence[str],
    n_clusters: int,
    rows: int,
    seed: int,
    on_stage: OnStage,
) -> View:
    first, second = sides.compared
    C, L = sides.tables[first], sides.tables[second]
    on_stage(f"clusters of {sides.kind}")
    partners = partnered(C, L, n_clusters, seed)
    shown = sample_rows(len(C), rows, seed)
    together = C.shape[1] == L.shape[1]
    maps: dict[str, dict[str, Plane]] = {}
    for method in methods:
        groups = [sides.compared] if together else [(first,), (second,)]
        maps[method] = {}
        for names in (*groups, *((name,) for name in sides.specific)):
            on_stage(f"{method} of {' and '.join(names)}, {len(shown)} {sides.kind}")
            places = plane([sides.tables[name][shown] for name in names], method, seed)
            maps[method] |= dict(zip(names, places, strict=True))
    on_stage(f"similarities of {sides.kind}")
    before = {"E_C, other run": bare} if bare is not None else {}
    before |= {name: sides.tables[name] for name in ("E_C", "E_L")}
    after = {name: sides.tables[name] for name in sides.compared}
    return View(
        kind=sides.kind,
        compared=sides.compared,
        partners=partners,
        rows=shown,
        maps=maps,
        together=together,
        similarities=similarities(
            {**before, **after}, sample_rows(len(C), _MATRIX_ROWS, seed), partners.C, first
        ),
        ranks={name: effective_rank(table) for name, table in sides.tables.items()},
        spreads={name: similarity_spread(table) for name, table in sides.tables.items()},
        names=typical_words(words_of(dataset, sides.kind, shown), partners.C[shown], n_clusters),
        titles=_titles(dataset, sides.kind, shown),
    )


def _titles(dataset: Dataset, kind: str, rows: IntArray) -> tuple[str, ...]:
    """Return titles of items, or ids of users."""
    if kind == "items":
        titles = dataset.titles
        return tuple(str(titles[int(row)]) for row in rows)
    return tuple(dataset.users.texts[int(row)] for row in rows)


def _called(run: Run) -> str:
    return f"{run.config.backbone.name} + {run.config.alignment.name} ({run.path})"
