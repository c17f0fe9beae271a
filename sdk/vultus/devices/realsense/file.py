"""A recording made by librealsense: `realsense:file=PATH?emitter=alternate|on`, which is never live.

librealsense reads what it wrote: .db3 since version 2.57 or so, .bag before. Sizes and rate are those of the file. Frames are handed over as fast
as they are read, none is lost; the first infrared frame is used up by looking at its metadata. Colour, infrared and depth must be in the file.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from vultus.devices.base import Capabilities
from vultus.devices.realsense.device import NEAR, Mode, RealSense
from vultus.devices.registry import Options
from vultus.errors import DeviceError, DeviceNotFound, RecordingError
from vultus.frames import Frame, FrameSet, Stream

_HELD: Final = 16
"""Frames that wait to be read; the library's reader waits for room."""
_SLICE_S: Final = 0.05
_PATIENCE: Final = 256
"""Infrared frames that wait for a stream that does not come: more than four seconds at 60 a second."""


class _Feed:
    """Takes frames from the library's thread and makes it wait while nobody reads."""

    def __init__(self) -> None:
        self._frames: queue.Queue[Any] = queue.Queue(_HELD)
        self.closed = False
        self.ready = threading.Event()
        """Set when every sensor was started: what comes before would be missing its other streams."""

    def __call__(self, frame: Any) -> None:
        """Take a frame; the library calls this."""
        frame.keep()
        while not self.closed:
            if not self.ready.wait(_SLICE_S):
                continue
            try:
                return self._frames.put(frame, timeout=_SLICE_S)
            except queue.Full:
                continue
        return None

    def try_wait_for_frame(self, milliseconds: int) -> tuple[bool, Any]:
        """Return what librealsense's own queue would."""
        try:
            return True, self._frames.get(timeout=milliseconds / 1000)
        except queue.Empty:
            return False, None


class RealSenseFile(RealSense):
    """Gives the frame sets of a recording that librealsense made."""

    def __init__(self, path: Path, *, alternate: bool = True) -> None:
        super().__init__(mode=Mode(alternate=alternate), find=self._load)
        self._path = path
        self._feed = _Feed()
        self._waiting: dict[Stream, deque[Frame]] = {}

    def _load(self, rs: Any) -> Any:
        """Load the file, and take the size and the rate from its depth stream."""
        if not self._path.is_file():
            raise DeviceNotFound(f"{self._path}: no such recording")
        try:
            device = rs.context().load_device(str(self._path))
            device.as_playback().set_real_time(False)
            profiles = [p.as_video_stream_profile() for s in device.query_sensors() for p in s.get_stream_profiles()]
        except RuntimeError as problem:
            raise RecordingError(f"{self._path}: librealsense cannot read it: {' '.join(str(problem).split())}") from problem
        depth = next((p for p in profiles if p.stream_type() == rs.stream.depth), None)
        if depth is None:
            raise RecordingError(f"{self._path}: holds no depth stream")
        self._mode = replace(self._mode, width=depth.width(), height=depth.height(), fps=depth.fps())
        return device

    def _open(self) -> Capabilities:
        self._feed = _Feed()
        self._waiting = {stream: deque() for stream in Stream}
        return replace(super()._open(), finite=True)

    def _start(self, device: Any, queue: Any) -> None:  # noqa: ARG002 - frames go to the feed, which loses none
        super()._start(device, self._feed)
        self._feed.ready.set()
        self._held = (device, self._feed, *self._held[2:])

    def _emit(self, stereo: Any, *, alternate: bool) -> None:
        """See what the emitter did; a file cannot be told anything."""
        option = self._rs.option.emitter_on_off
        self._pairs = alternate and bool(stereo.supports(option)) and stereo.get_option(option) == 1

    def _next(self, deadline: float) -> FrameSet | None:
        while not self._cancelled.is_set():
            found = self._wait(max(_SLICE_S, deadline - time.monotonic()))
            if found is not None:
                self._take(found)
                frame_set = self._complete()
                if frame_set is not None:
                    return frame_set
            elif self._held[0].as_playback().current_status() == self._rs.playback_status.stopped:
                return None
            if time.monotonic() >= deadline:
                raise TimeoutError("realsense: no complete frame set came in time")
        return None

    def _take(self, found: Any) -> None:
        """Keep every frame until its set is complete: the library hands the sensors over one ahead of the other."""
        super()._take(found)
        for stream, frame in self._latest.items():
            self._waiting[stream].append(frame)
            self._times[stream] = frame.time_ns
        self._latest = {}

    def _complete(self) -> FrameSet | None:
        """Return the set of the oldest infrared frame when every stream has come that far; drop it when one has passed it."""
        nir, period = self._waiting[Stream.NIR], 1e9 / self._mode.fps
        while nir:
            chosen: dict[Stream, Frame] = {Stream.NIR: nir[0]}
            for stream in (s for s in NEAR if s is not Stream.NIR and (s is not Stream.NIR_AMBIENT or self._pairs)):
                held, reach = self._waiting[stream], NEAR[stream] * period
                while held and held[0].time_ns < nir[0].time_ns - reach:
                    held.popleft()
                if not held and len(nir) <= _PATIENCE:
                    return None
                if held and held[0].time_ns <= nir[0].time_ns + reach:
                    chosen[stream] = min(held, key=lambda f: abs(f.time_ns - nir[0].time_ns))
            nir.popleft()
            if len(chosen) == 3 + self._pairs:
                for name, frame in chosen.items():
                    while self._waiting[name] and self._waiting[name][0].time_ns <= frame.time_ns:
                        self._waiting[name].popleft()
                self._sequence += 1
                return FrameSet(self._identity, self._sequence - 1, **{s.value: f for s, f in chosen.items()})
        return None

    def _close(self) -> None:
        self._feed.closed = True
        super()._close()


def from_path(path: str, options: Options) -> RealSenseFile:
    """Make the device of a `realsense:file=PATH` URL; raises ValueError for options, DeviceError later for the file."""
    emitter = options.text("emitter", "alternate", ("alternate", "on"))
    options.done()
    if not path:
        raise DeviceError("realsense:file= needs the path of a recording")
    return RealSenseFile(Path(path), alternate=emitter == "alternate")
