"""A device that plays a recording: `replay:PATH?speed=full|recorded&from=SECONDS&partial=yes|no`, for tests with faults (see `faults`).

An encrypted one is opened by what it names, the user's own recording key or the passphrase of the settings, by `key=PATH`, or by the
keywords `key` and `passphrase`, which do not belong in a URL.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from vultus.devices.base import Capabilities, Device, StreamFormat
from vultus.devices.recordings.envelope import Key, Passphrase, key_file
from vultus.devices.recordings.faults import Plan, Spoiler, plan_of
from vultus.devices.recordings.recording import Recording
from vultus.devices.registry import Options
from vultus.errors import DeviceState, RecordingError
from vultus.types import DeviceIdentity, FrameSet, Source


class ReplayDevice(Device):
    """Plays the frame sets of a recording bit for bit, with their own time stamps.

    as_recorded: wait between frame sets as long as they were apart; else as fast as they are read. `partial` plays the whole frame
    sets of a recording that is cut short. start_s: where to begin, in seconds after the recording's first time stamp.
    A damaged recording raises RecordingError where the damage is, and at every later read.
    """

    def __init__(
        self,
        path: Path,
        *,
        as_recorded: bool = False,
        partial: bool = False,
        start_s: float = 0.0,
        faults: Plan | None = None,
        key: Key | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(DeviceIdentity("replay", path.name, "", Source.RECORDING))
        self._path = path
        self._as_recorded = as_recorded
        self._partial = partial
        self._start_s = start_s
        self._key = key
        self._faults = faults if faults is not None and not faults.empty else None
        self._spoiler: Spoiler | None = None
        self._clock = clock
        self._recording: Recording | None = None
        self._pending: FrameSet | None = None
        self._failure: RecordingError | None = None
        self._start: tuple[float, int] | None = None

    @property
    def recorded(self) -> DeviceIdentity | None:
        """Say which device was recorded; None while closed."""
        return self._recording.recorded if self._recording else None

    def seek(self, seconds: float) -> None:
        """Go on with the first frame set that is `seconds` or more after the recording's first time stamp; past the end, `read` gives None.

        Frames that `speed=recorded` owes and faults in progress are forgotten. Raises ValueError for a negative time, DeviceState when
        closed, RecordingError when the recording's index is damaged.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"a recording begins at 0 seconds; got {seconds!r}")
        with self._reading:
            if self._recording is None:
                raise DeviceState(f"{self._label()} is closed; open it first")
            self._recording.seek(_moment(self._recording, seconds))
            self._pending, self._failure, self._start = None, None, None
            self._spoiler = Spoiler(self._faults) if self._faults is not None else None

    def _open(self) -> Capabilities:
        recording = Recording(self._path, partial=self._partial, key=self._key)
        try:
            if self._start_s:
                recording.seek(_moment(recording, self._start_s))
            first = next(recording, None)
            if first is None:
                after = f" after {self._start_s:g} s" if self._start_s else ""
                raise RecordingError(f"{self._path}: the recording holds no frame set{after}")
        except BaseException:
            recording.close()
            raise
        self._recording, self._pending, self._failure, self._start = recording, first, None, None
        self._spoiler = Spoiler(self._faults) if self._faults is not None else None
        self._identity = recording.identity
        formats = tuple(StreamFormat(f.stream, f.width, f.height, str(f.data.dtype)) for f in first.frames())
        return Capabilities(formats, rate_hz=None, finite=True, hardware_time=True)

    def _next(self, deadline: float) -> FrameSet | None:
        while True:
            frame_set = self._next_recorded(deadline)
            if frame_set is None or self._spoiler is None:
                return frame_set
            spoilt = self._spoiler.spoil(frame_set)
            if spoilt is not None:
                return spoilt

    def _next_recorded(self, deadline: float) -> FrameSet | None:
        if self._failure is not None:
            raise RecordingError(str(self._failure))
        frame_set = self._pending or self._advance()
        self._pending = frame_set
        if frame_set is None or (self._as_recorded and not self._wait_for(frame_set, deadline)):
            return None
        self._pending = None
        return frame_set

    def _advance(self) -> FrameSet | None:
        if self._recording is None:
            return None
        try:
            return next(self._recording, None)
        except RecordingError as problem:
            self._failure = problem
            raise

    def _wait_for(self, frame_set: FrameSet, deadline: float) -> bool:
        """Wait until the frame set is due; False when cancelled; raises TimeoutError when it is not due in time."""
        now = self._clock()
        if self._start is None:
            self._start = (now, frame_set.time_ns)
        due = self._start[0] + (frame_set.time_ns - self._start[1]) / 1e9
        if self._cancelled.wait(max(0.0, min(due - now, deadline - now, threading.TIMEOUT_MAX))):
            return False
        if due > max(now, deadline):
            raise TimeoutError("the next frame set of the recording is not due yet")
        return True

    def _close(self) -> None:
        if self._recording is not None:
            self._recording.close()
        self._recording = self._pending = None


def _moment(recording: Recording, seconds: float) -> int:
    """Return the time in ns that lies `seconds` after the oldest time stamp of a recording."""
    return recording.span_ns[0] + round(seconds * 1e9)


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `replay:` URL."""
    as_recorded = options.text("speed", "full", ("full", "recorded")) == "recorded"
    partial = options.flag("partial")
    start_s = options.number("from", 0.0, 0.0, 1e9)
    faults = plan_of(options)
    given, passphrase = options.take("key"), options.text("passphrase", "")
    options.done()
    key = Passphrase(passphrase) if passphrase else key_file(given) if isinstance(given, str) else given
    return ReplayDevice(Path(path), as_recorded=as_recorded, partial=partial, start_s=start_s, faults=faults, key=key)
