"""What installing darec costs: the tables of docs/installation.md.

    python -m benchmarks.install [--torch torch==2.13.0+cpu] [--index URL]

The wheel is built. It and the newest versions of all that it needs are downloaded, and installed into a bare
environment, where the demo runs. Downloads are counted in MB and not in seconds, since those are the network's. All
times are of the processor, so that other work of the machine does not count. ``--index`` is where pip finds the build
of torch, if its configured index has none without CUDA.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.common import RESULTS, write_between, write_result

ROOT: Final = RESULTS.parents[1]
PIP: Final = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


def run(*words: object, cwd: Path | None = None) -> float:
    """Run a program, and return the seconds of the processor that it took."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    before = os.times()
    subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment, stdout=subprocess.DEVNULL, check=True
    )
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


def megabytes(folder: Path) -> float:
    """What the files of a folder take, in MB."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return round(sum(file.stat().st_size for file in files) / 1e6, 1)


def measured(torch: str, index: str | None, folder: Path) -> dict[str, object]:
    """Build, download, install, and start it."""
    wheels, bare = folder / "wheels", folder / "bare"
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT)
    (wheel,) = wheels.glob("darec-*.whl")
    size = wheel.stat().st_size
    where = ["--index-url", index] if index else []
    run(*PIP, "download", *where, "--no-deps", "-d", wheels, torch)
    run(*PIP, "download", "-d", wheels, torch, wheel)
    run(sys.executable, "-m", "venv", "--without-pip", bare)
    python, darec = bare / "bin/python", bare / "bin/darec"
    offline = ["--no-index", "--find-links", wheels]
    seconds = run(*PIP, "--python", python, "install", *offline, torch, wheel)
    packages = next((bare / "lib").glob("python*/site-packages"))
    installed, of_torch = megabytes(bare), megabytes(packages / "torch")
    run(darec, "--version", cwd=folder)
    starts = {
        "darec --help": [python, "-m", "darec", "--help"],
        "import darec": [python, "-c", "import darec"],
    }
    fewest = {
        name: round(min(run(*words, cwd=folder) for _ in range(7)), 2)
        for name, words in starts.items()
    }
    demo = run(darec, "demo", cwd=folder)
    return {
        "wheel_mb": round(size / 1e6, 2),
        "download_mb": megabytes(wheels),
        "installed_mb": installed,
        "of_which_torch_mb": of_torch,
        "packages": len(list(wheels.glob("*.whl"))),
        "install_seconds": round(seconds, 1),
        "demo_seconds": round(demo, 1),
        "start_seconds": fewest,
    }


def page(found: dict[str, object]) -> str:
    """The figures, as Markdown."""
    starts = found["start_seconds"]
    assert isinstance(starts, dict)
    rows = [
        ("the wheel of darec", f"{found['wheel_mb']} MB"),
        (
            f"downloads: {found['packages']} packages, with torch's CPU build",
            f"{found['download_mb']:.0f} MB",
        ),
        (
            f"on disk, of which torch takes {found['of_which_torch_mb']:.0f} MB",
            f"{found['installed_mb']:.0f} MB",
        ),
        ("to install it, after the downloads", f"{found['install_seconds']:.0f} s"),
        *((f"`{name}`", f"{value} s") for name, value in starts.items()),
        ("`darec demo`", f"{found['demo_seconds']:.0f} s"),
    ]
    return "\n".join(["| what | measured |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="torch==2.13.0+cpu")
    parser.add_argument("--index")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(arguments.torch, arguments.index, Path(folder))
    write_result("install", found)
    write_between(ROOT / "docs" / "installation.md", "size", page(found))


if __name__ == "__main__":
    main()
