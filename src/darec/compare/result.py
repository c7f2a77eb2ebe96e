"""The result of a comparison: plain values that are saved as ``comparison.json`` and read back unchanged.

The tree is ``Comparison`` > ``Variant`` > ``Spread``, ``Gain``, ``Curve`` and ``RunRecord``. Metrics have the names of
``metrics.json`` without their split: ``recall@20`` over all users, ``users/1of3/recall@20`` over the third of the users
with the fewest training items, ``items/1of3/recall@20`` with the third of the items with the fewest training users as
targets. Tables, files and the HTML page are made only from this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import polars as pl

from darec.compare.figures import Curve, Gain, RunRecord, Spread
from darec.compare.kinds import KINDS, Kind, KindName, Title
from darec.errors import RunError
from darec.evaluation.groups import Group
from darec.files import json_value, write_json
from darec.tabular import Tabular

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Made = TypeVar("_Made", bound=DataclassInstance)

BASELINE: Final = "none"
"""The baseline alignment in a grid of pairs."""
_SCHEMA_VERSION: Final = 2


FIGURES: Final = ("split", "figure", "seeds", "mean", "sd")
TESTS: Final = (
    *("low", "high", "n_users", "p_users", "p_users_holm"),
    *("seeds_low", "seeds_high", "p_seeds", "p_seeds_holm"),
)
"""Columns of a figure, and of its gain's tests, in a row of :meth:`Comparison.rows`."""


@dataclass(frozen=True)
class Variant:
    """A backbone with an alignment and settings: every figure over its finished seeds.

    Attributes:
        backbone: name.
        alignment: name.
        runs: every run, by seed, including failed ones.
        settings: its settings by dotted key, without the run options.
        settings_file: the file of its settings, with ``--settings``; else None.
        test: metric -> spread on the test split, also by group; empty if no run finished.
        valid: the same on the validation split.
        costs: ``seconds_per_epoch`` (median of the run's epochs), ``seconds_to_best``, ``seconds``, ``best_epoch``,
            ``epochs``, ``peak_rss_mb``, ``parameters``, ``table_dim``.
        diagnostics: the alignment's own figures at the best epoch; only those that every seed has.
        gains: metric -> gain over the baseline: recall and NDCG at every K, and by group at the headline K; empty for
            the baseline itself, or without a baseline.
        curves: validation curve of each finished run.
        label: its name in a sweep or an ablation; None in a grid of pairs, where it is named by its alignment.
        changes: its changed settings, by dotted key; empty in a grid of pairs.
    """

    backbone: str
    alignment: str
    runs: tuple[RunRecord, ...]
    settings: dict[str, Any]
    settings_file: str | None
    test: dict[str, Spread]
    valid: dict[str, Spread]
    costs: dict[str, Spread]
    diagnostics: dict[str, Spread]
    gains: dict[str, Gain]
    curves: tuple[Curve, ...]
    label: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> Title:
        """Its section, its row and its name."""
        return Title.of(self.backbone, self.alignment, self.label)

    @property
    def section(self) -> str:
        """Its section: its backbone, or the pair that is varied."""
        return self.title.section

    @property
    def row(self) -> str:
        """Its row: its alignment, or its label."""
        return self.title.row

    @property
    def name(self) -> str:
        """``lightgcn + darec``, in a sweep ``lightgcn + darec, n_clusters=4``."""
        return self.title.name

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the finished runs: the order of every spread's values."""
        return tuple(run.seed for run in self.runs if run.error is None)

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.error is not None)


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """Variants on one dataset: a grid of pairs, or one pair under settings that a sweep or an ablation changes.

    Attributes:
        dataset: the dataset folder's name.
        fingerprint: :meth:`darec.data.dataset.Dataset.fingerprint`.
        counts: ``users``, ``items``, ``train``, ``valid``, ``test``.
        seeds: the requested seeds.
        ks: cut-offs K.
        mask: the items that evaluation leaves out, ``train`` or ``train+valid``.
        monitor: the validation metric that chose each run's best epoch, such as ``recall@20``.
        headline: the metrics to show first: recall and NDCG at the largest K.
        groups: groups of users by activity and of items by popularity, with bounds and sizes.
        variants: grouped by section; in a grid ``none`` is first; otherwise in the given order.
        command: the command that made it; empty if a program did.
        made: time, ISO 8601.
        machine: processor, or the GPU for runs on one.
        jobs: number of runs trained at the same time, at the last call.
        versions: of ``darec``, ``torch`` and ``python``.
        notes: notes that a reader needs to judge the figures, one sentence each.
        kind: the kind of the variants.
        baseline: the baseline row of each section.
    """

    dataset: str
    fingerprint: str
    counts: dict[str, int]
    seeds: tuple[int, ...]
    ks: tuple[int, ...]
    mask: str
    monitor: str
    headline: tuple[str, ...]
    groups: tuple[Group, ...]
    variants: tuple[Variant, ...]
    command: str
    made: str
    machine: str
    jobs: int
    versions: dict[str, str]
    notes: tuple[str, ...]
    kind: KindName = "pairs"
    baseline: str = BASELINE

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.variants)} {self.words.many} on {self.dataset}, {len(self.seeds)} seeds>"

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row for each variant and figure, as in ``comparison.csv``."""
        for variant in self.variants:
            named: dict[str, Any] = {"backbone": variant.backbone, "alignment": variant.alignment}
            if self.kind != "pairs":
                named["variant"] = variant.row
            named |= {key: json.dumps(variant.changes[key]) for key in self.swept}
            parts: dict[str, dict[str, Spread]] = {
                "test": variant.test,
                "valid": variant.valid,
                "cost": variant.costs,
                "diagnostics": variant.diagnostics,
            }
            for split, spreads in parts.items():
                for name, spread in spreads.items():
                    figures = (split, name, len(spread.values), spread.mean, spread.sd)
                    row = named | dict(zip(FIGURES, figures, strict=True))
                    gain = variant.gains.get(name) if split == "test" else None
                    if gain is not None:
                        row |= {key: getattr(gain, key) for key in ("difference", *TESTS)}
                        row["relative"] = gain.relative[0] if gain.relative else None
                    yield row

    def to_polars(self) -> pl.DataFrame:
        """One row for each variant and figure, as in ``comparison.csv``."""
        return pl.DataFrame(list(self.rows()), infer_schema_length=None)

    @property
    def words(self) -> Kind:
        """The words of its kind."""
        return KINDS[self.kind].over_baseline(self.baseline)

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections, in order."""
        return tuple(dict.fromkeys(variant.section for variant in self.variants))

    def of_section(self, section: str) -> tuple[Variant, ...]:
        """The variants of one section, in order."""
        return tuple(variant for variant in self.variants if variant.section == section)

    def best(self, section: str, metric: str) -> Variant | None:
        """The variant of a section with the highest test mean; None if none finished."""
        finished = [variant for variant in self.of_section(section) if metric in variant.test]
        return max(finished, key=lambda variant: variant.test[metric].mean, default=None)

    @property
    def chosen(self) -> Variant | None:
        """The variant with the highest validation mean, by the metric that chooses epochs; None if none finished."""
        finished = [variant for variant in self.variants if self.monitor in variant.valid]
        return max(finished, key=lambda variant: variant.valid[self.monitor].mean, default=None)

    @property
    def swept(self) -> tuple[str, ...]:
        """The settings that a sweep varies, by dotted key; empty in other kinds."""
        return tuple(self.variants[0].changes) if self.kind == "sweep" else ()

    def tree(self) -> dict[str, Any]:
        """Everything as values for JSON."""
        return {"schema_version": _SCHEMA_VERSION, **asdict(self)}

    def save(self, path: str | Path) -> None:
        """Write ``comparison.json``."""
        write_json(Path(path), self.tree())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Args:
            path: the file, or its folder.

        Raises:
            RunError: the file does not exist or is not a comparison.
        """
        path = Path(path)
        path = path / "comparison.json" if path.is_dir() else path
        if not path.is_file():
            raise RunError(f"no comparison at {path}: make one with 'darec compare'.")
        try:
            tree = json_value(path.read_text(encoding="utf-8"))
            version = tree.pop("schema_version")
            if version == 1:  # before there were sweeps
                tree["variants"] = tree.pop("pairs")
            elif version != _SCHEMA_VERSION:
                raise ValueError(f"schema version {version}")
            variants = tuple(_variant(variant) for variant in tree.pop("variants"))
            groups = tuple(Group(**group) for group in tree.pop("groups"))
            return _made(cls, {**tree, "variants": variants, "groups": groups})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{path} is not a comparison that this darec reads ({error}): run 'darec compare' again, "
                "which trains nothing that is finished."
            ) from error


def _variant(tree: dict[str, Any]) -> Variant:
    spreads = {
        part: {name: _made(Spread, value) for name, value in tree.pop(part).items()}
        for part in ("test", "valid", "costs", "diagnostics")
    }
    gains = {name: _made(Gain, value) for name, value in tree.pop("gains").items()}
    curves = tuple(_made(Curve, curve) for curve in tree.pop("curves"))
    runs = tuple(_made(RunRecord, run) for run in tree.pop("runs"))
    return _made(Variant, {**tree, **spreads, "gains": gains, "curves": curves, "runs": runs})


def _made(cls: type[_Made], tree: dict[str, Any]) -> _Made:
    """A dataclass from JSON, whose lists are the tuples of its own fields."""
    known = {field.name for field in fields(cls)}
    if unknown := sorted(tree.keys() - known):
        raise ValueError(f"unknown key {unknown[0]!r}")
    return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in tree.items()})
