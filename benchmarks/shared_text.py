"""What the shared part of the text is worth: ``python -m benchmarks.shared_text [NAME=WHOLE=SHARED ...]``.

Without arguments: how well an item's neighbours stand in for its own users (:func:`darec.graph.reliability`), found by
cosines of all of the text and of the part that it shares with the interactions of half of the users, measured among the
other half; by penalty, and with the items' texts dealt out among them. Nothing is trained.

With them: test figures of DaRec's finished runs in two comparisons, with ``text_part`` whole and shared, paired over
users. Both tables go into docs/studies/shared-text.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import RESULTS, shared_dataset, write_between, write_result
from benchmarks.dealt_text import dealt
from benchmarks.target_32 import METRICS, OURS, figures, mean, read, shown
from darec.compare.gains import gains_over
from darec.graph import Graph, shared_text, text_neighbours
from darec.graph.shared_text import PENALTY
from darec.types import Interactions

DATA: Final = ("toys", "steam", "games")
SHARES: Final = (0.0, 0.5, 1.0)
PENALTIES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
STUDY: Final = RESULTS.parents[1] / "docs" / "studies" / "shared-text.md"


def of_users(train: Interactions, chosen: np.ndarray) -> Interactions:
    """The interactions of some users, all others left without any."""
    kept = chosen[train.users]
    return dataclasses.replace(train, users=train.users[kept], items=train.items[kept])


def trusted(rows: Tensor, mask: Tensor, graph: Graph) -> float:
    """Reliability of DaRec's neighbours, found by cosines of rows."""
    near = text_neighbours(rows.float(), mask, graph)
    return 0.0 if near is None else round(near.reliability, 4)


def measured(name: str, folder: Path) -> list[dict[str, Any]]:
    """A row for every share of the texts dealt out: whole, centred, and shared by penalty."""
    dataset = shared_dataset(name, folder / name)
    first = np.random.default_rng(0).random(dataset.train.n_users) < 0.5
    fitted, held = (Graph(of_users(dataset.train, half)) for half in (first, ~first))
    rows = []
    for share in SHARES:
        text = dealt(dataset, share, folder, name)
        items, mask = (torch.from_numpy(np.array(x)) for x in (text.items, text.item_mask))
        row = {"data": name, "share": share, "whole": trusted(items, mask, held)}
        row["centred"] = trusted(items - items[mask].mean(0), mask, held)
        for penalty in PENALTIES:
            shared = shared_text(items, mask, fitted, penalty).part(items)
            row[f"shared, {penalty}"] = trusted(shared, mask, held)
        there = shared_text(items, mask, held).part(items)
        row["fitted there"] = trusted(there, mask, held)
        print(row, flush=True)
        rows.append(row)
    return rows


def reliabilities(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    columns = {"whole": "all of the text", "centred": "its mean taken off"}
    columns |= {f"shared, {penalty}": f"shared, penalty {penalty}" for penalty in PENALTIES}
    columns["fitted there"] = f"shared, {PENALTY}, fitted to the same users"
    lines = [
        "| data | texts dealt out | " + " | ".join(columns.values()) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    lines += [
        f"| {row['data']} | {row['share']:.0%} | "
        + " | ".join(f"{row[key]:.3f}" for key in columns)
        + " |"
        for row in rows
    ]
    return "\n".join(lines)


def trained(arguments: list[str]) -> list[dict[str, Any]]:
    """A row for every backbone and metric that two comparisons have runs of DaRec for."""
    rows = []
    for argument in arguments:
        name, whole, shared = argument.split("=")
        before, after = read(Path(whole)), read(Path(shared))
        for pair in [pair for pair in after if pair[1] == OURS and pair in before]:
            base, mine = (
                {seed: run.evaluation() for seed, run in pairs[pair].items()}
                for pairs in (before, after)
            )
            for metric, gain in gains_over(base, mine, METRICS.values()).items():
                rows.append(
                    {
                        "data": name,
                        "backbone": pair[0],
                        "metric": metric,
                        "whole": mean(before[pair], metric),
                        "shared": mean(after[pair], metric),
                        **figures(gain),
                    }
                )
    return rows


def gains(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    titles = {metric: title for title, metric in METRICS.items()}
    lines = [
        "| data, backbone | metric | whole | shared | gain [95%] | p | seeds |",
        "|---" * 7 + "|",
    ]
    lines += [
        f"| {row['data']}, {row['backbone']} | {titles[row['metric']]} | {row['whole']:.4f} | {row['shared']:.4f} | "
        f"{shown(row['gain'], row['p'])} | {row['seeds']}, {row['seeds agreeing']} agree |"
        for row in rows
        if row["gain"]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, or compare, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="NAME=WHOLE=SHARED")
    arguments = parser.parse_args().runs
    if arguments:
        rows = trained(arguments)
        write_result("shared_text_runs", {"rows": rows})
        write_between(STUDY, "gains", gains(rows))
        return
    with tempfile.TemporaryDirectory() as temporary:
        rows = [row for name in DATA for row in measured(name, Path(temporary))]
    write_result("shared_text", {"rows": rows})
    write_between(STUDY, "reliability", reliabilities(rows))


if __name__ == "__main__":
    main()
