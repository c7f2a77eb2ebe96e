"""Settings of the closed-form scores beside trained tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from darec.config.parts import PartConfig, validated_part
from darec.errors import ConfigError
from darec.registry import ALIGNMENTS, BACKBONES, inapplicable
from darec.settings import Settings

MATRIX: Final = "ease"
SPARSE_MATRIX: Final = "ease_sparse"
SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    MATRIX: {"name": "collective", "weight": None},
    SPARSE_MATRIX: {"name": "l3ae"},
}
"""How the text shapes the matrix beside trained tables, by the backbone that gives the matrix."""
ENTRIES: Final = 50
LARGEST_DENSE: Final = 30_000
"""Largest number of items for which comparisons and ``beside`` use EASE. Above it they use EASE over candidates."""


class BesideConfig(Settings):
    """Closed-form scores that are added to those of a trained model: popularity, and an item-item matrix."""

    popularity: float | None = Field(None, ge=0, lt=1)
    """Weight of the logarithm of item popularity, after its scores are scaled to the same spread as the trained scores.
    With null, it is chosen on the validation split; the candidates include 0 (docs/studies/popularity.md)."""
    niche: float | None = Field(None, ge=0, le=1)
    """Share of the users to whose scores popularity is not added: those whose histories have the least popular items.
    With null, it is chosen on the validation split together with the weight of popularity."""
    tail: float = Field(0.33, ge=0)
    """Matrix, popularity and niche are chosen by the monitored metric over all items, plus this weight times the metric
    over the least popular third of the items."""
    backbone: SerializeAsAny[PartConfig] | None = Field(default=MATRIX, validate_default=True)
    """The closed-form model that gives the matrix. With null, only popularity is added. The matrices of ``ease`` and
    ``ease_sparse`` keep 50 entries in each column, unless ``entries`` is set. ``ease`` has a dense matrix and is
    refused above 30,000 items; use ``ease_sparse`` for these."""
    alignment: SerializeAsAny[PartConfig] = Field(default={}, validate_default=True)
    """How the text shapes the matrix. For ``ease`` the default is ``collective`` with a weight of 1000, or of 0 if
    validation prefers a matrix without text; for ``ease_sparse`` it is ``l3ae`` (docs/studies/beside.md)."""
    weight: float | None = Field(None, ge=0, lt=1)
    """Weight of the matrix's scores, after they are scaled to the same spread as the trained scores. With null, it is
    chosen on the validation split; the candidates include 0."""

    @field_validator("backbone", mode="before")
    @classmethod
    def _backbone(cls, value: Any) -> Any:
        if value is None:
            return None
        few = {"entries": ENTRIES}
        return validated_part(value, BACKBONES, MATRIX, {MATRIX: few, SPARSE_MATRIX: few})

    @field_validator("alignment", mode="before")
    @classmethod
    def _alignment(cls, value: Any, others: ValidationInfo) -> Any:
        matrix = getattr(others.data.get("backbone"), "name", MATRIX)
        shape = SHAPES.get(matrix, SHAPES[MATRIX])
        return validated_part(value, ALIGNMENTS, shape["name"], {shape["name"]: shape})

    @model_validator(mode="after")
    def _closed(self) -> BesideConfig:
        if self.backbone is None:
            return self
        if not BACKBONES.get(self.backbone.name).closed_form:
            raise ConfigError(
                f"beside.backbone {self.backbone.name!r} is trained, but the matrix must come from a closed-form "
                f"model: choose {MATRIX!r}."
            )
        reason = inapplicable(self.backbone.name, self.alignment.name)
        if reason:
            raise ConfigError(f"beside: {reason}")
        return self
