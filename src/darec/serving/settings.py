"""The settings of a server."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final

VARIABLE: Final = "DAREC_SERVING"
"""Environment variable that passes the settings to worker processes."""


@dataclass(frozen=True)
class ServingSettings:
    """Settings of a server.

    Attributes:
        bundle: folder of the bundle.
        log: folder of feedback and new items.
        token: that a client must send; None: anyone may ask.
        page: whether there is a page at ``/``.
        watch: seconds between two checks of the bundle's folder; 0: only SIGHUP opens it again.
        max_body: the most bytes of a request's body.
        max_items: the most new items that the server holds.
        timeout: the most seconds of a request.
        connections: the most requests at once in a worker process.
        threads: number of threads of a worker process that answer.
    """

    bundle: str
    log: str
    token: str | None = None
    page: bool = True
    watch: float = 1.0
    max_body: int = 1 << 20
    max_items: int = 1000
    timeout: float = 30.0
    connections: int = 256
    threads: int = 4

    def to_environment(self) -> None:
        """Pass the settings to the processes that this one starts."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> ServingSettings:
        """Read the settings that the parent process passed."""
        return cls(**json.loads(os.environ[VARIABLE]))
