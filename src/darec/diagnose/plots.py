"""The plots of a text report: recall, gain by popularity, agreement, spectrum and lengths.

On the whole page orange stands for text, blue for interactions and green for both; the thirds of the items are shades
of purple.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from darec.diagnose.coverage import WORD_BINS
from darec.diagnose.estimate import ByPopularity, Estimate
from darec.diagnose.figures import Figures
from darec.diagnose.tables import RECALLS, thirds
from darec.diagnose.text_report import TextReport
from darec.report.drawing import COLOURS, GREY, SHADES, empty_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def text_plots(report: TextReport) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Return name, caption and maker of each plot."""
    found = report.figures
    yield (
        "recall",
        "Recall@20 on the validation split of recommenders that need no training, with 95% intervals over users. By "
        "third: only the items of that third by training users are counted.",
        lambda: recall_plot(found),
    )
    what = "Recall@20 of the sum of text and interactions minus that of the better one alone."
    if found.agreement is not None:
        what += (
            f" Agreement: share of {found.agreement.k} text neighbours that are co-interaction neighbours; the grey "
            "lines show the share by chance."
        )
    yield (
        "by-popularity",
        what + " By item popularity, with 95% intervals.",
        lambda: popularity_plot(found),
    )
    yield (
        "texts",
        "Share of the embeddings' variance by principal component; R² of the linear map from text for each "
        "collaborative factor, by falling singular value; items by the number of words of their text.",
        lambda: texts_plot(found),
    )


def recall_plot(found: Figures) -> Figure:
    """Every recommender's recall, overall and by third."""
    figure, (left, right) = empty_panels(1, 2, height=4.0)
    names = list(RECALLS)[::-1]
    for place, name in enumerate(names):
        _bar(left, found.recalls[name].overall, place, _colour(name))
        for third, estimate in enumerate(found.recalls[name].thirds):
            _bar(right, estimate, place + (1 - third) * 0.25, SHADES[third], size=4)
    for axes, title in ((left, "all items"), (right, "by third of the items")):
        axes.set_title(title, fontsize=10)
        axes.set_yticks(range(len(names)), [RECALLS[name] for name in names])
        axes.set_xlabel("recall@20")
        axes.set_xlim(left=0)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    handles = [right.plot([], [], "o", color=SHADES[third])[0] for third in range(3)]
    figure.legend(handles, thirds(found), loc="outside lower center", ncols=3, frameon=False)
    return figure


def popularity_plot(found: Figures) -> Figure:
    """The gain of the sum, and the agreement of neighbours, overall and by third."""
    shared = found.agreement
    figure, panels = empty_panels(1, 1 if shared is None else 2, height=3.2)
    labels = ["all items", *thirds(found)]
    _columns(panels[0], found.gain, labels)
    panels[0].axhline(0, color=GREY, lw=1)
    panels[0].set_title("recall@20, sum minus better alone", fontsize=10)
    if shared is not None:
        _columns(panels[1], shared.share, labels)
        for place, chance in enumerate(shared.chance):
            if chance is not None:
                panels[1].plot([place - 0.25, place + 0.25], [chance, chance], color=GREY, lw=2)
        panels[1].set_ylim(bottom=0)
        panels[1].set_title("agreement of neighbours", fontsize=10)
    return figure


def texts_plot(found: Figures) -> Figure:
    """Spectrum, R² by factor, and lengths."""
    figure, (spectrum, factors, words) = empty_panels(1, 3, height=3.0)
    shares = np.array(found.shape.spectrum)
    spectrum.plot(np.arange(1, len(shares) + 1), shares.cumsum(), color=COLOURS[1])
    spectrum.set_ylim(0, 1)
    spectrum.set_xlabel("principal components")
    spectrum.set_title("share of variance", fontsize=10)
    ratios = found.regression.factors
    factors.plot(range(1, len(ratios) + 1), ratios, ".", color=COLOURS[1], ms=4)
    factors.axhline(0, color=GREY, lw=1)
    factors.axhline(found.regression.r2.value, color="black", lw=1, ls="--")
    factors.set_xlabel("collaborative factor")
    factors.set_title("R² of text (dashed: all)", fontsize=10)
    words.bar(range(len(WORD_BINS)), found.coverage.word_counts, color=COLOURS[1])
    words.set_xticks(range(len(WORD_BINS)), list(map(str, WORD_BINS)), rotation=60)
    words.set_xlabel("words, from")
    words.set_title("items", fontsize=10)
    for axes in (spectrum, factors, words):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _colour(name: str) -> str:
    if name in ("profile", "neighbours", "predicted"):
        return COLOURS[1]
    return {"interactions": COLOURS[0], "own": COLOURS[0], "sum": COLOURS[2]}.get(name, GREY)


def _bar(axes: Axes, found: Estimate | None, y: float, colour: str, size: int = 6) -> None:
    if found is not None:
        axes.plot([found.low, found.high], [y, y], color=colour, lw=1.5)
        axes.plot(found.value, y, "o", color=colour, ms=size)


def _columns(axes: Axes, figure: ByPopularity, labels: list[str]) -> None:
    for place, found in enumerate((figure.overall, *figure.thirds)):
        if found is not None:
            colour = SHADES[place - 1] if place else "black"
            axes.plot([place, place], [found.low, found.high], color=colour, lw=2)
            axes.plot(place, found.value, "o", color=colour, ms=7)
    axes.set_xticks(range(len(labels)), [label.replace(" users", "\nusers") for label in labels])
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
