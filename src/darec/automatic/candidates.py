"""The models that a search tries: simple ones, closed forms, the recommended settings, and changes of one setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from darec.config import LARGEST_DENSE, MATRIX, SPARSE_MATRIX, RunConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError
from darec.overrides import flatten
from darec.recommended import recommended
from darec.registry import BACKBONES

FLOOR: Final = "popular"
"""The model that is tried first. It is not accepted as the only result of a search."""
RECOMMENDED: Final = "recommended"
CHANGES: Final[tuple[Mapping[str, Any], ...]] = (
    {"alignment": "none"},
    {"alignment": "none", "beside.alignment": "none"},
    {"backbone.dim": 64},
    {"loss": "bpr"},
    {"loss.n_negatives": 256},
    {"loss.n_negatives": 1024},
    {"backbone.layers": 2},
    {"backbone.layers": 3},
)
"""Changes of the recommended settings, one at a time. The second one removes language. A change that the settings
already have, or that was tried before, is left out."""
SEARCHED: Final = ("backbone", "alignment", "loss", "beside")
"""Sections of settings that the search chooses."""


@dataclass(frozen=True)
class Candidate:
    """One candidate model.

    Attributes:
        name: its name: its parts, or ``recommended`` and the change.
        settings: settings by dotted key: the parts, or the difference from the recommended settings.
        config: every setting.
    """

    name: str
    settings: Mapping[str, Any]
    config: RunConfig

    @property
    def trained(self) -> bool:
        """Whether it is trained in epochs, and can therefore be stopped after each."""
        return not BACKBONES.get(self.config.backbone.name).closed_form


def make_candidates(
    dataset: Dataset, given: Mapping[str, Any], *, text: bool
) -> tuple[Candidate, ...]:
    """All candidates for a dataset, the cheapest first.

    Args:
        dataset: its size decides which linear model is used.
        given: settings by dotted key for all candidates.
        text: whether there are language vectors.

    Raises:
        ConfigError: a setting is chosen by the search, or does not exist.
    """
    for key in given:
        if key.partition(".")[0] in SEARCHED:
            raise ConfigError(
                f"{key}: the search chooses backbone, alignment, loss and beside: leave this setting out, or train "
                "without a search."
            )
    linear = MATRIX if dataset.n_items <= LARGEST_DENSE else SPARSE_MATRIX
    pairs = [(FLOOR, "none"), ("itemknn", "none"), (linear, "none")]
    pairs += [(linear, "l3ae")] if text else []
    made = []
    for backbone, alignment in pairs:
        parts = {"backbone": backbone, "alignment": alignment}
        name = backbone if alignment == "none" else f"{backbone} + {alignment}"
        made.append(Candidate(name, parts, resolve_config(given, base=parts)))
    base = recommended(dataset, text=text)
    best = resolve_config(given, base=base)
    made.append(Candidate(RECOMMENDED, {}, best))
    known = [flatten(best.model_dump(mode="json"))]
    for change in CHANGES:
        config = resolve_config({**given, **change}, base=base)
        settings = flatten(config.model_dump(mode="json"))
        if settings not in known:
            known.append(settings)
            name = ", ".join(f"{key}={value}" for key, value in change.items())
            made.append(Candidate(f"{RECOMMENDED}, {name}", dict(change), config))
    return tuple(made)
