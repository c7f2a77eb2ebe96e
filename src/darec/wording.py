"""Translate messages from the command line to Python: an option becomes an argument, and a command becomes a call."""

from __future__ import annotations

import re
from typing import Final

# Quoted text (a whole command, a user's id) has no options; the apostrophe of "items' texts" opens no quotation.
_OPTION: Final = re.compile(
    r"""(?<!\w)(?:'([^']*)'|"[^"]*")|(?<!\w)--([a-z][a-z0-9-]*)(?:=([\w.+-]*\w))?"""
)
_ARGUMENTS: Final = {
    "data": "dataset",
    "set": "overrides",
    "param": "params",
    "clusters": "n_clusters",
    "overwrite": "overwrite=True",
    "auto": "darec.fit_auto",
    "plugin": "darec.load_plugin",
    "resume": "resume=True",
    "tensorboard": "tensorboard=True",
    "ignore-column": "ignore_columns",
    "quotes": "quotes=True",
    "no-quotes": "quotes=False",
    "with-warm": "with_warm=True",
    "keep-cold-items": "keep_cold_items=True",
    "yes": "many=True",
    "timestamp-column": "columns={'time': ...}",
    **{f"{kind}-column": f"columns={{'{kind}': ...}}" for kind in ("user", "item", "rating", "split")},
}  # fmt: skip
"""Options whose Python argument differs from their name with underscores, and switches."""
_FUNCTIONS: Final = {"import": "load_dataset", "encode": "encode_dataset", "train": "fit"}
"""Commands that are one function in Python."""


def counted_noun(count: float, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 item``, ``1,204 items``; ``many`` is a plural that is more than an s."""
    return f"{count:,.0f} {one if count == 1 else many or f'{one}s'}"


def agreeing(count: float, one: str, many: str) -> str:
    """Return the word that agrees with a count, such as ``is`` or ``are``, if its noun is elsewhere in the sentence."""
    return one if count == 1 else many


def in_python(message: str) -> str:
    """A message with options in the form of the command line, translated to Python.

    ``--k-core`` becomes ``k_core``, ``--split=random`` becomes ``split='random'``, and ``'darec encode data --encoder
    tfidf'`` becomes ``darec.encode_dataset('data', encoder='tfidf')``.
    """
    return _OPTION.sub(_reworded, message)


def _reworded(found: re.Match[str]) -> str:
    quoted, option, value = found.groups()
    if option is not None:
        return _argument(option, value)
    words = (quoted or "").split()
    if words[:1] != ["darec"] or len(words) < 2 or words[1] not in _FUNCTIONS:
        return found[0]
    return _call(_FUNCTIONS[words[1]], " ".join(words[2:]))


def _argument(option: str, value: str | None) -> str:
    name = _ARGUMENTS.get(option, option.replace("-", "_"))
    return name if value is None else f"{name}={_literal(value)}"


def _call(function: str, words: str) -> str:
    """The call for a command with these words, or the function's name without words."""
    first, *options = f" {words}".split(" --")
    arguments = [_literal(first.strip())] if first.strip() else []
    for option in options:
        name, _, value = option.partition(" ")
        name = "source" if (function, name) == ("encode_dataset", "text") else name
        arguments.append(_argument(name, value.strip() or None))
    return f"darec.{function}" + (f"({', '.join(arguments)})" if arguments else "")


def _literal(value: str) -> str:
    """Return a value in Python's form. DATA is a variable, and placeholders for the reader do not change."""
    if value == "DATA":
        return "data"
    return value if value == "..." or value.replace(".", "", 1).isdecimal() else repr(value)
