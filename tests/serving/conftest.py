"""A small bundle, and a client of an application over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_shop import make_run
from starlette.testclient import TestClient

import darec
from darec.run import Run
from darec.serving.app import create_app
from darec.serving.settings import ServingSettings


@pytest.fixture(scope="session")
def run() -> Run:
    return make_run()


@pytest.fixture(scope="session")
def bundle(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return darec.export_bundle(run, tmp_path_factory.mktemp("serving") / "shop.darec").path


@pytest.fixture
def settings(bundle: Path, tmp_path: Path) -> ServingSettings:
    return ServingSettings(bundle=str(bundle), log=str(tmp_path / "log"))


@pytest.fixture
def client(settings: ServingSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client
