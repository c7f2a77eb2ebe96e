"""What a worker process serves now, and how that is replaced while it serves."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from darec.errors import DarecError
from darec.serving.grown import NewItem, read_item
from darec.serving.log import feedback_log, items_log
from darec.serving.metrics import Metrics
from darec.serving.opened import LOG, Opened, Signature, signature
from darec.serving.refusals import RefusalError
from darec.serving.settings import ServingSettings

_OWN: Final = ("item_id", "title", "text")


class Shop:
    """Holds what answers. A request takes :meth:`now` once and keeps it, so that a swap disturbs none.

    Attributes:
        settings: of the server.
        metrics: what is counted.
        feedback: the log of events.

    Args:
        settings: of the server.

    Raises:
        DarecError: the bundle cannot be opened, or the log cannot be written.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.path: Final = Path(settings.bundle)
        self.metrics = Metrics()
        self.feedback = feedback_log(Path(settings.log))
        self._items = items_log(Path(settings.log))
        self._lock = threading.RLock()  # of whoever replaces what answers
        self._now = Opened.open(self.path)
        self._tried: Signature = self._now.signature
        self._read = 0
        with self._lock:
            self._now = self._with_items(self._now)
        self._told()

    def now(self) -> Opened:
        """What answers, with the items that other worker processes have taken."""
        if self._items.size() != self._read:
            with self._lock:
                if self._items.size() != self._read:
                    self._catch_up()
        return self._now

    def _catch_up(self) -> None:
        try:
            self._now = self._with_items(self._now)
            self._told()
        except (
            OSError,
            DarecError,
        ) as error:  # the log is gone, or was edited: what is held is served on
            LOG.error("new items of other processes cannot be read: %s", error)
            self._read = self._items.size()

    def changed(self) -> bool:
        """Whether the folder is another than what was last opened from it, or tried."""
        return signature(self.path) != self._tried

    def reopen(self) -> bool:
        """Open the folder again and serve what is in it; where it cannot be opened, go on with what is served.

        Returns:
            Whether it was opened.
        """
        self._tried = signature(self.path)
        try:
            opened = Opened.open(self.path)
        except DarecError as error:
            self.metrics.refused.inc()
            LOG.error("not served, the earlier bundle still is: %s", error)
            return False
        with self._lock:
            self._now = opened
            self._tried = opened.signature
            self._catch_up()
            self._told()
        self.metrics.swaps.inc()
        LOG.info("%s is served now, bundle %s.", self.path, opened.digits)
        return True

    def add(self, item_id: str, title: str | None, text: str, fields: dict[str, Any]) -> Opened:
        """Take a new item, which is on disk and may be recommended when this returns.

        Raises:
            RefusalError: there is such an item, there are too many, or this bundle reads no new texts.
            ConfigError: a field that the bundle does not have, or a value of another type.
            TextError: a text in which the encoder finds nothing.
            OSError: the log cannot be written.
        """
        with self._lock:
            now = self.now()
            if item_id in now.shown.named.items:
                raise RefusalError(
                    409, f"item_id: {item_id!r} is already in the catalogue: give another id."
                )
            most = self.settings.max_items
            if len(now.new) >= most:
                raise RefusalError(
                    409,
                    f"{most:,} new items are held, which is the most: train with them, and export.",
                )
            item = read_item(now.bundle, now.reader, item_id, title, text, fields)
            row = {"item_id": item_id, "title": title, "text": text, **fields}
            self._items.append([row])
            self._read = self._items.size()
            self._now = now.grown([item])
            self._told()
            return self._now

    def _with_items(self, opened: Opened) -> Opened:
        """With the items of the log that it does not have and can read."""
        self._read = self._items.size()
        known = {item.item_id for item in opened.new}
        new: list[NewItem] = []
        for row in self._items.read():
            item_id = str(row.get("item_id"))
            if item_id in known or item_id in opened.bundle.items:
                continue
            fields = {name: value for name, value in row.items() if name not in _OWN}
            try:
                text = str(row.get("text") or "")
                item = read_item(
                    opened.bundle, opened.reader, item_id, row.get("title"), text, fields
                )
            except (DarecError, RefusalError) as error:
                LOG.warning("%s: item %.200s is left out: %s", self._items.path, item_id, error)
                continue
            known.add(item_id)
            new.append(item)
        return opened.grown(self._most(opened, new)) if new else opened

    def _most(self, opened: Opened, new: Sequence[NewItem]) -> Sequence[NewItem]:
        room = max(0, self.settings.max_items - len(opened.new))
        if len(new) > room:
            LOG.warning("%d new items are left out: too many.", len(new) - room)
        return new[:room]

    def _told(self) -> None:
        self.metrics.opened(self._now.digits, len(self._now.new))
