"""What a server is told when it starts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Final

VARIABLE: Final = "DAREC_SERVING"
"""Of the environment, by which worker processes are told."""


@dataclass(frozen=True)
class ServingSettings:
    """Settings of a server.

    Attributes:
        bundle: folder of the bundle.
        log: folder of what comes in: feedback and new items.
        token: what a client must know; None: anyone may ask.
        page: whether there is a page at ``/``.
        watch: seconds between two looks at the bundle's folder; 0: only SIGHUP opens it again.
        max_body: bytes of a request's body, at most.
        max_items: new items that are held, at most.
        timeout: seconds that a request may take.
        connections: requests at once in a worker process, at most.
        threads: of a worker process that answer at once.
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
        """Leave them to the processes that this one starts."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> ServingSettings:
        """What the process that started this one left."""
        return cls(**json.loads(os.environ[VARIABLE]))
