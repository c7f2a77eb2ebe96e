"""``python -m benchmarks``: run every speed benchmark, then write the tables of docs/benchmarks.md.

``python -m benchmarks --tables`` writes the tables from the results that are there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.common import RESULTS, load_result, write_between
from benchmarks.darec_epoch import BACKBONES

ROOT = RESULTS.parents[1]
MODULES = (
    "training_step",
    "darec_epoch",
    "ranking",
    "global_structure",
    "step_cost",
    "complexity",
    "accuracy",
    "encoding",
)


def rows() -> list[tuple[str, str, str, str]]:
    """(what, target, measured, command) of every figure."""
    step, epochs = load_result("training_step"), load_result("darec_epoch")["backbones"]
    ranking, structure, accuracy = (
        load_result("ranking"),
        load_result("global_structure"),
        load_result("accuracy"),
    )
    largest = structure["sizes"][-1]
    found = [
        (
            "LightGCN training step against research code (COO products, Python-loop sampler)",
            "at least 10 times faster",
            "{median} times faster ({min} to {max})".format(**step["times_faster"]),
            "training_step",
        ),
        *(
            (
                f"epoch of {title} + DaRec against {title} alone, toys",
                "at most 1.5 times",
                "{median} times ({min} to {max})".format(**epochs[name]["ratio"]),
                "darec_epoch",
            )
            for name, title in BACKBONES.items()
        ),
        (
            "full ranking of all users against the bare matrix product and top-k",
            "at most 2 times",
            "{median} times ({min} to {max})".format(**ranking["ratio_to_fastest_bare"]["ranking"]),
            "ranking",
        ),
        (
            f"exact global structure, n = {largest['n']:,}, d = 64, forward and backward",
            "under 3 s and 2 GB over its inputs",
            f"{largest['seconds']['median']:.2f} s, {largest['peak_mb_over_inputs']:.0f} MB; "
            f"slope in n {structure['log_log_slope_of_min']:.2f}",
            "global_structure",
        ),
        (
            "peak memory of training on Amazon-book",
            "under 1.5 GB",
            f"{max(accuracy['amazon_bpr']['peak_rss_mb']):.0f} MiB",
            "accuracy",
        ),
    ]
    for case, title in (
        ("amazon_bpr", "LightGCN, BPR, Amazon-book"),
        ("toys_softmax", "LightGCN, sampled softmax, d = 64, toys"),
    ):
        recall, ndcg = accuracy[case]["test/recall@20"], accuracy[case]["test/ndcg@20"]
        found.append(
            (
                f"{title}: test Recall@20 (NDCG@20)",
                accuracy[case]["expected recall@20"],
                f"{recall['mean']:.4f} ± {recall['sd']:.4f} ({ndcg['mean']:.4f} ± {ndcg['sd']:.4f})",
                "accuracy",
            )
        )
    encoding = load_result("encoding")
    for name in ("toys", "steam"):
        for threads, case in encoding.get(name, {}).items():
            found.append(
                (
                    f"encoding {name} with MiniLM, {threads} thread{'s' * (threads != '1')}, against a loop of "
                    "32 texts in the given order",
                    "faster",
                    "{median} times faster ({min} to {max})".format(
                        **case["times_faster_than_fixed"]
                    ),
                    "encoding",
                )
            )
    toys = load_result("first_darec")["toys"]["methods"]["LightGCN"]
    found.append(
        (
            "LightGCN, BPR, toys: test Recall@20 (NDCG@20)",
            "at least 0.088",
            "{mean:.4f} ± {sd:.4f} ".format(**toys["recall@20"])
            + "({mean:.4f} ± {sd:.4f})".format(**toys["ndcg@20"]),
            "first_darec",
        )
    )
    return found


def step_costs() -> str:
    """What a training step of every pair of step_cost.json takes, dearest last, as Markdown."""
    lines = ["| pair | ms a step | times LightGCN |", "|---|---|---|"]
    pairs = load_result("step_cost")["pairs"].items()
    for pair, cost in sorted(pairs, key=lambda found: float(found[1]["milliseconds"]["median"])):
        milliseconds, times = cost["milliseconds"], cost["times_lightgcn"]
        lines.append(
            f"| {pair.removesuffix(' + none')} | {milliseconds['median']} ({milliseconds['min']} to "
            f"{milliseconds['max']}) | {times['median']:.1f} |"
        )
    return "\n".join(lines)


def neighbours_kept() -> str:
    """What fewer dimensions keep of the nearest neighbours, as Markdown."""
    lines = [
        "| dimensions of 384 | neighbours kept, first | neighbours kept, PCA | variance explained |",
        "|---|---|---|---|",
    ]
    for dim, kept in load_result("encoding")["neighbours_kept"].items():
        lines.append(f"| {dim} | {kept['first']} | {kept['pca']} | {kept['explained']} |")
    return "\n".join(lines)


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    if not parser.parse_args().tables:
        for module in MODULES:
            subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=True)
    lines = ["| figure | target | measured | command |", "|---|---|---|---|"]
    for what, target, measured, module in rows():
        lines.append(f"| {what} | {target} | {measured} | `python -m benchmarks.{module}` |")
    machine = load_result("training_step")["machine"]
    note = (
        f"On one thread of a {machine['processor']} with torch {machine['torch']}; ratios are medians of interleaved "
        "rounds, with their range. Accuracy: mean and standard deviation over three seeds."
    )
    write_between(ROOT / "docs" / "benchmarks.md", "speed", "\n".join([*lines, "", note]))
    write_between(ROOT / "docs" / "benchmarks.md", "steps", step_costs())
    write_between(ROOT / "docs" / "encoding.md", "neighbours", neighbours_kept())


if __name__ == "__main__":
    main()
