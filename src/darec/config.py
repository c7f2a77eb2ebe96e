"""Configuration of a run: the settings of the backbone, the alignment, the training and the evaluation.

Each part declares its own ``Config`` in the file of its class. This file finds it by name and builds the whole
configuration. An unknown key is refused, and the error names the nearest known key (:mod:`darec.settings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import yaml
from pydantic import (
    BaseModel,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from darec.dimensions import Range
from darec.errors import ConfigError, did_you_mean, shown
from darec.known_settings import check_known
from darec.limits import LARGEST_SEED, MOST_EPOCHS, MOST_THREADS
from darec.overrides import assign, parse_override, read_settings
from darec.registry import ALIGNMENTS, BACKBONES, REGISTRIES, Registry, inapplicable
from darec.registry.origins import recall_parts
from darec.settings import Settings, validated

BACKBONE: Final = "lightgcn"
ALIGNMENT: Final = "none"
MATRIX: Final = "ease"
SPARSE_MATRIX: Final = "ease_sparse"
SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    MATRIX: {"name": "collective", "weight": 1000.0},
    SPARSE_MATRIX: {"name": "l3ae"},
}
"""How the text shapes the matrix beside trained tables, by the backbone that gives the matrix."""
ENTRIES: Final = 50
POPULARITY: Final = "popularity"
LARGEST_DENSE: Final = 30_000
"""Largest number of items for which comparisons and ``beside`` use EASE. Above it they use EASE over candidates."""


class PartConfig(Settings):
    """Base of the configuration of a registered part.

    Attributes:
        tried: candidate values of settings that may be null. For closed-form pairs, a null setting is replaced by the
            candidate that is best on validation data. Several null settings go through their candidates together.
        presets: named groups of settings, chosen by ``preset``: ``{"alignment": {"name": "darec", "preset":
            "paper"}}``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    name: str
    """Name of the part in the registry."""


class BPRConfig(Settings):
    """Bayesian personalised ranking (Rendle et al. 2009, eq. 4), with one uniform negative for each positive.

    Scores are inner products.
    """

    name: Literal["bpr"] = "bpr"
    """Name of the loss."""


class SoftmaxConfig(Settings):
    """Sampled softmax over negatives shared by the batch (Wu et al. 2022, SSM, eq. 5)."""

    name: Literal["softmax"] = "softmax"
    """Name of the loss."""
    negatives: Literal["uniform", "in-batch"] = "uniform"
    """Source of the negatives: uniform draws from the catalogue, or the other positives of the batch."""
    n_negatives: int = Field(256, ge=1)
    """With negatives=uniform: number of negatives drawn for each batch."""
    log_q: bool = False
    """Correct each negative's logit by the log of its expected number of draws (Yi et al. 2019)."""
    temperature: Annotated[float, Range(0.05, 0.5, log=True)] = Field(0.2, gt=0)
    """The scores are divided by the temperature."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """Whether training and recommendation score by cosine or by inner product."""


class TrainConfig(Settings):
    """Optimisation. Defaults are those of the RLMRec code, on which DaRec's experiments build."""

    epochs: int = Field(1000, ge=1, le=MOST_EPOCHS)
    """Largest number of passes over the training interactions. Early stopping usually ends training sooner."""
    batch_size: int = Field(4096, ge=1)
    """Number of positives in a training step."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Optimiser: Adam with the L2 term in the gradient, or AdamW with decoupled weight decay."""
    lr: Annotated[float, Range(3e-4, 1e-2, log=True)] = Field(1e-3, gt=0)
    """Learning rate."""
    l2: Annotated[float, Range(1e-8, 1e-3, log=True)] = Field(1e-6, ge=0)
    """Weight of the squared norm of the regularised parameters (see darec.model)."""
    eval_every: int = Field(3, ge=1)
    """Number of epochs between two evaluations on the validation split."""
    eval_users: int | None = Field(None, ge=2)
    """Largest number of validation users on whom the model is evaluated during training; null: 50,000. If there are
    more, every run on the data uses the same sample of them, and the interval of its value is reported. The final
    evaluation uses all users."""
    patience: int = Field(5, ge=1)
    """Training stops after this number of evaluations without improvement."""
    monitor: str = "recall@20"
    """Validation metric by which the best epoch is chosen."""
    fold_ridge: float | None = Field(None, gt=0)
    """Ridge for computing the vector of a new user from a list of items (darec.training.fold_in). With null, it is
    chosen on the validation split."""


class EvaluationConfig(Settings):
    """Evaluation at the end of a run."""

    ks: tuple[int, ...] = Field((5, 10, 20), min_length=1)
    """Cut-offs K of the metrics."""
    mask: Literal["train", "train+valid"] = "train"
    """Items left out of a user's ranking at test time: those of train, or of train and valid. RLMRec and DaRec leave
    out only the training items."""
    batch_size: int | None = Field(None, ge=1)
    """Number of users scored at once. With null, a number that suits the device is chosen. It changes speed and memory,
    not the metrics."""


class TextConfig(Settings):
    """The language embeddings of items, and how those of users are made."""

    encoder: str | None = None
    """Encoder whose embeddings are used, as named for ``darec encode``. With null, the most recent embeddings are used
    if the alignment or the backbone needs text."""
    sources: tuple[str, ...] = Field(("text",), min_length=1)
    """Encoded texts to use: ``text``, ``titles``, ``profiles``, ``profiles:NAME`` or a file. There may be several."""
    combine: Literal["concat", "mean"] = "concat"
    """How the vectors of several sources are combined, after each source is standardised: concatenated or averaged."""
    pooling: Literal["mean", "idf"] = "mean"
    """A user's vector is the mean of the vectors of their training items, plain or weighted by inverse item
    frequency."""


class RunOptions(Settings):
    """Options of the computation. None of them is a hyperparameter."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of the initial values, batches, negatives and dropout."""
    device: str = "cpu"
    """Device of the training: ``cpu``, ``cuda`` or ``cuda:N``."""
    precision: Literal["float32", "bf16"] = "float32"
    """Floating-point precision. bf16 uses autocast on a GPU."""
    threads: int | None = Field(None, ge=1, le=MOST_THREADS)
    """Number of CPU threads; null is torch's own choice. Runs with equal seed and threads give identical results."""


def _named(part: Any) -> Any:
    """The name of a part that is given as a name, as settings or as a configuration; None if it has none."""
    if isinstance(part, Mapping):
        return part.get("name")
    return part.name if isinstance(part, PartConfig) else part


def _part(value: Any, registry: Registry, default: str) -> Any:
    """Validate the settings of one part with the ``Config`` of its class, which is found by name.

    ``preset`` is replaced by the settings that the part declares under that name. Settings given explicitly override
    them.
    """
    if isinstance(value, str):
        value = {"name": value}
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        value = {"name": default, **value}
    else:
        raise ConfigError(f"{registry.kind}: give a name, one of {', '.join(registry)}.")
    if not isinstance(value["name"], str):
        raise ConfigError(f"{registry.kind}: {shown(value['name'])} is not a name.")
    config: type[PartConfig] = registry.get(value["name"]).Config
    preset = value.pop("preset", None)
    if preset is not None:
        if not isinstance(preset, str) or preset not in config.presets:
            known = did_you_mean(str(preset), config.presets) if config.presets else "it has none."
            raise ConfigError(
                f"{registry.kind} {value['name']!r}: unknown preset {preset!r}: {known}"
            )
        value = {**config.presets[preset], **value}
    return validated(config, value, prefix=registry.kind)


class BesideConfig(Settings):
    """Closed-form scores that are added to those of a trained model: popularity, and an item-item matrix."""

    popularity: float | None = Field(None, ge=0, lt=1)
    """Weight of the logarithm of item popularity, after its scores are scaled to the same spread as the trained scores.
    With null, it is chosen on the validation split; the candidates include 0 (docs/studies/popularity.md)."""
    niche: float | None = Field(None, ge=0, le=1)
    """Share of the users to whose scores popularity is not added: those whose histories have the least popular items.
    With null, the largest share is chosen that costs no more than ``niche_cost`` on the validation split."""
    niche_cost: float = Field(0.02, ge=0, lt=1)
    """Share of the monitored metric that may be lost on the validation split, so that users with a niche taste find
    more of the least popular items."""
    backbone: SerializeAsAny[PartConfig] | None = Field(default=MATRIX, validate_default=True)
    """The closed-form model that gives the matrix. With null, only popularity is added. The matrices of ``ease`` and
    ``ease_sparse`` keep 50 entries in each column, unless ``entries`` is set. ``ease`` has a dense matrix and is
    refused above 30,000 items; use ``ease_sparse`` for these."""
    alignment: SerializeAsAny[PartConfig] = Field(
        default=SHAPES[MATRIX]["name"], validate_default=True
    )
    """How the text shapes the matrix. The default is ``collective`` with a weight of 1000 for ``ease``, and
    ``l3ae`` for ``ease_sparse`` (docs/studies/beside.md)."""
    weight: float | None = Field(None, ge=0, lt=1)
    """Weight of the matrix's scores, after they are scaled to the same spread as the trained scores. With null, it is
    chosen on the validation split; the candidates include 0."""

    @model_validator(mode="before")
    @classmethod
    def _shaped(cls, value: Any) -> Any:
        given = value.get("alignment", {}) if isinstance(value, Mapping) else None
        given = {"name": given} if isinstance(given, str) else given
        if not isinstance(given, Mapping):
            return value
        shape = SHAPES.get(_named(value.get("backbone")) or MATRIX, SHAPES[MATRIX])
        same = given.get("name", shape["name"]) == shape["name"]
        return {**value, "alignment": {**shape, **given} if same else given}

    @field_validator("backbone", mode="before")
    @classmethod
    def _backbone(cls, value: Any) -> Any:
        if value is None:
            return None
        value = {"name": value} if isinstance(value, str) else value
        if isinstance(value, Mapping) and value.get("name", MATRIX) in (MATRIX, SPARSE_MATRIX):
            value = {"entries": ENTRIES, **value}
        return _part(value, BACKBONES, MATRIX)

    @field_validator("alignment", mode="before")
    @classmethod
    def _alignment(cls, value: Any) -> Any:
        return _part(value, ALIGNMENTS, SHAPES[MATRIX]["name"])

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


class RunConfig(Settings):
    """All settings of a run. Together with the data they define its result."""

    backbone: SerializeAsAny[PartConfig] = Field(default=BACKBONE, validate_default=True)
    """The collaborative model."""
    alignment: SerializeAsAny[PartConfig] = Field(default=ALIGNMENT, validate_default=True)
    """How language embeddings enter the model."""
    beside: BesideConfig | None = None
    """Closed-form scores that are added to those of a trained model; null adds none. ``beside=popularity`` adds
    popularity, and ``beside=ease`` adds popularity and the matrix of EASE, each with its default settings."""
    loss: BPRConfig | SoftmaxConfig = Field(default=BPRConfig(), discriminator="name")
    """The ranking loss, which the backbone and every tower of an alignment share."""
    text: TextConfig = TextConfig()
    """Language embeddings."""
    train: TrainConfig = TrainConfig()
    """Optimisation."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Measurement."""
    options: RunOptions = RunOptions()
    """Run options."""

    @field_validator("backbone", mode="before")
    @classmethod
    def _backbone(cls, value: Any) -> Any:
        return _part(value, BACKBONES, BACKBONE)

    @field_validator("alignment", mode="before")
    @classmethod
    def _alignment(cls, value: Any) -> Any:
        return _part(value, ALIGNMENTS, ALIGNMENT)

    @field_validator("beside", mode="before")
    @classmethod
    def _beside(cls, value: Any) -> Any:
        if value == POPULARITY:
            return {"backbone": None}
        if isinstance(value, str):
            return {"backbone": value}
        if isinstance(value, Mapping) and isinstance(
            value.get("name"), str
        ):  # with further settings
            others = {key: other for key, other in value.items() if key != "name"}
            backbone = others.get("backbone", {})
            if isinstance(backbone, Mapping):
                backbone = {"name": value["name"], **backbone}
            return {**others, "backbone": backbone}
        return value

    @field_validator("loss", mode="before")
    @classmethod
    def _loss(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {"name": "bpr", **value}
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pair(self) -> RunConfig:
        reason = inapplicable(self.backbone.name, self.alignment.name)
        if reason:
            raise ConfigError(reason)
        if self.beside is not None and BACKBONES.get(self.backbone.name).closed_form:
            raise ConfigError(
                f"beside: backbone {self.backbone.name!r} is itself solved in closed form: leave 'beside' out, or "
                "choose a trained backbone."
            )
        return self

    def to_yaml(self) -> str:
        """Every setting with its final value, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def resolve_config(
    settings: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Build a configuration from a file, then a nested mapping, then ``key=value`` overrides.

    Args:
        settings: settings nested as in the file, or with dotted keys: ``{"backbone.dim": 64}``.
        file: YAML file, written by hand or by an earlier run. If that run used parts from outside the package, they are
            imported.
        overrides: settings as on the command line, ``["backbone.dim=64"]``; values are read as YAML.
        base: nested settings that the others override, in place of a file.

    Raises:
        ConfigError: the file is not YAML, a key is unknown (the error names the nearest key of any section), a value is
            out of range, or a part from outside the package cannot be imported again.
    """
    tree: dict[str, Any] = (
        read_settings(Path(file)) if file is not None else deepcopy(dict(base or {}))
    )
    for key, value in (settings or {}).items():
        assign(tree, key, value)
    for override in overrides:
        assign(tree, *parse_override(override, example="train.epochs=5"))
    if file is not None:
        recall_parts(Path(file).parent, {kind: _name(tree.get(kind)) for kind in REGISTRIES})
    check_known(tree, RunConfig)
    return validated(RunConfig, tree)


def _name(part: Any) -> Any:
    """The name of a part, from settings that are not yet validated."""
    return part.get("name") if isinstance(part, Mapping) else part
