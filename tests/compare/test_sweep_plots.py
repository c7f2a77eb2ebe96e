from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from darec.compare.figures import RunRecord, Spread
from darec.compare.plots import plots
from darec.compare.result import Comparison, Variant
from darec.compare.sweep_plots import scale_of, sweep


def variant(changes: dict[str, Any], valid: float, test: float) -> Variant:
    label = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in changes.items())
    runs = tuple(RunRecord(seed, f"runs/{seed}", None, 1) for seed in range(3))

    def metrics(mean: float) -> dict[str, Spread]:
        spread = Spread.of([mean - 0.01, mean, mean + 0.01])
        return {"recall@20": spread, "ndcg@20": spread}

    return Variant(
        "mf", "darec", runs, {}, None, metrics(test), metrics(valid), {}, {}, {}, (), label, changes,
    )  # fmt: skip


def comparison(*variants: Variant, baseline: str = "") -> Comparison:
    counts = {"users": 50, "items": 40, "train": 300, "valid": 100, "test": 100}
    return Comparison(
        "shop", "f", counts, (0, 1, 2), (20,), "train", "recall@20", ("recall@20", "ndcg@20"), (), variants,
        "darec sweep", "2026-01-01T00:00:00", "a processor", 1, {}, (), "sweep", baseline,
    )  # fmt: skip


ONE = comparison(
    variant({"alignment.n_clusters": 8}, 0.14, 0.10),
    variant({"alignment.n_clusters": 2}, 0.11, 0.12),
    variant({"alignment.n_clusters": 4}, 0.13, 0.11),
    baseline="n_clusters=4",
)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([2, 4, 8, 16], "log"),
        ([0.1, 0.3, 1.0], "log"),
        ([1, 10], "log"),
        ([10, 20, 30, 40], "linear"),
        ([0.4, 0.5], "linear"),
        ([0, 1, 2, 3], "linear"),
        ([0, 0.01, 0.1, 1], "even"),
        (["greedy", "optimal"], "even"),
        ([True, False], "even"),
        ([None, 512, 1024], "even"),
        ([3], "even"),
    ],
)
def test_values_are_spaced_as_they_are_meant(values: list[Any], scale: str) -> None:
    assert scale_of(values) == scale


def test_means_are_joined_in_the_order_of_the_values_with_students_interval() -> None:
    figure = sweep(ONE, "recall@20")
    for axes, means in zip(figure.axes, ([0.11, 0.13, 0.14], [0.12, 0.11, 0.10]), strict=True):
        (bars,) = axes.containers
        line, _, (interval,) = bars.lines
        assert line.get_xdata().tolist() == [2, 4, 8]
        assert line.get_ydata().tolist() == pytest.approx(means)
        half = 4.302652729911275 * 0.01 / 3**0.5  # the quantile of t with two degrees of freedom
        for segment, mean in zip(interval.get_segments(), means, strict=True):
            assert segment[:, 1].tolist() == pytest.approx([mean - half, mean + half])
        assert axes.get_xscale() == "log"
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["8", "2", "4"]


def test_the_ring_is_where_validation_is_best_and_the_line_at_the_base() -> None:
    for axes, height in zip(sweep(ONE, "recall@20").axes, (0.14, 0.10), strict=True):
        (ring,) = [line for line in axes.lines if line.get_markersize() == 14]
        assert ring.get_xydata().tolist() == [pytest.approx([8, height])]
        assert any(list(line.get_xdata()) == [4, 4] for line in axes.lines)


def test_a_second_setting_is_a_line_for_each_of_its_values() -> None:
    grid = comparison(
        *(
            variant({"alignment.rho": rho, "train.optimizer": name}, 0.1 + rho, 0.1)
            for rho in (0.1, 0.3)
            for name in ("adam", "adamw")
        )
    )
    left = sweep(grid, "ndcg@20").axes[0]
    assert left.get_legend_handles_labels()[1] == ["optimizer=adam", "optimizer=adamw"]
    names = [name for name, _, _ in plots(grid)]
    assert names == ["sweep-recall", "sweep-ndcg"]
    assert "One line for each value of optimizer." in next(plots(grid))[1]


def test_a_value_whose_runs_failed_leaves_a_gap() -> None:
    failed = variant({"alignment.n_clusters": 16}, 0.9, 0.9)
    failed.test.clear()
    failed.valid.clear()
    figure = sweep(comparison(*ONE.variants, failed), "recall@20")
    (bars,) = figure.axes[0].containers
    assert bars.lines[0].get_xdata().tolist() == [2, 4, 8]
    assert len(figure.axes[0].get_xticklabels()) == 4


def test_labels_of_values_do_not_overlap_and_the_marked_ones_are_there() -> None:
    few = sweep(ONE, "recall@20").axes[0].get_xticklabels()
    assert [(label.get_text(), label.get_rotation()) for label in few] == [
        ("8", 0), ("2", 0), ("4", 0)
    ]  # fmt: skip
    rates = [0.0001 * step * 10**power for power in range(3) for step in (1, 1.2, 1.5, 2, 3, 5)]
    many = comparison(
        *(variant({"train.lr": round(rate, 5)}, rate == 0.0003, 0.1) for rate in rates),
        baseline="lr=0.002",
    )
    figure = sweep(many, "recall@20")
    figure.draw_without_rendering()
    labels = sorted(
        figure.axes[0].get_xticklabels(), key=lambda label: label.get_window_extent().x1
    )
    texts = [label.get_text() for label in labels]
    assert {"0.0003", "0.002", "0.0001", "0.05"} <= set(texts) and 6 <= len(texts) < len(rates)
    ends = [label.get_window_extent().x1 for label in labels]
    height = labels[0].get_fontsize() * figure.dpi / 72
    gaps = [after - before for before, after in pairwise(ends)]
    assert min(gaps) * math.sin(math.radians(35)) > 0.9 * height
