"""What a worker process serves now, and how that is replaced while it serves."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from darec.errors import DarecError
from darec.serving.opened import LOG, Opened, Signature, signature
from darec.serving.settings import ServingSettings


class Shop:
    """Holds what answers. A request takes :attr:`now` once and keeps it, so that a swap disturbs none.

    Attributes:
        settings: of the server.
        now: what answers.
        swaps: bundles that have taken the place of another.
        refusals: bundles that could not.

    Args:
        settings: of the server.

    Raises:
        DarecError: the bundle cannot be opened.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.path: Final = Path(settings.bundle)
        self.now = Opened.open(self.path)
        self.swaps = self.refusals = 0
        self._tried: Signature = self.now.signature
        self._lock = threading.Lock()

    def changed(self) -> bool:
        """Whether the folder is another than what was last opened from it, or tried."""
        return signature(self.path) != self._tried

    def reopen(self) -> bool:
        """Open the folder again and serve what is in it; where it cannot be opened, go on with what is served.

        Returns:
            Whether it was opened.
        """
        with self._lock:
            self._tried = signature(self.path)
            try:
                opened = Opened.open(self.path)
            except DarecError as error:
                self.refusals += 1
                LOG.error("%s is not served, the earlier bundle is: %s", self.path, error)
                return False
            self.now = opened
            self._tried = opened.signature
            self.swaps += 1
            LOG.info("%s is served now, bundle %s.", self.path, opened.digits)
            return True
