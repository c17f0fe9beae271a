"""What all tests share: how long hypothesis searches, and where the real frames are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from vultus.settings import load

ROOT = Path(__file__).resolve().parents[1]

# A shared two-core machine stalls now and then; that is no finding about the code.
settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of real frames; skip with the reason where there is none."""
    named = load().data
    folder = named if named is not None else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real frames: {folder} is not a folder; set VULTUS_DATA to the folder that holds them")
    return folder
