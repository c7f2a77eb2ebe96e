"""A small shop on disk, and a client that does not wait long before it tries again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai._base_client
import pytest

from darec.testing.worlds import tiny_dataset
from darec.text.profiles import Profiler
from scripted_server import ScriptedServer


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """8 users and 12 items, each with a title and a text."""
    tiny_dataset(8, 12, items_per_user=5).save(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def profiler(
    shop: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Profiler]:
    """Makes a profiler of the shop's items that asks the server."""
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)

    def make(settings: dict[str, Any] | None = None, **arguments: Any) -> Profiler:
        settings = {"base_url": server.url, **(settings or {})}
        return Profiler(shop, "m", settings=settings, **{"kinds": ["item"], **arguments})

    return make
