"""Suspicious ids: words for a missing value, and numbers that a spreadsheet has shortened."""

from __future__ import annotations

import re
from typing import Final

from darec.data.tally import Tally
from darec.wording import counted_noun

MISSING: Final = {"NaN", "nan", "NULL", "null", "None", "<NA>", "\\N"}
SHORTENED: Final = re.compile(r"\d([.,]\d+[eE]\+?|[eE]\+)\d+")


def note_odd_ids(users: list[str], items: list[str], tally: Tally) -> None:
    """Note notices about such ids.

    Args:
        users: ids of all users.
        items: ids of all items.
        tally: gets the notices.
    """
    for kind, ids in (("user", users), ("item", items)):
        missing = [one for one in ids if one in MISSING]
        if missing:
            tally.notices.append(
                f"read as ids of {kind}s: {', '.join(map(repr, missing))}. If they mean that the id is missing, remove "
                "these interactions."
            )
        short = [one for one in ids if SHORTENED.fullmatch(one)]
        if short:
            tally.notices.append(
                f"{counted_noun(len(short), f'{kind} id looks', f'{kind} ids look')} like {short[0]!r}: a spreadsheet "
                "writes long numbers in this form, and different ids may have become one. Export them as text."
            )
