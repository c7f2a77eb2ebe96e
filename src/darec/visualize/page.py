"""The pictures of a run as one self-contained HTML page, and as PNG and SVG files beside it."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path

from darec.files import write_atomic
from darec.progress import OnStage
from darec.report.drawing import png, svg
from darec.report.html import cells, command_line, figure, table, write_document
from darec.report.panels import drawn
from darec.visualize.anatomy import Anatomy, View
from darec.visualize.cases import SHOWN, Case, CaseStudy
from darec.visualize.conclusion import conclusion
from darec.visualize.plots import TITLES, pictures, with_titles

_NO_PARTS = (
    "This alignment has no shared and specific parts, so E_C is compared with E_L. "
    "Runs of the alignment darec have these parts."
)


def write_anatomy(
    anatomy: Anatomy, out: Path, *, command: str = "", on_stage: OnStage = lambda what: None
) -> None:
    """Write ``index.html`` and every picture as PNG and SVG.

    Args:
        anatomy: the contents.
        out: an existing folder.
        command: the command line, for the record.
        on_stage: called with the name of each stage.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    sections: dict[str, list[str]] = {"users": [], "items": [], "cases": []}
    for name, caption, make in pictures(anatomy):
        on_stage(f"drawing {name}")
        made = make()
        kind = name.partition("-")[0]
        views = [view for view in anatomy.views if view.kind == kind]
        write_atomic(out / f"{name}.svg", with_titles(svg(made), views))
        write_atomic(out / f"{name}.png", png(made))
        drawing = drawn(made)
        panels = tuple(with_titles(panel, views) for panel in drawing.panels)
        sections[kind].append(figure(replace(drawing, panels=panels), caption))
    about = f"{anatomy.run} on {anatomy.dataset}; language vectors of {anatomy.encoder}."
    if anatomy.against:
        about += f" The other run: {anatomy.against}."
    parts = []
    if not anatomy.has_parts:
        parts.append(f"<p><strong>{escape(_NO_PARTS)}</strong></p>")
    for view in anatomy.views:
        parts += [f"<h2>{view.kind.capitalize()}</h2>", _ranks(view), *sections[view.kind]]
    parts.append("<h2>Users with similar texts who are far apart in the graph</h2>")
    if anatomy.study is None:
        parts.append("<p>No two users with text are that far apart in the graph.</p>")
    else:
        parts += sections["cases"]
        for case in anatomy.study.cases[:SHOWN]:
            parts.append(_case(case, anatomy.study))
    parts += ["<h2>How it was made</h2>", f'<p class="about">{escape(about)}</p>']
    if command:
        parts.append(command_line(command))
    title = f"The representations of {anatomy.run}"
    write_document(
        out / "index.html", title, parts, kind="visualize", conclusion=conclusion(anatomy)
    )


def _ranks(view: View) -> str:
    """Return a table of effective ranks and spreads, which show whether a table has collapsed."""
    rows = [
        cells([TITLES[name], f"{rank:.1f}", f"{view.spreads[name]:.3f}"])
        for name, rank in view.ranks.items()
    ]
    made = table(
        ["table", "effective rank", "spread of cosines"], rows, about=f"ranks of {view.kind}"
    )
    return (
        f'{made}<p class="legend">Over all rows at unit length. A rank near 1 or a spread near 0 means that the '
        "table has collapsed.</p>"
    )


def _case(case: Case, study: CaseStudy) -> str:
    where = f"{case.hops} edges apart" if case.hops else "without a path between them"
    lines = [f"<h3>{escape(' and '.join(case.users))}, {where}</h3>"]
    for user, titles, items in zip(case.users, case.liked, case.items, strict=True):
        more = f" and {items - len(titles)} more" if items > len(titles) else ""
        liked = "; ".join(titles) + more
        lines.append(f"<p><strong>{escape(user)}</strong> took {escape(liked)}.</p>")
    rows = [
        cells([TITLES[name], f"{near.cosine:+.3f}", f"{near.rank:,.0f}", f"{near.rank_back:,.0f}"])
        for name, near in case.near.items()
    ]
    first, second = case.users
    columns = ["table", "cosine", f"rank of {second} for {first}", f"rank of {first} for {second}"]
    lines.append(
        table(columns, rows, about=f"{first} and {second}")
        + f'<p class="legend">Ranks are among {study.n_users - 1:,} other users; 1 is the nearest.</p>'
    )
    return "\n".join(lines)
