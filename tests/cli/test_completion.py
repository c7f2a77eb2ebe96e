"""The completion of a shell: its script is printed and run by that shell, as a user's start file does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = """
eval "$(darec --show-completion)"
COMP_WORDS=(darec {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_darec_completion darec
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = "darec --show-completion | source; complete -C 'darec {words}'"
ZSH = """
eval "$(darec --show-completion)" 2>/dev/null
_arguments() {{ print -r -- "$@" }}
words=(darec {words}); CURRENT=$#words
_darec_completion
"""


def offered(shell: str, script: str, words: str, folder: Path) -> str:
    """What a shell offers for the last of some words."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (folder / "darec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m darec "$@"\n')
    (folder / "darec").chmod(0o755)
    done = subprocess.run(
        [shell, "-c", script.format(words=words)],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "script", "words", "found"),
    [
        ("bash", BASH, "rec", ["recommend"]),
        ("bash", BASH, "theory sw", ["sweep"]),
        (
            "bash",
            BASH,
            "compare data --alignments none,kar,l",
            ["none,kar,l3ae", "none,kar,llminit"],
        ),
        ("fish", FISH, "rec", ["recommend"]),
        ("fish", FISH, "train data --backbone item", ["itemknn"]),
    ],
)
def test_a_shell_completes_what_was_begun(
    shell: str, script: str, words: str, found: list[str], tmp_path: Path
) -> None:
    lines = offered(shell, script, words, tmp_path).splitlines()
    assert sorted(line.partition("\t")[0] for line in lines) == found


def test_zsh_completes_a_command_and_shows_what_it_does(tmp_path: Path) -> None:
    said = offered("zsh", ZSH, "rec", tmp_path)
    assert '"recommend":"List the best items for users."' in said


def test_the_help_of_an_option_has_the_names_in_it() -> None:
    """As fish asks for it, and shows it beside the option."""
    asked = {
        "_DAREC_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": "darec train data --b",
    }
    done = subprocess.run(
        [sys.executable, "-m", "darec"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("--backbone\tOne of alpharec, ")
