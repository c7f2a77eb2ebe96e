"""What each term of DaRec costs as its sizes grow: ``python -m benchmarks.complexity``.

The paper states O(N^2 d + N d + K^2 d). Each case times one term, forward and backward where it has a gradient, over
sizes of one dimension with the others fixed, and fits the slope of log seconds in log size, which is the exponent where
the sizes are large enough for the constant part not to count. Contenders of all sizes run in turn; the fastest round of
each counts, the one that other work disturbed least. ``pairwise`` is the paper's formula as written, beside ours.

Writes results/complexity.json, docs/theory/complexity.svg and the table of docs/theory.md. ``--tables`` only draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from benchmarks.common import RESULTS, interleaved, load_result, write_between, write_result
from darec.alignments.darec import (
    global_structure_loss,
    kmeans,
    local_structure_loss,
    match_clusters,
    orthogonality_loss,
    uniformity_loss,
)

DOCS = RESULTS.parents[1] / "docs"
ROUNDS = 5
ROWS, LARGE = tuple(2**k for k in range(9, 14)), tuple(2**k for k in range(12, 18))
WIDTHS, CLUSTERS = (32, 64, 128, 256, 512), (32, 64, 128, 256, 512)

Run = Callable[[], object]
Make = Callable[[int], Run]
Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Case:
    """One term along one dimension.

    Attributes:
        term: its name in the table.
        along: the dimension that grows: n, d, K, or P, the pairs drawn.
        sizes: its values.
        fixed: the other dimensions, for the reader.
        expected: the exponent that counting operations gives.
        make: a run at one size.
    """

    term: str
    along: str
    sizes: Sequence[int]
    fixed: str
    expected: int
    make: Make


def rows(n: int, d: int = 64, count: int = 2) -> list[Tensor]:
    """Random tables [n, d] that ask for gradients."""
    generator = torch.Generator().manual_seed(n + d)
    return [torch.randn(n, d, generator=generator, requires_grad=True) for _ in range(count)]


def with_backward(loss: Callable[..., Tensor], *tables: Tensor) -> Run:
    """Forward and backward from the tables."""
    return lambda: torch.autograd.grad(loss(*tables), tables)


def pairwise(C_sh: Tensor, L_sh: Tensor) -> Tensor:
    """Global structure as the paper writes it, over two n x n matrices."""
    A, B = F.normalize(C_sh, dim=1), F.normalize(L_sh, dim=1)
    return (A @ A.T - B @ B.T).square().mean()


def uniformity(n_sampled: int | None) -> Callable[..., Tensor]:
    """Uniformity over so many pairs of rows, or over all."""
    generator = torch.Generator().manual_seed(0)
    return lambda C, L: uniformity_loss(C, L, n_sampled=n_sampled, generator=generator)


def iteration(n: int, d: int, n_clusters: int) -> Run:
    """One warm-started iteration of K-means."""
    generator = torch.Generator().manual_seed(0)
    x = rows(n, d, 1)[0].detach()
    return lambda: kmeans(
        x, n_clusters, generator=generator, centres=x[:n_clusters], n_iterations=1
    )


def centres(n: int, n_clusters: int) -> Run:
    """Local structure, given who belongs to which cluster."""
    clusters = torch.arange(n) % n_clusters
    pi = torch.arange(n_clusters)
    return with_backward(lambda C, L: local_structure_loss(C, L, clusters, clusters, pi), *rows(n))


def matching(n_clusters: int, method: Any) -> Run:
    """Partners of K clusters of 64 columns."""
    C, L = (side.detach() for side in rows(n_clusters))
    return lambda: match_clusters(C, L, method)


def cases() -> list[Case]:
    """Every term along every dimension that it has."""
    d64, n2k, n8k = "d = 64", "n = 2,048", "n = 8,192"

    def along_rows(loss: Loss, tables: int = 2) -> Make:
        return lambda n: with_backward(loss, *rows(n, count=tables))

    def along_width(loss: Loss, n: int, tables: int = 2) -> Make:
        return lambda d: with_backward(loss, *rows(n, d, tables))

    glo, uni, drawn = global_structure_loss, uniformity(None), uniformity(16384)
    pairs = tuple(2**k for k in range(14, 20))
    return [
        Case("global structure", "n", LARGE, d64, 1, along_rows(glo)),
        Case("global structure", "d", WIDTHS, n8k, 2, along_width(glo, 8192)),
        Case("global structure, pairwise", "n", ROWS, d64, 2, along_rows(pairwise)),
        Case("global structure, pairwise", "d", WIDTHS, n2k, 1, along_width(pairwise, 2048)),
        Case("uniformity, all pairs", "n", ROWS, d64, 2, along_rows(uni)),
        Case("uniformity, all pairs", "d", WIDTHS, n2k, 1, along_width(uni, 2048)),
        Case(
            "uniformity, P pairs drawn",
            "P",
            pairs,
            f"{n8k}, {d64}",
            1,
            lambda P: with_backward(uniformity(P), *rows(8192)),
        ),
        Case("uniformity, P pairs drawn", "n", LARGE, f"P = 16,384, {d64}", 1, along_rows(drawn)),
        Case("orthogonality", "n", LARGE, d64, 1, along_rows(orthogonality_loss, 4)),
        Case("orthogonality", "d", WIDTHS, n8k, 1, along_width(orthogonality_loss, 8192, 4)),
        Case("K-means iteration", "n", LARGE, f"{d64}, K = 64", 1, lambda n: iteration(n, 64, 64)),
        Case(
            "K-means iteration", "d", WIDTHS, f"{n8k}, K = 64", 1, lambda d: iteration(8192, d, 64)
        ),
        Case(
            "K-means iteration", "K", CLUSTERS, f"{n8k}, {d64}", 1, lambda K: iteration(8192, 64, K)
        ),
        Case("local structure", "n", LARGE, f"{d64}, K = 64", 1, lambda n: centres(n, 64)),
        Case("local structure", "K", CLUSTERS, f"{n8k}, {d64}", 0, lambda K: centres(8192, K)),
        Case("matching, greedy", "K", CLUSTERS, d64, 3, lambda K: matching(K, "greedy")),
        Case("matching, optimal", "K", CLUSTERS, d64, 3, lambda K: matching(K, "optimal")),
    ]


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Seconds of the fastest round at each size, and the slope with its standard error, over all sizes."""
    runs = {str(size): case.make(size) for size in case.sizes}
    seconds = [min(times) for times in interleaved(runs, rounds).values()]
    fit = stats.linregress(np.log(case.sizes), np.log(seconds))
    last = np.log(seconds[-1] / seconds[-2]) / np.log(case.sizes[-1] / case.sizes[-2])
    return {
        "term": case.term,
        "along": case.along,
        "fixed": case.fixed,
        "expected": case.expected,
        "sizes": list(case.sizes),
        "milliseconds": [round(1000 * value, 4) for value in seconds],
        "slope": round(float(fit.slope), 3),
        "standard_error": round(float(fit.stderr), 3),
        "last_slope": round(float(last), 3),
    }


def table(found: list[dict[str, Any]]) -> str:
    """Markdown, a row a case."""
    lines = [
        "| term | grows | fixed | exponent counted | slope fitted | between the two largest | smallest to largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in found:
        first, last = case["milliseconds"][0], case["milliseconds"][-1]
        lines.append(
            f"| {case['term']} | {case['along']}, {case['sizes'][0]:,} to {case['sizes'][-1]:,} | {case['fixed']} | "
            f"{case['expected']} | {case['slope']:.2f} ± {case['standard_error']:.2f} | {case['last_slope']:.2f} | "
            f"{first:.3g} to {last:.3g} ms |"
        )
    return "\n".join(lines)


def draw(found: list[dict[str, Any]]) -> None:
    """docs/theory/complexity.svg: log-log, a panel for each dimension that grows."""
    from darec.report.drawing import COLOURS, empty_panels, svg

    titles = {"n": "rows n", "d": "width d", "K": "clusters K", "P": "pairs drawn P"}
    colours = dict(zip(dict.fromkeys(case["term"] for case in found), cycle(COLOURS), strict=False))
    figure, panels = empty_panels(2, 2, height=3.6)
    for (along, title), axes in zip(titles.items(), panels, strict=True):
        sizes: set[int] = set()
        for case in (case for case in found if case["along"] == along):
            style = "--" if "pairwise" in case["term"] else "-"  # beside ours, in another colour
            label = f"{case['term']}: {case['slope']:.2f}"
            axes.plot(
                case["sizes"],
                case["milliseconds"],
                style,
                marker="o",
                ms=3,
                lw=1,
                color=colours[case["term"]],
                label=label,
            )
            sizes |= set(case["sizes"])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        shown = sorted(sizes)[:: 2 if len(sizes) > 6 else 1]
        axes.set_xticks(shown, [str(size) if size < 2048 else f"{size // 1024}k" for size in shown])
        axes.set_xlabel(title)
        axes.set_ylabel("ms")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=6.5, frameon=False)
    (DOCS / "theory" / "complexity.svg").write_text(svg(figure) + "\n")


def main() -> None:
    """Measure, unless only the tables are asked for, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", action="store_true", help="only write the table and the figure")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if not options.tables:
        torch.set_num_threads(1)
        found = []
        for case in cases():
            found.append(measure(case, options.rounds))
            print(table(found).splitlines()[-1], flush=True)
        write_result("complexity", {"rounds": options.rounds, "cases": found})
    found = load_result("complexity")["cases"]
    write_between(DOCS / "theory.md", "complexity", table(found))
    draw(found)


if __name__ == "__main__":
    main()
