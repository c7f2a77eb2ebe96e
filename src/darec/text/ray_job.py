"""Encode over a Ray cluster (extra ``ray``): Ray Data sends batches to workers, and each worker has its own encoder.

One process has the texts, the batches and the store, and is the only writer. It checks and stores every finished batch,
so that a killed job continues where it stopped. The cluster is that of ``RAY_ADDRESS``. Without it, one is started on
this machine for the duration of the job. Every worker needs darec and the model, with the same weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from darec.errors import ConfigError, TextError
from darec.processes.cluster import AUTO, LOCAL, connected, require_ray
from darec.registry.origins import Parcel, origin_of
from darec.text.inputs import make_encoder
from darec.types import FloatArray


class Worker:
    """The code on a Ray worker: it loads the encoder once, then encodes one batch in each call."""

    def __init__(
        self,
        spec: str,
        options: Mapping[str, Any],
        device: str,
        revision: str,
        part: Parcel | None = None,
    ) -> None:
        if part is not None:
            part.unpack()
        self.encoder, _ = make_encoder(spec, options, device=device)
        if self.encoder.revision != revision:
            raise TextError(
                f"a worker has {spec} in revision {self.encoder.revision}, but the job has {revision}: install the "
                "same on all."
            )

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Encode the texts of a batch; return its number and its vectors."""
        vectors = np.ascontiguousarray(self.encoder.encode(list(row["texts"])), np.float32)
        return {"batch": row["batch"], "dim": vectors.shape[1], "vectors": vectors.tobytes()}


class RayBatches:
    """Encodes batches on Ray and yields them in the order in which they finish.

    Args:
        spec: the encoder, as given to ``darec encode``.
        options: its settings.
        device: its device; any device except ``cpu`` reserves a GPU for each worker.
        revision: revision of its weights in this process.
        workers: number of workers, with one CPU each.

    Raises:
        ConfigError: Ray is not installed.
    """

    def __init__(
        self, spec: str, options: Mapping[str, Any], device: str, revision: str, workers: int
    ) -> None:
        require_ray()
        if workers < 1:
            raise ConfigError(f"--ray {workers}: must be at least 1 worker.")
        origin = origin_of("encoder", spec.partition(":")[0])
        part = Parcel.of(origin) if origin else None
        self.arguments = (spec, dict(options), device, revision, part)
        self.workers = workers
        self.resources: dict[str, Any] = {"num_cpus": 1} | (
            {} if device == "cpu" else {"num_gpus": 1}
        )

    def __call__(self, batches: Sequence[Sequence[str]]) -> Iterator[tuple[int, FloatArray]]:
        """Yield the number and the vectors of each batch. Raises ``TextError`` if a worker fails."""
        import ray

        # Workers for which there is no processor would wait for ever; the driver needs one too.
        with connected(AUTO if os.environ.get("RAY_ADDRESS") else LOCAL, self.workers + 1):
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            try:
                rows = [{"batch": n, "texts": list(texts)} for n, texts in enumerate(batches)]
                done = ray.data.from_items(rows, override_num_blocks=min(len(rows), 10_000)).map(
                    cast(Any, Worker),  # Ray's types allow only functions
                    fn_constructor_args=self.arguments,
                    compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(rows))),
                    **self.resources,
                )
                for row in done.iter_rows():
                    vectors = np.frombuffer(row["vectors"], np.float32).reshape(-1, row["dim"])
                    yield int(row["batch"]), vectors
            except ray.exceptions.RayError as error:
                lines = [line for line in str(error).splitlines() if line.strip()]
                raise TextError(
                    f"a Ray worker failed ({lines[-1].strip() if lines else type(error).__name__}). Finished batches "
                    "are kept: solve the problem and run the same command again."
                ) from error
