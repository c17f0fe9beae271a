"""Puts the checkout on the path: the recipes are run from it and are not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return made-up people to train on, rendered once for all tests."""
    from tests.models.heads import material

    return material(tmp_path_factory.mktemp("heads"))
