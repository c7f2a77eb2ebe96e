"""The model card of a run: ``README.md`` in its folder, for readers who did not make the run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from darec.config import RunConfig, resolve_config
from darec.data.dataset import SPLITS, Dataset
from darec.evaluation.metrics import METRICS
from darec.model import Model
from darec.overrides import flatten
from darec.registry import BACKBONES
from darec.terminal import plain
from darec.wording import counted_noun

CARD: Final = "README.md"
_HEAD: Final = "---\nlibrary_name: darec\n"
"""The beginning of a card, by which it is distinguished from other files."""
_MACHINE: Final = ("options.threads", "options.device", "evaluation.batch_size", "text.encoder")
"""Settings of the machine, and settings that the card shows elsewhere."""


def is_card(file: Path) -> bool:
    """Whether a file is a card that darec wrote."""
    try:
        with file.open(encoding="utf-8") as handle:
            return handle.read(len(_HEAD)) == _HEAD
    except (OSError, ValueError):
        return False


def model_card(
    config: RunConfig, dataset: Dataset, metrics: Mapping[str, Any], about: Mapping[str, Any]
) -> str:
    """The data, settings, metrics and limits of a run, and how to load it, as Markdown.

    Args:
        config: every setting.
        dataset: the training dataset.
        metrics: its metrics by name.
        about: the content of its ``run.json``.
    """
    names = f"{config.backbone.name} + {config.alignment.name}"
    name = dataset.path.name if dataset.path else ""
    of = f" on {_code(name)}" if name not in ("", "dataset") else ""  # one in memory has no name
    sections = {
        "Data": _data(config, dataset),
        "Settings": _settings(config, metrics),
        "Figures": _figures(config, metrics, about),
        "Limits": _limits(config, dataset, metrics, about),
        "How to load it": _LOADING.splitlines(),
    }
    tags = ["recommender-system", config.backbone.name, config.alignment.name]
    lines = [_HEAD + f"tags: [{', '.join(map(json.dumps, tags))}]\n---", "", f"# {names}{of}", ""]
    made = f"A recommender made by darec {about.get('darec', '')}, {about.get('begun', '')[:10]}."
    lines.append(made + " " + _kind(config, about))
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


_LOADING: Final = """\
```python
import darec

run = darec.load_run("PATH/OF/THIS/FOLDER")  # dataset="PATH" if the dataset has moved
print(run.recommend("USER", k=10))
```

On the command line: `darec recommend PATH/OF/THIS/FOLDER --user USER -k 10`. `config.yaml` holds every setting."""


def _kind(config: RunConfig, about: Mapping[str, Any]) -> str:
    solved = BACKBONES.get(config.backbone.name).closed_form
    how = "It was solved in closed form." if solved else "It was trained by gradient descent."
    if config.beside is not None:
        matrix = config.beside.backbone
        added = (
            f" and of the matrix of {matrix.name} + {config.beside.alignment.name}"
            if matrix
            else ""
        )
        how += f" Weighed scores of popularity{added} are added."
    if about.get("refit"):
        how += " It was refitted on every split, with the settings that validation had chosen."
    if about.get("update"):
        how += " It continues an earlier run with later interactions."
    return how


def _data(config: RunConfig, dataset: Dataset) -> list[str]:
    pairs = "; ".join(f"{name} {len(dataset.split(name)):,}" for name in SPLITS)
    lines = [
        f"- {counted_noun(dataset.n_users, 'user')}, {counted_noun(dataset.n_items, 'item')}; interactions: {pairs}.",
        f"- Fingerprint: `{dataset.fingerprint()}`.",
    ]
    if Model.needs_text(config):
        missing = dataset.catalogue["text"].null_count()
        of = ", ".join(map(_code, config.text.sources))
        lines.append(
            f"- Language: vectors of the encoder {_code(config.text.encoder or '')}, of {of}. {missing:,} items have "
            "no text."
        )
    return lines


def _settings(config: RunConfig, metrics: Mapping[str, Any]) -> list[str]:
    """Settings that differ from the defaults of the parts, and the values that validation chose for null."""
    named: dict[str, Any] = {"backbone": config.backbone.name, "alignment": config.alignment.name}
    named["loss"] = config.loss.name
    if config.beside is not None:
        matrix = config.beside.backbone
        named["beside.backbone"] = matrix.name if matrix else None
        named["beside.alignment"] = config.beside.alignment.name
    defaults = flatten(resolve_config(named).model_dump(mode="json"))
    defaults["loss.name"] = RunConfig().loss.name
    rows = [
        f"| `{key}` | {_code(str(value))} | {_code(str(defaults.get(key)))} |"
        for key, value in flatten(config.model_dump(mode="json")).items()
        if defaults.get(key) != value and key not in _MACHINE
    ]
    chosen = [
        f"- Validation chose `{place.replace('/', '.')}{key}` = {value:g}."
        for name, value in metrics.items()
        for place, mark, key in [name.removeprefix("diagnostics/").partition("chosen/")]
        if mark and name.startswith("diagnostics/")
    ]
    for name in ("popularity", "niche", "weight"):
        weight = metrics.get(f"diagnostics/beside/{name}")
        if weight is not None and getattr(config.beside, name, 0.0) is None:
            chosen.append(f"- Validation chose `beside.{name}` = {weight:g}.")
    table = ["| setting | here | default |", "|---|---|---|", *rows] if rows else []
    gap = [""] if table and chosen else []
    return [*table, *gap, *chosen] or ["All settings have their defaults."]


def _figures(config: RunConfig, metrics: Mapping[str, Any], about: Mapping[str, Any]) -> list[str]:
    refit = about.get("refit")
    measured = refit.get("measured", {}) if refit else metrics
    shown_at = _cut(config, measured)
    rows = [
        f"| {metric}@{shown_at} | {_number(valid)} | {_number(test)} |"
        for metric in METRICS
        for valid, test in [
            [measured.get(f"{split}/{metric}@{shown_at}") for split in ("valid", "test")]
        ]
        if valid is not None or test is not None
    ]
    lines = ["| metric | valid | test |", "|---|---|---|", *rows, ""] if rows else []
    if refit:
        lines.insert(0, "There is no held-out data to evaluate this run.")
        if rows:
            lines[0] += " These are the figures of the run that it was made from:"
        lines.insert(1, "")
    elif not BACKBONES.get(config.backbone.name).closed_form:
        later = config.train.of_later_epochs
        later = f"; {later}" if later else ""
        lines.append(
            f"Best epoch {metrics['best_epoch']} of {metrics['epochs']}, by {config.train.monitor} on valid{later}."
        )
    lines.append(
        f"{metrics['seconds']:.1f} seconds to fit; {metrics['parameters']:,} learned numbers."
    )
    return lines


def _limits(
    config: RunConfig, dataset: Dataset, metrics: Mapping[str, Any], about: Mapping[str, Any]
) -> Iterator[str]:
    if not about.get("refit"):
        held = "training" if config.evaluation.mask == "train" else "training and validation"
        yield (
            "- The figures hold for these users and this split. The held-out items of each user are ranked among the "
            f"whole catalogue, without the user's items of {held}. The figures say nothing about other data, or about "
            "what people would have done with other lists."
        )
        yield "- Test figures are too high if settings were chosen with them: choose on valid."
    if not getattr(BACKBONES.get(config.backbone.name), "deterministic", False):
        yield f"- This is one run, of seed {config.options.seed}. Another seed gives different figures."
    for kind, degrees in (
        ("users", dataset.train.user_degree),
        ("items", dataset.train.item_degree),
    ):
        if none := int(np.count_nonzero(degrees == 0)):
            what = (
                "nothing is known about them"
                if kind == "users"
                else "only their text is known, if they have any"
            )
            yield f"- {none:,} of {len(degrees):,} {kind} have no training interactions: {what}."
    cut = _cut(config, metrics)
    tail, whole = (metrics.get(f"test/{of}recall@{cut}") for of in ("items/1of3/", ""))
    if tail is not None and whole is not None:
        yield f"- Recall@{cut} of the least popular third of the items is {tail:.4f}, of all items {whole:.4f}."
    tied = metrics.get(f"test/tied@{cut}") or 0.0
    if tied >= 0.01:
        yield f"- {tied:.0%} of the lists end among items of equal score; a hash of the item's id decides there."
    if about.get("parts"):
        names = ", ".join(f"{part['kind']} {_code(part['name'])}" for part in about["parts"])
        yield f"- It needs code from outside darec: {names}; `run.json` says where it was."


def _cut(config: RunConfig, measured: Mapping[str, Any]) -> int:
    """The K of the monitored metric if it is evaluated, otherwise the largest one."""
    monitored = int(config.train.monitor.partition("@")[2])
    known = {int(name.rpartition("@")[2]) for name in measured if name.startswith("test/recall@")}
    return monitored if monitored in known or not known else max(known)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _code(text: str) -> str:
    """Literal text: without markup, and without a new row or line."""
    return f"`{plain(text).replace('`', chr(39)).replace('|', '/')}`" if text else "none"
