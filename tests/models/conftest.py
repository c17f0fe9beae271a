"""Puts the checkout on the path: the recipes are run from it and are not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for made-up people to train on; the first test that needs them renders them."""
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="session")
def found(heads: Path) -> Any:
    """Return the made-up people, rendered once for all tests."""
    from tests.models.heads import material

    return material(heads)
