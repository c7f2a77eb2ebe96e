"""Which runs a comparison is made of: variants and seeds, each run's settings, and the folder it is found by.

A variant is a pair of backbone and alignment with its settings: of a grid every pair, of a sweep or an ablation one
pair with some settings changed.

A run's folder is named by a hash of everything that decides its result: the resolved settings, the dataset and the
language vectors, and the source of parts from outside the package. So a finished run is found again whatever else the
grid holds, and changed settings never meet it.
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
"""A grid of more runs than this is only trained when that is confirmed."""
_MOST_SEEDS: Final = 100_000
Names = tuple[str, str]


@dataclass(frozen=True)
class VariantSettings:
    """One variant.

    Attributes:
        config: its settings; the seed is each run's own.
        file: the file they came from, with a folder of settings.
        label: as :attr:`darec.compare.result.Variant.label`.
        changes: as :attr:`darec.compare.result.Variant.changes`.
    """

    config: RunConfig
    file: Path | None = None
    label: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> Title:
        """What it is called; known by it among all."""
        return Title.of(self.config.backbone.name, self.config.alignment.name, self.label)


@dataclass(frozen=True)
class Job:
    """One run of the grid.

    Attributes:
        title: of its variant.
        seed: its seed.
        config: every setting, settled.
        folder: its name under ``runs/``, such as ``lightgcn+darec-s0-1a2b3c4d5e``.
        parts: where its parts from outside the package come from.
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
    """``5`` is seeds 0 to 4; ``0,3,7`` is those, and ``7,`` is seed 7 alone. Raises ``ConfigError``."""
    parts = [part.strip() for part in text.removesuffix(",").split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(
            f"--seeds {text!r}: write how many, as 5 for seeds 0 to 4, or a list, as 0,3,7."
        )
    numbers = [int(part[:20]) for part in parts]
    if max(numbers) > LARGEST_SEED:
        raise ConfigError(f"--seeds {text!r}: a seed is at most {LARGEST_SEED:,}.")
    if "," not in text:
        if not numbers[0]:
            raise ConfigError("--seeds 0: give at least one; seed 0 alone is written 0,")
        if numbers[0] > _MOST_SEEDS:
            raise ConfigError(f"--seeds {text}: at most {_MOST_SEEDS} at a time.")
        return tuple(range(numbers[0]))
    return _distinct(numbers, "--seeds")


def parse_names(text: str, registry: Registry) -> tuple[str, ...]:
    """Names of one kind between commas, or ``all``. Raises ``ConfigError`` on an unknown or repeated one."""
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
"""What no comparison should be read without: what everybody gets, and what linear models reach in a minute."""


def floors_of(pairs: Sequence[Names], n_items: int) -> tuple[list[Names], list[str]]:
    """The floors that go with a grid and are not in it yet, and a remark on one that stands for another.

    Args:
        pairs: the grid; where none of it reads text, no floor does.
        n_items: I; above :data:`darec.config.LARGEST_DENSE` ``ease_sparse`` stands for ``ease``, whose matrix is dense.
    """
    dense = n_items <= LARGEST_DENSE
    sized = [("ease_sparse" if b == "ease" and not dense else b, a) for b, a in FLOORS]
    text = any(BACKBONES.get(b).needs_text or ALIGNMENTS.get(a).needs_text for b, a in pairs)
    wanted = [
        (backbone, alignment)
        for backbone, alignment in sized
        if (backbone, alignment) not in pairs and (text or not ALIGNMENTS.get(alignment).needs_text)
    ]
    remark = f"ease_sparse stands for ease among the floors: {n_items:,} items, and ease's matrix is dense."
    return wanted, [] if dense else [remark]


def make_pairs(backbones: str, alignments: str) -> tuple[list[Names], list[str]]:
    """The grid of two lists, as :func:`parse_names` reads them; ``none`` first, then in the order given.

    Returns:
        The pairs, and for those that ``all`` would have but that cannot be combined, why they are left out.

    Raises:
        ConfigError: an unknown or repeated name, or a pair asked for by name that cannot be combined.
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
    """Each pair's settings: common ones, or a tuned file for each, and ``KEY=VALUE`` overrides on top.

    An override of ``backbone.`` or ``alignment.`` goes to the pairs whose part has that setting, and must go to one.

    Args:
        pairs: backbone and alignment of each.
        options: settings for all, by dotted key.
        config: YAML file of common settings; those of a part go to that part alone.
        overrides: as ``train.epochs=5``.
        folder: with ``BACKBONE+ALIGNMENT.yaml`` for every pair, as ``darec tune`` writes them.
        optional: pairs that take their defaults where ``folder`` has no file for them, as they do without it.

    Raises:
        ConfigError: an unknown setting, a file that is missing or for another pair, or pairs that are measured
            differently.
    """
    pairs, optional = list(pairs), set(optional)
    if config and folder:
        raise ConfigError("give either --config, for all pairs, or --settings, one file a pair.")
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
    """The runs of each variant, one a seed, or one in all where there is no chance; once each is certain to begin.

    Raises:
        ConfigError: settings that do not fit the data or the machine.
        DataError: a split without interactions.
        TextError: language vectors that are missing or out of date.
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
            if wanted not in texts:  # reading the vectors takes long, and variants share them
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
    """Whether another seed would give another result; a model in closed form is the same for all."""
    return not getattr(BACKBONES.get(config.backbone.name), "deterministic", False)


def _job(title: Title, config: RunConfig, seed: int, fingerprint: str, vectors: str | None) -> Job:
    options = config.options.model_copy(update={"seed": seed})
    config = config.model_copy(update={"options": options})
    tree = config.model_dump(
        mode="json",
        exclude={
            "options": {"threads"},
            "evaluation": {"batch_size"},
            "text": {"sources", "combine"},  # what comes of them is in the vectors
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
    """Whether a setting concerns a pair. Only a part's own settings may not."""
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
    """A part's settings must say whose they are, since each goes to the pairs with that part."""
    resolve_config(file=config)
    tree = read_yaml(config)
    for section in ("backbone", "alignment"):
        part = tree.get(section)
        if isinstance(part, dict) and "name" not in part:
            raise ConfigError(
                f"{config}: {section!r} has no name, so it is not certain which {section} its settings are for: "
                "name it there, or use --set."
            )


def _check_comparable(pairs: Sequence[VariantSettings]) -> None:
    """All pairs must be measured alike."""
    first = pairs[0]
    keys = ("evaluation.ks", "evaluation.mask", "train.monitor")
    wanted = flatten(first.config.model_dump(mode="json"))
    for pair in pairs[1:]:
        settings = flatten(pair.config.model_dump(mode="json"))
        for key in keys:
            if settings[key] != wanted[key]:
                raise ConfigError(
                    f"{key} is {wanted[key]} in {first.file} but {settings[key]} in {pair.file}: figures would not "
                    f"be comparable; settle it with --set {key}=VALUE."
                )


def _distinct(values: list[Any], option: str) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ConfigError(f"{option}: {value} is given twice.")
    return tuple(values)
