"""Take frames from the nodes of one camera, all at once or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import numpy as np

from vultus.devices.realsense.units import millimetres
from vultus.devices.v4l2 import abi
from vultus.devices.v4l2 import metadata as v4l2_metadata
from vultus.devices.v4l2.controls import Controls
from vultus.devices.v4l2.emitter import Illuminator
from vultus.devices.v4l2.formats import CONVERT, Pixels, full_range
from vultus.devices.v4l2.illumination import Strobe, brightness
from vultus.devices.v4l2.kernel import Kernel
from vultus.devices.v4l2.stream import BUFFERS, NodeStream, Taken
from vultus.devices.v4l2.survey import Mode, Survey
from vultus.errors import DeviceError
from vultus.frames import Frame, Stream
from vultus.types import U8

_IDLE_S: Final = 0.005
"""Pause when the kernel wakes the reader without a frame, as it does for a node that stopped."""
_WARM_UP: Final = 2
"""Frames that are left out after each start of an alternating capture: the sensor exposes them as it did before."""

T = TypeVar("T")


class Channel:
    """One stream while its camera is open: its node, its metadata node, its controls, and how lit frames are told from ambient ones.

    scale: for depth, the millimetres of a step; for infrared, how many bits of a 16-bit format are filled.
    """

    def __init__(self, kernel: Kernel, stream: Stream, survey: Survey, metadata: Survey | None, scale: float) -> None:
        self.stream, self.survey = stream, survey
        self._scale = scale
        self._controls: Controls | None = None
        self.illuminator: Illuminator | None = None
        self.node = NodeStream(kernel, survey.node.path)
        self.metadata = self._metadata(kernel, metadata)
        self.strobe: Strobe[Taken[Pixels]] | None = None
        self.mode: Mode | None = None
        self.rate_hz = 0.0
        self.received = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.exposure = True

    def _metadata(self, kernel: Kernel, survey: Survey | None) -> NodeStream | None:
        """Open the metadata node; None where there is none that can state the illumination, or it refuses: the brightness is left."""
        if self.stream is not Stream.NIR or survey is None or v4l2_metadata.FORMAT not in survey.meta:
            return None
        node = None
        try:
            node = NodeStream(kernel, survey.node.path, abi.META)
            node.set_metadata(v4l2_metadata.FORMAT)
        except DeviceError:
            if node is not None:
                node.close()
            return None
        return node

    def set_mode(self, mode: Mode) -> None:
        """Choose format, size and rate, and begin afresh with what is known of the frames; raises DeviceError."""
        self.rate_hz = self.node.set_mode(mode)
        self.mode = mode
        self.strobe = Strobe(metadata=self.metadata is not None) if self.stream is Stream.NIR else None
        self.received, self.first_ns, self.exposure = 0, None, True

    @property
    def controls(self) -> Controls:
        """Return the node's controls, listed when they are first asked for: a camera takes its time to answer for each."""
        if self._controls is None:
            self._controls = Controls(self.node)
        return self._controls

    @property
    def fds(self) -> list[int]:
        """Return what to wait for."""
        return [self.node.fd, *([self.metadata.fd] if self.metadata else [])]

    @property
    def complete(self) -> frozenset[Stream]:
        """Return the streams of the SDK that come out of the node."""
        return frozenset({self.stream, Stream.NIR_AMBIENT} if self.strobe and self.strobe.pairs else {self.stream})

    def start(self) -> None:
        """Start streaming, metadata first so that none of a frame's is missed, and the light last: some cameras reset it at the start. Raises DeviceError."""
        if self.strobe:
            self.strobe.restart()
        if self.metadata:
            self.metadata.start()
        try:
            self.node.start()
        except DeviceError:
            if self.metadata:
                self.metadata.pause()
            raise
        if self.illuminator:
            self.illuminator.on()

    def pause(self) -> None:
        """Stop streaming."""
        self.node.pause()
        if self.metadata:
            self.metadata.pause()

    def close(self) -> None:
        """Put the controls back and let go of the nodes."""
        if self._controls:
            self._controls.restore()
        if self.illuminator:
            self.illuminator.restore()
        self.node.close()
        if self.metadata:
            self.metadata.close()

    def frames(self) -> list[Frame]:
        """Return every frame that is there and known for what it is; raises DeviceLost."""
        found: list[tuple[Taken[Pixels], bool]] = []
        if self.metadata is not None and self.strobe is not None:
            for said in _waiting(self.metadata, _statement):
                found += self.strobe.statement(said.sequence, said.value[0])
        for taken in _waiting(self.node, self._convert):
            self.received += 1
            self.exposure = self.exposure and taken.exposure
            self.last_ns = taken.time_ns
            self.first_ns = taken.time_ns if self.first_ns is None else self.first_ns
            found += self.strobe.frame(taken.sequence, taken, brightness(taken.value)) if self.strobe else [(taken, True)]
        found.sort(key=lambda pair: pair[0].time_ns)
        return [Frame(self.stream if lit else Stream.NIR_AMBIENT, taken.value, taken.time_ns) for taken, lit in found]

    def _convert(self, data: U8) -> Pixels:
        layout = self.node.layout
        if layout is None:
            raise ValueError("the node has no format")
        picture = CONVERT[layout.format](data, layout)
        if self.stream is Stream.DEPTH:
            return np.asarray(millimetres(picture, self._scale))
        return full_range(picture, int(self._scale)) if picture.dtype == np.uint16 else picture


class Concurrent:
    """All channels stream at once."""

    kind = "concurrent"

    def __init__(self, kernel: Kernel, channels: Sequence[Channel]) -> None:
        self._kernel, self._channels = kernel, channels

    def start(self) -> None:
        """Start every channel, or none: raises DeviceError."""
        try:
            for channel in self._channels:
                channel.start()
        except DeviceError:
            for channel in self._channels:
                channel.pause()
            raise

    def step(self, seconds: float) -> list[Frame]:
        """Wait at most so long and return the frames that came, a stream's own in order; raises DeviceLost."""
        return _collect(self._kernel, self._channels, seconds)


class Alternating:
    """One channel streams at a time, until each stream that comes out of it gave a frame: for cameras without the bandwidth for two."""

    kind = "alternating"

    def __init__(self, kernel: Kernel, channels: Sequence[Channel]) -> None:
        self._kernel, self._channels = kernel, channels
        self._turn = 0
        self._got: dict[Stream, Frame] = {}
        self._from = 0

    def start(self) -> None:
        """Start the first channel; raises DeviceError."""
        self._begin(0)

    def step(self, seconds: float) -> list[Frame]:
        """Wait at most so long; the frames of a channel come together when its turn is over. Raises DeviceLost, DeviceError."""
        channel = self._channels[self._turn]
        for frame in _collect(self._kernel, [channel], seconds):
            if channel.received - self._from > _WARM_UP:
                self._got[frame.stream] = frame
        settled = channel.strobe is None or channel.strobe.settled
        if not settled or not channel.complete <= set(self._got):
            return []
        channel.pause()
        frames = sorted(self._got.values(), key=lambda f: f.time_ns)
        self._begin((self._turn + 1) % len(self._channels))
        return frames

    def _begin(self, turn: int) -> None:
        self._turn, self._got = turn, {}
        self._from = self._channels[turn].received
        self._channels[turn].start()


def _waiting(node: NodeStream, make: Callable[[U8], T]) -> Iterator[Taken[T]]:
    """Yield what is there now, no more than the buffers hold: a reader slower than the camera must come back to its caller all the same."""
    for _ in range(BUFFERS):
        taken = node.take(make)
        if taken is None:
            return
        yield taken


def _statement(data: U8) -> tuple[bool | None]:
    """Read a metadata buffer; the tuple tells "it says nothing" from "there is no buffer"."""
    return (v4l2_metadata.illuminated(data.tobytes()),)


def _collect(kernel: Kernel, channels: Sequence[Channel], seconds: float) -> list[Frame]:
    ready = set(kernel.wait([fd for channel in channels for fd in channel.fds], seconds))
    woken = [channel for channel in channels if ready & set(channel.fds)]
    before = sum(c.received for c in woken)
    frames = [frame for channel in woken for frame in channel.frames()]
    if woken and not frames and sum(c.received for c in woken) == before:
        for channel in woken:
            channel.node.alive()
        kernel.pause(_IDLE_S)
    return frames
