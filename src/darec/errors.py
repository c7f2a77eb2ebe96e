"""The errors of darec.

Each message says what was wrong, where (file, line, row, key) and how to solve it. The command line prints only the
message and exits with status 2; any other error that reaches the user is a bug.

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
    """Base class of errors that are caused by the input and not by a bug."""

    def __str__(self) -> str:
        return in_python(self.command_line)

    @property
    def command_line(self) -> str:
        """The message with options as the command line writes them, no password in a URL, and long values cut."""
        return shortened(without_credentials(super().__str__()))


class ConfigError(DarecError, ValueError):
    """A setting, option or name does not exist or does not fit."""


class SingularError(ConfigError):
    """A linear system has no unique solution with these settings, or none to the precision of the computation."""


class DataError(DarecError, ValueError):
    """An input file or a stored dataset cannot be used."""


class TextError(DarecError, ValueError):
    """Text of items or users, or vectors made from it, cannot be used."""


class RunError(DarecError, RuntimeError):
    """A run folder or checkpoint cannot be used."""


class FolderError(DarecError, RuntimeError):
    """A folder cannot be written: another process is writing it, or the system refuses."""


class EndpointError(DarecError, RuntimeError):
    """A server of language models cannot be reached, or refuses a request."""


class DatabaseError(DarecError, RuntimeError):
    """A database cannot be reached, or refuses a request."""


class DarecWarning(UserWarning):
    """A warning for the reader of a result; the command line prints it in one line."""


def did_you_mean(name: str, options: Iterable[str], prefix: str = "") -> str:
    """A clause that names the option nearest to ``name``, after ``prefix``, or all options if none is similar."""
    options = list(options)
    alike = [one for one in options if unpadded(one) == unpadded(name)] if name else []
    near = alike[:1] or difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    if near:
        return f"did you mean {prefix + near[0]!r}?"
    more = f" and {len(options) - 50} more" if len(options) > 50 else ""
    return "choose from " + ", ".join(sorted(options)[:50]) + more + "."


def unpadded(name: str) -> str:
    """A name in small letters whose numbers have no leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name).casefold()


def shortened(message: str) -> str:
    """A message of a line or two, in which no value is longer than :data:`MOST_CHARACTERS`."""
    message = _LONG.sub(lambda value: _cut(value[0], MOST_CHARACTERS), message)
    return _cut(message, 10 * MOST_CHARACTERS)


def shown(value: object) -> str:
    """The form of a value in a message."""
    return _cut(repr(value), MOST_CHARACTERS)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    note = f" [{len(text):,} characters] "
    return f"{text[: most // 2]}{note}{text[len(note) - most // 2 :]}"


def explained(error: BaseException, file: str | None = None) -> str:
    """An error in other code than darec's, in one line with its place.

    Args:
        error: the error.
        file: the file of that code; None is the last file in the traceback that is neither darec's nor Python's.
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
    if isinstance(error, SyntaxError) or not places:  # a SyntaxError contains its own place
        return what
    return f"{what.removesuffix('.')} ({Path(places[-1].filename).name}, line {places[-1].lineno})."
