"""A run's configuration: the settings of the two parts, of their training, and of what is measured.

Each part declares its own ``Config`` beside its class; this file knows only how to find it by name and how to put the
whole together. An unknown key is refused with the nearest one (:mod:`darec.settings`).
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
SHAPE: Final = "l3ae"
ENTRIES: Final = 50
POPULARITY: Final = "popularity"
LARGEST_DENSE: Final = 30_000
"""Items up to which EASE is a floor of comparisons and a matrix beside tables; beyond, EASE over candidates is."""


class PartConfig(Settings):
    """Base of the configuration of a registered part.

    Attributes:
        tried: values that a setting takes one after the other where it is null, the best on validation data being kept;
            for closed-form pairs, whose null settings go through their values together.
        presets: settings under a name, taken by ``preset``: ``{"alignment": {"name": "darec", "preset": "paper"}}``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {}

    name: str
    """Name of the part in the registry."""


class BPRConfig(Settings):
    """Bayesian personalised ranking (Rendle et al. 2009, eq. 4): one uniform negative a positive, inner product."""

    name: Literal["bpr"] = "bpr"
    """Name of the loss."""


class SoftmaxConfig(Settings):
    """Sampled softmax over negatives shared by the batch (Wu et al. 2022, SSM, eq. 5)."""

    name: Literal["softmax"] = "softmax"
    """Name of the loss."""
    negatives: Literal["uniform", "in-batch"] = "uniform"
    """Where negatives come from: uniform over the catalogue, or the batch's other positives."""
    n_negatives: int = Field(256, ge=1)
    """Draws a batch, for uniform negatives."""
    log_q: bool = False
    """Correct each negative's logit by the log of its expected number of draws (Yi et al. 2019)."""
    temperature: Annotated[float, Range(0.05, 0.5, log=True)] = Field(0.2, gt=0)
    """Divides the scores."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """Score by cosine or by inner product; recommendations are ranked by the same."""


class TrainConfig(Settings):
    """Optimisation. Defaults are those of the RLMRec code, on which DaRec's experiments build."""

    epochs: int = Field(1000, ge=1, le=MOST_EPOCHS)
    """Passes over the training interactions at most; early stopping usually ends sooner."""
    batch_size: int = Field(4096, ge=1)
    """Positives a step."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam with the L2 term in the gradient, or AdamW with decoupled decay."""
    lr: Annotated[float, Range(3e-4, 1e-2, log=True)] = Field(1e-3, gt=0)
    """Learning rate."""
    l2: Annotated[float, Range(1e-8, 1e-3, log=True)] = Field(1e-6, ge=0)
    """Weight of the squared norm of the parameters that the L2 term covers (see darec.model)."""
    eval_every: int = Field(3, ge=1)
    """Epochs between evaluations on the validation split."""
    eval_users: int | None = Field(None, ge=1)
    """Users of the validation split who judge the model while it is trained, at most; null: 50,000. Where there are
    more, the same sample of them judges in every run on the data, and the interval of its figure is told. All count at
    the end."""
    patience: int = Field(5, ge=1)
    """Evaluations without improvement after which training stops."""
    monitor: str = "recall@20"
    """Validation metric that picks the best epoch."""
    fold_ridge: float | None = Field(None, gt=0)
    """Ridge of users who are only lists of items (darec.training.fold_in); null: chosen on validation."""


class EvaluationConfig(Settings):
    """What is measured at the end of a run."""

    ks: tuple[int, ...] = Field((5, 10, 20), min_length=1)
    """Cut-offs K."""
    mask: Literal["train", "train+valid"] = "train"
    """Items not ranked at test time; RLMRec and DaRec mask training items only."""
    batch_size: int | None = Field(None, ge=1)
    """Users scored at once; null: what suits the device. It changes speed and memory, not what is measured."""


class TextConfig(Settings):
    """Which language embeddings are used, and how a user's are made."""

    encoder: str | None = None
    """Name given to ``darec encode``; null: the most recent one, if the alignment or backbone needs text."""
    sources: tuple[str, ...] = Field(("text",), min_length=1)
    """What was encoded: ``text``, ``titles``, ``profiles``, ``profiles:NAME`` or a file; several go side by side."""
    combine: Literal["concat", "mean"] = "concat"
    """How several sources make one table, each standardised first: side by side, or averaged."""
    pooling: Literal["mean", "idf"] = "mean"
    """A user's vector: mean of the training items' vectors, plain or weighted by inverse item frequency."""


class RunOptions(Settings):
    """How, not what: nothing here is a hyperparameter."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seeds initial values, batches, negatives and dropout."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:N``."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16: autocast on a GPU."""
    threads: int | None = Field(None, ge=1, le=MOST_THREADS)
    """CPU threads; null: torch's own choice. Results repeat to the digit for equal seed and threads."""


def _part(value: Any, registry: Registry, default: str) -> Any:
    """Validate one part's settings by the ``Config`` of the class that its name stands for.

    ``preset`` stands for the settings that the part keeps under that name; settings given beside it win.
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
    """What is solved in closed form and scored beside trained tables: popularity, and an item-item matrix."""

    popularity: float | None = Field(None, ge=0, lt=1)
    """Weight of the logarithm of the items' popularity, when its scores and the tables' spread alike; null: chosen on
    the validation split, 0 among what is tried (docs/studies/popularity.md)."""
    backbone: SerializeAsAny[PartConfig] | None = Field(default=MATRIX, validate_default=True)
    """The closed-form model of the matrix; null: popularity alone. Of ``ease`` and ``ease_sparse`` 50 entries of each
    column are kept, unless ``entries`` says otherwise. Above 30,000 items ``ease``, whose matrix is dense, is refused;
    ``ease_sparse`` is for these."""
    alignment: SerializeAsAny[PartConfig] = Field(default=SHAPE, validate_default=True)
    """How language shapes it."""
    weight: float | None = Field(None, ge=0, lt=1)
    """Of the matrix's scores, when both spread alike; null: chosen on the validation split, 0 among what is tried."""

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
        return _part(value, ALIGNMENTS, SHAPE)

    @model_validator(mode="after")
    def _closed(self) -> BesideConfig:
        if self.backbone is None:
            return self
        if not BACKBONES.get(self.backbone.name).closed_form:
            raise ConfigError(
                f"beside.backbone {self.backbone.name!r} is trained, and a matrix beside the tables is solved in "
                f"closed form: choose {MATRIX!r}."
            )
        reason = inapplicable(self.backbone.name, self.alignment.name)
        if reason:
            raise ConfigError(f"beside: {reason}")
        return self


class RunConfig(Settings):
    """Everything that defines a run except the data."""

    backbone: SerializeAsAny[PartConfig] = Field(default=BACKBONE, validate_default=True)
    """The collaborative model."""
    alignment: SerializeAsAny[PartConfig] = Field(default=ALIGNMENT, validate_default=True)
    """How language comes in."""
    beside: BesideConfig | None = None
    """What is scored beside trained tables; null: nothing. ``beside=popularity`` is popularity alone, and
    ``beside=ease`` has the matrix of EASE as well, each with its defaults."""
    loss: BPRConfig | SoftmaxConfig = Field(default=BPRConfig(), discriminator="name")
    """The ranking loss, the same for every backbone and every tower of an alignment."""
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
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):  # and more is set
            others = {key: other for key, other in value.items() if key != "name"}
            backbone = others.get("backbone", {})
            if isinstance(backbone, Mapping):
                return {**others, "backbone": {"name": value["name"], **backbone}}
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
                f"beside: backbone {self.backbone.name!r} is solved in closed form already: leave 'beside' out, or "
                "choose a trained backbone."
            )
        return self

    def to_yaml(self) -> str:
        """Every setting resolved, as YAML."""
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
        settings: nested as in the file, or with dotted keys: ``{"backbone.dim": 64}``.
        file: YAML written by hand or by an earlier run, whose parts from outside the package are imported.
        overrides: as on the command line: ``["backbone.dim=64"]``; values are read as YAML.
        base: what holds where none of these says otherwise, nested, in place of a file.

    Raises:
        ConfigError: a file that is not YAML, an unknown key (with the nearest one in any section), a value out of
            range, or a part that cannot be found again.
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
    """The name in a part's settings as they are written."""
    return part.get("name") if isinstance(part, Mapping) else part
