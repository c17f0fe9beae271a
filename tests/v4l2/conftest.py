"""Machines with cameras that do not exist, and a profile folder that is nobody's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fake_kernel import FakeKernel

from vultus import settings


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that profiles go to."""
    folder = tmp_path / "config" / "cameras"
    monkeypatch.setattr(settings, "camera_folder", lambda: folder)
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., FakeKernel]:
    """Return a maker of machines: the names of the descriptions in `cameras/`."""
    return lambda *names: FakeKernel(tmp_path / "machine", *names)
