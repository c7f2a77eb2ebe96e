"""What every benchmark shares: interleaved timing, the machine's description, results as JSON."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from darec.alignments.base import AlignmentInputs
from darec.config import BPRConfig, RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.data.sampling import Sampler
from darec.graph import Graph
from darec.losses import RankingLoss
from darec.types import Interactions, Tables

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 1
) -> dict[str, list[float]]:
    """Seconds of each contender in turn, A B A B, so that a drift of the machine meets all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(-warmup, rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def spread(values: list[float], digits: int = 5) -> dict[str, float]:
    """Minimum, median and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return {"min": round(low, digits), "median": round(middle, digits), "max": round(high, digits)}


def ratio(numerator: list[float], denominator: list[float]) -> dict[str, float]:
    """Spread of the ratio, round by round."""
    return spread([a / b for a, b in zip(numerator, denominator, strict=True)], 3)


def alignment_inputs(
    train: Interactions, text: Tables, width: int, generator: torch.Generator
) -> AlignmentInputs:
    """What an alignment over frozen tables of a width is built from; every item has text."""
    return AlignmentInputs(
        n_users=train.n_users,
        n_items=train.n_items,
        ego_dim=width,
        out_dim=width,
        text=text,
        item_mask=torch.ones(train.n_items, dtype=torch.bool),
        graph=Graph(train),
        ranking=RankingLoss(BPRConfig(), Sampler(train)),
        generator=generator,
    )


def beside(parts: Sequence[Tables], weights: Sequence[float]) -> Tables:
    """One pair of tables, whose scores are the parts' times the weights, added."""
    users = [weight * part.users for part, weight in zip(parts, weights, strict=True)]
    return Tables(torch.cat(users, dim=1), torch.cat([part.items for part in parts], dim=1))


def percent(gain: Sequence[float]) -> str:
    """A gain and its interval, given in percent, as ``+1.2% [-0.3, +2.7]``."""
    share, low, high = gain
    return f"{share:+.1f}% [{low:+.1f}, {high:+.1f}]"


def resident_mb(figure: str) -> float:
    """VmRSS, what this process has in memory, or VmHWM, the most that it has had; getrusage counts its parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(figure)).split()[1]) / 1024


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Print a result and write it to results/NAME.json with what it was measured on."""
    full = {
        "command": f"python -m benchmarks.{name}",
        "machine": {
            "processor": _processor(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        },
        **result,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(full, indent=2) + "\n")
    print(json.dumps(full, indent=2))


def finished(comparison: Path) -> Iterator[tuple[Path, RunConfig, dict[str, Any]]]:
    """Folder, settings and metrics of each finished run of a comparison or sweep."""
    for folder in sorted((comparison / "runs").iterdir()):
        metrics = folder / "metrics.json"
        if metrics.is_file():
            yield (
                folder,
                resolve_config(file=folder / "config.yaml"),
                json.loads(metrics.read_text()),
            )


def named_rows(
    arguments: Sequence[str],
    read: Callable[[str, Path], list[dict[str, Any]]],
    key: Callable[[dict[str, Any]], Any],
) -> list[dict[str, Any]]:
    """The rows of ``NAME=FOLDER`` arguments, those of one name together and sorted.

    Args:
        arguments: the arguments; a name may have several folders.
        read: the rows of a name's folder.
        key: by which the rows of a name are sorted.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for argument in arguments:
        name, _, folder = argument.partition("=")
        found.setdefault(name, []).extend(read(name, Path(folder)))
    return [row for rows in found.values() for row in sorted(rows, key=key)]


def load_result(name: str) -> dict[str, Any]:
    """What :func:`write_result` wrote last."""
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result


def renewed(name: str, rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the last results/NAME.json, those with the same ``keys`` replaced, new ones after them."""
    last = load_result(name)["rows"]
    by_key = {tuple(row[key] for key in keys): row for row in [*last, *rows]}
    return list(by_key.values())


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def write_between(document: Path, mark: str, content: str) -> None:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- end -->``. ``ValueError``: it has neither."""
    before, found, rest = document.read_text().partition(f"<!-- {mark} -->")
    if not found or "<!-- end -->" not in rest:
        raise ValueError(f"{document} has no place marked {mark!r}.")
    after = rest.partition("<!-- end -->")[2]
    document.write_text(f"{before}<!-- {mark} -->\n\n{content}\n\n<!-- end -->{after}")


def shared_dataset(name: str, out: Path) -> Dataset:
    """One of the real data sets beside the checkout, imported into ``out`` the first time.

    Raises:
        SystemExit: it is not there.
    """
    if not (SHARED / name).is_dir():
        raise SystemExit(f"the data set {name!r} is not beside this checkout (../shared/data)")
    if (out / "manifest.json").is_file():
        return Dataset.load(out)
    from darec.data.build import import_dataset

    folder = SHARED / name
    if name.startswith("rlmrec"):
        return import_dataset(folder, out=out)
    return import_dataset(folder / "interactions.csv", items=folder / "items.jsonl", out=out)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
