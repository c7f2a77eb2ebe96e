"""Safe output to a terminal: ids, titles and paths are shown, but never run as control characters or markup.

Everything that darec prints uses :class:`Console` or :func:`echo`; the linter refuses rich's own console.
"""

from __future__ import annotations

import re
from typing import IO, Any, Final

import rich.console
import rich.progress
import rich.status
import typer
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

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


class Console(rich.console.Console):
    """rich's console for text of any origin: no markup, no emoji codes, no control characters.

    Args:
        stderr: print on standard error.
        quiet: print nothing.
        soft_wrap: let the terminal break lines.
        file: print there instead.
        **options: options of ``rich.console.Console``.
    """

    def __init__(
        self,
        *,
        stderr: bool = False,
        quiet: bool = False,
        soft_wrap: bool = False,
        file: IO[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            stderr=stderr,
            quiet=quiet,
            soft_wrap=soft_wrap,
            file=file,
            markup=False,
            highlight=False,
            emoji=False,
            **options,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text of a string, which is cleaned before it is measured."""
        return super().render_str(plain(text, lines=True), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Any:
        """Yield the pieces of any content, cleaned except for rich's own controls."""
        for piece in super().render(renderable, options):
            if piece.control:
                yield piece
            else:
                yield Segment(plain(piece.text, lines=True), piece.style)

    def status(self, status: RenderableType, **options: Any) -> rich.status.Status:
        """Return a status line for the time of some work. Its text is not markup."""
        return Status(status, console=self, **options)


class Status(rich.status.Status):
    """rich's status; its text is not markup."""

    def __init__(self, status: RenderableType, **options: Any) -> None:
        super().__init__(_text(status), **options)

    def update(self, status: RenderableType | None = None, **options: Any) -> None:
        """Show another text."""
        super().update(None if status is None else _text(status), **options)


class TextColumn(rich.progress.TextColumn):
    """rich's column of a progress bar; its text is not markup."""

    def __init__(self, text_format: str, **options: Any) -> None:
        super().__init__(text_format, markup=False, **options)

    def render(self, task: rich.progress.Task) -> Text:
        """The column's text for a task."""
        return Text(plain(super().render(task).plain), style=self.style, justify=self.justify)


def _text(status: RenderableType) -> RenderableType:
    return Text(plain(status)) if isinstance(status, str) else status
