"""Fixtures for the whole suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outside_parts import isolate
from postgres import postgres as postgres
from scripted_server import ScriptedServer


@pytest.fixture(scope="session", autouse=True)
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Plugins that tests give are noted in a folder of the tests', and not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("states")))
        yield


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """The folder of a real data set by name, or a skip where it is not to be had."""

    def find(name: str) -> Path:
        path = Path(__file__).resolve().parents[2] / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"real data set {name!r} is not beside this checkout (../shared/data)")
        return path

    return find


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server of the OpenAI protocol on this machine, and an environment without keys or proxies."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Forgets the parts from outside the package, as a new process does; when the test ends they are as before."""
    forget = isolate(monkeypatch)
    yield forget
    forget()
