"""How local structure behaves with more clusters and other matchings: ``python -m benchmarks.local RUN``.

RUN is a finished run whose dataset has language vectors. E_C and E_L are frozen and DaRec's projectors are trained
alone, 200 steps, for each number of clusters K and each matching; a soft one by Sinkhorn's iterations is added here.
Told are how often a cluster keeps its partner from one step to the next, and how far the two sides' clusters agree in
the end, over all rows. The table goes into docs/studies/local.md.
"""

from __future__ import annotations

import argparse
import statistics
from itertools import pairwise
from typing import Any, Final

import torch
from sklearn.metrics import adjusted_mutual_info_score
from torch import Tensor

from benchmarks.common import RESULTS, alignment_inputs, write_between, write_result
from darec.alignments.darec import DaRec, DaRecConfig, kmeans, match_clusters
from darec.numerics.kmeans import cluster_means
from darec.run import Run
from darec.runtime import stored_text
from darec.types import Batch, Encoded, Tables

CLUSTERS: Final = (4, 16, 64)
MATCHINGS: Final = ("greedy", "optimal", "sinkhorn")
STEPS, SEEDS = 200, (0, 1)


def sinkhorn(cost: Tensor, temperature: float = 0.05, rounds: int = 50) -> Tensor:
    """[K, K] plan of uniform marginals that minimises cost less entropy (Cuturi 2013), cost in units of its mean."""
    log_plan = -cost / (temperature * cost.mean().clamp_min(1e-12))
    for _ in range(rounds):
        log_plan = log_plan - log_plan.logsumexp(1, keepdim=True)
        log_plan = log_plan - log_plan.logsumexp(0, keepdim=True)
    return log_plan.exp() / len(cost)


class Watched(DaRec):
    """DaRec that remembers its matchings, and can match softly."""

    soft = False
    partners: list[list[Tensor]]

    def local_term(self, C_sh: Tensor, L_sh: Tensor, index: int, batch: Batch) -> Tensor:
        """The local term, and its matching remembered."""
        if not self.soft:
            term = super().local_term(C_sh, L_sh, index, batch)
            of_C, of_L = self.centres[index]
            pi = match_clusters(of_C, of_L, self.config.matching)
            self.partners[index].append(pi)
            return term
        means = []
        for side, part in enumerate((C_sh, L_sh)):
            known = self.centres[index, side] if self.started else None
            found = kmeans(
                part.detach(),
                self.config.n_clusters,
                centres=known,
                n_iterations=1 if self.started else 20,
                generator=batch.generator,
            )
            self.centres[index, side] = found.centres
            counts = torch.bincount(found.assignments, minlength=self.config.n_clusters)
            means.append(cluster_means(part, found.assignments, counts))
        cost = torch.cdist(means[0], means[1]).square()
        plan = sinkhorn(cost.detach())
        self.partners[index].append(plan.argmax(1))
        return (plan * cost).sum()


def watched(run: Run, text: Tables, n_clusters: int, matching: str, seed: int) -> dict[str, float]:
    """Train the projectors over one run's tables and look at the clusters."""
    dataset, tables = run.dataset, run.tables
    soft = matching == "sinkhorn"
    config = DaRecConfig(
        n_clusters=n_clusters,
        matching="optimal" if soft else matching,
        every=1,
        n_sampled=1024,
        smoothing=0.0,
    )
    generator = torch.Generator().manual_seed(seed)
    width = tables.users.shape[1]
    model = Watched(config, alignment_inputs(dataset.train, text, width, generator))
    model.soft, model.partners = soft, [[], []]
    encoded = Encoded(tables.users, tables.items)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    draws = torch.Generator().manual_seed(seed)
    nobody = torch.empty(0, dtype=torch.long)
    for step in range(STEPS):
        optimizer.zero_grad()
        terms = model.losses(encoded, Batch(nobody, nobody, nobody, draws, step))
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        parts = model.parts(encoded)["items"]
    first, second = (
        kmeans(parts[name], n_clusters, generator=draws).assignments.numpy()
        for name in ("C_sh", "L_sh")
    )
    late = [pis[STEPS // 2 :] for pis in model.partners]
    kept = [float((one == two).float().mean()) for pis in late for one, two in pairwise(pis)]
    return {
        "partners kept": statistics.fmean(kept),
        "local term": float(terms["local"].detach()),
        "agreement of items' clusters": float(adjusted_mutual_info_score(first, second)),
    }


def main() -> None:
    """Watch and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", metavar="RUN")
    torch.set_num_threads(1)
    run = Run.load(parser.parse_args().run)
    vectors = stored_text(run.dataset, run.config.text)
    text = Tables(torch.as_tensor(vectors.users), torch.as_tensor(vectors.items))
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for n_clusters in CLUSTERS:
        for matching in MATCHINGS:
            runs = [watched(run, text, n_clusters, matching, seed) for seed in SEEDS]
            figures = {
                name: [round(found[name], 4) for found in runs]
                for name in ("partners kept", "local term", "agreement of items' clusters")
            }
            rows.append({"clusters": n_clusters, "matching": matching, **figures})
            lines = lines or [
                "| K | matching | " + " | ".join(figures) + " |",
                "|---" * (2 + len(figures)) + "|",
            ]
            cells = [" to ".join(f"{x:.3f}" for x in sorted(values)) for values in figures.values()]
            lines.append(f"| {n_clusters} | {matching} | " + " | ".join(cells) + " |")
    write_result("local", {"steps": STEPS, "seeds": SEEDS, "rows": rows})
    write_between(RESULTS.parents[1] / "docs" / "studies" / "local.md", "local", "\n".join(lines))


if __name__ == "__main__":
    main()
