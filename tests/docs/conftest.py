"""What the tests of the docs share: the scripts beside the pages, which belong to no package."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """The module of a script, by its path in docs."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"docs_{Path(path).stem}", DOCS / path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
