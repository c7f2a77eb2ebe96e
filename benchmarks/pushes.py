"""Ways of pushing that DaRec's settings do not have: ``python -m benchmarks.pushes DATASET --out RUNS``.

Each is a subclass of DaRec in this file, registered from outside the package as docs/extending.md shows. The losses
alone, without the start and the neighbours of the default, as in docs/studies/push.md, into which the table goes. A run
that is finished is taken as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import RESULTS, percent, write_between, write_result
from darec.alignments.base import AlignmentInputs
from darec.alignments.darec import DaRec, DaRecConfig
from darec.api import fit
from darec.compare.gains import gain
from darec.data.dataset import Dataset
from darec.evaluation.metrics import Values
from darec.registry import ALIGNMENTS
from darec.run import Run
from darec.types import Batch, Encoded, Tables

TERMS: Final = ("orthogonality", "uniformity", "global", "local")
METRIC: Final = "recall@20"


class UncertaintyConfig(DaRecConfig):
    """Settings of :class:`Uncertainty`."""

    name: Literal["darec-uncertainty"] = "darec-uncertainty"  # type: ignore[assignment]


class Uncertainty(DaRec):
    """Each term weighed by a learned variance, ``exp(-s) loss + s`` (Kendall et al. 2018, eq. 7, up to constants)."""

    Config: ClassVar[type[DaRecConfig]] = UncertaintyConfig

    def __init__(self, config: DaRecConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        self.log_variance = torch.nn.ParameterDict({name: torch.zeros(()) for name in TERMS})

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The terms, weighed."""
        found = super().losses(encoded, batch)
        return {
            name: torch.exp(-self.log_variance[name]) * term + self.log_variance[name]
            for name, term in found.items()
        }


class DecayConfig(DaRecConfig):
    """Settings of :class:`Decay`."""

    name: Literal["darec-decay"] = "darec-decay"  # type: ignore[assignment]
    steps: int = 1000
    """Over which the push falls to zero, linearly."""

    def ramp(self, step: int) -> float:
        """From one to zero."""
        return max(0.0, 1.0 - step / self.steps)


class Decay(DaRec):
    """A push that ends."""

    Config: ClassVar[type[DaRecConfig]] = DecayConfig


class ByNodeConfig(DaRecConfig):
    """Settings of :class:`ByNode`."""

    name: Literal["darec-by-node"] = "darec-by-node"  # type: ignore[assignment]


class ByNode(DaRec):
    """A node is pushed in proportion to one over the root of its number of interactions."""

    Config: ClassVar[type[DaRecConfig]] = ByNodeConfig
    strength: Tensor

    def __init__(self, config: DaRecConfig, inputs: AlignmentInputs) -> None:
        super().__init__(config, inputs)
        degree = inputs.graph.indptr.diff().clamp_min(1)
        self.register_buffer("strength", degree.float().rsqrt()[:, None], persistent=False)

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The terms as they are, their gradients by node."""
        users, items = (
            rows * share + (rows * (1 - share)).detach()
            for rows, share in zip(
                (encoded.users, encoded.items),
                self.strength.split([len(encoded.users), len(encoded.items)]),
                strict=True,
            )
        )
        return super().losses(Encoded(users, items), batch)


class OnPartsConfig(DaRecConfig):
    """Settings of :class:`OnParts`."""

    name: Literal["darec-on-parts"] = "darec-on-parts"  # type: ignore[assignment]


class OnParts(DaRec):
    """The run's ranking loss on [C_sh, C_sp] as well, so that the parts cannot empty themselves."""

    Config: ClassVar[type[DaRecConfig]] = OnPartsConfig
    recommendation_terms: ClassVar[frozenset[str]] = frozenset({"ranking_parts"})

    def losses(self, encoded: Encoded, batch: Batch) -> dict[str, Tensor]:
        """The terms and, on aligned steps, the ranking of the parts."""
        found = super().losses(encoded, batch)
        if found:
            users, items = (
                torch.cat([self.shared["C"](rows), self.specific["C"](rows)], dim=1)
                for rows in (encoded.users, encoded.items)
            )
            found["ranking_parts"] = self.ranking(Tables(users, items), batch)
        return found


EXTRA: Final = (Uncertainty, Decay, ByNode, OnParts)
FIXED: Final[Mapping[str, Any]] = {"alignment.balance": "fixed", "alignment.strength": 0.1}
PUSHES: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "rho = 3": ("darec", {"alignment.rho": 3.0}),
    "rho = 3, falling to 0 in 1,000 steps": ("darec-decay", {"alignment.rho": 3.0}),
    "rho = 3, by node": ("darec-by-node", {"alignment.rho": 3.0}),
    "lambda = 0.1": ("darec", FIXED),
    "lambda = 0.1, by uncertainty": ("darec-uncertainty", FIXED),
    "rho = 0.3": ("darec", {"alignment.rho": 0.3}),
    "rho = 0.3, ranking on the parts too": ("darec-on-parts", {"alignment.rho": 0.3}),
}
ALONE: Final = "no push"


def main() -> None:
    """Train what is missing and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    for part in EXTRA:
        ALIGNMENTS.add(part.Config.model_fields["name"].default, part)
    dataset = Dataset.load(options.dataset)
    always = {
        "backbone.dim": 64,
        "train.lr": 2e-3,
        "alignment.start": "random",
        "alignment.smoothing": 0.0,
        "options.threads": 1,
    }
    values: dict[str, Values] = {}
    rows: list[dict[str, Any]] = []
    pushes = {ALONE: ("darec", {"alignment.rho": 0.0}), **PUSHES}
    for number, (title, (alignment, settings)) in enumerate(pushes.items()):
        runs: list[Run] = [
            fit(
                dataset,
                alignment=alignment,
                settings={**always, **settings, "options.seed": seed},
                out=options.out / f"{number}-{alignment}-{seed}",
                resume=True,
                progress=False,
            )
            for seed in options.seeds
        ]
        values[title] = np.stack([run.evaluate("test").values(METRIC) for run in runs])
        valid = float(np.mean([run.metrics[f"valid/{METRIC}"] for run in runs]))
        against = gain(values[title], values[ALONE], tuple(options.seeds))
        rows.append(
            {
                "push": title,
                "valid": round(valid, 5),
                "test": round(float(values[title].mean()), 5),
                "gain": [round(100 * x, 2) for x in against.relative or (0.0, 0.0, 0.0)],
            }
        )
    lines = [f"| push | valid {METRIC} | test {METRIC} | over no push |", "|---" * 4 + "|"]
    for row in rows:
        over = "" if row["push"] == ALONE else percent(row["gain"])
        lines.append(f"| {row['push']} | {row['valid']:.4f} | {row['test']:.4f} | {over} |")
    write_result(
        "pushes",
        {"data": dataset.path.name if dataset.path else "", "seeds": options.seeds, "rows": rows},
    )
    write_between(RESULTS.parents[1] / "docs" / "studies" / "push.md", "pushes", "\n".join(lines))


if __name__ == "__main__":
    main()
