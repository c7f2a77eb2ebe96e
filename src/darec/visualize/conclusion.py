"""What the pictures of a run say, in a few sentences that follow from its figures by rule."""

from __future__ import annotations

from darec.visualize.anatomy import Anatomy

EMPTIED = 1.5
"""Effective rank below which a table is said to have been emptied."""


def conclusion(anatomy: Anatomy) -> list[str]:
    """The sentences: how far both sides agree, whether a table is empty, and what becomes of users whom text joins."""
    first, second = anatomy.views[0].compared
    agree = " and ".join(
        f"{view.partners.agreement:.0%} of the {view.kind} ({view.partners.by_chance:.0%} by chance)"
        for view in anatomy.views
    )
    told = [f"{first} and {second} put {agree} into clusters that are partners."]
    empty = sorted({n for view in anatomy.views for n, r in view.ranks.items() if r < EMPTIED})
    if empty:
        told.append(f"Nothing is left in {', '.join(empty)}: its effective rank is near 1.")
    study = anatomy.study
    if study is not None and len(study.cases[0].near) > 1:
        text, *_, last = study.cases[0].near
        told.append(
            f"Users far apart in the graph whose texts are alike, of rank {study.median_rank(text):,.0f} in {text}, "
            f"are of rank {study.median_rank(last):,.0f} in {last}; chance is {study.n_users / 2:,.0f}."
        )
    return told
