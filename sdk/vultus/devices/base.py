"""What every device is: the protocol, its states, and the order that its frame sets keep.

    closed --open()--> open --read()--> streaming --(the device goes away)--> lost
      ^                 |                   |                                   |
      +-----close()-----+------close()------+--------------close()--------------+      open() also leaves lost

                 closed        open               streaming          lost
    open()       -> open       DeviceState        DeviceState        -> open
    read()       DeviceState   -> streaming       frame set or None  DeviceLost
    cancel()     nothing       ends reads         ends reads         nothing
    close()      nothing       -> closed          -> closed          -> closed
    capabilities DeviceState   as asked           as asked           DeviceLost

`read` gives None when no more frame sets will come: a recording ended, or `cancel` was called; neither is an error.
A failed `open` leaves the device closed. A cancelled device gives None until it is opened again. One thread reads;
`cancel` and `close` may be called from any other.
"""

from __future__ import annotations

import enum
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, final

from vultus.errors import DeviceLost, DeviceState
from vultus.types import DeviceIdentity, FrameSet, Source, Stream

READ_TIMEOUT_S: Final = 5.0
"""Longest wait for a frame set when the caller does not say: a camera that warms up takes a second or two."""


class State(enum.StrEnum):
    """Where a device is in the diagram above."""

    CLOSED = "closed"
    OPEN = "open"
    STREAMING = "streaming"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """One stream that a device gives; sizes and `dtype` are None where they differ from frame set to frame set.

    sensor_format: what the sensor sends before it becomes a frame, such as YUYV or Z16. rate_hz: nominal frames a second. None = unknown.
    """

    stream: Stream
    width: int | None = None
    height: int | None = None
    dtype: str | None = None
    sensor_format: str | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an open device says about itself.

    rate_hz: nominal frame sets a second, None = unknown or as fast as they are read. finite: the frame sets come to an end.
    hardware_time: time stamps come from the sensor's clock.
    """

    formats: tuple[StreamFormat, ...]
    rate_hz: float | None
    finite: bool
    hardware_time: bool

    @property
    def streams(self) -> frozenset[Stream]:
        """Return the streams that the device can give."""
        return frozenset(f.stream for f in self.formats)

    @property
    def lit_ambient(self) -> bool:
        """True when infrared comes in pairs, illuminator on and off."""
        return {Stream.NIR, Stream.NIR_AMBIENT} <= self.streams


class Order:
    """Check that frame sets come in order: the sequence and the newest time stamp rise, no stream's time runs backwards."""

    def __init__(self) -> None:
        self._last: FrameSet | None = None
        self._times: dict[Stream, int] = {}

    def problem(self, frame_set: FrameSet) -> str | None:
        """Return what is wrong with the next frame set; None, and remember it, when it is in order."""
        last = self._last
        if last is not None and frame_set.sequence <= last.sequence:
            return f"sequence {frame_set.sequence} comes after {last.sequence}"
        for frame in frame_set.frames():
            before = self._times.get(frame.stream, -1)
            if frame.time_ns < before:
                return f"time runs backwards in {frame.stream}: {frame.time_ns} ns comes after {before} ns"
        if last is not None and frame_set.time_ns <= last.time_ns:
            return f"time stands still: two frame sets at {frame_set.time_ns} ns"
        self._last = frame_set
        self._times.update((f.stream, f.time_ns) for f in frame_set.frames())
        return None


Adapt = Callable[[FrameSet], FrameSet]
"""Brings a device's frame sets to what a calibration says of its cameras."""


class Device(ABC):
    """A source of frame sets; a driver fills in `_open`, `_next` and `_close`, and this class keeps the states.

    Frames are read-only views of memory that the device hands over: they stay valid for as long as someone holds them.
    """

    def __init__(self, identity: DeviceIdentity) -> None:
        self._identity = identity
        self._capabilities: Capabilities | None = None
        self._state = State.CLOSED
        self._cancelled = threading.Event()
        self._find_cameras: Callable[[DeviceIdentity], Adapt | None] | None = None
        self._adapt: Adapt | None = None
        self._reading = threading.Lock()

    @abstractmethod
    def _open(self) -> Capabilities:
        """Claim what is needed; on an exception nothing stays claimed."""

    @abstractmethod
    def _next(self, deadline: float) -> FrameSet | None:
        """Wait until `deadline` (on `time.monotonic`) for the next frame set; None at the end; raise TimeoutError or DeviceError.

        A wait ends early when `_cancelled` is set, and then gives None.
        """

    @abstractmethod
    def _close(self) -> None:
        """Let go of everything; called once for each successful `_open`."""

    def _interrupt(self) -> None:  # noqa: B027 - a hook that most drivers need not fill in
        """Wake a wait in `_next` that does not watch `_cancelled`; nothing by default."""

    @property
    def identity(self) -> DeviceIdentity:
        """Say who takes the frames; before `open` the serial may be unknown."""
        return self._identity

    @final
    @property
    def is_live(self) -> bool:
        """True when frames come from a sensor now, not from a file, a simulation or a camera made of software."""
        return self._identity.source is Source.LIVE

    @final
    @property
    def state(self) -> State:
        """Return the present state."""
        return self._state

    @final
    @property
    def cancelled(self) -> bool:
        """True from `cancel` until the device is opened again."""
        return self._cancelled.is_set()

    @final
    @property
    def capabilities(self) -> Capabilities:
        """Return what the open device can do."""
        if self._state is State.LOST:
            raise DeviceLost(f"{self._label()} went away; open it again")
        if self._capabilities is None or self._state is State.CLOSED:
            raise DeviceState(f"{self._label()} is closed; open it first")
        return self._capabilities

    @final
    def open(self) -> Self:
        """Open a closed or lost device and return it."""
        if self._state in (State.OPEN, State.STREAMING):
            raise DeviceState(f"{self._label()} is open already")
        self._capabilities = self._open()
        try:
            self._adapt = self._find_cameras(self._identity) if self._find_cameras is not None else None
        except BaseException:
            self._close()
            raise
        self._cancelled.clear()
        self._state = State.OPEN
        return self

    @final
    def read(self, timeout_s: float | None = READ_TIMEOUT_S) -> FrameSet | None:
        """Wait for the next frame set; None when no more will come (`cancelled` says why). timeout_s None waits for ever.

        Raises TimeoutError when nothing came in time, DeviceState when closed, DeviceLost when the device went away.
        """
        if timeout_s is not None and not timeout_s >= 0:
            raise ValueError("timeout_s must be a number of seconds, 0 or more, or None")
        deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        with self._reading:
            if self._state is State.LOST:
                raise DeviceLost(f"{self._label()} went away; open it again")
            if self._state is State.CLOSED:
                raise DeviceState(f"{self._label()} is closed; open it first")
            if self._cancelled.is_set():
                return None
            self._state = State.STREAMING
            try:
                found = self._next(deadline)
            except DeviceLost:
                self._state = State.LOST
                self._close()
                raise
            if found is None or self._cancelled.is_set():
                return None
            return found if self._adapt is None else self._adapt(found)

    @final
    def calibrated_by(self, find: Callable[[DeviceIdentity], Adapt | None]) -> Self:
        """Let every later `open` look for a camera calibration by the device's identity, which `read` then applies; return the device."""
        self._find_cameras = find
        return self

    @final
    def frames(self, timeout_s: float | None = READ_TIMEOUT_S) -> Iterator[FrameSet]:
        """Yield frame sets until no more will come."""
        while (frame_set := self.read(timeout_s)) is not None:
            yield frame_set

    @final
    def cancel(self) -> None:
        """End the read that waits, and every later one, with None until the device is opened again; from any thread."""
        if self._state in (State.OPEN, State.STREAMING):
            self._cancelled.set()
            self._interrupt()

    @final
    def close(self) -> None:
        """Let go of the device, after ending a read that waits; closing twice is harmless."""
        self.cancel()
        with self._reading:
            claimed = self._state in (State.OPEN, State.STREAMING)
            self._state = State.CLOSED
            if claimed:
                self._close()

    def __enter__(self) -> Self:
        return self.open() if self._state is State.CLOSED else self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._label()} {self._state}>"

    def _label(self) -> str:
        return f"{self._identity.kind}:{self._identity.model}"
