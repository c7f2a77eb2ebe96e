from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

from darec.compare.conclusion import conclusion
from darec.compare.figures import Curve, Gain, RunRecord, Spread
from darec.compare.page import write_markdown, write_page
from darec.compare.plots import accuracy, gains, gains_by_group, limits, plots
from darec.compare.reporting import reporting
from darec.compare.result import Comparison, Variant
from darec.console import Console
from darec.evaluation.groups import Group
from darec.report.drawing import style

GROUPS = (Group("items", 1, 2, 1, 3, 20), Group("items", 2, 2, 4, 9, 20))


def gain(difference: float) -> Gain:
    return Gain(
        difference, 0.1, difference - 0.01, difference + 0.01, 50, 0.01, 0.02, (0, 1), (difference,) * 2, None, None,
        0.5, 0.5,
    )  # fmt: skip


def pair(backbone: str, alignment: str, mean: float, seeds: int = 2) -> Variant:
    test = {"recall@20": Spread.of([mean - 0.001, mean + 0.001][:seeds])}
    gained = {"recall@20": gain(mean - 0.1)} | {
        f"{group.name}/recall@20": gain(mean - 0.1) for group in GROUPS
    }
    runs = tuple(RunRecord(seed, f"runs/{seed}", None, 1) for seed in range(seeds))
    curves = tuple(
        Curve(s, (3, 6, 9), (1.0, 2.0, 3.0), (0.05, mean, 0.07), 6) for s in range(seeds)
    )
    costs = {"seconds_per_epoch": Spread.of([1.5] * seeds)}
    gains = {} if alignment == "none" else gained
    return Variant(backbone, alignment, runs, {}, None, test, {}, costs, {}, gains, curves)


def comparison(*pairs: Variant) -> Comparison:
    counts = {"users": 50, "items": 40, "train": 300, "valid": 100, "test": 100}
    return Comparison(
        "a <b>shop</b>", "f", counts, (0, 1), (5, 20), "train", "recall@20", ("recall@20",), GROUPS, pairs,
        "darec compare data/shop --out x", "2026-01-01T00:00:00", "a processor", 1,
        {"darec": "0", "torch": "2"}, ("a note",),
    )  # fmt: skip


GRID = comparison(
    pair("lightgcn", "none", 0.1),
    pair("lightgcn", "darec", 0.1234),
    pair("simgcl", "none", 0.1111),
    pair("simgcl", "kar", 0.0987),
)


def test_the_page_says_every_figure_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    write_page(GRID, tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    for text in ("0.1000", "0.1234", "0.1111", "0.0987", "lightgcn", "simgcl", "darec", "kar"):
        assert text in page
    assert "+23.4%" in page and "[+13.4, +33.4]" in page
    assert page.count("<figure>") == len(list(plots(GRID))) == 5
    assert page.count('class="wide drawn"') == 10  # a drawing for each backbone in each
    # Names of XML vocabularies are not fetched; anything else that could be is not there.
    loaded = re.findall(r'(?:src|href)\s*=\s*"([^"#]+)"|url\(([^#)][^)]*)\)|@import', page)
    assert not loaded
    assert "<script" not in page and "<link" not in page


def test_the_report_shows_progress_once_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: next(clock) * 1.0)
    shown = Console(file=StringIO())
    with reporting(shown) as on_stage:
        write_page(GRID, tmp_path / "c.html", on_stage=on_stage)
    assert isinstance(shown.file, StringIO)
    # At 0 it begins; accuracy is drawn at 1, gains at 2, and the others less than ten seconds later.
    assert shown.file.getvalue() == "report: drawing gains\n"


def test_text_is_escaped(tmp_path: Path) -> None:
    write_page(GRID, tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    assert "a &lt;b&gt;shop&lt;/b&gt;" in page and "<b>shop" not in page


def test_failures_are_named(tmp_path: Path) -> None:
    failed = RunRecord(1, "runs/1", "loss is nan & more", None)
    broken = replace(pair("lightgcn", "darec", 0.12, seeds=1), gains={})
    broken = replace(broken, runs=(*broken.runs, failed))
    nothing = replace(broken, alignment="kar", runs=(failed,), test={}, costs={}, curves=())
    write_page(comparison(pair("lightgcn", "none", 0.1), broken, nothing), tmp_path / "c.html")
    assert "lightgcn + kar, seed 1: loss is nan &amp; more" in (tmp_path / "c.html").read_text()


@pytest.mark.parametrize("seeds", [1, 2])
def test_without_none_there_are_no_gains_to_show(tmp_path: Path, seeds: int) -> None:
    alone = comparison(replace(pair("lightgcn", "darec", 0.12, seeds=seeds), gains={}))
    names = [name for name, _, _ in plots(alone)]
    assert names == ["accuracy", "curves-seconds", "curves-epochs"]
    write_page(alone, tmp_path / "c.html")
    mean = {1: "0.1190", 2: "0.1200"}[seeds]
    assert mean in (tmp_path / "c.html").read_text()


def test_plots_show_the_values() -> None:
    (left, right), metric = accuracy(GRID, "recall@20").axes, "recall@20"
    assert [bar.get_height() for bar in left.patches] == pytest.approx([0.1, 0.1234])
    assert [bar.get_height() for bar in right.patches] == pytest.approx([0.1111, 0.0987])
    assert [tick.get_text() for tick in gains(GRID, metric).axes[1].get_xticklabels()] == ["kar"]


def test_a_backbone_without_a_gain_gets_no_panel() -> None:
    beside = comparison(*GRID.variants[:2], pair("popular", "none", 0.08))
    metric = "recall@20"
    assert [axes.get_title() for axes in accuracy(beside, metric).axes] == ["lightgcn", "popular"]
    assert [axes.get_title() for axes in gains(beside, metric).axes] == ["lightgcn"]
    drawn = gains_by_group(beside, metric, "items").axes
    assert [axes.get_title() for axes in drawn] == ["lightgcn"]
    captions = {name: caption for name, caption, _ in plots(beside)}
    assert captions["accuracy"].endswith("The dashed line is the alignment none.")


def test_a_gain_over_nothing_leaves_the_other_plots() -> None:
    best = pair("lightgcn", "darec", 0.1)
    over_zero = {name: replace(found, base=0.0) for name, found in best.gains.items()}
    found = comparison(pair("lightgcn", "none", 0.0), replace(best, gains=over_zero))
    assert [name for name, _, _ in plots(found)] == ["accuracy", "curves-seconds", "curves-epochs"]
    assert [axes.get_title() for axes in gains(found, "recall@20").axes] == ["lightgcn"]


def test_the_report_links_plots_that_are_there(tmp_path: Path) -> None:
    path = write_markdown(GRID, tmp_path / "study")
    links = re.findall(r"\]\(([^)]+\.svg)\)", path.read_text())
    assert len(links) == 5
    assert all((path.parent / link).read_text().startswith("<svg") for link in links)


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_markdown(GRID, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_the_page_opens_with_the_conclusion(tmp_path: Path) -> None:
    write_page(GRID, tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    said = (
        "lightgcn + darec has the highest test recall@20, 0.1234, 23.4% more (95% interval +13.4 to +33.4%) than the "
        "same backbone without alignment."
    )
    assert conclusion(GRID) == [said]
    assert page.index(f'<p class="lead">{said}</p>') < page.index("<table")
    assert "prefers-color-scheme: dark" in page


def test_what_is_within_chance_is_said_to_be() -> None:
    best = pair("lightgcn", "darec", 0.1234)
    unsure = {name: replace(found, p_users_holm=0.2) for name, found in best.gains.items()}
    (said,) = conclusion(comparison(pair("lightgcn", "none", 0.1), replace(best, gains=unsure)))
    assert "which is within chance" in said


def test_another_model_that_is_best_in_the_tail_is_named() -> None:
    def with_tail(variant: Variant, value: float) -> Variant:
        tail = {f"{GROUPS[0].name}/recall@20": Spread.of([value, value])}
        return replace(variant, test={**variant.test, **tail})

    none, darec = pair("lightgcn", "none", 0.1), pair("lightgcn", "darec", 0.1234)
    behind = conclusion(comparison(with_tail(none, 0.03), with_tail(darec, 0.01)))[1]
    assert "it has 0.0100, and lightgcn + none has more, 0.0300" in behind
    ahead = conclusion(comparison(with_tail(none, 0.01), with_tail(darec, 0.03)))[1]
    assert ahead.startswith("It also has the highest") and "0.0300" in ahead


def test_means_decide_an_axis_and_an_endless_interval_does_not() -> None:
    assert limits([(10, 8, 12), (4, 3, 5)]) == pytest.approx((-0.72, 12.72))
    bottom, top = limits([(10, -250, 300), (4, 3, 5)])
    assert -12 < bottom < -10 and 20 < top < 23
    assert limits([]) == (-1, 1)


def test_a_grid_without_epochs_has_no_curves() -> None:
    solved = [
        replace(found, curves=(Curve(0, (3,), (1.0,), (0.05,), 3),))
        for found in (pair("ease", "none", 0.1), pair("ease", "l3ae", 0.12))
    ]
    assert not [name for name, _, _ in plots(comparison(*solved)) if name.startswith("curves")]


def test_a_gain_over_next_to_nothing_is_drawn_as_a_difference() -> None:
    assert gains_by_group(GRID, "recall@20", "items").axes[0].get_ylabel() == "gain in recall@20, %"
    best = pair("lightgcn", "darec", 0.1234)
    name = f"{GROUPS[0].name}/recall@20"
    tiny = replace(best, gains={**best.gains, name: replace(best.gains[name], base=0.0001)})
    axes = gains_by_group(
        comparison(pair("lightgcn", "none", 0.1), tiny), "recall@20", "items"
    ).axes[0]
    assert axes.get_ylabel() == "gain in recall@20"
    assert axes.get_ylim()[1] < 0.1


def test_many_variants_can_be_told_apart_and_have_room_for_their_names() -> None:
    names = ("none", *(f"alignment {number}" for number in range(20)))
    many = comparison(*(pair("mf", name, 0.1) for name in names), pair("gccf", "none", 0.1))
    figure = gains(many, "recall@20")
    styles = {
        (line.get_color(), line.get_marker())
        for line in figure.axes[0].lines
        if line.get_marker() in ("o", "s", "D", "^")
    }
    assert len(styles) == 20
    figure.draw_without_rendering()
    tops = [label.get_window_extent().x1 for label in figure.axes[0].get_xticklabels()]
    height = 10 * figure.dpi / 72  # of a letter
    assert min(after - before for before, after in pairwise(tops)) * 0.57 > height
    widths = [panels(GRID, "recall@20").get_figwidth() for panels in (accuracy, gains)]
    assert widths == [9, 9]  # two panels side by side
    assert len({style(number) for number in range(28)}) == 28
