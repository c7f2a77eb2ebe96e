"""A server over a bundle of 20,000 users by 100,000 items with random tables: time, memory, and how fast it starts.

``python -m benchmarks.serving`` takes a minute and a half and writes the table of docs/production.md. It needs ``wrk``
(``apt-get install wrk``). Server and load share the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import darec
from benchmarks.common import RESULTS, load_result, write_between, write_result
from benchmarks.lists import shop

USERS, WORKERS, SECONDS = 20_000, 2, 5
CONNECTIONS = 1, 8, 32
REQUESTS: dict[str, tuple[str, str | None]] = {
    "`GET /v1/users/{id}/recommendations`": ("/v1/users/{user}/recommendations", None),
    "the same, with `explain`": ("/v1/users/{user}/recommendations?explain=true", None),
    "`POST /v1/recommendations`, two items": (
        "/v1/recommendations",
        '{\\"history\\": [{user}, 7]}',
    ),
    "`POST /v1/feedback`": ("/v1/feedback", '{\\"user_id\\": {user}, \\"item_id\\": 7}'),
}


def script(path: str, body: str | None) -> str:
    """What wrk asks: another user each time."""
    at, text = (
        (value or "").replace("{user}", '" .. math.random(0, 19999) .. "') for value in (path, body)
    )
    headers = 'wrk.headers["Content-Type"] = "application/json"\n'
    method = "GET" if body is None else "POST"
    given = "nil" if body is None else f'"{text}"'
    return (
        f'{headers}request = function() return wrk.format("{method}", "{at}", nil, {given}) end\n'
    )


def load(url: str, path: str, body: str | None, connections: int) -> dict[str, float]:
    """Milliseconds of half of the requests and of 99 in 100, and requests a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script(path, body))
        file.flush()
        words = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{SECONDS}s",
            "--latency",
            "-s",
            file.name,
            url,
        ]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    found = {name: re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", said) for name in ("50", "99")}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    times = {
        f"p{name}": round(float(one[1]) * scale[one[2]], 1) for name, one in found.items() if one
    }
    return {**times, "per_second": round(float(rate[1]))}


def memory(parent: int) -> list[dict[str, int]]:
    """MB of each worker: all that is in memory, and what is its own."""
    workers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, words = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
            if int(stat.rpartition(")")[2].split()[1]) != parent or b"resource_tracker" in words:
                continue
            sums = dict(
                re.findall(r"^(\w+):\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.M)
            )
        except OSError:
            continue
        own = int(sums["Private_Clean"]) + int(sums["Private_Dirty"])
        workers.append({"all": round(int(sums["Rss"]) / 1e3), "own": round(own / 1e3)})
    return workers


def main() -> None:
    """Measure, and write the results and the table."""
    if shutil.which("wrk") is None:
        sys.exit("benchmarks.serving needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.darec"
        darec.export_bundle(shop(USERS), path)
        words = ["serve", str(path), "--port", "0", "--workers", str(WORKERS), "--watch", "0"]
        load_before = os.getloadavg()[0]
        started = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "darec.cli.main", *words],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        try:
            assert server.stderr is not None
            url = server.stderr.readline().rpartition(" ")[2].strip()
            urllib.request.urlopen(f"{url}/readyz", timeout=60).read()
            ready = time.perf_counter() - started
            time.sleep(5)  # until the other worker is there as well
            found: dict[str, Any] = {
                name: {str(n): load(url, *request, n) for n in CONNECTIONS}
                for name, request in REQUESTS.items()
            }
            workers = memory(server.pid)
        finally:
            server.terminate()
            server.wait(30)
    about = {
        "workers": WORKERS,
        "seconds_to_ready": round(ready, 1),
        "mb": workers,
        "load_before": round(load_before, 1),
    }
    write_result("serving", {**about, "requests": found})
    table()


def table() -> None:
    """Write the table of docs/production.md from the results."""
    found = load_result("serving")
    heads = [f"{n} connection{'s' if n > 1 else ''}: p50, p99 ms (a second)" for n in CONNECTIONS]
    lines = ["| request | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name, by in found["requests"].items():
        cells = [f"{one['p50']}, {one['p99']} ({one['per_second']:,})" for one in by.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    mb = found["mb"]
    lines += [
        "",
        f"The first answer came {found['seconds_to_ready']} seconds after the start. A worker had "
        f"{max(one['all'] for one in mb):,} MB in memory, {max(one['own'] for one in mb):,} MB of them its own; the "
        "rest is shared between the workers. Other work ran on the two cores before and meanwhile, a load of "
        f"{found['load_before']}.",
    ]
    write_between(RESULTS.parents[1] / "docs" / "production.md", "serving", "\n".join(lines))


if __name__ == "__main__":
    main()
