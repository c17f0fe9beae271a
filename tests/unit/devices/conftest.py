"""Frame sets and recordings that the tests of the devices share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vultus.devices import Recorder
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream

CAMERA = DeviceIdentity("camera", "test head", "0001", Source.LIVE)


@pytest.fixture(scope="session")
def camera() -> DeviceIdentity:
    """Return a device that does not exist."""
    return CAMERA


@pytest.fixture(scope="session")
def make_set(camera: DeviceIdentity) -> Callable[..., FrameSet]:
    """Return a maker of small frame sets: number, time in ns, side, streams."""

    def make(
        number: int = 0, time_ns: int | None = None, side: int = 16, streams: tuple[str, ...] = ("rgb", "nir", "nir_ambient", "depth")
    ) -> FrameSet:
        rng = np.random.default_rng(number)
        at = number * 1000 if time_ns is None else time_ns
        shapes = {"rgb": (side, side, 3), "nir": (side, side), "nir_ambient": (side, side), "depth": (side, side)}
        frames = {}
        for name in streams:
            dtype = np.uint16 if name == "depth" else np.uint8
            data = rng.integers(0, np.iinfo(dtype).max, shapes[name], dtype)
            frames[name] = Frame(Stream(name), data, at)
        return FrameSet(camera, number, **frames)

    return make


@pytest.fixture
def recording(tmp_path: Path, camera: DeviceIdentity, make_set: Callable[..., FrameSet]) -> Path:
    """Write a recording of three small frame sets."""
    path = tmp_path / "three.mcap"
    with Recorder(path, camera) as recorder:
        for number in range(3):
            recorder.write(make_set(number))
    return path
