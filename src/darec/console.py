"""rich's console, status and columns for text of any origin, which is shown but never run as markup or controls.

Everything that darec prints uses :class:`Console` or :func:`darec.terminal.echo`. The linter refuses rich's console.
Commands import this module when they run, because rich would take a third of the time of ``darec --help``.
"""

from __future__ import annotations

from typing import IO, Any

import rich.console
import rich.progress
import rich.status
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from darec.terminal import plain


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


class Progress(rich.progress.Progress):
    """rich's progress bars."""

    def stop(self) -> None:
        """Stop showing them. Before 14.3, rich prints an empty line even where none was shown."""
        if not self.disable:
            super().stop()


class TextColumn(rich.progress.TextColumn):
    """rich's column of a progress bar; its text is not markup."""

    def __init__(self, text_format: str, **options: Any) -> None:
        super().__init__(text_format, markup=False, **options)

    def render(self, task: rich.progress.Task) -> Text:
        """The column's text for a task."""
        return Text(plain(super().render(task).plain), style=self.style, justify=self.justify)


def _text(status: RenderableType) -> RenderableType:
    return Text(plain(status)) if isinstance(status, str) else status
