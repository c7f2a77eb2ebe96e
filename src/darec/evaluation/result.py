"""The result of an evaluation: values for each user, means overall and by group, stored as Parquet."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from darec.errors import ConfigError, RunError, did_you_mean
from darec.evaluation.groups import Group
from darec.evaluation.metrics import Values
from darec.files import json_value, write_atomic
from darec.tabular import Tabular
from darec.types import IntArray

GROUP_METRICS: Final = ("recall", "ndcg")
"""The metrics that are also reported by group, if they were requested."""

_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Tabular):
    """Metrics of one run on one split.

    Attributes:
        users: [n] rows of the counted users, ascending.
        per_user: name such as ``recall@20`` or ``items/1of3/recall@20`` -> [n] float64; NaN if the user has no target
            in the group of items.
        overall: metrics that are not means over users (``coverage@20``).
        user_group: [n] activity group of each user, 0 the least active.
        groups: the groups of users and items, with bounds and sizes.
        problem: digest of targets and exclusion; two evaluations can be compared only if it is equal.
    """

    users: IntArray
    per_user: dict[str, Values]
    overall: dict[str, float] = field(default_factory=dict)
    user_group: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    groups: tuple[Group, ...] = ()
    problem: str = ""

    def __repr__(self) -> str:
        shown = [f"{name} {value:.4f}" for name, value in self.summary().items() if "/" not in name]
        return f"<Evaluation of {self.n_users:,} users: {', '.join(shown[-4:])}>"

    def to_polars(self) -> pl.DataFrame:
        """One row for each metric: ``group`` (null for all users and items), ``metric``, ``k`` and ``value``."""
        rows = []
        for name, value in self.summary().items():
            group, _, metric = name.rpartition("/")
            kind, _, k = metric.partition("@")
            rows.append((group or None, kind, int(k), value))
        schema = {"group": pl.String, "metric": pl.String, "k": pl.Int64, "value": pl.Float64}
        return pl.DataFrame(rows, schema, orient="row")

    @property
    def n_users(self) -> int:
        """Number of counted users."""
        return len(self.users)

    def names(self) -> list[str]:
        """Names for :meth:`values`: those of all users first, then by user group, then by item group."""
        plain = [name for name in self.per_user if "/" not in name]
        by_user = [
            f"{group.name}/{name}"
            for group in self.groups
            if group.kind == "users"
            for name in plain
            if name.partition("@")[0] in GROUP_METRICS
        ]
        return [*plain, *by_user, *(name for name in self.per_user if "/" in name)]

    def values(self, name: str) -> Values:
        """[n] values of a metric by user, NaN for users it does not count.

        Raises:
            ConfigError: no such metric here, or one without a value per user (coverage).
        """
        if name in self.per_user:
            return self.per_user[name]
        prefix, _, metric = name.rpartition("/")
        for group in self.groups:
            if group.kind == "users" and group.name == prefix and metric in self.per_user:
                return np.where(self.user_group == group.index - 1, self.per_user[metric], np.nan)
        if name in self.overall:
            raise ConfigError(f"{name} is one figure for all users and has no value per user.")
        raise ConfigError(f"no metric {name!r} here: {did_you_mean(name, self.names())}")

    def summary(self) -> dict[str, float]:
        """The mean of every metric over its counted users; metrics without counted users are left out."""
        summary = {}
        for name in self.names():
            values = self.values(name)
            values = values[~np.isnan(values)]
            if len(values):
                summary[name] = float(values.mean())
        return {**summary, **self.overall}

    def half_width(self, name: str, of: int) -> float:
        """Half of the 95% interval of a metric's mean over ``of`` users, of whom the evaluated ones are a sample.

        By the normal approximation, for a sample drawn without replacement (Cochran 1977, eq. 2.14): 0 if all are
        evaluated, infinite for a single user.
        """
        values = self.values(name)
        values = values[~np.isnan(values)]
        n = len(values)
        if n >= of:
            return 0.0
        if n < 2:
            return math.inf
        return 1.96 * float(values.std(ddof=1)) * math.sqrt((1 - n / of) / n)

    def save(self, path: str | Path) -> None:
        """Write one Parquet file atomically, with one row for each user."""
        path = Path(path)
        table = pa.table({"user": self.users, "user_group": self.user_group, **self.per_user})
        described = {
            "schema_version": _SCHEMA_VERSION,
            "overall": self.overall,
            "groups": [asdict(group) for group in self.groups],
            "problem": self.problem,
        }
        buffer = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({"darec": json.dumps(described)}), buffer)
        write_atomic(path, buffer.getvalue().to_pybytes())

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read a file that :meth:`save` wrote.

        Raises:
            RunError: the file does not exist, is damaged, or is not an evaluation.
        """
        path = Path(path)
        if not path.is_file():
            raise RunError(f"no evaluation at {path}: run 'darec evaluate' first.")
        try:
            table = pq.read_table(path, memory_map=False)
            described = json_value(table.schema.metadata[b"darec"])
            if described["schema_version"] != _SCHEMA_VERSION:
                raise ValueError(f"schema version {described['schema_version']}")
            columns = {name: table[name].to_numpy() for name in table.column_names}
            return cls(
                columns.pop("user"),
                user_group=columns.pop("user_group"),
                per_user=columns,
                overall=described["overall"],
                groups=tuple(Group(**group) for group in described["groups"]),
                problem=described["problem"],
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise RunError(
                f"{path} is not an evaluation that this darec reads ({error}): "
                "run 'darec evaluate' again."
            ) from error
