"""The report's figures as tables of text, independent of the output format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from darec.diagnose.coverage import NEAR
from darec.diagnose.estimate import ByPopularity, Estimate
from darec.diagnose.figures import Figures
from darec.diagnose.text_report import TextReport

if TYPE_CHECKING:
    from rich.table import Table as RichTable

RECALLS: Final = {
    "random": "random ranking",
    "popular": "most popular",
    "profile": "text, user mean",
    "neighbours": "text, neighbours",
    "interactions": "interactions",
    "own": "own factors",
    "predicted": "factors from text",
    "alone": "better alone",
    "sum": "sum of both",
}
"""Names of the recommenders on screen."""


@dataclass(frozen=True)
class Table:
    """One table; its first column holds the names of the rows.

    Attributes:
        title: of the table.
        columns: headings.
        rows: of text.
        note: the text below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables(report: TextReport) -> tuple[Table, ...]:
    """Return the tables on the texts, then those on taste."""
    return _texts(report), _taste(report.figures), _recalls(report.figures)


def rich_table(table: Table) -> RichTable:
    """Return the table for a terminal."""
    from rich.table import Table as RichTable

    made = RichTable(
        title=table.title, title_justify="left", caption=table.note, caption_justify="left"
    )
    for place, column in enumerate(table.columns):
        # On a narrow terminal names are folded, not numbers.
        made.add_column(
            column, justify="right" if place else "left", overflow="fold", no_wrap=place > 0
        )
    for row in table.rows:
        made.add_row(*row)
    return made


def markdown(table: Table) -> str:
    """Return the table as Markdown."""
    lines = [f"## {table.title}\n", f"| {' | '.join(table.columns)} |"]
    lines.append("|---|" + "--:|" * (len(table.columns) - 1))
    lines += [f"| {' | '.join(row)} |" for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else [])]) + "\n"


def thirds(found: Figures) -> list[str]:
    """Return the names of the thirds of the items."""
    return [f"{group.low}-{group.high} users" if group.size else "-" for group in found.groups]


def _texts(report: TextReport) -> Table:
    cover, shape = report.figures.coverage, report.figures.shape
    has = max(cover.items - cover.without_text, 1)
    least, median, high, most = cover.words
    rows = (
        ("items", f"{cover.items:,}"),
        ("without text", _share(cover.without_text, cover.items)),
        ("with another's text, word for word", _share(cover.repeated, has)),
        (f"with another's text, nearly (cosine > {NEAR:g})", _share(cover.near_repeated, has)),
        ("sharing a word with another's text", f"{cover.common_words:.1%}"),
        ("words: median (least, 95%, most)", f"{median} ({least}, {high}, {most})"),
        ("training interactions with text", f"{cover.interactions:.1%}"),
        ("users without any text", _share(cover.users_without_text, cover.users)),
        ("effective rank, of", f"{shape.effective_rank:.1f}, {shape.dim}"),
        ("effective rank, centred", f"{shape.effective_rank_centred:.1f}"),
        ("components with 90% of variance", str(shape.components_90)),
        ("mean cosine of two items", f"{shape.mean_cosine:.3f}"),
    )
    return Table(f"texts of {report.dataset} by {report.encoder}", ("", "value"), rows)


def _taste(found: Figures) -> Table:
    shared, linear = found.agreement, found.regression
    rows = []
    if shared is not None:
        chance = [f"{value:.4f}" if value is not None else "-" for value in shared.chance]
        rows += [
            (f"agreement of {shared.k}", *_cells(shared.share)),
            ("by chance", *chance),
        ]
    rows.append(("reliability", f"{found.reliability:.3f}", "", "", ""))
    rows.append(("R² of factors", _cell(linear.r2), "", "", ""))
    note = (
        f"± is half of the 95% interval over items. {linear.items:,} items have text and training users."
        if shared
        else "No two items with text share a user, so the agreement is unknown."
    )
    return Table("text and co-interaction", ("", "all items", *thirds(found)), tuple(rows), note)


def _recalls(found: Figures) -> Table:
    rows = [(label, *_cells(found.recalls[name])) for name, label in RECALLS.items()]
    rows.append(("sum - better", *_cells(found.gain, signed=True)))
    rows.append(("text - interactions", *_cells(found.lead, signed=True)))
    chosen = found.chosen
    note = (
        f"± is half of the 95% interval over users. Chosen on one half of the users, read on the other: interactions "
        f"{' / '.join(chosen['interactions'])}, text {' / '.join(chosen['text'])}, better alone "
        f"{' / '.join(chosen['alone'])}, weight of text {' / '.join(chosen['sum'])}."
    )
    title = f"recall@20 of {found.users:,} users on the validation split, nothing trained"
    return Table(title, ("", "all items", *thirds(found)), tuple(rows), note)


def _cells(figure: ByPopularity, *, signed: bool = False) -> Iterator[str]:
    for estimate in (figure.overall, *figure.thirds):
        yield "-" if estimate is None else _cell(estimate, "+" if signed else "")


def _cell(found: Estimate, sign: str = "") -> str:
    half = f"{(found.high - found.low) / 2:.4f}"
    return f"{found.value:{sign}.4f}±{half.removeprefix('0')}"


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / max(of, 1):.1%})"
