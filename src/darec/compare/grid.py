"""The runs of a comparison: variants and seeds, the settings of each run, and its folder.

A variant is a pair of backbone and alignment with its settings. In a grid each pair is a variant; in a sweep or an
ablation each change of one pair is.

A run's folder is named by a hash of everything that decides its result: the resolved settings, the dataset, the
language vectors, and the source of parts from outside the package. So a finished run is found again for any other
content of the grid, and is never used for changed settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from darec.compare.kinds import Title
from darec.compare.result import BASELINE
from darec.config import LARGEST_DENSE, RunConfig, TextConfig, resolve_config
from darec.data.dataset import Dataset
from darec.errors import ConfigError, DataError, did_you_mean
from darec.limits import LARGEST_SEED
from darec.model import Model
from darec.overrides import flatten, parse_override
from darec.registry import ALIGNMENTS, BACKBONES, Registry, inapplicable
from darec.registry.origins import Origin, origins_of
from darec.runtime import resolve_runtime
from darec.training.checks import check_config
from darec.yaml_input import read_yaml

MANY: Final = 1000
"""Largest number of runs that are trained without confirmation."""
_MOST_SEEDS: Final = 100_000
Names = tuple[str, str]


@dataclass(frozen=True)
class VariantSettings:
    """One variant.

    Attributes:
        config: its settings without the seed, which differs between runs.
        file: the file of its settings, if there is a folder of settings.
        label: as :attr:`darec.compare.result.Variant.label`.
        changes: as :attr:`darec.compare.result.Variant.changes`.
    """

    config: RunConfig
    file: Path | None = None
    label: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> Title:
        """Its name, which is unique."""
        return Title.of(self.config.backbone.name, self.config.alignment.name, self.label)


@dataclass(frozen=True)
class Job:
    """One run of the grid.

    Attributes:
        title: title of its variant.
        seed: its seed.
        config: every setting with its final value.
        folder: its name under ``runs/``, such as ``lightgcn+darec-s0-1a2b3c4d5e``.
        parts: origins of its parts from outside the package.
    """

    title: Title
    seed: int
    config: RunConfig
    folder: str
    parts: Sequence[Origin] = ()

    @property
    def label(self) -> str:
        """``lightgcn + darec, seed 0``."""
        return f"{self.title.name}, seed {self.seed}"


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds: ``5`` is seeds 0 to 4, ``0,3,7`` is these three, and ``7,`` is only seed 7.

    Raises ``ConfigError``.
    """
    parts = [part.strip() for part in text.removesuffix(",").split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(
            f"--seeds {text!r}: write a number, such as 5 for seeds 0 to 4, or a list, such as 0,3,7."
        )
    numbers = [int(part[:20]) for part in parts]
    if max(numbers) > LARGEST_SEED:
        raise ConfigError(f"--seeds {text!r}: a seed is at most {LARGEST_SEED:,}.")
    if "," not in text:
        if not numbers[0]:
            raise ConfigError("--seeds 0: give at least one seed; write 0, for only seed 0")
        if numbers[0] > _MOST_SEEDS:
            raise ConfigError(f"--seeds {text}: at most {_MOST_SEEDS} at a time.")
        return tuple(range(numbers[0]))
    return _distinct(numbers, "--seeds")


def parse_names(text: str, registry: Registry) -> tuple[str, ...]:
    """Parse names of one kind with commas between, or ``all``. Raises ``ConfigError`` on an unknown or repeated one."""
    option = f"--{registry.kind}s"
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return tuple(registry)
    for name in names:
        if name not in registry:
            raise ConfigError(
                f"{option}: unknown {registry.kind} {name!r}: {did_you_mean(name, registry)}"
            )
    return _distinct(names, option)


FLOORS: Final[tuple[Names, ...]] = (
    ("popular", "none"),
    ("itemknn", "none"),
    ("ease", "none"),
    ("ease", "l3ae"),
)
"""Simple rivals that every comparison should show: popularity, and linear models that need a minute."""


def floors_of(pairs: Sequence[Names], n_items: int) -> tuple[list[Names], list[str]]:
    """The simple rivals that are missing in a grid, and a note if one replaces another.

    Args:
        pairs: the grid. If none of its pairs reads text, no rival with text is added.
        n_items: I; above :data:`darec.config.LARGEST_DENSE` ``ease_sparse`` replaces ``ease``, whose matrix is dense.
    """
    dense = n_items <= LARGEST_DENSE
    sized = [("ease_sparse" if b == "ease" and not dense else b, a) for b, a in FLOORS]
    text = any(BACKBONES.get(b).needs_text or ALIGNMENTS.get(a).needs_text for b, a in pairs)
    wanted = [
        (backbone, alignment)
        for backbone, alignment in sized
        if (backbone, alignment) not in pairs and (text or not ALIGNMENTS.get(alignment).needs_text)
    ]
    remark = f"ease_sparse replaces ease among the simple rivals: {n_items:,} items, and ease's matrix is dense."
    return wanted, [] if dense else [remark]


def make_pairs(backbones: str, alignments: str) -> tuple[list[Names], list[str]]:
    """The grid of two lists in the form of :func:`parse_names`; ``none`` is first, the others keep their order.

    Returns:
        The pairs, and the reasons for pairs of ``all`` that are left out because they cannot be combined.

    Raises:
        ConfigError: a name is unknown or repeated, or a pair that is given by name cannot be combined.
    """
    pairs, left_out = [], []
    fitted = parse_names(alignments, ALIGNMENTS)
    fitted = tuple(sorted(fitted, key=lambda name: name != BASELINE))
    for backbone in parse_names(backbones, BACKBONES):
        for alignment in fitted:
            reason = inapplicable(backbone, alignment)
            if reason is None:
                pairs.append((backbone, alignment))
            elif "all" not in (backbones.strip(), alignments.strip()):
                raise ConfigError(f"{backbone} + {alignment}: {reason}")
            else:
                left_out.append(f"{backbone} + {alignment} is left out: {reason.split(':')[0]}.")
    return pairs, left_out


def resolve_pairs(
    pairs: Iterable[Names],
    *,
    options: dict[str, Any] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    optional: Iterable[Names] = (),
) -> list[VariantSettings]:
    """Each pair's settings: common settings, or a tuned file for each pair, changed by ``KEY=VALUE`` overrides.

    An override of ``backbone.`` or ``alignment.`` applies to all pairs whose part has that setting. There must be one.

    Args:
        pairs: backbone and alignment of each.
        options: settings for all, by dotted key.
        config: YAML file of common settings; those of a part apply only to that part.
        overrides: settings such as ``train.epochs=5``.
        folder: folder with ``BACKBONE+ALIGNMENT.yaml`` for every pair, as ``darec tune`` writes them.
        optional: pairs that use their defaults if ``folder`` has no file for them.

    Raises:
        ConfigError: a setting is unknown, a file is missing or for another pair, or pairs are measured differently.
    """
    pairs, optional = list(pairs), set(optional)
    if config and folder:
        raise ConfigError(
            "give either --config, for all pairs, or --settings, with one file for each pair."
        )
    files = {pair: folder / f"{'+'.join(pair)}.yaml" if folder else None for pair in pairs}
    for pair in optional:
        if (file := files.get(pair)) and not file.is_file():
            files[pair] = None
    missing = [str(file) for file in files.values() if file and not file.is_file()]
    if missing:
        raise ConfigError(
            f"--settings: no {', '.join(missing)}: write it with 'darec tune --out {folder}', or leave the pair out."
        )
    if config:
        _check_named(config)
    used: set[str] = set()
    resolved = []
    for (backbone, alignment), file in files.items():
        own = [text for text in overrides if _has((backbone, alignment), text)]
        used |= set(own)
        given = {"backbone": backbone, "alignment": alignment, **(options or {})}
        if file:
            found = resolve_config(file=file)
            if (found.backbone.name, found.alignment.name) != (backbone, alignment):
                raise ConfigError(
                    f"{file} is for {found.backbone.name} + {found.alignment.name}, not {backbone} + {alignment}: "
                    "rename it, or tune this pair."
                )
        settings = resolve_config(given, file=file or config, overrides=own)
        resolved.append(VariantSettings(settings, file))
    for text in overrides:
        if text not in used:
            raise ConfigError(f"--set {text}: no pair of the grid has that setting.")
    _check_comparable(resolved)
    return resolved


def make_jobs(
    variants: Sequence[VariantSettings], seeds: Sequence[int], dataset: Dataset
) -> dict[Title, list[Job]]:
    """The runs of each variant, one for each seed, or a single one for a deterministic model.

    Raises:
        ConfigError: settings do not fit the data or the machine.
        DataError: a split has no interactions.
        TextError: language vectors are missing or out of date.
    """
    for split in ("valid", "test"):
        if not len(dataset.split(split)):
            raise DataError(
                f"{dataset.path} has no {split} interactions: a comparison needs train, valid and test."
            )
    fingerprint = dataset.fingerprint()
    texts: dict[TextConfig, tuple[str | None, str]] = {}
    jobs: dict[Title, list[Job]] = {}
    for variant in variants:
        config, vectors = variant.config, None
        check_config(config, dataset)
        if Model.needs_text(config):
            wanted = config.text
            if wanted not in texts:  # reading the vectors takes time, and variants share them
                read, table = resolve_runtime(config, dataset)
                texts[wanted] = (read.text.encoder, table.fingerprint() if table else "")
            encoder, vectors = texts[wanted]
            text = config.text.model_copy(update={"encoder": encoder})
            config = config.model_copy(update={"text": text})
        jobs[variant.title] = [
            _job(variant.title, config, seed, fingerprint, vectors)
            for seed in (seeds if has_chance(config) else seeds[:1])
        ]
    return jobs


def has_chance(config: RunConfig) -> bool:
    """Whether another seed would give another result, which is False for deterministic models."""
    return not getattr(BACKBONES.get(config.backbone.name), "deterministic", False)


def _job(title: Title, config: RunConfig, seed: int, fingerprint: str, vectors: str | None) -> Job:
    options = config.options.model_copy(update={"seed": seed})
    config = config.model_copy(update={"options": options})
    tree = config.model_dump(
        mode="json",
        exclude={
            "options": {"threads"},
            "evaluation": {"batch_size"},
            "text": {"sources", "combine"},  # the vectors depend on them
        },
    )
    if vectors is None:
        del tree["text"]  # not read, so a change of it changes nothing
    decisive: dict[str, Any] = {"settings": tree, "data": fingerprint, "text": vectors}
    parts = origins_of(config.backbone.name, config.alignment.name)
    if parts:
        decisive["parts"] = [origin.identity for origin in parts]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:10]
    folder = f"{config.backbone.name}+{config.alignment.name}-s{seed}-{digest}"
    return Job(title, seed, config, folder, parts)


def _has(pair: Names, override: str) -> bool:
    """Whether a setting applies to a pair. Only settings of a part may not apply."""
    key, _ = parse_override(override, example="train.epochs=5")
    section, _, rest = key.partition(".")
    part = {"backbone": BACKBONES, "alignment": ALIGNMENTS}.get(section)
    if key in ("backbone", "alignment", "backbone.name", "alignment.name", "options.seed"):
        raise ConfigError(
            f"--set {override}: the grid decides it: see --backbones, --alignments and --seeds."
        )
    if part is None:
        return True
    fields = part.get(pair[section == "alignment"]).Config.model_fields
    return rest.partition(".")[0] in fields


def _check_named(config: Path) -> None:
    """Require the name of a part with its settings, because they apply only to pairs with that part."""
    resolve_config(file=config)
    tree = read_yaml(config)
    for section in ("backbone", "alignment"):
        part = tree.get(section)
        if isinstance(part, dict) and "name" not in part:
            raise ConfigError(
                f"{config}: {section!r} has no name, so the {section} of its settings is unknown: add the name "
                "there, or use --set."
            )


def _check_comparable(pairs: Sequence[VariantSettings]) -> None:
    """Require that all pairs are measured in the same way."""
    first = pairs[0]
    keys = ("evaluation.ks", "evaluation.mask", "train.monitor")
    wanted = flatten(first.config.model_dump(mode="json"))
    for pair in pairs[1:]:
        settings = flatten(pair.config.model_dump(mode="json"))
        for key in keys:
            if settings[key] != wanted[key]:
                raise ConfigError(
                    f"{key} is {wanted[key]} in {first.file} but {settings[key]} in {pair.file}: the figures would "
                    f"not be comparable; give one value with --set {key}=VALUE."
                )


def _distinct(values: list[Any], option: str) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(f"{option}: {value} is given twice.")
    return tuple(values)
