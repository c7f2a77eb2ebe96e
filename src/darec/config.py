"""Strict settings: one pydantic model a part, put together into a run's configuration.

Each part declares its own ``Config`` beside its class; this file knows only how to find it by name, how to read and
write the whole as YAML, and how to apply ``key=value`` overrides. An unknown key is refused with the nearest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from darec.dimensions import Range
from darec.errors import ConfigError, did_you_mean
from darec.origins import recall_parts
from darec.registry import ALIGNMENTS, BACKBONES, REGISTRIES, Registry, inapplicable

BACKBONE: Final = "lightgcn"
ALIGNMENT: Final = "none"


Made = TypeVar("Made", bound=BaseModel)


class Settings(BaseModel):
    """Base of every configuration: immutable, and no key that it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class PartConfig(Settings):
    """Base of the configuration of a registered part.

    Attributes:
        presets: settings under a name, taken by ``preset``: ``{"alignment": {"name": "darec", "preset": "paper"}}``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    name: str
    """Name of the part in the registry."""


C = TypeVar("C", bound=Settings)


class Configured(Generic[C]):
    """Base of the contracts of parts. ``class Mine(Backbone[MineConfig])`` says once which settings a part has.

    Attributes:
        Config: the class of the settings.
        config: the part's own.
    """

    Config: ClassVar[type[Any]]
    config: C

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Settings):
                    cls.Config = argument


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

    epochs: int = Field(1000, ge=1)
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
    patience: int = Field(5, ge=1)
    """Evaluations without improvement after which training stops."""
    monitor: str = "recall@20"
    """Validation metric that picks the best epoch."""


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

    seed: int = Field(0, ge=0)
    """Seeds initial values, batches, negatives and dropout."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:N``."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16: autocast on a GPU."""
    threads: int | None = Field(None, ge=1)
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
    config: type[PartConfig] = registry.get(value["name"]).Config
    preset = value.pop("preset", None)
    if preset is not None:
        if preset not in config.presets:
            known = did_you_mean(str(preset), config.presets) if config.presets else "it has none."
            raise ConfigError(
                f"{registry.kind} {value['name']!r}: unknown preset {preset!r}: {known}"
            )
        value = {**config.presets[preset], **value}
    try:
        return config.model_validate(value)
    except ValidationError as error:
        raise ConfigError(_explain(error, config, prefix=registry.kind)) from None


class RunConfig(Settings):
    """Everything that defines a run except the data."""

    backbone: SerializeAsAny[PartConfig] = Field(default=BACKBONE, validate_default=True)
    """The collaborative model."""
    alignment: SerializeAsAny[PartConfig] = Field(default=ALIGNMENT, validate_default=True)
    """How language comes in."""
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
        return self

    def to_yaml(self) -> str:
        """Every setting resolved, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def resolve_config(
    settings: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> RunConfig:
    """Build a configuration from a file, then a nested mapping, then ``key=value`` overrides.

    Args:
        settings: nested as in the file, or with dotted keys: ``{"backbone.dim": 64}``.
        file: YAML written by hand or by an earlier run, whose parts from outside the package are imported.
        overrides: as on the command line: ``["backbone.dim=64"]``; values are read as YAML.

    Raises:
        ConfigError: a file that is not YAML, an unknown key (with the nearest one), a value out of range, or a part
            that cannot be found again.
    """
    tree: dict[str, Any] = _read(Path(file)) if file is not None else {}
    for key, value in (settings or {}).items():
        _assign(tree, key, value)
    for override in overrides:
        _assign(tree, *parse_override(override, example="train.epochs=5"))
    if file is not None:
        recall_parts(Path(file).parent, {kind: _name(tree.get(kind)) for kind in REGISTRIES})
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, RunConfig)) from None


def validated(model: type[Made], **values: Any) -> Made:
    """Settings of any kind from their values. Raises ``ConfigError``, naming the first that does not fit."""
    try:
        return model(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, model)) from None


def parse_override(override: str, *, example: str) -> tuple[str, Any]:
    """Key and value of ``KEY=VALUE``, the value read as YAML. Raises ``ConfigError``, showing the example."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {override!r}: write KEY=VALUE, for example {example}.")
    try:
        return key.strip(), yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not YAML.") from error


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping by dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _name(part: Any) -> Any:
    """The name in a part's settings as they are written."""
    return part.get("name") if isinstance(part, Mapping) else part


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no config file {file}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{file} holds no settings: write sections such as 'train:'.")
    return tree


def _assign(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; naming a part anew drops the settings of the part it replaces."""
    *sections, leaf = key.split(".")
    node = tree
    for section in sections:
        inner = node.get(section)
        if isinstance(inner, str):
            inner = {"name": inner}
        elif inner is not None and not isinstance(inner, dict):
            raise ConfigError(f"{key}: {section!r} is a value and holds no settings.")
        node[section] = inner = dict(inner or {})
        node = inner
    if isinstance(value, Mapping) and isinstance(node.get(leaf), dict):
        for name, inner in value.items():
            _assign(node, f"{leaf}.{name}", inner)
        return
    if leaf in {"backbone", "alignment", "loss"} and not sections and isinstance(value, str):
        old = node.get(leaf)
        if isinstance(old, dict) and old.get("name") == value:
            return
    node[leaf] = value


def _explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """The first problem in one line: the key as one would write it, and what may stand there."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # a part's own message, wrapped on its way here
        return cause.command_line
    path = [str(step) for step in first["loc"]]
    if first["type"].startswith("union_tag"):
        return f"unknown loss: {did_you_mean(str(first['input'].get('name')), ['bpr', 'softmax'])}"
    if path[:1] == ["loss"] and len(path) > 1:  # pydantic puts the chosen loss's tag into the path
        model = SoftmaxConfig if path.pop(1) == "softmax" else BPRConfig
    elif len(path) > 1:
        model = type(model.model_fields[path[0]].get_default())
    key = ".".join([prefix, *path] if prefix else path)
    if first["type"] == "extra_forbidden":
        return f"unknown setting {key!r}: {did_you_mean(path[-1], model.model_fields)}"
    return f"setting {key!r}: {first['msg'][0].lower()}{first['msg'][1:]} (got {first['input']!r})."
