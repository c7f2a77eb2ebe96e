"""The setup of a study, which is compared before a study is continued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darec.config import RunConfig
from darec.data.dataset import Dataset
from darec.dimensions import Dimension
from darec.overrides import flatten
from darec.registry.origins import origins_of
from darec.types import TextTable


def setup_of(
    dataset: Dataset,
    text: TextTable | None,
    config: RunConfig,
    space: Mapping[str, Dimension],
    epochs: int,
) -> dict[str, Any]:
    """Everything that must be equal for trials to be comparable, as values for JSON.

    Device and threads are left out, so that different machines can work on one study.
    """
    settings = flatten(config.model_dump(mode="json", exclude={"options"}))
    settings["options.seed"] = config.options.seed
    settings["options.precision"] = config.options.precision
    return {
        "data": dataset.fingerprint(),
        "text": text.fingerprint() if text else None,
        "epochs": epochs,
        "parts": [
            origin.identity for origin in origins_of(config.backbone.name, config.alignment.name)
        ],
        "settings": settings,
        "searched": {key: str(dimension) for key, dimension in space.items()},
    }


def difference(begun: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first difference between two setups, in words; None if they agree."""
    if begun["data"] != now["data"]:
        return "another dataset"
    if begun["text"] != now["text"]:
        return "other language vectors"
    if begun.get("parts", []) != now["parts"]:
        return "other code of the parts from outside the package"
    if begun["epochs"] != now["epochs"]:
        return f"at most {begun['epochs']} epochs a trial, not {now['epochs']}"
    for part, what in (("settings", ""), ("searched", "a search of ")):
        for key in [*begun[part], *(key for key in now[part] if key not in begun[part])]:
            then, today = begun[part].get(key, "nothing"), now[part].get(key, "nothing")
            if then != today:
                return f"{what}{key}={then}, not {today}"
    return None
