"""The conclusion of a page: a few sentences that follow from the figures by rule."""

from __future__ import annotations

from darec.visualize.anatomy import Anatomy

EMPTIED = 1.5
"""A table with a smaller effective rank counts as collapsed."""


def conclusion(anatomy: Anatomy) -> list[str]:
    """Return sentences on the agreement of both sides, on collapsed tables, and on users with similar texts."""
    first, second = anatomy.views[0].compared
    agree = " and ".join(
        f"{view.partners.agreement:.0%} of the {view.kind} ({view.partners.by_chance:.0%} by chance)"
        for view in anatomy.views
    )
    told = [f"{first} and {second} put {agree} into clusters that are partners."]
    empty = sorted({n for view in anatomy.views for n, r in view.ranks.items() if r < EMPTIED})
    if empty:
        told.append(f"Collapsed: {', '.join(empty)}, with an effective rank near 1.")
    study = anatomy.study
    if study is not None and len(study.cases[0].near) > 1:
        text, *_, last = study.cases[0].near
        told.append(
            "Users who are far apart in the graph and have similar texts have rank "
            f"{study.median_rank(text):,.0f} in {text} and rank {study.median_rank(last):,.0f} in {last}; "
            f"by chance it is {study.n_users / 2:,.0f}."
        )
    return told
