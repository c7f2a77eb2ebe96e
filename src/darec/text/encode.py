"""Encode a dataset's texts. Only new and changed texts are encoded; the other vectors are read from the store.

Distinct texts are encoded once. Encoders that read each text separately get them longest first, in batches of similar
length, and every finished batch is stored immediately. Encoders that are fitted on the whole corpus get all texts at
once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from darec.data.dataset import Dataset
from darec.errors import ConfigError, TextError
from darec.ids.idmap import Id
from darec.meter import Meter
from darec.registry.origins import kept, origin_of
from darec.text.encoders.base import Encoder, EncoderConfig, Precision
from darec.text.encoding import EncodeBatches, Encoding
from darec.text.inputs import (
    TEXT,
    Entities,
    item_inputs,
    make_encoder,
    source_inputs,
    store_name,
    user_inputs,
)
from darec.text.reduce import Reduction
from darec.text.report import EncodeReport, report_of
from darec.text.shards import Shard, gather, shards_of
from darec.text.sources import read_texts
from darec.text.store import MemoryStore, TextStore
from darec.text.users import UserPooling, make_table
from darec.types import TextTable
from darec.wording import agreeing


def encode_dataset(
    dataset: Dataset | str | Path,
    encoder: str,
    *,
    source: str = TEXT,
    options: Mapping[str, Any] | None = None,
    users: str | Path | Mapping[Id, str | None] | None = None,
    ids: str | Path | None = None,
    device: str = "cpu",
    precision: Precision | None = None,
    dimensions: int | None = None,
    pca: int | None = None,
    shard: str | None = None,
    merge: bool = False,
    ray: int | None = None,
    progress: bool = True,
) -> EncodeReport:
    """Turn the texts of a dataset into language vectors and store them in its ``text`` folder.

    Only texts that are new or changed are encoded. If a call was killed, the next call continues where it stopped.
    Earlier vectors remain in use until the new ones are complete. A dataset in memory keeps the vectors in memory, and
    writes them when it is saved.

    Args:
        dataset: a dataset or its folder.
        encoder: ``tfidf``, ``minilm``, ``sentence-transformers:MODEL``, ``openai:MODEL`` or ``file:VECTORS.npy``.
        source: the texts to encode: the items' ``text``, their ``titles``, the ``profiles`` (or ``profiles:NAME``) of
            items and users that ``darec profile`` made, or a JSONL file with ``item_id`` and ``text``.
        options: settings of the encoder.
        users: texts about users, by user id or as a JSONL file with ``user_id`` and ``text``. With None, a user's
            vector is pooled from their training items when the vectors are loaded.
        ids: for the encoder ``file:``, the ids of its rows.
        device: device of a neural encoder.
        precision: precision of the stored vectors. With None, float16 for neural encoders and float32 for others.
        dimensions: keep only this number of first coordinates, renormalised. This is for models trained for it.
        pca: keep only this number of principal components, fitted on the vectors of the items' texts.
        shard: encode only this part of the texts, such as ``2/8``, into its own store.
        merge: encode nothing, and join all shards.
        ray: encode with this number of Ray workers (:mod:`darec.text.ray_job`). With None, encode in this process.
        progress: show progress on standard error.

    Raises:
        ConfigError: the encoder or a setting is unknown, or options cannot be combined.
        DataError: there is no dataset.
        TextError: texts or vectors cannot be used, another process writes the store, or the shards are not complete.
    """
    started = time.perf_counter()
    if not isinstance(dataset, Dataset):
        dataset = Dataset.load(dataset)
    if ids is not None:
        if encoder.partition(":")[0] != "file":
            raise ConfigError(f"ids are only for file:VECTORS.npy, not for encoder {encoder!r}.")
        options = {**(options or {}), "ids": Path(ids)}
    part, config = make_encoder(encoder, options, device=device)
    reduction = Reduction.choose(dimensions, pca)
    only = None if shard is None else Shard.parse(shard)
    if only or merge:
        _check_shards(dataset, encoder, part, only, merge, reduction)
    texts = _texts(dataset, encoder, part, source, users, only)
    encoding = Encoding(
        part,
        config,
        texts.groups,
        Meter(encoder, doing="encoding", unit="texts", show=progress),
        precision=precision,
        part=only is not None,
        encode_batches=None if ray is None else _on_ray(encoder, part, options, device, ray),
    )
    encoding.notices += texts.notices
    store = _store(dataset, store_name(encoder, source), only)
    with store.writing():
        encoding.run(store, gather(store.folder, encoding) if merge else None)
        if reduction:
            encoding.reduce(reduction)
        about = {
            "encoder": encoder,
            "source": source,
            "shard": str(only) if only else None,
            "fingerprint": texts.fingerprint,
            "import": dataset.manifest.get("options"),
        }
        meta = about | _meta(encoder, part, config, encoding)
        store.commit(meta, encoding.index(), encoding.full, encoding.reduced)
    return report_of(
        encoding,
        encoder=encoder,
        source=source,
        path=store.folder if dataset.path else None,
        shard=about["shard"],
        seconds=time.perf_counter() - started,
    )


def embed(
    dataset: Dataset | str | Path,
    encoder: str,
    *,
    pooling: UserPooling = "mean",
    **arguments: Any,
) -> TextTable:
    """E_L without any file: :func:`encode_dataset` in memory, and vectors for users and for missing texts.

    Args:
        dataset: a dataset or its folder, which is only read.
        encoder: as in :func:`encode_dataset`.
        pooling: as in :func:`darec.text.load_text`.
        **arguments: the other arguments of :func:`encode_dataset`.
    """
    dataset = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
    report = encode_dataset(replace(dataset, path=None, vectors={}), encoder, **arguments)
    return make_table(report.vectors, dataset.train, pooling, encoder)


def _store(dataset: Dataset, name: str, shard: Shard | None) -> TextStore:
    if dataset.path is None:
        return MemoryStore(dataset.vectors, name)
    folder = dataset.path / "text" / name
    return TextStore(shards_of(folder) / shard.name if shard else folder)


class _Texts(NamedTuple):
    """The texts to encode.

    Attributes:
        groups: the items and, if there are texts about users, the users.
        fingerprint: fingerprint of the dataset, if the texts depend on the training split. They must not be used with
            another split.
        notices: sentences for the report.
    """

    groups: list[Entities]
    fingerprint: str | None
    notices: list[str]


def _texts(
    dataset: Dataset,
    encoder: str,
    part: Encoder[Any],
    source: str,
    users: str | Path | Mapping[Id, str | None] | None,
    shard: Shard | None,
) -> _Texts:
    if part.reads == "id" and source != TEXT:
        raise ConfigError(f"encoder {encoder!r} reads ids, so it cannot encode {source}.")
    groups = (
        [item_inputs(dataset, part.reads, source)]
        if source in (TEXT, "titles")
        else source_inputs(dataset, source)
    )
    profiled = len(groups) > 1 and users is None
    notices: list[str] = []
    if users is not None:
        if part.reads != "text":
            raise ConfigError(f"encoder {encoder!r} reads ids, so it cannot encode texts of users.")
        groups[1:] = [_user_texts(dataset, users, notices)]
    if not any(groups[0].keys):
        what = "a title" if source == "titles" else "text"
        raise TextError(f"no item of the dataset has {what}: {dataset.text_remedy}")
    if shard:
        groups = [group.keep(shard.holds) for group in groups]
    return _Texts(groups, dataset.fingerprint() if profiled else None, notices)


def _meta(
    encoder: str, part: Encoder[Any], config: EncoderConfig, encoding: Encoding
) -> dict[str, Any]:
    """The metadata of a store: everything on which its vectors depend, and their form."""
    origin = origin_of("encoder", encoder.partition(":")[0])
    return {
        "reads": part.reads,
        "revision": part.revision,
        "options": config.model_dump(mode="json"),
        "part": kept(origin) if origin else None,
        "identity": encoding.identity,
        "user_texts": len(encoding.groups) > 1,
        "shape": list(encoding.table.shape),
        "precision": str(encoding.dtype),
        "reduction": encoding.reduction,
        "limit": encoding.limit,
        "truncated": encoding.truncated,
        "darec": version("darec"),
        "written": datetime.now(UTC).isoformat(timespec="microseconds"),
    }


def _user_texts(
    dataset: Dataset, users: str | Path | Mapping[Id, str | None], notices: list[str]
) -> Entities:
    if isinstance(users, Mapping):
        texts = {str(user): text for user, text in users.items()}
        group = user_inputs(dataset, texts, "the user texts")
    else:
        texts = read_texts(Path(users), "user")
        group = user_inputs(dataset, texts, str(users))
    unknown = sum(user not in dataset.users for user in texts)
    if unknown:
        notices.append(
            f"{unknown} of {len(texts)} user texts {agreeing(unknown, 'is', 'are')} about users who are not in the "
            "dataset."
        )
    return group


def _on_ray(
    encoder: str, part: Encoder[Any], options: Mapping[str, Any] | None, device: str, workers: int
) -> EncodeBatches:
    from darec.text.ray_job import RayBatches

    if not part.incremental:
        raise ConfigError(f"encoder {encoder!r} needs all texts at once: run it without --ray.")
    return RayBatches(encoder, options or {}, device, part.revision, workers)


def _check_shards(
    dataset: Dataset,
    encoder: str,
    part: Encoder[Any],
    only: Shard | None,
    merge: bool,
    reduction: Reduction | None,
) -> None:
    if only and merge:
        raise ConfigError(
            "--shard and --merge cannot be combined: merge when every shard is finished."
        )
    if not part.incremental:
        raise ConfigError(f"encoder {encoder!r} needs all texts at once: run it without shards.")
    if dataset.path is None:
        raise ConfigError("this dataset is in memory and has no folder for shards: save it first.")
    if only and reduction:
        raise ConfigError("dimensions are reduced with --merge, not in a shard.")
