"""The errors darec raises on purpose.

Each message says what was wrong, where (file, line, row, key) and how to mend it. The command line prints the
message alone and exits with status 2; anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DarecError(Exception):
    """Base of every error that is the input's doing and not the program's."""


class ConfigError(DarecError, ValueError):
    """A setting, option or name that does not exist or does not fit."""


class DataError(DarecError, ValueError):
    """An input file or a stored dataset that cannot be used as it is."""


class TextError(DarecError, ValueError):
    """Item or user text, or vectors made from it, that cannot be used as they are."""


class RunError(DarecError, RuntimeError):
    """A run folder or checkpoint that cannot be used as it is."""


class EndpointError(DarecError, RuntimeError):
    """A server of language models that cannot be reached, or that refuses what it is asked."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A clause naming the option nearest to ``name``, or all options when none is near."""
    options = list(options)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "choose from " + ", ".join(sorted(options)) + "."
