"""What the width of the tables buys and costs: ``python -m benchmarks.width NAME=SWEEP ...``.

Reads the finished runs of sweeps over ``backbone.dim``, several of one data set's NAME as one. Writes the table of
docs/studies/width.md and one figure a data set: recall, NDCG, recall of the least popular third, seconds to fit and
stored bytes against the width, a line a model. With several seeds a figure is their mean.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any, Final

from benchmarks.common import (
    RESULTS,
    finished,
    load_result,
    markdown,
    named_rows,
    renewed,
    write_between,
    write_result,
)
from benchmarks.target_32 import METRICS
from darec.report.drawing import COLOURS, empty_panels, legend, svg

Row = dict[str, Any]
BACKBONES: Final = {"lightgcn": "LightGCN", "gccf": "GCCF", "simgcl": "SimGCL"}
ALIGNMENTS: Final = ("none", "llminit", "contrastive", "darec")
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
    lines = []
    for row in means(rows):
        cells = [row["data"], row["model"], str(row["width"])]
        cells += [f"{row[figure]:.4f}" for figure in ("valid", *METRICS.values())]
        cells += [f"{row['epochs']:.0f}", f"{row['seconds']:,.0f}", f"{row['mb']:.1f}"]
        lines.append(cells)
    return markdown(head, lines)


def draw(rows: list[Row], name: str) -> str:
    """The figure of a data set, as SVG: a row of panels for each backbone, a line for each alignment."""
    panels = {"Recall@20": "recall@20", "NDCG@20": "ndcg@20"}
    panels |= {"Recall@20, least\npopular third": "items/1of3/recall@20", **COSTS}
    here = [row | _parts(row["model"]) for row in means(rows) if row["data"] == name]
    backbones = sorted({row["backbone"] for row in here}, key=list(BACKBONES).index)
    widths = sorted({row["width"] for row in here})
    figure, axes = empty_panels(len(backbones), len(panels), height=1.9)
    for number, (backbone, (title, key)) in enumerate(product(backbones, panels.items())):
        panel = axes[number]
        for alignment, colour in zip(ALIGNMENTS, COLOURS, strict=False):
            line = [r for r in here if (r["backbone"], r["alignment"]) == (backbone, alignment)]
            if line:
                x, y = [row["width"] for row in line], [row[key] for row in line]
                panel.plot(x, y, "o-", color=colour, ms=3, lw=1.2, label=alignment)
        if number < len(panels):
            panel.set_title("MB, any alignment" if key == "mb" else title, fontsize=8)
        if key == "recall@20":
            panel.set_ylabel(BACKBONES[backbone], fontsize=8)
        panel.set_xscale("log", base=2)
        panel.set_xticks(widths, [str(width) for width in widths])
        panel.set_ylim(0, 1.1 * max(row[key] for row in here))
        panel.tick_params(labelsize=7)
        panel.grid(alpha=0.3)
        if number >= len(axes) - len(panels):
            panel.set_xlabel("width", fontsize=8)
    legend(figure, *axes)
    return svg(figure)


def _parts(model: str) -> dict[str, str]:
    """A model's backbone and alignment."""
    backbone, _, alignment = model.partition(" + ")
    return {"backbone": backbone, "alignment": alignment or "none"}


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
        rows = named_rows(options.sweeps, read, key=lambda row: (row["model"], row["width"]))
        if options.renew:
            rows = renewed("width", rows, ("data", "model", "width", "seed"))
        write_result("width", {"rows": rows})
    studies = RESULTS.parents[1] / "docs" / "studies"
    write_between(studies / "width.md", "width", table(rows))
    (studies / "width").mkdir(exist_ok=True)
    for name in dict.fromkeys(row["data"] for row in rows):
        (studies / "width" / f"{name}.svg").write_text(draw(rows, name) + "\n")


if __name__ == "__main__":
    main()
