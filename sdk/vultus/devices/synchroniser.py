"""Put frame sets together from streams that have rates and clocks of their own.

Each frame of the slowest needed stream makes a frame set with the nearest frame of every other stream. A set is never wider than the
bound on skew, no frame is used twice, and what waited too long is refused; how many frames went where stands in each set's `timing`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vultus.devices.clocks import ClockOffset
from vultus.frames import DeviceIdentity, Frame, FrameSet, Stream, StreamTiming, Timing

HOST: Final = "host"
"""The clock of the host (`time.monotonic_ns`), which needs no estimate."""
MAX_SKEW_NS: Final = 40_000_000
"""Widest frame set unless the caller says: the lit and the next, ambient picture of a 30 Hz sensor fit; the policy refuses above 50 ms."""
MAX_AGE_NS: Final = 250_000_000
"""Oldest frame set that is handed over unless the caller says: about the time in which a person answers what they see."""
_SURE: Final = 0.25
"""A frame within this share of its period from the moment asked for is taken at once: the next one is three times as far."""
_HELD: Final = 32
"""Most frames of one stream that wait: 250 ms at 120 frames a second."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A stream that comes in: nominal rate, the name of the clock that stamps it (streams with one name share it), whether sets need it."""

    stream: Stream
    rate_hz: float
    clock: str = HOST
    needed: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz <= 1000:
            raise ValueError(f"the rate of {self.stream} must be above 0 and at most 1000 a second")


@dataclass(slots=True)
class _Queue:
    """The frames of a lane that wait, with the sensor's own times, and its counts; `newest` and `arrived` are of the last frame seen."""

    lane: Lane
    frames: deque[Frame] = field(default_factory=deque)
    newest: int | None = None
    arrived: int | None = None
    last_used: int = -1
    received: int = 0
    used: int = 0
    lost: int = 0
    refused: int = 0

    @property
    def period_ns(self) -> float:
        """Return the nominal time between two frames."""
        return 1e9 / self.lane.rate_hz

    def note(self, time_ns: int) -> None:
        """Count the frames that are missing before this one."""
        if self.newest is not None:
            self.lost += max(0, round((time_ns - self.newest) / self.period_ns) - 1)
        self.newest = time_ns


class Synchroniser:
    """Takes frames from any thread and gives frame sets, stamped with the host's time; `time.monotonic_ns` is every `_ns` argument's clock.

    max_skew_ns: widest set. max_age_ns: oldest set that is handed over; half of it is how long a stream is waited for.
    waiting: how many sets may wait for the reader before the oldest is dropped.
    """

    def __init__(
        self,
        device: DeviceIdentity,
        lanes: Sequence[Lane],
        *,
        max_skew_ns: int = MAX_SKEW_NS,
        max_age_ns: int = MAX_AGE_NS,
        waiting: int = 2,
    ) -> None:
        if max_skew_ns < 0 or max_age_ns < 1 or waiting < 1:
            raise ValueError("max_skew_ns must be 0 or more, max_age_ns and waiting 1 or more")
        self._queues = {lane.stream: _Queue(lane) for lane in lanes}
        if len(self._queues) != len(lanes):
            raise ValueError("a stream stands twice among the lanes")
        needed = [lane for lane in lanes if lane.needed and lane.stream is not Stream.NIR_AMBIENT]
        if not needed or (Stream.NIR_AMBIENT in self._queues and Stream.NIR not in self._queues):
            raise ValueError("at least one of rgb, nir and depth must be needed, and nir_ambient comes with nir")
        self._reference = self._queues[min(needed, key=lambda lane: lane.rate_hz).stream]
        self._device = device
        self._max_skew, self._max_age, self._patience = max_skew_ns, max_age_ns, max_age_ns // 2
        self._clocks = {lane.clock: ClockOffset() for lane in lanes if lane.clock != HOST}
        self._many = len({lane.clock for lane in lanes}) > 1
        self._ready: deque[tuple[int, dict[Stream, Frame]]] = deque()
        self._waiting = waiting
        self._sequence = self._unmatched = self._stale = self._total_skew = self._worst_skew = self._sets = 0
        self._now = self._last = -1
        self._lock = threading.Lock()

    def add(self, frame: Frame, arrived_ns: int) -> None:
        """Take in a frame that arrived now; raises ValueError for a stream without a lane."""
        queue = self._queues.get(frame.stream)
        if queue is None:
            raise ValueError(f"the synchroniser was not told of {frame.stream}")
        with self._lock:
            self._now = max(self._now, arrived_ns)
            queue.received += 1
            queue.arrived = arrived_ns
            clock = self._clocks.get(queue.lane.clock)
            if clock is not None and clock.see(frame.time_ns, arrived_ns):
                self._restart(queue.lane.clock)
            late = queue.newest is not None and frame.time_ns <= queue.newest
            if late or (clock is None and frame.time_ns > arrived_ns):
                queue.refused += 1
                return
            queue.note(frame.time_ns)
            queue.frames.append(frame)
            if len(queue.frames) > _HELD:
                queue.frames.popleft()
            self._match()

    def take(self, now_ns: int) -> FrameSet | None:
        """Return the oldest frame set that is not stale; None when there is none yet."""
        with self._lock:
            self._now = max(self._now, now_ns)
            self._match()
            while self._ready:
                sequence, frames = self._ready.popleft()
                if self._now - min(f.time_ns for f in frames.values()) <= self._max_age:
                    return FrameSet(self._device, sequence, **{s.value: f for s, f in frames.items()}).timed(self._timing())
                self._stale += 1
            return None

    def timing(self) -> Timing:
        """Return the counts so far, also when no set came of them."""
        with self._lock:
            return self._timing()

    def _timing(self) -> Timing:
        streams = {
            s: StreamTiming(q.received, q.used, q.lost, q.refused, self._offset(q) if q.lane.clock in self._clocks else 0)
            for s, q in self._queues.items()
        }
        mean = self._total_skew // self._sets if self._sets else 0
        return Timing(streams, self._sets, self._unmatched, self._stale, mean, self._worst_skew)

    def _restart(self, clock: str) -> None:
        for queue in self._queues.values():
            if queue.lane.clock == clock:
                queue.frames.clear()
                queue.newest = None

    def _offset(self, queue: _Queue) -> int:
        clock = self._clocks.get(queue.lane.clock)
        return clock.offset_ns if clock is not None else 0

    def _match(self) -> None:
        """Make every frame set that can be made, and give up on moments that waited too long."""
        if self._many and not all(c.settled for c in self._clocks.values()):
            self._reference.frames.clear()
            return
        held = self._reference.frames
        while held:
            moment = held[0].time_ns + self._offset(self._reference)
            others = [q for q in self._queues.values() if q is not self._reference]
            if self._now - moment <= self._patience and any(self._waits(q, moment) for q in others):
                return
            chosen = {held[0].stream: held.popleft()}
            for queue in others:
                found = self._nearest(queue, moment)
                if found is not None:
                    chosen[found.stream] = found
            self._finish(chosen, moment)

    def _waits(self, queue: _Queue, moment: int) -> bool:
        """Say whether a nearer frame of a stream may still come."""
        if queue.arrived is not None and self._now - queue.arrived > self._patience:
            return False
        if not queue.frames:
            return True
        return queue.frames[-1].time_ns + self._offset(queue) < moment - _SURE * queue.period_ns

    def _nearest(self, queue: _Queue, moment: int) -> Frame | None:
        offset = self._offset(queue)
        found = min(queue.frames, key=lambda f: abs(f.time_ns + offset - moment), default=None)
        return found if found is not None and abs(found.time_ns + offset - moment) <= self._max_skew else None

    def _finish(self, chosen: dict[Stream, Frame], moment: int) -> None:
        """Bring the chosen frames to the host's time, leave out what makes the set too wide, and queue the set when it is whole."""
        frames = {s: replace(f, time_ns=max(0, f.time_ns + self._offset(self._queues[s]))) for s, f in chosen.items()}
        for stream in [s for s, f in frames.items() if f.time_ns <= self._queues[s].last_used]:
            self._queues[stream].refused += 1
            del frames[stream]
        for stream in self._too_wide(frames, moment):
            del frames[stream]
        if Stream.NIR not in frames:
            frames.pop(Stream.NIR_AMBIENT, None)
        newest = max((f.time_ns for f in frames.values()), default=-1)
        whole = all(s in frames for s, q in self._queues.items() if q.lane.needed)
        if not whole or newest <= self._last:
            self._unmatched += 1
            self._forget(moment)
            return
        for stream, frame in frames.items():
            queue = self._queues[stream]
            queue.used += 1
            queue.last_used = frame.time_ns
            while queue.frames and queue.frames[0].time_ns <= chosen[stream].time_ns:
                queue.frames.popleft()
        self._forget(moment)
        self._last = newest
        skew = newest - min(f.time_ns for f in frames.values())
        self._total_skew += skew
        self._worst_skew = max(self._worst_skew, skew)
        self._sets += 1
        self._ready.append((self._sequence, frames))
        self._sequence += 1
        if len(self._ready) > self._waiting:
            self._ready.popleft()
            self._stale += 1

    def _too_wide(self, frames: dict[Stream, Frame], moment: int) -> Iterator[Stream]:
        """Yield what must go until the set keeps the bound: the frame farthest from the moment, optional streams before needed ones."""
        left = dict(frames)
        while left and max(f.time_ns for f in left.values()) - min(f.time_ns for f in left.values()) > self._max_skew:
            worst = max(left, key=lambda s: (not self._queues[s].lane.needed, abs(left[s].time_ns - moment)))
            del left[worst]
            yield worst

    def _forget(self, moment: int) -> None:
        """Drop frames that no later moment can use."""
        for queue in self._queues.values():
            offset = self._offset(queue)
            while queue is not self._reference and queue.frames and queue.frames[0].time_ns + offset < moment - self._max_skew:
                queue.frames.popleft()
