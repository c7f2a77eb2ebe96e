"""How much memory there is, and what is refused because there is less."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from darec import memory
from darec.errors import ConfigError
from darec.memory import available_memory, in_units, require_memory


def test_what_does_not_fit_is_refused_with_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3.0 * 2**30)
    require_memory(3 * 2**30, "the table", "lower backbone.dim")
    said = r"the table would take at least 4\.5 GiB of memory, and 3 GiB are free: lower backbone\.dim\."
    with pytest.raises(ConfigError, match=said):
        require_memory(4.5 * 2**30, "the table", "lower backbone.dim")
    with pytest.raises(ConfigError, match=r"at least 8\.67e\+11 EiB"):
        require_memory(1e30, "the table", "lower backbone.dim")
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    require_memory(1e30, "the table", "lower backbone.dim")


def test_units() -> None:
    assert [in_units(size) for size in (0, 1023, 1024, 1536 * 2**20)] == [
        "0 B",
        "1.02e+03 B",
        "1 KiB",
        "1.5 GiB",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_there_is_some_but_not_more_than_the_machine_has() -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    total = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemTotal"))
    free = available_memory()
    assert free is not None and 2**20 < free <= total


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from darec.memory import available_memory\n"
        f"size = {2**32}; resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "print(available_memory())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < float(found.stdout) < 2**32
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 2**32


@pytest.mark.parametrize(
    ("line", "below", "files"),
    [
        ("0::/pod/task", "", ("memory.max", "memory.current", "inactive_file")),
        ("4:memory:/pod/task", "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ],
)  # fmt: skip
def test_a_limit_of_a_control_group_or_of_one_above_counts(
    line: str, below: str, files: tuple[str, str, str], tmp_path: Path
) -> None:
    limit, usage, cache = files
    for group, allowed, used in (("pod", 1000, 700), ("pod/task", "max", 100)):
        folder = tmp_path / below / group
        folder.mkdir(parents=True)
        (folder / limit).write_text(f"{allowed}\n")
        (folder / usage).write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\n{cache} 50\n")
    (tmp_path / "own").write_text(f"7:cpu:/elsewhere\n{line}\n")
    assert memory._control_group(tmp_path, tmp_path / "own") == 350
    assert memory._control_group(tmp_path, tmp_path / "none") is None
