"""A camera on Linux through V4L2, its colour, infrared and depth nodes together: `v4l2:usb:VID:PID[:SERIAL]`, `v4l2:/dev/v4l/by-id/...`, `v4l2:`.

Options: width, height, fps (nearest wins), streams=rgb,nir,depth, nir=NODE (an infrared camera that is a device of its own),
capture=auto|concurrent|alternating, emitter=on|off, depth_unit_mm, nir_bits (how many of Y16's the sensor fills; 16), and nir_exposure,
nir_gain, rgb_exposure, rgb_gain.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final

from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.registry import Options
from vultus.devices.synchroniser import MAX_SKEW_NS, Lane, Synchroniser
from vultus.devices.v4l2.camera_quirks import quirk_of
from vultus.devices.v4l2.cameras import Camera, find_camera
from vultus.devices.v4l2.capture import Alternating, Channel, Concurrent
from vultus.devices.v4l2.controls import AUTO_EXPOSURE, EXPOSURE, MANUAL, Control
from vultus.devices.v4l2.emitter import Illuminator
from vultus.devices.v4l2.formats import DTYPES
from vultus.devices.v4l2.kernel import Kernel, require_64_bit
from vultus.devices.v4l2.plan import USUAL_CHOICE, Choice, Chosen, attempts, choice_of, choose
from vultus.devices.v4l2.profile import Profile, load_profile
from vultus.devices.v4l2.survey import Survey, metadata_node, ranked, survey
from vultus.devices.v4l2.uvc_units import extension_units
from vultus.errors import DeviceError, DeviceLost, DeviceState
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream

_SLICE_S: Final = 0.05
"""Longest wait inside the kernel: a cancel shows within it."""
_FIRST_S: Final = 5.0
"""Longest wait until it is known how the infrared frames are lit: a camera that has just been plugged in takes a second or two to start."""
_CROWDED_S: Final = 2.5
"""Longest wait for a frame of every stream while there is another way to capture them: some cameras take two streams and give one."""
_CROWDED: Final = frozenset({errno.ENOSPC, errno.EBUSY, errno.EIO, errno.EPROTO, errno.EPIPE, errno.ENOMEM})
"""How a camera or its bus refuses a second stream; a program that holds the camera refuses the other ways too."""
_USUAL_HZ: Final = 30.0
"""Taken for the rate of a driver that states none."""
_ALTERNATING_SKEW_NS: Final = 1_500_000_000
"""Widest set of an alternating capture: one turn of every stream. The policy's own bound, far below, still decides what is believed."""
MID_GREY: Final = 118.0
"""Brightness that `expose_for` aims a face at: 18 % grey in sRGB, the middle that photographers expose for."""

Recall = Callable[[str], Profile | None]
"""Returns what was measured of a unit before, None for nothing."""


class V4l2(Device):
    """Gives colour, lit and ambient infrared and depth of one camera, put together by the kernel's time stamps.

    Each frame is converted or copied once out of the kernel's buffers and then belongs to the caller. A camera without a physical bus behind it
    has the source `virtual`, which no policy believes unless it is named. Use `controls`, `set_control` and `expose_for` while it is open.
    """

    def __init__(self, name: str = "", choice: Choice | None = None, kernel: Kernel | None = None, recall: Recall = load_profile) -> None:
        super().__init__(DeviceIdentity("v4l2", "camera", "", Source.VIRTUAL))
        self.name, self.choice, self._kernel = name, choice or USUAL_CHOICE, kernel or Kernel()
        self._recall = recall
        self._channels: dict[Stream, Channel] = {}
        self._capture: Concurrent | Alternating | None = None
        self._synchroniser: Synchroniser | None = None

    @property
    def capture(self) -> str:
        """Say how the open camera is captured, "concurrent" or "alternating"."""
        return self._running().kind

    @property
    def illumination(self) -> str:
        """Say how the open camera's lit frames are told from ambient ones: "metadata", "brightness" or "none"."""
        self._running()
        channel = self._channels.get(Stream.NIR)
        return channel.strobe.how if channel and channel.strobe else "none"

    @property
    def emitter(self) -> str:
        """Say what switched the illuminator on: "table", "face-authentication", "torch", or "" when nothing did."""
        self._running()
        channel = self._channels.get(Stream.NIR)
        return channel.illuminator.how if channel and channel.illuminator else ""

    def controls(self, stream: Stream) -> dict[str, Control]:
        """Return the controls of a stream's sensor by name."""
        return self._channel(stream).controls.known

    def set_control(self, stream: Stream, name: str, value: int) -> None:
        """Set a control of a stream's sensor until the device is closed; raises ValueError for one that it does not have."""
        self._channel(stream).controls.set(name, value)

    def expose_for(self, stream: Stream, face_brightness: float, wanted: float = MID_GREY) -> bool:
        """Move a sensor's exposure one step towards a well exposed face, given the face's mean (0 to 255); True when something was changed."""
        return self._channel(stream).controls.expose(face_brightness, wanted)

    def channels(self) -> dict[Stream, Channel]:
        """Return the open channels, for the qualification to measure."""
        self._running()
        return dict(self._channels)

    def _open(self) -> Capabilities:
        require_64_bit()
        camera = find_camera(self.name, self._kernel)
        surveys = survey(camera, self._kernel)
        chosen = choose(camera, surveys, self.choice, self._kernel)
        self._identify(camera, [s for s, _ in chosen.values()])
        profile = self._recall(unit_of(camera))
        try:
            self._claim(surveys, chosen)
            ways = attempts(chosen, self.choice, profile)
            for number, way in enumerate(ways):
                if self._begins(*way, last=number + 1 == len(ways)):
                    break
            return self._join()
        except BaseException:
            self._close()
            raise

    def _identify(self, camera: Camera, used: list[Survey]) -> None:
        virtual = not camera.physical or any(s.virtual for s in used)
        # Many laptops call theirs "Integrated Camera": the USB identity tells the models apart, and a calibration holds for one model.
        model, serial = (f"{camera.label} ({camera.usb.id})", camera.usb.serial) if camera.usb else (camera.label, "")
        self._identity = DeviceIdentity("v4l2", model, serial, Source.VIRTUAL if virtual else Source.LIVE)

    def _claim(self, surveys: tuple[Survey, ...], chosen: Chosen) -> None:
        """Open the nodes."""
        for stream, (one, unit_mm) in chosen.items():
            scale = unit_mm if stream is Stream.DEPTH else self.choice.nir_bits
            self._channels[stream] = Channel(self._kernel, stream, one, metadata_node(one, surveys), scale)
        nir = self._channels.get(Stream.NIR)
        usb = nir.survey.node.usb if nir else None
        if nir and usb and self.choice.emitter:
            # Units are numbered anew in each function of a device: a request reaches only those of the node's own.
            units = tuple(u for u in extension_units(usb.descriptors()) if u.interface == nir.survey.node.interface)
            nir.illuminator = Illuminator(nir.node, units, quirk_of(usb.vendor, usb.product))

    def _begins(self, kind: str, rgb_formats: tuple[str, ...], *, last: bool) -> bool:
        """Start the channels one way and look at their first frames; False when the camera cannot, as long as it is not the last way."""
        for stream, channel in self._channels.items():
            formats = rgb_formats if stream is Stream.RGB else ()
            channel.set_mode(ranked(channel.survey.modes, stream, self.choice.wish, formats)[0])
        self._configure()
        channels = list(self._channels.values())
        self._capture = Concurrent(self._kernel, channels) if kind == "concurrent" else Alternating(self._kernel, channels)
        try:
            self._capture.start()
        except DeviceError as problem:
            if last or not isinstance(problem.__cause__, OSError) or problem.__cause__.errno not in _CROWDED:
                raise
            return False
        silent = self._settle(_FIRST_S if last else _CROWDED_S)
        if silent is None:
            return True
        if last:
            raise DeviceError(f"v4l2: {silent.node.path} gave no frame within {_FIRST_S:g} s; open the shutter or plug the camera in again")
        for channel in channels:
            channel.pause()
        return False

    def _configure(self) -> None:
        for stream, name, value in self.choice.settings:
            if stream in self._channels:
                controls = self._channels[stream].controls
                if name == EXPOSURE and AUTO_EXPOSURE in controls.known:
                    controls.set(AUTO_EXPOSURE, MANUAL)
                controls.set(name, value)

    def _settle(self, seconds: float) -> Channel | None:
        """Look at the first frames until it is known how the infrared ones are lit; return a channel that gave none in time."""
        capture, channels, until = self._running(), list(self._channels.values()), time.monotonic() + seconds
        while not all(c.received and (c.strobe is None or c.strobe.settled) for c in channels):
            if time.monotonic() >= until:
                silent = next((c for c in channels if not c.received), None)
                if silent is not None:
                    return silent
                for strobe in (c.strobe for c in channels if c.strobe):
                    strobe.give_up()
            capture.step(_SLICE_S)
        return None

    def _join(self) -> Capabilities:
        """Make the synchroniser and say what the camera gives."""
        nir = self._channels.get(Stream.NIR)
        pairs = bool(nir and nir.strobe and nir.strobe.pairs)
        alternating = self._running().kind == "alternating"
        lanes, formats = [], []
        for channel in self._channels.values():
            if channel.mode is None:
                raise DeviceError("v4l2: a stream was started without a mode; this is a fault of vultus")
            halves = 2 if channel is nir and pairs else 1
            rate = 1.0 if alternating else (channel.rate_hz or _USUAL_HZ) / halves
            for stream in sorted(channel.complete, key=list(Stream).index):
                lanes.append(Lane(stream, rate))
                dtype = DTYPES.get(channel.mode.format, "uint8")
                formats.append(StreamFormat(stream, channel.mode.width, channel.mode.height, dtype, channel.mode.format, rate))
        skew = MAX_SKEW_NS
        if nir and pairs:
            # The ambient frame is one period away from the lit one, and a slow camera's period is longer than the usual bound.
            skew = max(skew, round(1.25e9 / (nir.rate_hz or _USUAL_HZ)))
        if alternating:
            self._synchroniser = Synchroniser(
                self._identity, lanes, max_skew_ns=_ALTERNATING_SKEW_NS, max_age_ns=2 * _ALTERNATING_SKEW_NS, waiting=1
            )
        else:
            self._synchroniser = Synchroniser(self._identity, lanes, max_skew_ns=skew)
        known = not alternating and all(c.rate_hz for c in self._channels.values())
        hardware = all(c.exposure for c in self._channels.values())
        return Capabilities(tuple(formats), min(lane.rate_hz for lane in lanes) if known else None, finite=False, hardware_time=hardware)

    def _next(self, deadline: float) -> FrameSet | None:
        capture, synchroniser = self._running(), self._synchroniser
        while synchroniser is not None and not self._cancelled.is_set():
            for frame in self._step(capture, min(_SLICE_S, max(0.0, deadline - time.monotonic()))):
                synchroniser.add(frame, self._kernel.now_ns())
            found = synchroniser.take(self._kernel.now_ns())
            if found is not None:
                return found
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    "v4l2: no complete frame set came in time; is the shutter open, and does the illuminator still alternate?"
                )
        return None

    def _step(self, capture: Concurrent | Alternating, seconds: float) -> list[Frame]:
        """Wait for frames; a node that refuses in the middle of streaming has to be opened again, as one that was unplugged has."""
        try:
            return capture.step(seconds)
        except DeviceLost:
            raise
        except DeviceError as problem:
            raise DeviceLost(f"v4l2: {self._identity.model} stopped; open it again ({problem})") from problem

    def _close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels, self._capture, self._synchroniser = {}, None, None

    def _running(self) -> Concurrent | Alternating:
        if self._capture is None:
            raise DeviceState("v4l2: the camera is closed; open it first")
        return self._capture

    def _channel(self, stream: Stream) -> Channel:
        self._running()
        source = Stream.NIR if stream is Stream.NIR_AMBIENT else stream
        if source not in self._channels:
            raise ValueError(f"v4l2: the camera gives no {stream}")
        return self._channels[source]


def unit_of(camera: Camera) -> str:
    """Name one unit for its profile: USB identity and serial, or its label where there is no USB."""
    return f"{camera.usb.id}-{camera.usb.serial}" if camera.usb else camera.label


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `v4l2:` URL; without a name it is the first camera that is no virtual one."""
    return V4l2(path, choice_of(options))
