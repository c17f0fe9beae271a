"""Estimate how far a sensor's clock is from the host's, from when its frames were taken and when they arrived."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_NS: Final = 5_000_000_000
"""How long the quickest frame counts: crystals drift by up to 100 ppm, which is 0.5 ms in this time."""
RESTART_NS: Final = 1_000_000_000
"""A clock that falls back by more than this was restarted; by less, its frames are out of order."""
SETTLE: Final = 8
"""Frames that must have come before the estimate counts: among so many, one came with little delay."""


class ClockOffset:
    """The distance from one sensor's clock to the host's.

    A frame arrives after it was taken, never before; of the last five seconds the frame with the least delay tells the offset, so that
    the estimate is late by that least delay and by nothing else. Delays of single frames do not move it.
    """

    def __init__(self) -> None:
        self._least: deque[tuple[int, int]] = deque()
        self._seen = 0
        self._newest = -1

    @property
    def settled(self) -> bool:
        """True when enough frames were seen."""
        return self._seen >= SETTLE

    @property
    def offset_ns(self) -> int:
        """Return what to add to the sensor's time to get the host's; 0 before the first frame."""
        return self._least[0][1] if self._least else 0

    def see(self, time_ns: int, arrived_ns: int) -> bool:
        """Take in a frame's two times; True when the sensor's clock was found to have been restarted, so that older times mean nothing."""
        restarted = time_ns < self._newest - RESTART_NS
        if restarted:
            self._least.clear()
            self._seen = 0
        self._newest = time_ns if restarted else max(self._newest, time_ns)
        offset = arrived_ns - time_ns
        while self._least and self._least[-1][1] >= offset:
            self._least.pop()
        self._least.append((arrived_ns, offset))
        while arrived_ns - self._least[0][0] > WINDOW_NS:
            self._least.popleft()
        self._seen += 1
        return restarted
