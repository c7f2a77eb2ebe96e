"""The kinds of comparison: the names of their rows, and their baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

KindName = Literal["pairs", "sweep", "ablation"]
BASE: Final = "base"
"""The row of the unchanged pair in an ablation."""


class Title(NamedTuple):
    """The names of a variant.

    Attributes:
        section: its backbone in a grid of pairs, otherwise the pair that is varied.
        row: its alignment in a grid of pairs, otherwise its label.
        name: both, such as ``lightgcn + darec`` or ``lightgcn + darec, n_clusters=4``.
    """

    section: str
    row: str
    name: str

    @classmethod
    def of(cls, backbone: str, alignment: str, label: str | None) -> Title:
        """Make the title; ``label`` is None in a grid of pairs."""
        pair = f"{backbone} + {alignment}"
        return (
            cls(backbone, alignment, pair)
            if label is None
            else cls(pair, label, f"{pair}, {label}")
        )


@dataclass(frozen=True)
class Kind:
    """The words of a kind of comparison for tables, pages and messages.

    Attributes:
        title: of the page, before the dataset's name.
        command: that makes it.
        section: heading of the first column, which names a table's sections.
        row: heading of the second column, which names the rows.
        one: name of a row, in a sentence.
        many: name of rows, in a sentence.
        over: the baseline of gains, after "over"; ``{}`` is the baseline's name, here and in the next two.
        differs: the same in short, after "differs from".
        best: meaning of the mark in a table.
        without: why there may be no gains.
    """

    title: str
    command: str
    section: str
    row: str
    one: str
    many: str
    over: str
    differs: str
    best: str
    without: str

    def over_baseline(self, baseline: str) -> Kind:
        """Return the same words with the name of the baseline, where they have a place for it."""
        put_in = {
            name: getattr(self, name).format(baseline) for name in ("over", "differs", "without")
        }
        return replace(self, **put_in)


KINDS: Final[dict[KindName, Kind]] = {
    "pairs": Kind(
        title="Comparison",
        command="darec compare",
        section="backbone",
        row="alignment",
        one="pair",
        many="pairs",
        over="{} of the same backbone",
        differs="the alignment {}",
        best="best of its backbone",
        without="'{}' is not in the grid, so there are no gains.",
    ),
    "sweep": Kind(
        title="Sweep",
        command="darec sweep",
        section="pair",
        row="settings",
        one="value",
        many="values",
        over="the base",
        differs="the base",
        best="chosen by validation",
        without="The base's own value is not among those of the sweep, so there are no differences to it.",
    ),
    "ablation": Kind(
        title="Ablation",
        command="darec ablate",
        section="pair",
        row="variant",
        one="variant",
        many="variants",
        over="the base",
        differs="the base",
        best="best of all",
        without="The base did not finish, so there are no differences to it.",
    ),
}
