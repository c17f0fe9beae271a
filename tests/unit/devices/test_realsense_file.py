"""Recordings that librealsense makes and reads itself, of a software camera."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from vultus.devices import create_device, open_device
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import Source, Stream
from vultus.testing import DEVICE_CHECKS

rs = pytest.importorskip("pyrealsense2", reason="the extra realsense or libusb 1.0 is not installed", exc_type=ImportError)
W, H, SETS = 64, 48, 12


def stream(sensor, kind, index, layout, size):
    """Add one video stream to a software sensor."""
    v, i = rs.video_stream(), rs.intrinsics()
    i.width, i.height, i.fx, i.fy, i.ppx, i.ppy = W, H, 60, 61, 32, 24
    v.type, v.index, v.uid, v.fmt, v.bpp, v.intrinsics = kind, index, size, layout, size, i
    v.width, v.height, v.fps = W, H, 30
    return sensor.add_video_stream(v)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let librealsense record a software camera; skip where this build cannot."""
    path = tmp_path_factory.mktemp("rs") / "a.db3"
    camera = rs.software_device()
    for name, value in ((rs.camera_info.name, "Soft"), (rs.camera_info.serial_number, "0815"), (rs.camera_info.firmware_version, "5.1")):
        camera.register_info(name, value)
    stereo, colour = camera.add_sensor("Stereo"), camera.add_sensor("Colour")
    stereo.add_read_only_option(rs.option.depth_units, 0.001)
    streams = [
        (stereo, stream(stereo, rs.stream.depth, 0, rs.format.z16, 2), 2),
        (stereo, stream(stereo, rs.stream.infrared, 1, rs.format.y8, 1), 1),
        (colour, stream(colour, rs.stream.color, 0, rs.format.rgb8, 3), 3),
    ]
    motion = rs.extrinsics()
    motion.rotation, motion.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0.015, 0, 0]
    for _, profile, _ in streams[:2]:
        profile.register_extrinsics_to(streams[2][1], motion)
    try:
        recorder = rs.recorder(str(path), camera)
    except RuntimeError as problem:
        pytest.skip(f"this librealsense records otherwise: {problem}")
    queue, sensors = rs.frame_queue(200), list(recorder.query_sensors())
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles())
        sensor.start(queue)
    for number in range(1, SETS + 1):
        for sensor, profile, size in streams:
            f = rs.software_video_frame()
            f.pixels = np.full((H, W, 3) if size == 3 else (H, W), 100 + number, np.uint16 if size == 2 else np.uint8)
            f.bpp, f.stride, f.timestamp, f.frame_number = size, W * size, 1000 + number * 1000 / 30, number
            f.domain, f.profile = rs.timestamp_domain.hardware_clock, profile.as_video_stream_profile()
            sensor.on_video_frame(f)
        time.sleep(0.02)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del recorder, sensors, sensor
    return path


def test_it_is_read_to_its_end_and_is_no_live_camera(recorded: Path) -> None:
    """Every frame set behind the first look comes back with its pixels, times and cameras, and then there are no more."""
    with open_device(f"realsense:file={recorded}") as device:
        assert device.identity.source is Source.RECORDING
        assert (device.identity.model, device.identity.serial) == ("Soft", "0815")
        assert device.capabilities.finite
        found = list(device.frames())
    assert SETS - 3 <= len(found) <= SETS
    for frame_set in found:
        values = {f.stream: int(f.data.flat[0]) for f in frame_set.frames()}
        assert set(values) == {Stream.RGB, Stream.NIR, Stream.DEPTH}
        assert len({(f.data == f.data.flat[0]).all() for f in frame_set.frames()}) == 1
        assert max(values.values()) - min(values.values()) <= 1
    assert found[0].depth is not None
    assert found[0].depth.extrinsics is not None


@pytest.mark.parametrize("check", DEVICE_CHECKS, ids=lambda c: c.id)
def test_it_keeps_every_rule(recorded: Path, check) -> None:
    """A recording of librealsense keeps each rule of the conformance suite."""
    check.run(lambda: create_device(f"realsense:file={recorded}"))


def test_a_missing_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    """No file, and one that librealsense did not write, each say so."""
    with pytest.raises(DeviceNotFound, match="no such recording"):
        open_device(f"realsense:file={tmp_path / 'gone.db3'}")
    (tmp_path / "a.bag").write_bytes(b"no recording" * 100)
    with pytest.raises(RecordingError, match="librealsense cannot read it"):
        open_device(f"realsense:file={tmp_path / 'a.bag'}")
