"""The errors darec raises on purpose.

Each message says what was wrong, where (file, line, row, key) and how to mend it. The command line prints the
message alone and exits with status 2; anything else that escapes is a bug.

Messages name options and commands as the command line writes them, and ``str()`` of an error in Python's words
(:mod:`darec.wording`).
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from darec.urls import without_credentials
from darec.wording import in_python

MOST_CHARACTERS: Final = 200
_LONG: Final = re.compile(r"(?<!\w)'[^']{199,}'(?!\w)|(?<!\w)\"[^\"]{199,}\"(?!\w)|\S{201,}")


class DarecError(Exception):
    """Base of every error that is the input's doing and not the program's."""

    def __str__(self) -> str:
        return in_python(self.command_line)

    @property
    def command_line(self) -> str:
        """The message with options as the command line writes them, no password in a URL, and long values cut."""
        return shortened(without_credentials(super().__str__()))


class ConfigError(DarecError, ValueError):
    """A setting, option or name that does not exist or does not fit."""


class DataError(DarecError, ValueError):
    """An input file or a stored dataset that cannot be used as it is."""


class TextError(DarecError, ValueError):
    """Item or user text, or vectors made from it, that cannot be used as they are."""


class RunError(DarecError, RuntimeError):
    """A run folder or checkpoint that cannot be used as it is."""


class FolderError(DarecError, RuntimeError):
    """A folder that cannot be written: another process is writing it, or the system refuses."""


class EndpointError(DarecError, RuntimeError):
    """A server of language models that cannot be reached, or that refuses what it is asked."""


class DatabaseError(DarecError, RuntimeError):
    """A database that cannot be reached, or that refuses what it is asked."""


class DarecWarning(UserWarning):
    """Something that the reader of a result should know; the command line prints it in one line."""


def did_you_mean(name: str, options: Iterable[str], prefix: str = "") -> str:
    """A clause naming the option nearest to ``name``, after ``prefix``, or all options when none is near."""
    options = list(options)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if near:
        return f"did you mean {prefix + near[0]!r}?"
    more = f" and {len(options) - 50} more" if len(options) > 50 else ""
    return "choose from " + ", ".join(sorted(options)[:50]) + more + "."


def shortened(message: str) -> str:
    """A message in which no value is longer than :data:`MOST_CHARACTERS`, and which itself is a line or two."""
    message = _LONG.sub(lambda value: _cut(value[0], MOST_CHARACTERS), message)
    return _cut(message, 10 * MOST_CHARACTERS)


def shown(value: object) -> str:
    """A value as a message shows it."""
    return _cut(repr(value), MOST_CHARACTERS)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    note = f" [{len(text):,} characters] "
    return f"{text[: most // 2]}{note}{text[len(note) - most // 2 :]}"


def explained(error: BaseException, file: str | None = None) -> str:
    """An error in somebody else's code, in one line with its place.

    Args:
        error: what was raised.
        file: the file of that code; None: the last file on the way to the error that is neither darec's nor Python's.
    """
    if isinstance(error, DarecError):
        what = error.command_line
    elif isinstance(error, ModuleNotFoundError):
        what = f"the module {error.name!r} is not installed"
    else:
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    own = str(Path(__file__).parent)
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
        or (
            file is None
            and not frame.filename.startswith((own, "<"))
            and "importlib" not in frame.filename
        )
    ]
    if isinstance(error, SyntaxError) or not places:  # a SyntaxError says itself where it is
        return what
    return f"{what.removesuffix('.')} ({Path(places[-1].filename).name}, line {places[-1].lineno})."
