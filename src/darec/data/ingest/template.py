"""Templates that make a text from an item's fields, such as ``"{title} ({year}). {genres}"``."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from darec.data.ingest.values import words
from darec.errors import DataError

_SEPARATORS: Final = " ,;:/|&+-\u2013\u2014"


@dataclass(frozen=True)
class Template:
    """A parsed template.

    Attributes:
        fields: the fields, in order.
        before: text that belongs to each field and stands before it.
        after: text that belongs to each field and stands directly after it.
    """

    fields: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text; a field without a value is left out together with its text before and after."""
        present = [i for i, field in enumerate(self.fields) if values.get(field)]
        parts = []
        for i in present:
            before, after = self.before[i], self.after[i]
            if i == present[0] and i > 0:
                before = before.lstrip(_SEPARATORS)
            if i == present[-1] and i < len(self.fields) - 1:
                after = after.rstrip(_SEPARATORS)
            parts.append(before + values[self.fields[i]] + after)
        return words("".join(parts))


def parse_template(template: str) -> Template:
    """Parse a template: text with fields in braces; a doubled brace is a brace.

    Text between two fields belongs to the first as far as it follows without a blank (``"."``, ``")"``); the rest
    belongs to the second. So ``"{title} ({year}). {genres}"`` without a year gives ``"Heat Crime"`` and not ``"Heat ().
    Crime"``.

    Raises:
        DataError: a brace has no partner, there is no field, or braces hold anything but a name.
    """
    where = f"text template {template!r}"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise DataError(f"{where}: {error}: double each brace that is only a character.") from None
    fields, texts = [], [""]
    for text, field, form, conversion in parts:
        texts[-1] += text
        if field is not None:
            if form or conversion or not field:
                raise DataError(
                    f"{where}: write only the name of a field in braces, as in {{title}}."
                )
            fields.append(field)
            texts.append("")
    if not fields:
        raise DataError(f"{where} names no field: write, say, '{{title}}. {{genres}}'.")
    between = [re.fullmatch(r"(\S*)(.*)", text, re.DOTALL) for text in texts[1:-1]]
    after = [match[1] for match in between if match] + [texts[-1]]
    before = [texts[0]] + [match[2] for match in between if match]
    return Template(tuple(fields), tuple(before), tuple(after))
