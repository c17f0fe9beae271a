"""A RealSense camera through librealsense (the extra `realsense`): `realsense:[SERIAL]?width=640&height=480&fps=30&emitter=alternate|on`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.realsense.units import extrinsics, intrinsics, millimetres
from vultus.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream

_SLICE_S: Final = 0.05  # longest wait inside the library: a cancel and an unplugging show within it
_FIRST_S: Final = 5.0  # for the first infrared frame: a camera that has just been plugged in takes a second or two
_SETTLE_S: Final = 0.25  # frames in the queue may be dark after the emitter stops alternating
# Largest distance from the lit infrared frame, in frame periods: one exposure for depth, the neighbour for the ambient picture.
NEAR: Final = {Stream.RGB: 1.0, Stream.NIR: 0.5, Stream.NIR_AMBIENT: 1.5, Stream.DEPTH: 0.5}

Find = Callable[[Any], Any]
"""Finds a librealsense device, given the module."""


@dataclass(frozen=True, slots=True)
class Mode:
    """Size in pixels, frames a second, and whether the emitter is asked to go on and off from frame to frame."""

    width: int = 640
    height: int = 480
    fps: int = 30
    alternate: bool = True


@dataclass(frozen=True, slots=True)
class _Channel:
    """One stream as it was opened: what the library calls it, and its calibration."""

    profile: Any
    intrinsics: Intrinsics
    extrinsics: Extrinsics | None


def _library() -> Any:
    try:
        import pyrealsense2
    except ImportError as problem:
        raise DeviceError("realsense: needs pyrealsense2 and libusb 1.0; install libusb and: pip install 'vultus[realsense]'") from problem
    return pyrealsense2


class RealSense(Device):
    """Gives RGB, infrared and depth of one exposure; with the emitter alternating, and only where each frame's metadata says
    whether it was lit, an ambient frame too. Depth is converted by the sensor's own scale. `find` hands in a device of the
    caller's own (a software device, a recording), which is never live.
    """

    def __init__(self, serial: str = "", mode: Mode | None = None, *, find: Find | None = None) -> None:
        source = Source.LIVE if find is None else Source.SIMULATED
        super().__init__(DeviceIdentity("realsense", "RealSense", serial, source))
        self._serial, self._mode, self._find = serial, mode or Mode(), find
        self._rs: Any = None
        self._held: tuple[Any, ...] = ()
        self._sensors: list[Any] = []
        self._stereo: Any = None
        self._channels: dict[Stream, _Channel] = {}
        self._latest: dict[Stream, Frame] = {}
        self._times: dict[Stream, int] = {}
        self._scale_mm = 1.0
        self._pairs = False
        self._domain: Any = None
        self._sequence = 0
        self._firmware = ""

    @property
    def firmware(self) -> str:
        """Return the camera's firmware version; "" before the first open or when it does not say."""
        return self._firmware

    def _open(self) -> Capabilities:
        rs = self._rs = _library()
        self._channels, self._latest, self._times, self._sequence = {}, {}, {}, 0
        try:
            device, context = self._claim(rs)
            self._name(device)
            queue = rs.frame_queue(16, keep_frames=False)
            self._held = (device, queue, context)
            self._start(device, queue)
            return self._look_first()
        except RuntimeError as problem:
            self._close()
            kind = DeviceBusy if "busy" in str(problem).lower() else DeviceError
            raise kind(
                f"realsense: the camera cannot be opened: {_line(problem)}; end other programs that use it, or plug it in again"
            ) from problem
        except BaseException:
            self._close()
            raise

    def _claim(self, rs: Any) -> tuple[Any, Any]:
        """Return the device and the context that keeps it alive."""
        if self._find is not None:
            return self._find(rs), None
        context = rs.context()
        for device in context.query_devices():
            if self._serial in ("", _info(rs, device, "serial_number")):
                return device, context
        wanted = f" with the serial {self._serial}" if self._serial else ""
        raise DeviceNotFound(f"realsense: no camera{wanted} is plugged in; check the cable and the permissions of the USB device")

    def _name(self, device: Any) -> None:
        rs = self._rs
        source = Source.LIVE if self._find is None else Source.RECORDING if device.is_playback() else Source.SIMULATED
        name, serial = _info(rs, device, "name") or "RealSense", _info(rs, device, "serial_number")
        self._identity = DeviceIdentity("realsense", name, serial, source)
        self._firmware = _info(rs, device, "firmware_version")

    def _start(self, device: Any, queue: Any) -> None:
        """Open and start every sensor that gives one of the streams."""
        rs, chosen = self._rs, {}
        sensors = list(device.query_sensors())
        for sensor in sensors:
            profiles = [p.as_video_stream_profile() for p in sensor.get_stream_profiles() if p.is_video_stream_profile()]
            for stream, wanted in self._wanted().items():
                found = next((p for p in profiles if self._fits(p, wanted)), None)
                if found is not None and stream not in chosen:
                    chosen[stream] = (sensor, found)
        m = self._mode
        for stream in (Stream.DEPTH, Stream.NIR, Stream.RGB):
            if stream not in chosen:
                raise DeviceError(
                    f"realsense: the camera gives no {stream} at {m.width} x {m.height}, {m.fps} a second; ask for another size or rate"
                )
        colour = chosen[Stream.RGB][1]
        for stream, (_, profile) in chosen.items():
            self._channels[stream] = _Channel(profile, intrinsics(profile), None if stream is Stream.RGB else extrinsics(profile, colour))
        stereo = self._stereo = chosen[Stream.DEPTH][0]
        self._scale_mm = 1000.0 * float(stereo.get_option(rs.option.depth_units))
        if not 0 < self._scale_mm < 100:  # librealsense allows depth units up to 10 mm; ten times that is no depth scale
            raise DeviceError(f"realsense: the camera states a depth unit of {self._scale_mm:g} mm; update its firmware")
        self._emit(stereo, alternate=m.alternate)
        for sensor in sensors:
            profiles = [p for s, p in chosen.values() if s is sensor]
            if profiles:
                sensor.open(profiles)
                self._sensors.append(sensor)
                sensor.start(queue)

    def _wanted(self) -> dict[Stream, tuple[Any, int, Any]]:
        """Return what librealsense calls each stream: its type, index (-1 = any) and format."""
        rs = self._rs
        return {
            Stream.DEPTH: (rs.stream.depth, -1, rs.format.z16),
            Stream.NIR: (rs.stream.infrared, 1, rs.format.y8),
            Stream.RGB: (rs.stream.color, -1, rs.format.rgb8),
        }

    def _fits(self, profile: Any, wanted: tuple[Any, int, Any]) -> bool:
        m, (kind, index, layout) = self._mode, wanted
        same = profile.stream_type() == kind and profile.format() == layout and index in (-1, profile.stream_index())
        return bool(same and (profile.width(), profile.height(), profile.fps()) == (m.width, m.height, m.fps))

    def _emit(self, stereo: Any, *, alternate: bool) -> None:
        """Switch the emitter on, alternating where asked and supported."""
        option = self._rs.option
        if stereo.supports(option.emitter_enabled):
            stereo.set_option(option.emitter_enabled, 1)
        self._pairs = alternate and bool(stereo.supports(option.emitter_on_off))
        if stereo.supports(option.emitter_on_off):
            stereo.set_option(option.emitter_on_off, int(self._pairs))

    def _look_first(self) -> Capabilities:
        """Wait for an infrared frame and see what its metadata can tell."""
        deadline = time.monotonic() + _FIRST_S
        while True:
            if time.monotonic() >= deadline:
                raise DeviceError(f"realsense: no infrared frame came within {_FIRST_S:g} s; plug the camera in again")
            found = self._wait(_SLICE_S)
            if found is not None and found.profile.stream_type() == self._rs.stream.infrared:
                break
        if self._pairs and self._lit(found) is None:
            # Nobody could tell lit from ambient: every frame is lit again and no ambient stream is claimed.
            self._emit(self._stereo, alternate=False)
            settled = time.monotonic() + _SETTLE_S
            while time.monotonic() < settled:
                self._wait(_SLICE_S)
        self._domain = found.frame_timestamp_domain
        names = [s for s in Stream if s is not Stream.NIR_AMBIENT or self._pairs]
        kinds = {Stream.DEPTH: "uint16"}
        formats = tuple(StreamFormat(s, self._mode.width, self._mode.height, kinds.get(s, "uint8")) for s in names)
        rate = self._mode.fps / (2 if self._pairs else 1)
        return Capabilities(formats, rate, finite=False, hardware_time=self._domain != self._rs.timestamp_domain.system_time)

    def _lit(self, found: Any) -> bool | None:
        """Say whether the emitter was on for a frame; None when its metadata does not."""
        names = self._rs.frame_metadata_value
        for name in (names.frame_laser_power_mode, names.frame_emitter_mode):
            if found.supports_frame_metadata(name):
                return bool(found.get_frame_metadata(name))
        return None

    def _wait(self, seconds: float) -> Any:
        """Return the next frame, None when none came; raise DeviceLost when the camera is gone."""
        device, queue = self._held[:2]
        try:
            came, found = queue.try_wait_for_frame(max(1, int(1000 * min(seconds, _SLICE_S))))
            if came:
                return found.as_video_frame()
            if device.is_connected():
                return None
        except RuntimeError as problem:
            raise DeviceLost(f"realsense: {self._identity.model} stopped: {_line(problem)}; open it again") from problem
        raise DeviceLost(f"realsense: {self._identity.model} was unplugged; plug it in and open it again")

    def _next(self, deadline: float) -> FrameSet | None:
        while not self._cancelled.is_set():
            found = self._wait(max(0.0, deadline - time.monotonic()))
            if found is not None:
                self._take(found)
                frame_set = self._complete()
                if frame_set is not None:
                    return frame_set
            if time.monotonic() >= deadline:
                raise TimeoutError("realsense: no complete frame set came in time")
        return None

    def _take(self, found: Any) -> None:
        """Copy a frame out of the library's memory and keep it as the newest of its stream."""
        kinds = {wanted[0]: stream for stream, wanted in self._wanted().items()}
        stream = kinds.get(found.profile.stream_type())
        if stream is None:
            return
        channel, data = self._channels[stream], np.array(found.get_data())
        if data.shape[:2] != (self._mode.height, self._mode.width):
            raise DeviceError(
                f"realsense: a {stream} frame of {data.shape[1]} x {data.shape[0]} came, not {self._mode.width} x {self._mode.height}"
            )
        if found.frame_timestamp_domain != self._domain:
            raise DeviceError("realsense: the streams keep different clocks; use librealsense's kernel patches or update the firmware")
        lit = None if stream is Stream.RGB else self._lit(found)
        if self._pairs and stream is not Stream.RGB and lit is None:
            return
        if lit is False:
            if stream is Stream.DEPTH or not self._pairs:
                return
            stream = Stream.NIR_AMBIENT
        if stream is Stream.DEPTH:
            data = millimetres(data, self._scale_mm)
        time_ns = round(found.timestamp * 1e6)
        if time_ns > self._times.get(stream, -1):
            self._latest[stream] = Frame(stream, data, time_ns, channel.intrinsics, channel.extrinsics)

    def _complete(self) -> FrameSet | None:
        """Return a frame set when the newest frames of all streams belong together; each frame is used once."""
        latest = self._latest
        if any(s not in latest for s in Stream if s is not Stream.NIR_AMBIENT or self._pairs):
            return None
        centre, period = latest[Stream.NIR].time_ns, 1e9 / self._mode.fps
        if any(abs(f.time_ns - centre) > NEAR[s] * period for s, f in latest.items()):
            return None
        frame_set = FrameSet(self._identity, self._sequence, **{s.value: f for s, f in latest.items()})
        self._times.update((s, f.time_ns) for s, f in latest.items())
        self._sequence += 1
        self._latest = {}
        return frame_set

    def _close(self) -> None:
        for sensor in self._sensors:
            for end in (sensor.stop, sensor.close):
                try:
                    end()
                except RuntimeError:
                    # The camera is gone: there is nothing left to stop.
                    continue
        self._sensors, self._held, self._latest = [], (), {}


def _line(problem: Exception) -> str:
    return " ".join(str(problem).split())


def _info(rs: Any, device: Any, name: str) -> str:
    key = getattr(rs.camera_info, name)
    return str(device.get_info(key)) if device.supports(key) else ""
