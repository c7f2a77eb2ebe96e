"""Metrics for Prometheus. Worker processes count together, through files in a folder."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder of the shared counts; it must be set before this module is imported."""
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._digits = ""
        self.requests = Counter(
            "darec_requests", "Requests.", ("route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "darec_request_seconds",
            "Duration of requests.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.swaps = Counter(
            "darec_bundle_swaps", "Bundles that replaced another.", registry=self._registry
        )
        self.refused = Counter(
            "darec_bundle_refusals", "Bundles that could not be opened.", registry=self._registry
        )
        self.events = Counter("darec_feedback_events", "Events accepted.", registry=self._registry)
        self._bundle = Gauge(
            "darec_bundle",
            "Processes that serve a bundle.",
            ("sha256",),
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._new = Gauge(
            "darec_new_items",
            "New items that are held.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def opened(self, digits: str, new: int) -> None:
        """Note the bundle that is served now."""
        if self._digits and self._digits != digits:
            self._bundle.labels(self._digits).set(0)
        self._digits = digits
        self._bundle.labels(digits).set(1)
        self._new.set(new)

    def text(self) -> bytes:
        """Return all metrics in the format of Prometheus."""
        registry = self._registry
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
