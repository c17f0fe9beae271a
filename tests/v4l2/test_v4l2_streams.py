"""Formats, times, controls and the way streams are taken together."""

from __future__ import annotations

import errno
import threading
import time
import tracemalloc
from contextlib import suppress
from itertools import islice

import numpy as np
import pytest

from vultus import pictures
from vultus._native import yuyv_to_rgb
from vultus.devices.v4l2 import abi
from vultus.devices.v4l2 import device as v4l2
from vultus.devices.v4l2.controls import AUTO_EXPOSURE, EXPOSURE, GAIN
from vultus.devices.v4l2.device import V4l2
from vultus.devices.v4l2.formats import CONVERT, Layout, full_range
from vultus.devices.v4l2.plan import Choice
from vultus.errors import DeviceBusy, DeviceError, DeviceLost, DeviceState
from vultus.frames import Stream

RNG = np.random.default_rng(3)


def drain(device: V4l2, timeout_s: float) -> None:
    """Read until the device gives no more in time."""
    while True:
        device.read(timeout_s)


@pytest.mark.parametrize("pad", [0, 6])
def test_every_format_becomes_its_picture(pad: int) -> None:
    """Each format is converted exactly, also where the driver pads its rows, into memory of its own."""
    h, w = 18, 20

    def buffer(rows: np.ndarray) -> np.ndarray:
        out = np.zeros((rows.shape[0], rows.shape[1] + pad), np.uint8)
        out[:, : rows.shape[1]] = rows
        return out.reshape(-1)

    def convert(name: str, rows: np.ndarray) -> np.ndarray:
        data = buffer(rows)
        made = CONVERT[name](data, Layout(name, w, h, rows.shape[1] + pad))
        kept = made.copy()
        data[:] = 255
        assert np.array_equal(made, kept), f"{name} is a view of the kernel's buffer"
        assert made.flags.c_contiguous
        return made

    grey = RNG.integers(0, 255, (h, w), np.uint8)
    assert np.array_equal(convert("GREY", grey), grey)
    pair = RNG.integers(0, 255, (h, 2 * w), np.uint8)
    assert np.array_equal(convert("Y8I", pair), pair[:, 0::2])
    deep = RNG.integers(0, 65535, (h, w), np.uint16)
    for name in ("Y16", "Z16"):
        got = convert(name, deep.astype("<u2").view(np.uint8))
        assert got.dtype == np.uint16
        assert np.array_equal(got, deep)
    yuyv, want = RNG.integers(0, 255, (h, w, 2), np.uint8), np.empty((h, w, 3), np.uint8)
    yuyv_to_rgb(yuyv, want)
    assert np.array_equal(convert("YUYV", yuyv.reshape(h, -1)), want)
    flat = np.full((h * 3 // 2, w), 128, np.uint8)
    flat[:h] = 126
    assert np.array_equal(convert("NV12", flat), np.full((h, w, 3), 128, np.uint8))


@pytest.mark.parametrize(
    ("name", "row", "out"), [("GREY", 1, 1), ("Y16", 2, 2), ("Z16", 2, 2), ("Y8I", 2, 1), ("YUYV", 2, 3), ("NV12", 1, 3)]
)
def test_a_frame_is_copied_or_converted_once(name: str, row: int, out: int) -> None:
    """A conversion allocates the picture that it returns and nothing of that size beside it."""
    width, height = 640, 480
    data = np.zeros(width * row * height * 3 // 2, np.uint8)
    CONVERT[name](data, Layout(name, width, height, 0))
    tracemalloc.start()
    try:
        kept = CONVERT[name](data, Layout(name, width, height, 0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kept.nbytes == out * width * height
    assert peak < 1.1 * kept.nbytes


def test_compressed_pictures_are_decoded_and_their_size_checked() -> None:
    """A JPEG of the stated size is decoded; one of another size, a cut one and rubbish are ValueErrors."""
    import cv2

    data = np.frombuffer(cv2.imencode(".jpg", np.full((24, 32, 3), 77, np.uint8))[1].tobytes(), np.uint8)
    assert np.abs(CONVERT["MJPG"](data, Layout("MJPG", 32, 24, 0)).astype(int) - 77).max() <= 2
    for bad, layout in (
        (data, Layout("MJPG", 64, 24, 0)),
        (data[: data.size // 2], Layout("MJPG", 32, 24, 0)),
        (data[:1] * 0, Layout("MJPG", 32, 24, 0)),
    ):
        with pytest.raises(ValueError, match=r"came, not|cut short|neither|empty|damaged"):
            CONVERT["MJPG"](bad, layout)
    assert pictures.MAX_FILE_BYTES


@pytest.mark.parametrize("name", ["GREY", "YUYV", "NV12", "Y8I", "Y16", "Z16"])
def test_a_short_buffer_is_refused(name: str) -> None:
    """A buffer with too few bytes for its picture is a ValueError, not a read past its end."""
    with pytest.raises(ValueError, match="too few"):
        CONVERT[name](np.zeros(100, np.uint8), Layout(name, 20, 18, 0))


def test_a_damaged_buffer_is_left_out(machine) -> None:
    """Buffers that the kernel marks as damaged are counted and never handed over, and the stream goes on."""
    kernel = machine("webcam")
    kernel.node(20).damage = {3, 4, 5}
    with V4l2(kernel=kernel) as device:
        for _ in islice(device.frames(), 8):
            pass
        assert device.channels()[Stream.RGB].node.damaged == 3
        assert len(kernel.node(20).queued) + len(kernel.node(20).done) == 4, "a damaged buffer was not given back"


def test_times_are_the_kernels_and_on_its_clock(machine) -> None:
    """Frames carry the driver's start of exposure on CLOCK_MONOTONIC; a driver that stamps the end says so, one without stamps gets arrival."""
    kernel = machine("webcam")
    with V4l2(kernel=kernel) as device:
        assert device.capabilities.hardware_time
        found = [s.rgb.time_ns for s in islice(device.frames(), 4)]
        assert all(0 < kernel.now_ns() - t < 3e9 for t in found)
    kernel.node(20).about["stamp"] = abi.BUF_TIME_MONOTONIC
    with V4l2(kernel=kernel) as device:
        assert not device.capabilities.hardware_time
    kernel.node(20).about["stamp"] = 0
    with V4l2(kernel=kernel) as device:
        before = kernel.now_ns()
        assert not device.capabilities.hardware_time
        assert [s.rgb.time_ns for s in islice(device.frames(), 4)][-1] > before


def test_a_reader_slower_than_the_camera_is_never_stuck(machine, monkeypatch) -> None:
    """When a conversion takes longer than a frame's period, a read still ends: frames are dropped, not piled up."""
    kernel = machine("webcam")
    real = CONVERT["MJPG"]

    def slow(data, layout):
        kernel.pause(0.05)
        return real(data, layout)

    monkeypatch.setitem(CONVERT, "MJPG", slow)
    with V4l2(kernel=kernel) as device:
        first, *_, last = islice(device.frames(), 12)
        assert last.timing.streams[Stream.RGB].lost > 0
        assert last.rgb.time_ns > first.rgb.time_ns


def test_one_exposure_stands_in_one_set(machine) -> None:
    """Colour, lit, ambient and their times belong together within the synchroniser's bound, by what the metadata says, not by order."""
    kernel = machine("hello_laptop")
    with V4l2(kernel=kernel) as device:
        assert device.capabilities.streams == {Stream.RGB, Stream.NIR, Stream.NIR_AMBIENT}
        for s in islice(device.frames(), 5):
            assert s.nir.data.mean() > 100
            assert s.nir_ambient.data.mean() < 60
            assert s.skew_ns <= 42_000_000
            assert s.timing.streams[Stream.NIR].received >= s.timing.sets


def test_depth_needs_a_stated_unit(machine) -> None:
    """Depth is given in millimetres by the table's unit or the caller's; with neither there is no depth stream, and asking for it says what to state."""
    kernel = machine("depth_camera")
    with V4l2(kernel=kernel) as device:
        assert {600, 605} >= {int(v) for v in np.percentile(device.read().depth.data, [0, 100])}
    with V4l2("", Choice(depth_unit_mm=0.5), kernel) as device:
        assert int(device.read().depth.data.max()) in (302, 303)
    (kernel.cameras[0].folder() / "idProduct").write_text("0bad\n")
    with V4l2(kernel=kernel) as device:
        assert Stream.DEPTH not in device.capabilities.streams
    with pytest.raises(DeviceError, match=r"gives no depth .* state depth_unit_mm"):
        V4l2("", Choice(streams=(Stream.DEPTH,)), kernel).open()


def test_a_sensor_of_few_bits_is_stretched_to_all(machine) -> None:
    """nir_bits makes full-range pictures of a 16-bit format whose lowest bits alone are filled; what is brighter saturates."""
    assert full_range(np.array([[0, 1, 1023, 5000]], np.uint16), 10).tolist() == [[0, 64, 65472, 65472]]
    kernel = machine("board")
    camera = kernel.cameras[0]
    real = camera.picture
    camera.picture = lambda node, number: (np.frombuffer(real(node, number), "<u2") >> 6).tobytes()
    with V4l2("", Choice(nir_bits=10), kernel) as device:
        s = device.read()
        assert s.nir.data.mean() == pytest.approx(122.5 * 257, rel=0.01)
        assert s.nir_ambient.data.mean() == pytest.approx(42.5 * 257, rel=0.01)


@pytest.mark.parametrize("request_name", ["DQBUF", "QBUF", "STREAMON"])
def test_a_refusal_in_the_middle_of_streaming_loses_the_device(machine, monkeypatch, request_name: str) -> None:
    """A node that refuses to go on is lost, with the kernel's reason, and opens again when it has come to itself."""
    kernel = machine("hello_laptop")
    device = V4l2("", Choice(capture="alternating"), kernel)
    with device:
        device.read()
        with monkeypatch.context() as patch:
            patch.setattr(
                kernel, f"_{request_name.lower()}", lambda node, out: (_ for _ in ()).throw(OSError(errno.EPROTO, "Protocol error"))
            )
            with pytest.raises(DeviceLost, match=r"stopped; open it again \(.*protocol error"):
                drain(device, 0.5)
        device.open()
        assert device.read() is not None
    assert kernel.clean()


def test_streams_can_be_chosen_and_infrared_taken_from_another_device(machine) -> None:
    """streams= leaves the rest closed, and nir= adds the node of a device of its own; a node without infrared is refused."""
    kernel = machine("webcam", "board")
    with V4l2("usb:046d:082d", Choice(nir=str(kernel.node(60).path)), kernel) as device:
        s = device.read()
        assert s.nir.data.dtype == np.uint16
        assert s.rgb is not None
        assert s.nir_ambient is not None
    with V4l2("usb:046d:082d", Choice(streams=(Stream.RGB,)), kernel) as device:
        assert device.capabilities.streams == {Stream.RGB}
    with pytest.raises(DeviceError, match="gives no infrared format"):
        V4l2("usb:046d:082d", Choice(nir=str(kernel.node(20).path)), kernel).open()
    with pytest.raises(DeviceError, match="gives no nir"):
        V4l2("usb:046d:082d", Choice(streams=(Stream.NIR,)), kernel).open()


def test_a_full_bus_falls_back_to_compressed_colour_and_then_to_turns(machine) -> None:
    """ENOSPC at the start of two streams is answered by MJPG first, then by one stream at a time; forced concurrency reports it."""
    kernel = machine("old_kernel_laptop")
    with V4l2(kernel=kernel) as device:
        assert device.capture == "concurrent"
        assert {f.sensor_format for f in device.capabilities.formats} == {"MJPG", "GREY"}
    kernel.cameras[0].about["bandwidth"] = 9e6
    with V4l2(kernel=kernel) as device:
        assert device.capture == "alternating"
        assert device.capabilities.lit_ambient
        first, second = islice(device.frames(), 2)
        assert first.skew_ns > 50_000_000, "the policy's bound must see that the streams are apart"
        assert second.sequence > first.sequence
        assert sum(n.streaming for n in kernel.cameras[0].nodes if n.kind == abi.VIDEO) == 1
    with pytest.raises(DeviceError, match="no bandwidth left"):
        V4l2("", Choice(capture="concurrent"), kernel).open()
    assert kernel.clean()


def test_a_silent_camera_is_named(machine, monkeypatch) -> None:
    """A node that gives nothing either way makes open fail with what to try, and a stream that stops makes read time out."""
    monkeypatch.setattr(v4l2, "_FIRST_S", 0.3)
    monkeypatch.setattr(v4l2, "_CROWDED_S", 0.2)
    kernel = machine("hello_laptop")
    for number in (2, 0):
        kernel.cameras[0].quiet = {number}
        with pytest.raises(DeviceError, match=f"video{number} gave no frame within 0.3 s; open the shutter"):
            V4l2(kernel=kernel).open()
        assert kernel.clean()
    kernel.cameras[0].quiet = set()
    with V4l2(kernel=kernel) as device:
        device.read()
        kernel.cameras[0].quiet = {0}
        with pytest.raises(TimeoutError, match="no complete frame set"):
            drain(device, 0.3)


def test_a_camera_that_gives_one_of_two_streams_takes_turns(machine, monkeypatch) -> None:
    """A camera that takes both streams without an error and sends frames of one is captured in turns."""
    monkeypatch.setattr(v4l2, "_CROWDED_S", 0.2)
    kernel = machine("hello_laptop")
    camera = kernel.cameras[0]
    camera.silent = lambda node: node is kernel.node(0) and sum(n.load > 0 for n in camera.nodes) > 1
    with V4l2(kernel=kernel) as device:
        assert device.capture == "alternating"
        assert device.read().rgb is not None


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EIO, errno.EPROTO])
def test_a_second_stream_that_is_refused_takes_turns(machine, monkeypatch, number: int) -> None:
    """However the second stream is refused, the streams take turns; a camera that somebody holds is reported as busy all the same."""
    kernel = machine("hello_laptop")
    real = kernel._streamon

    def refuse(node, out) -> None:
        if any(n.streaming for n in node.camera.nodes if n.kind == abi.VIDEO) and node.kind == abi.VIDEO:
            raise OSError(number, "refused")
        real(node, out)

    monkeypatch.setattr(kernel, "_streamon", refuse)
    with V4l2(kernel=kernel) as device:
        assert device.capture == "alternating"
    kernel.node(2).busy = True
    with pytest.raises(DeviceBusy):
        V4l2(kernel=kernel).open()
    assert kernel.clean()


def test_metadata_that_is_refused_leaves_the_brightness(machine, monkeypatch) -> None:
    """A metadata node that refuses its format is done without."""
    kernel = machine("hello_laptop")
    real = kernel._s_fmt

    def refuse(node, out) -> None:
        if node.kind == abi.META:
            raise OSError(errno.EINVAL, "Invalid argument")
        real(node, out)

    monkeypatch.setattr(kernel, "_s_fmt", refuse)
    with V4l2(kernel=kernel) as device:
        assert device.illumination == "brightness"
    assert kernel.clean()


def test_a_strobe_that_stops_ends_the_frame_sets(machine) -> None:
    """When lit and ambient frames no longer differ, no frame set is handed over: a pair that is not one would pass for evidence."""
    kernel = machine("old_kernel_laptop")
    with V4l2(kernel=kernel) as device:
        device.read()
        kernel.cameras[0].light = "steady"
        with pytest.raises(TimeoutError, match="still alternate"):
            drain(device, 0.5)


def test_controls_are_set_by_name_and_put_back(machine) -> None:
    """Exposure and gain are found under v4l2-ctl's names, checked against the camera's range, and restored in reverse when it is closed."""
    kernel = machine("hello_laptop")
    device = V4l2("", Choice(settings=((Stream.NIR, GAIN, 99), (Stream.NIR, EXPOSURE, 120))), kernel)
    with device:
        known = device.controls(Stream.NIR)
        assert {"gain", "auto_exposure", "exposure_time_absolute", "privacy"} == set(known)
        assert (known["gain"].minimum, known["gain"].maximum, known["gain"].default) == (0, 255, 64)
        assert kernel.sets == [("Gain", 99), ("Auto Exposure", 1), ("Exposure Time, Absolute", 120)]
        device.set_control(Stream.NIR_AMBIENT, GAIN, 7)
        for name, value, wrong in (
            ("gain", 256, "gain must be 0 to 255"),
            ("zoom", 1, "no control zoom; it has"),
            ("privacy", 1, "cannot be set"),
        ):
            with pytest.raises(ValueError, match=wrong):
                device.set_control(Stream.NIR, name, value)
        with pytest.raises(ValueError, match="gives no depth"):
            device.controls(Stream.DEPTH)
    assert kernel.sets[4:] == [("Exposure Time, Absolute", 250), ("Auto Exposure", 3), ("Gain", 64)]
    with pytest.raises(DeviceState):
        device.controls(Stream.NIR)


def test_the_exposure_follows_the_face(machine) -> None:
    """A dark face doubles the exposure at most, a bright one halves it, a well exposed one changes nothing, and the gain takes over at the end."""
    kernel = machine("hello_laptop")
    with V4l2(kernel=kernel) as device:
        assert not device.expose_for(Stream.NIR, 115)
        assert kernel.sets == []
        assert device.expose_for(Stream.NIR, 20)
        assert kernel.sets == [("Auto Exposure", 1), ("Exposure Time, Absolute", 500)]
        assert device.expose_for(Stream.NIR, 236)
        assert kernel.sets[-1] == ("Exposure Time, Absolute", 250)
        device.set_control(Stream.NIR, EXPOSURE, 2047)
        assert device.expose_for(Stream.NIR, 60)
        assert kernel.sets[-1] == ("Gain", 126)
        device.set_control(Stream.NIR, GAIN, 255)
        assert not device.expose_for(Stream.NIR, 60)
        assert AUTO_EXPOSURE in device.controls(Stream.NIR)


def test_cancel_from_another_thread_ends_a_read_at_once(machine) -> None:
    """A read that waits for a silent camera ends with None soon after cancel."""
    kernel = machine("webcam")
    with V4l2(kernel=kernel) as device:
        device.read()
        kernel.cameras[0].quiet = {20}
        ends = []
        reader = threading.Thread(target=lambda: ends.append([device.read(timeout_s=None) for _ in range(8)][-1]))
        reader.start()
        time.sleep(0.2)
        start = time.monotonic()
        device.cancel()
        reader.join(5)
        assert ends == [None]
        assert time.monotonic() - start < 1


def test_the_camera_is_let_go_of_after_every_failure(machine, monkeypatch) -> None:
    """Whichever request fails while the camera is opened, nothing stays open or mapped."""
    kernel = machine("hello_laptop")
    calls = {"n": 0}
    real = kernel.ioctl

    def count(fd, request, argument):
        calls["n"] += 1
        return real(fd, request, argument)

    monkeypatch.setattr(kernel, "ioctl", count)
    V4l2(kernel=kernel).open().close()
    total = calls["n"]
    for fail_at in range(1, min(total, 130), 3):
        calls["n"] = 0

        def fail(fd, request, argument, at=fail_at):
            calls["n"] += 1
            if calls["n"] == at and request not in (abi.STREAMOFF, abi.CTRL_QUERY):
                raise OSError(71, "Protocol error")
            return real(fd, request, argument)

        monkeypatch.setattr(kernel, "ioctl", fail)
        device = V4l2(kernel=kernel)
        with suppress(DeviceError):
            device.open()
        device.close()
        assert kernel.clean(), f"request {fail_at}"
