"""What the width of the tables buys and costs: ``python -m benchmarks.width NAME=SWEEP ...``.

Reads the finished runs of sweeps over ``backbone.dim``, several of one data set's NAME as one. Writes the table of
docs/studies/width.md and one figure a data set: recall, NDCG, recall of the least popular third, seconds to fit and
stored bytes against the width, a line a model. With several seeds a figure is their mean.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from benchmarks.common import RESULTS, finished, load_result, write_between, write_result
from benchmarks.target_32 import METRICS
from darec.report.drawing import COLOURS, GREY, empty_panels, legend, svg

Row = dict[str, Any]
KEY: Final = ("data", "model", "width", "seed")
COSTS: Final = {"seconds to fit": "seconds", "MB": "mb"}


def read(name: str, sweep: Path) -> list[Row]:
    """A row for each finished run of a sweep."""
    rows = []
    for folder, config, metrics in finished(sweep):
        backbone, alignment = config.backbone.name, config.alignment.name
        rows.append(
            {
                "data": name,
                "model": backbone if alignment == "none" else f"{backbone} + {alignment}",
                "width": config.backbone.model_dump()["dim"],
                "seed": config.options.seed,
                "epochs": metrics["best_epoch"],
                "seconds": metrics["seconds"],
                "mb": (folder / "scorer.safetensors").stat().st_size / 2**20,
                "valid": metrics["valid/recall@20"],
                **{metric: metrics[f"test/{metric}"] for metric in METRICS.values()},
            }
        )
    return rows


def means(rows: list[Row]) -> list[Row]:
    """One row a data set, model and width: the means over seeds."""
    groups: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["data"], row["model"], row["width"]].append(row)
    figures = ("epochs", "valid", *METRICS.values(), *COSTS.values())
    return [
        {"data": data, "model": model, "width": width, "seeds": len(group)}
        | {figure: statistics.fmean(row[figure] for row in group) for figure in figures}
        for (data, model, width), group in sorted(groups.items())
    ]


def table(rows: list[Row]) -> str:
    """Markdown: every model at every width."""
    head = ["data", "model", "width", "valid Recall@20", *METRICS, "epochs", *COSTS]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in means(rows):
        cells = [row["data"], row["model"], str(row["width"])]
        cells += [f"{row[figure]:.4f}" for figure in ("valid", *METRICS.values())]
        cells += [f"{row['epochs']:.0f}", f"{row['seconds']:,.0f}", f"{row['mb']:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(rows: list[Row], name: str) -> str:
    """The figure of a data set, as SVG."""
    panels = {"Recall@20": "recall@20", "NDCG@20": "ndcg@20"}
    panels |= {"Recall@20, least popular third": "items/1of3/recall@20", **COSTS}
    figure, axes = empty_panels(2, 3, height=2.6)
    here = [row for row in means(rows) if row["data"] == name]
    widths = sorted({row["width"] for row in here})
    for panel, (title, key) in zip(axes, panels.items(), strict=False):
        if _same(here, key):
            found = {row["width"]: row[key] for row in here}
            panel.plot(widths, [found[width] for width in widths], "o-", color=GREY, ms=4)
            title += ", the same for all"
        for colour, model in zip(cycle(COLOURS), sorted({row["model"] for row in here})):
            line = [] if _same(here, key) else [row for row in here if row["model"] == model]
            panel.plot(
                [row["width"] for row in line],
                [row[key] for row in line],
                "o-",
                color=colour,
                ms=4,
                label=model,
            )
        panel.set_title(title, fontsize=9)
        panel.set_xscale("log", base=2)
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.set_ylim(0, 1.1 * max(row[key] for row in here))
        panel.grid(alpha=0.3)
    for panel in axes[len(panels) :]:
        panel.axis("off")
    for panel in axes[2 : len(panels)]:
        panel.set_xlabel("width")
    legend(figure, axes[0])
    return svg(figure)


def _same(rows: list[Row], key: str) -> bool:
    """Whether several models have the same figure at each width, within 1%: their lines would hide each other."""
    if len({row["model"] for row in rows}) < 2:
        return False
    found: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        found[row["width"]].append(row[key])
    return all(max(values) <= 1.01 * min(values) for values in found.values())


def main() -> None:
    """Read or load, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweeps", nargs="*", metavar="NAME=SWEEP")
    parser.add_argument("--renew", action="store_true", help="keep the other rows of a former call")
    parser.add_argument("--tables", action="store_true", help="only write the table and figures")
    options = parser.parse_args()
    if options.tables:
        rows = load_result("width")["rows"]
    else:
        rows = []
        for argument in options.sweeps:
            name, _, folder = argument.partition("=")
            rows += read(name, Path(folder))
        if options.renew:
            measured = {tuple(row[key] for key in KEY) for row in rows}
            former = load_result("width")["rows"]
            rows = [r for r in former if tuple(r[key] for key in KEY) not in measured] + rows
        write_result("width", {"rows": rows})
    studies = RESULTS.parents[1] / "docs" / "studies"
    write_between(studies / "width.md", "width", table(rows))
    (studies / "width").mkdir(exist_ok=True)
    for name in dict.fromkeys(row["data"] for row in rows):
        (studies / "width" / f"{name}.svg").write_text(draw(rows, name) + "\n")


if __name__ == "__main__":
    main()
