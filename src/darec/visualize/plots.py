"""The pictures of a run: maps with linked partners, similarity matrices, and the ranks of pairs of users."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from darec.report.drawing import GREY, SINGLE, WIDTH, empty_panels, with_dots
from darec.visualize.anatomy import Anatomy, View
from darec.visualize.cases import SHOWN, CaseStudy
from darec.visualize.maps import middles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES: Final = {
    "E_C": "E_C, collaborative",
    "E_C, other run": "E_C of the other run",
    "E_L": "E_L, language",
    "C_sh": "C_sh, collaborative, shared",
    "L_sh": "L_sh, language, shared",
    "C_sp": "C_sp, collaborative, specific",
    "L_sp": "L_sp, language, specific",
}
LABEL: Final = "#fdfdfd"  # nearly white, which stays what it is on a dark page
ON_LABEL: Final = "#111111"
METHOD_TITLES: Final = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def pictures(anatomy: Anatomy) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Return name, caption and maker of every picture."""
    for view in anatomy.views:
        for method in view.maps:
            yield (
                f"{view.kind}-{method}",
                map_caption(view, method),
                lambda view=view, method=method: maps(view, method),  # type: ignore[misc]
            )
        yield (
            f"{view.kind}-similarity",
            _matrix_caption(view),
            lambda view=view: matrices(view),  # type: ignore[misc]
        )
    study = anatomy.study
    if study is not None:
        yield "cases", _case_caption(study), lambda: case_ranks(study)


def maps(view: View, method: str) -> Figure:
    """Draw the compared tables side by side, with partner clusters linked; below them the specific parts."""
    from matplotlib.patches import ConnectionPatch

    places = view.maps[method]
    figure, panels = empty_panels(len(places) // 2, 2, height=4.2)
    first, second = view.compared
    colours = _colours(view.partners.n_clusters)
    clusters = {first: view.partners.C[view.rows], second: view.partners.L[view.rows]}
    clusters |= {"C_sp": clusters[first], "L_sp": clusters[second]}
    for axes, (name, points) in zip(panels, places.items(), strict=True):
        shades = [colours[cluster] for cluster in clusters[name]]
        axes.scatter(
            points[:, 0], points[:, 1], c=shades, s=12, alpha=0.75, lw=0, gid=f"{view.kind}-{name}"
        )
        _frame(axes, TITLES[name])
    if view.together:
        both = np.concatenate([places[first], places[second]])
        margin = 0.05 * np.ptp(both, axis=0).clip(min=1e-9)
        for axes in panels[:2]:
            axes.set_xlim(both[:, 0].min() - margin[0], both[:, 0].max() + margin[0])
            axes.set_ylim(both[:, 1].min() - margin[1], both[:, 1].max() + margin[1])
    ends = [middles(places[name], clusters[name], len(colours)) for name in view.compared]
    for number, (colour, start, end) in enumerate(zip(colours, *ends, strict=True), 1):
        for axes, place in zip(panels, (start, end), strict=False):
            axes.plot(*place, "o", color=LABEL, mec=colour, mew=2, ms=13, zorder=4)
            if not np.isnan(place).any():
                axes.annotate(
                    str(number),
                    place,
                    color=ON_LABEL,
                    size=8,
                    ha="center",
                    va="center_baseline",
                    zorder=5,
                )
        if not np.isnan([start, end]).any():
            link = ConnectionPatch(
                start, end, "data", "data", axesA=panels[0], axesB=panels[1], color=colour, lw=1.4,
                alpha=0.8, zorder=3,
            )  # fmt: skip
            link.set_in_layout(False)
            figure.add_artist(link)
    if any(view.names):
        dots = [panels[0].plot([], [], "o", color=colour)[0] for colour in colours]
        named = [
            (dot, f"{number} {name}")
            for number, (dot, name) in enumerate(zip(dots, view.names, strict=True), 1)
            if name
        ]
        figure.legend(
            [dot for dot, _ in named], [name for _, name in named],
            loc="outside lower center", ncols=3, frameon=False, fontsize=8,
        )  # fmt: skip
    return figure


def with_titles(drawing: str, views: Sequence[View]) -> str:
    """Return maps as SVG in which the dots of the compared tables show titles under the pointer."""
    for view in views:
        for name in next(iter(view.maps.values()), {}):
            titles = view.titles if name in view.compared else ()
            drawing = with_dots(drawing, f"{view.kind}-{name}", titles)
    return drawing


def matrices(view: View) -> Figure:
    """Draw cosines before (upper row) and after; all have one order of rows."""
    from matplotlib import colormaps

    found = view.similarities.matrices
    before = [name for name in found if name.startswith("E_")]
    after = [name for name in found if name not in before]
    columns = max(len(before), 2)
    figure, panels = empty_panels(1 + bool(after), columns, height=0.88 * WIDTH / columns)
    rows = [before, after] if after else [before]
    shades = colormaps["RdBu_r"].resampled(17)  # a few colours make a small file
    for line, names in enumerate(rows):
        for place in range(columns):
            axes = panels[line * columns + place]
            if place >= len(names):
                axes.set_visible(False)
                continue
            image = axes.imshow(
                found[names[place]], vmin=-1, vmax=1, cmap=shades, interpolation="none"
            )
            for bound in view.similarities.bounds:
                axes.axhline(bound - 0.5, color="black", lw=0.4)
                axes.axvline(bound - 0.5, color="black", lw=0.4)
            _frame(axes, TITLES[names[place]])
    shown = [axes for axes in panels if axes.get_visible()]
    figure.colorbar(
        image, ax=shown, label="cosine", shrink=0.4, location="bottom", ticks=[-1, -0.5, 0, 0.5, 1]
    )
    return figure


def case_ranks(study: CaseStudy) -> Figure:
    """Draw each pair's rank in every table, 1 at the top; one line for each pair, the median dashed."""
    figure, (axes,) = empty_panels(1, 1, height=4.0, width=SINGLE)
    names = list(study.cases[0].near)
    for number, case in reversed(list(enumerate(study.cases))):
        ranks = [case.near[name].mean_rank for name in names]
        told = number < SHOWN  # distinguished by marks: colours stand for clusters on this page
        axes.plot(
            ranks, f"{'o^v'[number % 3]}-" if told else "-", ms=6, lw=1.4 if told else 0.6,
            color="black" if told else GREY, alpha=0.8 if told else 0.35,
            label=" and ".join(case.users) if told else None,
        )  # fmt: skip
    medians = [study.median_rank(name) for name in names]
    axes.plot(medians, "s--", color="black", ms=6, label=f"median of {len(study.cases)} pairs")
    axes.axhline(study.n_users / 2, color=GREY, ls=":", lw=1)
    axes.annotate("by chance", (len(names) - 1, study.n_users / 2), va="bottom", ha="right")
    axes.set_yscale("log")
    axes.set_ylim(study.n_users, 0.8)
    axes.set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("rank as neighbours")
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2, frameon=False)
    return figure


def map_caption(view: View, method: str) -> str:
    """Return the caption of a map: its contents and how it was made."""
    first, second = view.compared
    sharing, how = "share one map", "of least distance between their middles"
    if not view.together:
        sharing, how = "differ in width, so their axes are unrelated", "with most members in common"
    partners = view.partners
    caption = (
        f"{len(view.rows):,} {view.kind} by {METHOD_TITLES[method]}, rows at unit length. {first} and {second} "
        f"{sharing}. Colours are {partners.n_clusters} clusters of each side by K-means over all {view.kind}; "
        f"partners, {how}, have one colour and one number. {partners.agreement:.0%} of the "
        f"{view.kind} are in partner clusters ({partners.by_chance:.0%} by chance)."
    )
    if any(view.names):
        what = "titles" if view.kind == "items" else "titles of the items of its users"
        caption += f" A cluster of {first} is named by typical words of the {what}."
    if len(view.maps[method]) > 2:
        caption += f" Each specific part has its own map, coloured by the clusters of {first} and of {second}."
    return caption


def _matrix_caption(view: View) -> str:
    found, (first, second) = view.similarities, view.compared
    rows = len(found.matrices["E_C"])

    def said(a: str, b: str) -> str:
        r = found.correlation(a, b)
        return f"{a} and {b}: " + ("one of them is constant" if r is None else f"r = {r:.2f}")

    pairs = dict.fromkeys([("E_C", "E_L"), (first, second)])
    if "E_C, other run" in found.matrices:
        pairs = {("E_C, other run", "E_L"): None, **pairs}
    return (
        f"Cosines between {rows} {view.kind}. Rows have the same order in all matrices: by the clusters of {first} "
        f"(lines). Blocks there are expected; blocks in other matrices are common structure. E_C and E_L are centred. "
        f"Correlation over pairs: {'; '.join(said(a, b) for a, b in pairs)}."
    )


def _case_caption(study: CaseStudy) -> str:
    return (
        f"The {len(study.cases)} pairs of users, at least {study.hops} edges apart in the training graph, with the "
        "most similar texts: rank of one as the other's neighbour by cosine, the mean of both directions. "
        "Pairs were chosen by graph and text alone; the first three have marks."
    )


def _colours(n_clusters: int) -> list[tuple[float, float, float, float]]:
    from matplotlib import colormaps

    palette = colormaps["tab10" if n_clusters <= 10 else "tab20"]
    return [palette(cluster % palette.N) for cluster in range(n_clusters)]


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
