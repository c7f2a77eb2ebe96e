"""A text report as one self-contained HTML page, and as Markdown with its plots beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from darec.diagnose.plots import text_plots
from darec.diagnose.tables import Table, markdown, tables
from darec.diagnose.text_report import TextReport
from darec.errors import RunError
from darec.files import is_free, write_atomic, write_json
from darec.lock import locked
from darec.report.drawing import empty_panels, svg
from darec.report.html import cells, command_line, figure, listed, table, write_document
from darec.report.panels import drawn

_MARKER: Final = "text-report.json"
_LIMITS: Final = (
    "Limits: one encoder's vectors, recommenders in closed form, and held-out items like those of the validation "
    "split. A trained model may gain more or less. Intervals cover only the sample of users or items."
)


def check_out(out: Path) -> None:
    """Check, before the long work, that a report can be written to a folder.

    Raises:
        RunError: the folder holds something else.
        ConfigError: matplotlib is not installed.
    """
    if not is_free(out) and not (out / _MARKER).exists():
        raise RunError(f"{out} holds other files: choose another --out.")
    empty_panels(1, 1, height=1)


def write_report(report: TextReport, out: Path, *, command: str = "") -> None:
    """Write ``index.html``, ``README.md`` with its plots as SVG files, and ``text-report.json``.

    Args:
        report: to write.
        out: the folder, which is created if it does not exist.
        command: the command line, for the record.

    Raises:
        RunError: the folder holds something else.
        ConfigError: matplotlib is not installed.
    """
    check_out(out)
    with locked(out):
        _write(report, out, command)


def _write(report: TextReport, out: Path, command: str) -> None:
    write_json(out / _MARKER, report.to_dict())
    title = f"What the text of {report.dataset} says about taste"
    reading = report.reading
    figures, images = [], []
    for name, caption, make in text_plots(report):
        made = make()
        write_atomic(out / f"{name}.svg", svg(made))
        figures.append(figure(drawn(made), caption))
        images.append(f"![{caption}]({name}.svg)\n\n{caption}\n")
    page = [
        listed(reading.remarks),
        f'<p class="legend">{escape(_LIMITS)}</p>',
        *figures,
        *map(_html, tables(report)),
    ]
    lines = [f"# {title}\n", *(f"**Note**: {line}\n" for line in reading.warnings)]
    lines += [f"**Text {reading.verdict}**: {reading.reason}\n"]
    lines += [*(f"- {line}" for line in reading.remarks), "", f"{_LIMITS}\n"]
    lines += [*images, *map(markdown, tables(report))]
    if command:
        page.append(command_line(command))
        lines.append(f"Written by `{command}`.\n")
    conclusion = [*reading.warnings, f"Text {reading.verdict}: {reading.reason}"]
    write_document(out / "index.html", title, page, kind="text report", conclusion=conclusion)
    write_atomic(out / "README.md", "\n".join(lines))


def _html(found: Table) -> str:
    made = table(found.columns, map(cells, found.rows), about=found.title)
    return f'<h2>{escape(found.title)}</h2>{made}<p class="legend">{escape(found.note)}</p>'
