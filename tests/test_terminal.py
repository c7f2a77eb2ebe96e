"""What is printed is shown: nothing in it is obeyed by a terminal or taken for markup."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from darec.console import Console, TextColumn
from darec.terminal import echo, plain

EVIL = "\x1b[2J\x07\x9b31m\u202egnp.exe\u2066\r\x00"
SPELLED = r"\x1b[2J\x07\x9b31m\u202egnp.exe\u2066\r\x00"
IN_TEXT = r"\x1b[2J\x9b31m\u202egnp.exe\u2066\x00"  # rich drops BEL and CR from its own Text


def printed(what: object) -> str:
    file = io.StringIO()
    Console(file=file, width=200, force_terminal=False).print(what)
    return file.getvalue()


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not re.search(
        r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", plain(text)
    )
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "tab and line are spelled",
        "Amélie",
        "千と千尋",
        "👨‍👩‍👧 می‌خواهم",
        "[bold]x[/bold] :bug:",
        "a\\n",
    ],
)
def test_other_text_is_as_it_was(text: str) -> None:
    assert plain(text) == text


def test_ends_of_lines_are_spelled_in_a_line_and_stay_in_lines() -> None:
    assert plain("a\nb\tc\r") == r"a\nb\tc\r"
    assert plain("a\nb\tc\r", lines=True) == "a\nb\tc\\r"
    assert plain("\udcff") == r"\udcff"


def test_a_console_shows_what_a_terminal_would_obey_and_rich_would_read() -> None:
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(f"[bold]{EVIL}[/nothing] :bug:")
    table.add_row(Text(EVIL))
    shown = printed(table)
    assert shown.count(SPELLED) == 3 and shown.count(IN_TEXT) == 1
    assert "[bold]" in shown and "[/nothing] :bug:" in shown
    assert (
        len({len(line.rstrip("\n")) for line in shown.splitlines()[1:]}) == 1
    )  # no row sticks out
    assert printed(f"[red]{EVIL}") == f"[red]{SPELLED}\n"


def test_its_own_styles_reach_a_terminal() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", width=200)
    console.print(Text(EVIL, style="bold"))
    assert file.getvalue() == f"\x1b[1m{IN_TEXT}\x1b[0m\n"


def test_a_status_and_a_progress_bar_take_no_markup() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, color_system=None)
    with console.status(f"importing a[/b]{EVIL}.csv"):
        pass
    with console.status("") as status:
        status.update(f"reading [/red]{EVIL}")
    with Progress(TextColumn("{task.description}"), console=console) as progress:
        progress.add_task(f"encoding [/bold]{EVIL}")
    shown = file.getvalue()
    assert f"importing a[/b]{SPELLED}.csv" in shown and f"reading [/red]{SPELLED}" in shown
    assert f"encoding [/bold]{IN_TEXT}" in shown


def test_echo(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"item {EVIL}\n[x]")
    echo("a\n\x1bb", lines=True, err=True, end="")
    captured = capsys.readouterr()
    assert captured.out == f"item {SPELLED}\\n[x]\n"
    assert captured.err == "a\n\\x1bb"
