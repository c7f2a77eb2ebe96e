"""Safe conditions over fields: those whose values cannot become larger than the fields themselves.

A server accepts conditions from other people. ``lpad(title, 1000000000, 'x') > ''`` would use all of the memory, and
polars ends the process if memory is exhausted.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

_TEXT: Final = {
    "Lowercase", "Uppercase", "Titlecase", "Reverse", "Slice", "Head", "Tail", "Extract", "Normalize",
    "StripChars", "StripCharsStart", "StripCharsEnd", "StripPrefix", "StripSuffix",
}  # fmt: skip
"""Functions that return text that is no longer than their input."""
_OF_TEXT: Final = {
    "LenChars", "LenBytes", "Contains", "ContainsAny", "StartsWith", "EndsWith", "CountMatches", "Find", "Split",
    "ToInteger", "Strptime", "ToDecimal",
}  # fmt: skip
"""Functions that return other types."""
_NEVER: Final = {
    "Range", "RepeatBy", "Implode", "Explode", "Over", "Window", "Rolling", "ConcatExpr", "ConcatList",
    "SubPlan", "GatherEvery", "Join", "ToString",
}  # fmt: skip
"""Functions whose values may have any size, or depend on the whole column; ``Join`` and ``ToString`` make text."""


def grows(expression: pl.Expr, types: Mapping[str, pl.DataType]) -> str | None:
    """The part of an expression whose values may be larger than the fields, or None.

    Args:
        expression: an SQL expression, parsed by polars.
        types: of the fields.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the format may change in later versions
            tree = json.loads(expression.meta.serialize(format="json"))
        return _grows(tree, types)
    except RecursionError:
        return "it is nested too deeply"
    except pl.exceptions.PolarsError:
        return "a part that has no name"


def _grows(tree: Any, types: Mapping[str, pl.DataType]) -> str | None:
    for name, inside in _nodes(tree):
        if name in _NEVER:
            return name
        if name == "StringExpr" and _first(inside) not in _TEXT | _OF_TEXT:
            return _first(inside)
        if name == "BinaryExpr" and inside.get("op") == "Plus":
            sides = inside["left"], inside["right"]
            if any(_is_text(side, types) for side in sides):
                return "||"
    return None


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """All names in a tree with their content; literals are skipped."""
    if isinstance(tree, dict):
        for name, inside in tree.items():
            if name not in ("Literal", "Column"):
                yield name, inside
                yield from _nodes(inside)
    elif isinstance(tree, list):
        for inside in tree:
            yield from _nodes(inside)
    elif isinstance(tree, str):
        yield tree, {}


def _is_text(tree: Any, types: Mapping[str, pl.DataType]) -> bool:
    if not isinstance(tree, dict):
        return False
    if "Column" in tree:
        return types.get(tree["Column"]) == pl.String
    if "Literal" in tree:
        return "String" in json.dumps(tree["Literal"]).partition(":")[0] + _first(tree["Literal"])
    if "Cast" in tree:
        return "String" in json.dumps(tree["Cast"].get("dtype"))
    if "Function" in tree:
        function = tree["Function"].get("function")
        return isinstance(function, dict) and _first(function.get("StringExpr")) in _TEXT
    if "Ternary" in tree:
        return any(_is_text(tree["Ternary"].get(part), types) for part in ("truthy", "falsy"))
    return False


def _first(tree: Any) -> str:
    """The name of a node."""
    return str(next(iter(tree), "")) if isinstance(tree, dict) else str(tree)
