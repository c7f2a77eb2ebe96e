"""What popularity and a matrix add to trained tables: ``python -m benchmarks.popularity NAME=RUN ...``.

RUN is a finished run with popularity and a matrix beside its tables. Its parts are scored alone and added one after the
other: popularity with each weight, and with the run's own weight without it for shares of users with a niche taste. The
table goes into docs/studies/popularity.md.
"""

from __future__ import annotations

import argparse
from typing import Any, Final

import torch

from benchmarks.common import RESULTS, load_result, percent, write_between, write_result
from darec.compare.gains import gain
from darec.evaluation.evaluate import Evaluator
from darec.run import Run
from darec.scoring import AddedScorer, MatrixScorer, PopularityScorer, Scorer
from darec.scoring.niche import limits
from darec.training.weighing import added, spread

SHARES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
WEIGHTS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
METRICS: Final = ("recall@20", "ndcg@20", "items/1of3/recall@20")


def ways(run: Run) -> dict[str, tuple[float | None, Scorer]]:
    """Each way to score, with popularity's weight where it is varied."""
    whole = run.scorer
    if not isinstance(whole, AddedScorer):
        raise SystemExit(f"{run.path}: validation chose the tables alone.")
    tables = whole.scorers[0]
    known = {type(scorer): scorer for scorer in whole.scorers[1:]}
    found: dict[str, tuple[float | None, Scorer]] = {"tables": (0.0, tables)}
    popularity = known.get(PopularityScorer)
    if isinstance(popularity, PopularityScorer):
        values, ties, n_users = popularity.values, popularity.ties, popularity.n_users
        everyone = PopularityScorer(n_users, values, ties)
        ratio = spread(tables, run.dataset) / spread(everyone, run.dataset)
        for weight in WEIGHTS:
            scorer = added(tables, everyone, weight, ratio)
            found[f"tables and popularity at {weight:g}"] = (weight, scorer)
        weight = run.metrics["diagnostics/beside/popularity"]
        tastes, niches = limits(run.dataset.train, values.double().numpy(), SHARES)
        for share, niche in niches.items():
            spared = torch.from_numpy(tastes < niche.below)
            some = PopularityScorer(n_users, values, ties, niche, spared)
            title = f"the same at {weight:g}, without popularity for {share:.0%} of the users"
            found[title] = (weight, added(tables, some, weight, ratio))
    if MatrixScorer in known:
        found["the matrix"] = (None, known[MatrixScorer])
    found["all, as validation weighs them"] = (None, whole)
    return found


def measured(name: str, run: Run) -> list[dict[str, Any]]:
    """A row for each way to score."""
    data, rows, base = run.dataset, [], None
    evaluators = {
        split: Evaluator(data.split(split), data.train, data.train, (20,), user_groups=0)
        for split in ("valid", "test")
    }
    for title, (weight, scorer) in ways(run).items():
        valid, test = (one.evaluate(scorer, ("recall", "ndcg")) for one in evaluators.values())
        base = base or test
        compared = gain(test.values("recall@20")[None], base.values("recall@20")[None], (0,))
        assert compared.relative is not None
        rows.append(
            {
                "data": name,
                "scores": title,
                "weight": weight,
                "gain": [round(100 * share, 2) for share in compared.relative],
                **{f"valid/{metric}": valid.summary()[metric] for metric in METRICS},
                **{f"test/{metric}": test.summary()[metric] for metric in METRICS},
            }
        )
        print(rows[-1], flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| data | scores | valid Recall@20 | Recall@20 | over the tables | NDCG@20 | least popular third |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        figures = [row["valid/recall@20"], row["test/recall@20"]]
        cells = [row["data"], row["scores"], *(f"{value:.4f}" for value in figures)]
        cells += [percent(row["gain"])]
        cells += [f"{row[f'test/{metric}']:.4f}" for metric in METRICS[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="NAME=RUN")
    parser.add_argument("--tables", action="store_true", help="only write the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.tables:
        rows = load_result("popularity")["rows"]
    else:
        rows = []
        for argument in options.runs:
            name, _, folder = argument.partition("=")
            rows += measured(name, Run.load(folder))
        write_result("popularity", {"rows": rows})
    document = RESULTS.parents[1] / "docs" / "studies" / "popularity.md"
    write_between(document, "popularity", table(rows))


if __name__ == "__main__":
    main()
