"""The RealSense driver against librealsense's own software device."""

from __future__ import annotations

import sys
import threading
import time
from itertools import islice

import numpy as np
import pytest

from vultus.devices import create_device
from vultus.devices.realsense.device import Mode, RealSense
from vultus.errors import DeviceError, DeviceLost
from vultus.frames import Source, Stream
from vultus.testing import DEVICE_CHECKS
from vultus.testing_lost import LOST_CHECKS

rs = pytest.importorskip("pyrealsense2", reason="the extra realsense or libusb 1.0 is not installed", exc_type=ImportError)
W, H = 64, 48


class Rig:
    """A software camera that a thread feeds, with lit and dark frames in turn; it can be pulled out."""

    def __init__(self, unit: float = 0.001, *, metadata: bool = True, switch: bool = True) -> None:
        self.device, self.plugged, self.metadata = rs.software_device(), True, metadata
        self.device.register_info(rs.camera_info.name, "Soft")
        self.device.register_info(rs.camera_info.serial_number, "0815")
        self.device.register_info(rs.camera_info.firmware_version, "5.1")
        self.stereo, self.colour = self.device.add_sensor("Stereo"), self.device.add_sensor("Colour")
        self.stereo.add_read_only_option(rs.option.depth_units, unit)
        if switch:
            span = rs.option_range()
            span.min, span.max, span.step, span.default = 0, 1, 1, 0
            self.stereo.add_option(rs.option.emitter_on_off, span, True)
        self.streams = [
            (self.stereo, self.add(self.stereo, rs.stream.depth, 0, rs.format.z16, 2), 2),
            (self.stereo, self.add(self.stereo, rs.stream.infrared, 1, rs.format.y8, 1), 1),
            (self.colour, self.add(self.colour, rs.stream.color, 0, rs.format.rgb8, 3), 3),
        ]
        motion = rs.extrinsics()
        motion.rotation, motion.translation = [0, 1, 0, -1, 0, 0, 0, 0, 1], [0.015, 0, 0]
        for _, profile, _ in self.streams[:2]:
            profile.register_extrinsics_to(self.streams[2][1], motion)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    @staticmethod
    def add(sensor, kind, index, layout, size):
        """Add one video stream."""
        v, i = rs.video_stream(), rs.intrinsics()
        i.width, i.height, i.fx, i.fy, i.ppx, i.ppy = W, H, 60, 61, 32, 24
        v.type, v.index, v.uid, v.fmt, v.bpp, v.intrinsics = kind, index, size, layout, size, i
        v.width, v.height, v.fps = W, H, 30
        return sensor.add_video_stream(v)

    def feed(self) -> None:
        """Inject frames until told to stop: infrared 200 when lit, 20 when dark; depth 1000 raw when lit, 7 when dark."""
        number = 0
        while not self.done.wait(0.004):
            number += 1
            lit = number % 2
            values = {1: 200 if lit else 20, 2: 1000 if lit else 7, 3: 90}
            for sensor, profile, size in self.streams if self.plugged else []:
                f = rs.software_video_frame()
                f.pixels = np.full((H, W, 3) if size == 3 else (H, W), values[size], np.uint16 if size == 2 else np.uint8)
                f.bpp, f.stride, f.timestamp, f.frame_number = size, W * size, 1000 + number * 1000 / 30, number
                f.domain, f.profile = rs.timestamp_domain.hardware_clock, profile.as_video_stream_profile()
                if self.metadata and size != 3:
                    sensor.set_metadata(rs.frame_metadata_value.frame_laser_power_mode, lit)
                sensor.on_video_frame(f)

    def make(self, **mode) -> RealSense:
        """Make a driver for the camera."""
        return RealSense(mode=Mode(W, H, 30, **mode), find=lambda _: Cable(self))


class Cable:
    """The software device as the driver sees it, connected while it is plugged."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def __getattr__(self, name):
        return getattr(self.rig.device, name)

    def is_connected(self) -> bool:
        """Say whether the cable is in."""
        return self.rig.plugged


@pytest.fixture
def rig(request):
    """Return a fed camera, made with the test's parameters."""
    made = Rig(**getattr(request, "param", {}))
    yield made
    made.done.set()
    made.thread.join()


@pytest.mark.parametrize("check", DEVICE_CHECKS, ids=lambda c: c.id)
def test_the_driver_keeps_every_rule(rig, check) -> None:
    """A software camera keeps each rule of the conformance suite."""
    check.run(rig.make)


@pytest.mark.parametrize("check", [c for c in LOST_CHECKS if c.id != "lost-stays-while-unplugged"], ids=lambda c: c.id)
def test_the_driver_keeps_every_rule_of_a_pulled_cable(rig, check) -> None:
    """A software camera keeps each rule of the state lost; it has no cable that keeps it from being opened."""
    check.run(rig.make, lambda: setattr(rig, "plugged", False), lambda: setattr(rig, "plugged", True))


def test_lit_and_ambient_come_from_the_metadata(rig) -> None:
    """Lit frames stand under nir with depth of the same exposure, dark ones under nir_ambient, whatever the order."""
    with rig.make() as device:
        assert device.capabilities.lit_ambient
        assert device.capabilities.hardware_time
        for s in islice(device.frames(), 5):
            assert (s.nir.data == 200).all()
            assert (s.nir_ambient.data == 20).all()
            assert (s.depth.data == 1000).all()
            assert s.depth.time_ns == s.nir.time_ns


def test_a_software_camera_is_named_and_not_live(rig) -> None:
    """A device handed in by the caller says its name, serial and firmware, and that it is simulated."""
    with rig.make() as device:
        assert (device.identity.model, device.identity.serial, device.firmware) == ("Soft", "0815", "5.1")
        assert device.identity.source is Source.SIMULATED


def test_calibration_is_row_major_and_in_millimetres(rig) -> None:
    """The rotation by columns in metres becomes one by rows in millimetres; RGB needs none."""
    with rig.make() as device:
        s = device.read()
        assert s.depth.extrinsics.rotation == (0, -1, 0, 1, 0, 0, 0, 0, 1)
        assert s.depth.extrinsics.translation_mm == pytest.approx((15, 0, 0))
        assert s.rgb.extrinsics is None
        assert (s.rgb.intrinsics.fx, s.rgb.intrinsics.fy) == (60, 61)


@pytest.mark.parametrize(("rig", "mm"), [({"unit": 0.0001}, 100), ({"unit": 0.00025}, 250), ({"unit": 0.01}, 10000)], indirect=["rig"])
def test_depth_follows_the_sensors_scale(rig, mm: int) -> None:
    """Raw depth of 1000 units becomes millimetres by the sensor's own unit."""
    with rig.make() as device:
        assert (device.read().depth.data == mm).all()


@pytest.mark.parametrize("rig", [{"metadata": False}, {"switch": False, "metadata": False}], indirect=True)
def test_without_metadata_no_ambient_is_claimed(rig) -> None:
    """A camera whose frames do not say whether they were lit gives no ambient stream, and stops alternating."""
    with rig.make() as device:
        assert Stream.NIR_AMBIENT not in device.capabilities.streams
        assert device.read().nir_ambient is None
        if rig.stereo.supports(rs.option.emitter_on_off):
            assert rig.stereo.get_option(rs.option.emitter_on_off) == 0


def test_unplugging_in_mid_stream_is_lost_and_can_be_reopened(rig) -> None:
    """A pulled cable raises DeviceLost promptly; plugged in again, the device opens again."""
    device = rig.make().open()
    device.read()
    rig.plugged = False
    start = time.monotonic()
    with pytest.raises(DeviceLost, match="unplugged"):
        list(device.frames())
    assert time.monotonic() - start < 2
    rig.plugged = True
    with device.open():
        assert device.read() is not None


def test_a_size_that_the_camera_lacks_is_refused(rig) -> None:
    """Asking for another size is one clear line, and leaves the device closed and the camera free."""
    device = RealSense(mode=Mode(W, 2 * H, 30), find=lambda _: Cable(rig))
    with pytest.raises(DeviceError, match="no depth at 64 x 96"):
        device.open()
    with rig.make() as other:
        assert other.read() is not None


def test_a_missing_package_names_the_remedy(monkeypatch) -> None:
    """Without pyrealsense2 opening says what to install."""
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(DeviceError, match=r"pip install 'vultus\[realsense\]'"):
        create_device("realsense:").open()


def test_wrong_options_are_refused() -> None:
    """An unknown emitter mode is a ValueError before any camera is touched."""
    with pytest.raises(ValueError, match="emitter must be one of"):
        create_device("realsense:0815?emitter=strobe")
