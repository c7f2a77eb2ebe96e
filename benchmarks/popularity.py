"""What popularity and a matrix add to trained tables: ``python -m benchmarks.popularity NAME=RUN ...``.

RUN is a finished run with popularity and a matrix beside its tables. Its parts are scored alone and added one after the
other: popularity with each weight, and with the run's own weight without it for shares of users with a niche taste. A
second table has forms of popularity beside the tables and the matrix. Both go into docs/studies/popularity.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

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
OVERALL, RARE = f"valid/{METRICS[0]}", f"valid/{METRICS[2]}"
FORMS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "log(1 + n)": lambda n: n.log1p(),
    "log(1 + n / mean n)": lambda n: (n / n.mean()).log1p(),
    "log(1 + n / 4 mean n)": lambda n: (n / (4 * n.mean())).log1p(),
}
"""Of the number n of each item's training users. The first is that of ``darec train``."""


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


def of_forms(name: str, run: Run) -> list[dict[str, Any]]:
    """A row for each form and weight of popularity beside the tables, alone and with the matrix, on validation."""
    data, whole = run.dataset, run.scorer
    if not isinstance(whole, AddedScorer):
        raise SystemExit(f"{run.path}: validation chose the tables alone.")
    tables = whole.scorers[0]
    parts = [
        (one, weight)
        for one, weight in zip(whole.scorers, whole.weights, strict=True)
        if not isinstance(one, PopularityScorer)
    ]
    bases: dict[str, Scorer] = {"the tables": tables}
    if len(parts) > 1:
        both = AddedScorer([one for one, _ in parts], [weight for _, weight in parts])
        bases["the tables and the matrix"] = both
    judge = Evaluator(data.valid, data.train, data.train, (20,), user_groups=0)
    counts, wide = torch.from_numpy(data.train.item_degree).float(), spread(tables, data)
    rows: list[dict[str, Any]] = []
    for form, values in FORMS.items():
        one = PopularityScorer(data.n_users, values(counts), data.items.tie_order)
        ratio = wide / spread(one, data)
        for (title, base), weight in product(bases.items(), WEIGHTS):
            found = judge.evaluate(added(base, one, weight, ratio), ("recall",)).summary()
            rows.append(
                {"data": name, "beside": title, "form": form, "weight": weight}
                | {f"valid/{metric}": found[metric] for metric in (METRICS[0], METRICS[2])}
            )
            print(rows[-1], flush=True)
    return rows


def table_of_forms(rows: list[dict[str, Any]]) -> str:
    """Markdown: for each weight of the first form, what every form finds of the least popular third at that recall.

    It is interpolated between the weights up to the one with the highest recall.
    """
    first, *others = FORMS
    head = ["data", "beside", f"weight of {first}", "valid Recall@20", "its least popular third"]
    lines = ["| " + " | ".join([*head, *(f"that of {form}" for form in others)]) + " |"]
    lines.append("|---" * (len(head) + len(others)) + "|")
    for name, beside in dict.fromkeys((row["data"], row["beside"]) for row in rows):
        here = [row for row in rows if (row["data"], row["beside"]) == (name, beside)]
        rising = {form: _rising([row for row in here if row["form"] == form]) for form in FORMS}
        for row in rising[first]:
            cells = [f"{row['weight']:g}", f"{row[OVERALL]:.4f}", f"{row[RARE]:.4f}"]
            for form in others:
                recall, tail = ([at[key] for at in rising[form]] for key in (OVERALL, RARE))
                there = np.interp(row[OVERALL], recall, tail)
                known = f"{there:.4f} ({there / row[RARE] - 1:+.0%})"
                cells.append("not reached" if row[OVERALL] > recall[-1] else known)
            lines.append(f"| {name} | {beside} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rising(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows up to the weight with the highest recall."""
    peak = max(range(len(curve)), key=lambda at: curve[at][OVERALL])
    return curve[: peak + 1]


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
        result = load_result("popularity")
        rows, forms = result["rows"], result["forms"]
    else:
        rows, forms = [], []
        for argument in options.runs:
            name, _, folder = argument.partition("=")
            run = Run.load(folder)
            rows, forms = rows + measured(name, run), forms + of_forms(name, run)
        write_result("popularity", {"rows": rows, "forms": forms})
    document = RESULTS.parents[1] / "docs" / "studies" / "popularity.md"
    write_between(document, "popularity", table(rows))
    write_between(document, "forms", table_of_forms(forms))


if __name__ == "__main__":
    main()
