"""The pictures of a run as one self-contained HTML page, and as PNG and SVG files beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from darec.files import write_atomic
from darec.progress import OnStage
from darec.report.drawing import png, svg
from darec.report.html import figure, write_document
from darec.visualize.anatomy import Anatomy, View
from darec.visualize.cases import SHOWN, Case, CaseStudy
from darec.visualize.plots import TITLES, pictures

_NO_PARTS = "This alignment has no shared and specific parts, so E_C is shown against E_L. Runs of darec have them."


def write_anatomy(
    anatomy: Anatomy, out: Path, *, command: str = "", on_stage: OnStage = lambda what: None
) -> None:
    """Write ``index.html`` and every picture as PNG and SVG.

    Args:
        anatomy: what to show.
        out: a folder that is there.
        command: how this was asked for.
        on_stage: called with what is being done.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    sections: dict[str, list[str]] = {"users": [], "items": [], "cases": []}
    for name, caption, make in pictures(anatomy):
        on_stage(f"drawing {name}")
        drawn = make()
        drawing = svg(drawn)
        write_atomic(out / f"{name}.svg", drawing)
        write_atomic(out / f"{name}.png", png(drawn))
        sections[name.partition("-")[0]].append(figure(drawing, caption))
    about = f"{anatomy.run} on {anatomy.dataset}; language vectors of {anatomy.encoder}."
    if anatomy.against:
        about += f" The other run: {anatomy.against}."
    parts = [f"<p>{escape(about)}</p>"]
    if command:
        parts.append(f"<p><code>{escape(command)}</code></p>")
    if not anatomy.has_parts:
        parts.append(f"<p><strong>{escape(_NO_PARTS)}</strong></p>")
    for view in anatomy.views:
        parts += [f"<h2>{view.kind.capitalize()}</h2>", _ranks(view), *sections[view.kind]]
    parts.append("<h2>Users whom text brings together</h2>")
    if anatomy.study is None:
        parts.append("<p>No two users with text are that far apart in the graph.</p>")
    else:
        parts += sections["cases"]
        for case in anatomy.study.cases[:SHOWN]:
            parts.append(_case(case, anatomy.study))
    write_document(out / "index.html", f"What {anatomy.run} learned", parts)


def _ranks(view: View) -> str:
    """Effective rank and spread of every table: whether anything is left in it."""
    head = "".join(f'<th scope="col">{escape(TITLES[name])}</th>' for name in view.ranks)
    ranks = "".join(f"<td>{rank:.1f}</td>" for rank in view.ranks.values())
    spreads = "".join(f"<td>{spread:.3f}</td>" for spread in view.spreads.values())
    return (
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>'
        f"<tr><td>effective rank</td>{ranks}</tr><tr><td>spread of cosines</td>{spreads}</tr></tbody></table></div>"
        '<p class="legend">Over all rows at unit length. A rank near 1 or a spread near 0 is a table that has been '
        "emptied.</p>"
    )


def _case(case: Case, study: CaseStudy) -> str:
    where = f"{case.hops} edges apart" if case.hops else "without a path between them"
    lines = [f"<h3>{escape(' and '.join(case.users))}, {where}</h3>"]
    for user, titles, items in zip(case.users, case.liked, case.items, strict=True):
        more = f" and {items - len(titles)} more" if items > len(titles) else ""
        liked = "; ".join(titles) + more
        lines.append(f"<p><strong>{escape(user)}</strong> took {escape(liked)}.</p>")
    rows = "".join(
        f"<tr><td>{escape(TITLES[name])}</td><td>{near.cosine:+.3f}</td><td>{near.rank:,.0f}</td>"
        f"<td>{near.rank_back:,.0f}</td></tr>"
        for name, near in case.near.items()
    )
    first, second = map(escape, case.users)
    lines.append(
        '<div class="wide"><table><thead><tr><th>table</th><th>cosine</th>'
        f"<th>rank of {second} for {first}</th><th>rank of {first} for {second}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="legend">Ranks among {study.n_users - 1:,} other users, 1 for the nearest.</p>'
    )
    return "\n".join(lines)
