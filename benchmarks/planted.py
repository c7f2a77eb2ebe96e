"""What keeps the shared parts from emptying themselves, in planted worlds: ``python -m benchmarks.planted``.

Frozen tables of both sides hold four factors that they share and four of their own. Each form of DaRec trains its
projectors alone, 400 steps over all rows; linear probes then tell what its parts hold. The table goes into
docs/studies/collapse.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.common import RESULTS, alignment_inputs, write_between, write_result
from darec.alignments.darec import DaRec, DaRecConfig, global_structure_loss
from darec.numerics.diagnostics import effective_rank, similarity_spread
from darec.testing.worlds import linear_probe_r2, planted_embeddings
from darec.types import Batch, Encoded, Interactions, Tables

N, WIDTH, STEPS, SEEDS = 600, 32, 400, (1, 2, 3)
Structure = Callable[[Tensor, Tensor], Tensor]
PAPER: Final[dict[str, Any]] = {"hidden": (64,), "w_glo": 1.0, "centre": False}


def cka_loss(C: Tensor, L: Tensor) -> Tensor:
    """One less linear CKA (Kornblith et al. 2019, eq. 4): [n, d] and [n, d'] in O(n d d')."""
    C, L = C - C.mean(0), L - L.mean(0)
    cka: Tensor = (C.T @ L).square().sum() / ((C.T @ C).norm() * (L.T @ L).norm())
    return 1 - cka


def debiased_cka_loss(C: Tensor, L: Tensor) -> Tensor:
    """The same from unbiased estimates of HSIC (Song et al. 2012, eq. 5), without an n x n matrix."""
    return 1 - _hsic(C, L) / (_hsic(C, C) * _hsic(L, L)).clamp_min(1e-12).sqrt()


def _hsic(X: Tensor, Y: Tensor) -> Tensor:
    n = len(X)
    own_X, own_Y = X.square().sum(1), Y.square().sum(1)
    rows_X, rows_Y = X @ X.sum(0) - own_X, Y @ Y.sum(0) - own_Y
    trace = (X.T @ Y).square().sum() - own_X @ own_Y
    both = rows_X.sum() * rows_Y.sum() / ((n - 1) * (n - 2))
    return (trace + both - 2 / (n - 2) * rows_X @ rows_Y) / (n * (n - 3))


def spread_terms(x: Tensor) -> Tensor:
    """Variance and covariance terms on unit-length rows times sqrt(d) (VICReg, Bardes et al. 2022, eq. 1 to 4)."""
    x = nn.functional.normalize(x, dim=1) * x.shape[1] ** 0.5
    x = x - x.mean(0)
    covariance = x.T @ x / (len(x) - 1)
    variance = torch.relu(1 - (covariance.diagonal() + 1e-4).sqrt()).mean()
    return variance + (covariance - covariance.diag().diag()).square().sum() / x.shape[1]


@dataclass(frozen=True)
class Form:
    """One form of DaRec's losses.

    Attributes:
        settings: of :class:`DaRecConfig`.
        structure: in place of the global term.
        isometry: start the shared projectors with orthonormal rows.
        stop: no gradient of the structure terms on the language side.
        frozen: compare C_sh with the text itself, and not with a projection of it.
        extra: a further term on each shared part.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    structure: Structure = global_structure_loss
    isometry: bool = False
    stop: bool = False
    frozen: bool = False
    extra: Callable[[Tensor], Tensor] | None = None


FORMS: Final[dict[str, Form]] = {
    "the paper's": Form(PAPER),
    "the paper's, global weight 10": Form({**PAPER, "w_glo": 10.0}),
    "the paper's, linear projectors": Form({**PAPER, "hidden": ()}),
    "the paper's, centred": Form({**PAPER, "centre": True}),
    "the paper's, no gradient on text": Form(PAPER, stop=True),
    "the paper's, text itself as target": Form(PAPER, frozen=True),
    "the paper's, CKA": Form(PAPER, structure=cka_loss),
    "the paper's, debiased CKA": Form(PAPER, structure=debiased_cka_loss),
    "the paper's, with variance and covariance terms": Form(PAPER, extra=spread_terms),
    "linear, global weight 10, not centred": Form({"centre": False}),
    "linear, global weight 10, centred (default)": Form(),
    "default, started as isometries": Form(isometry=True),
    "default, no gradient on text": Form(stop=True),
    "default, text itself as target": Form(frozen=True),
    "default, CKA": Form(structure=cka_loss),
    "default, without uniformity": Form({"w_uni": 0.0}),
    "default, without orthogonality": Form({"w_or": 0.0}),
    "default, without local structure": Form({"w_loc": 0.0}),
}


class Trained(DaRec):
    """DaRec with the form's changes."""

    form: Form
    target: Tensor

    def terms(
        self, C_sh: Tensor, C_sp: Tensor, L_sh: Tensor, L_sp: Tensor, index: int, batch: Batch
    ) -> Iterator[tuple[str, Tensor]]:
        """The terms, with the form's changes."""
        target = self.target if self.form.frozen else L_sh.detach() if self.form.stop else L_sh
        for name, term in super().terms(C_sh, C_sp, L_sh, L_sp, index, batch):
            if name == "global":
                yield name, self.config.w_glo * self.form.structure(C_sh, target)
            elif name == "local" and (self.form.stop or self.form.frozen):
                # No clusters of the text itself; and without its gradient, those of its projection.
                if not self.form.frozen:
                    yield (
                        name,
                        self.config.w_loc * self.local_term(C_sh, L_sh.detach(), index, batch),
                    )
            else:
                yield name, term
        if self.form.extra is not None:
            yield "extra", self.form.extra(C_sh) + self.form.extra(L_sh)


def trained(form: Form, seed: int) -> dict[str, float]:
    """Figures of the parts after training in one world."""
    world = planted_embeddings(N, 4, 4, WIDTH, seed=seed, noise=0.05)
    E_C, E_L = world.collaborative, world.language
    half = N // 2
    encoded = Encoded(E_C[:half], E_C[half:])
    text = Tables(E_L[:half], E_L[half:])
    pairs = torch.arange(half).numpy()
    train = Interactions.from_pairs(pairs, pairs, half, half)
    generator = torch.Generator().manual_seed(seed)
    inputs = alignment_inputs(train, text, WIDTH, generator)
    common = {"dim": 8, "every": 1, "n_sampled": None, "entities": "together", "smoothing": 0.0}
    model = Trained(DaRecConfig(**{**common, **form.settings}), inputs)
    model.form, model.target = form, E_L - E_L.mean(0)
    if form.isometry:
        for projector in model.shared.values():
            for layer in projector.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.orthogonal_(layer.weight, generator=generator)
    nobody = torch.empty(0, dtype=torch.long)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(STEPS):
        optimizer.zero_grad()
        draws = torch.Generator().manual_seed(step)
        batch = Batch(nobody, nobody, nobody, draws, step)
        terms = model.losses(encoded, batch)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        parts = model.parts(encoded)
        C_sh, C_sp, L_sh = (
            torch.cat([parts["users"][name], parts["items"][name]])
            for name in ("C_sh", "C_sp", "L_sh")
        )
    return {
        "rank of C_sh": effective_rank(C_sh),
        "rank of L_sh": effective_rank(L_sh),
        "spread of S_C": similarity_spread(C_sh),
        "shared in C_sh": linear_probe_r2(C_sh, world.shared),
        "shared in L_sh": linear_probe_r2(L_sh, world.shared),
        "specific in C_sh": linear_probe_r2(C_sh, world.collaborative_specific),
        "specific in C_sp": linear_probe_r2(C_sp, world.collaborative_specific),
    }


def main() -> None:
    """Train every form in every world and write the table."""
    torch.set_num_threads(1)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, form in FORMS.items():
        runs = [trained(form, seed) for seed in SEEDS]
        found[name] = {
            figure: {
                "mean": round(statistics.mean(run[figure] for run in runs), 3),
                "sd": round(statistics.stdev(run[figure] for run in runs), 3),
            }
            for figure in runs[0]
        }
    write_result("planted", {"rows": N, "steps": STEPS, "seeds": SEEDS, "forms": found})
    figures = list(next(iter(found.values())))
    lines = ["| form | " + " | ".join(figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for name, row in found.items():
        cells = [f"{row[figure]['mean']:.2f} ±{row[figure]['sd']:.2f}" for figure in figures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    document = RESULTS.parents[1] / "docs" / "studies" / "collapse.md"
    write_between(document, "planted", "\n".join(lines))


if __name__ == "__main__":
    main()
