"""The bundle that a worker process serves, and its replacement while requests go on."""

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
    """Holds the served bundle. A request takes :meth:`now` once and keeps it, so a swap disturbs no request.

    Attributes:
        settings: of the server.
        metrics: of the process.
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
        self._lock = threading.RLock()  # held while the served bundle is replaced
        self._now = Opened.open(self.path)
        self._tried: Signature = self._now.signature
        self._read = 0
        with self._lock:
            self._now = self._with_items(self._now)
        self._told()

    def now(self) -> Opened:
        """Return the served bundle, with the new items that other worker processes accepted."""
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
        ) as error:  # the log was removed or edited: the items that are held stay
            LOG.error("new items of other processes cannot be read: %s", error)
            self._read = self._items.size()

    def changed(self) -> bool:
        """Whether the folder has changed since it was last opened or tried."""
        return signature(self.path) != self._tried

    def reopen(self) -> bool:
        """Open the folder again and serve its bundle; if it cannot be opened, the present bundle stays.

        Returns:
            Whether it was opened.
        """
        self._tried = signature(self.path)
        try:
            opened = Opened.open(self.path)
        except DarecError as error:
            self.metrics.refused.inc()
            LOG.error("the new bundle cannot be served, the earlier one stays: %s", error)
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
        """Add a new item. When this returns, it is on disk and can be recommended.

        Raises:
            RefusalError: the item exists, there are too many new items, or this bundle reads no new texts.
            ConfigError: the bundle does not have a field, or a value has another type.
            TextError: the encoder finds no known word in the text.
            OSError: the log cannot be written.
        """
        with self._lock:
            now = self.now()
            if item_id in now.shown.named.items:
                raise RefusalError(
                    409, f"item_id: {item_id!r} is already in the catalogue: choose another id."
                )
            most = self.settings.max_items
            if len(now.new) >= most:
                raise RefusalError(
                    409,
                    f"the server holds {most:,} new items and takes no more: train with them, and export.",
                )
            item = read_item(now.bundle, now.reader, item_id, title, text, fields)
            row = {"item_id": item_id, "title": title, "text": text, **fields}
            self._items.append([row])
            self._read = self._items.size()
            self._now = now.grown([item])
            self._told()
            return self._now

    def _with_items(self, opened: Opened) -> Opened:
        """Return a bundle with all items of the log that it does not have and can read."""
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
