"""Safe text for a terminal: ids, titles and paths are shown, but never run as control characters.

Everything that darec prints uses :func:`echo` or :class:`darec.console.Console`. This module does not import rich, of
which ``darec --help`` has no need.
"""

from __future__ import annotations

import re
from typing import Final

import typer

# C0 and C1 controls with ESC and BEL, separators of lines, marks that reorder the text after them, and half characters,
# with which Python represents bytes that are not UTF-8. Joiners stay, because emoji and many scripts need them.
_CONTROL: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff"
_UNSAFE: Final = re.compile(f"[{_CONTROL}]")
_UNSAFE_IN_LINE: Final = re.compile(f"[{_CONTROL}\t\n]")


def plain(text: str, *, lines: bool = False) -> str:
    r"""Return text in which every control character is escaped, such as ``\x1b`` for ESC.

    Args:
        text: any text.
        lines: whether it has several lines; their ends and tabs are kept.
    """
    return (_UNSAFE if lines else _UNSAFE_IN_LINE).sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def echo(text: str, *, err: bool = False, lines: bool = False, end: str = "\n") -> None:
    """Print a line with escaped control characters; ``lines``: several lines."""
    typer.echo(plain(text, lines=lines) + end, err=err, nl=False)
