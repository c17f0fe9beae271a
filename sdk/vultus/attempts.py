"""Attempts: the frame sets of one, none of which was shown before, within it or, from a live device, in an earlier one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from vultus.devices.base import Device
from vultus.devices.repeats import Repeats
from vultus.types import FrameSet, Source


class Shown:
    """What an authenticator was shown.

    Live pictures are remembered from attempt to attempt: frames that are put in again behind the camera's driver are refused although
    their times are new. Recordings and simulations, which a policy believes only by name, may be played again; within one attempt they
    may not repeat either. Kept in memory alone, so that a new process has forgotten them.
    """

    def __init__(self) -> None:
        self._live = Repeats()
        self._others = Repeats()
        self.repeated = False

    def begin(self) -> None:
        """Begin an attempt."""
        self._others, self.repeated = Repeats(), False

    def again(self, frame_set: FrameSet) -> bool:
        """Say whether a picture of the frame set was shown before at another time, and remember them all."""
        repeats = self._live if frame_set.device.source is Source.LIVE else self._others
        found = bool(repeats.repeated(frame_set))
        self.repeated = self.repeated or found
        return found

    def fresh(self, device: Device, timeout_s: float, cancelled: threading.Event) -> Iterator[FrameSet]:
        """Yield an attempt's frame sets with new times and new pictures, until the time is over, the source ends or `cancelled` is set."""
        self.begin()
        end, newest = time.monotonic() + timeout_s, -1
        while not cancelled.is_set() and (left := end - time.monotonic()) > 0:
            try:
                frame_set = device.read(timeout_s=left)
            except TimeoutError:
                return
            if frame_set is None:
                return
            if frame_set.time_ns <= newest or self.again(frame_set):
                continue
            newest = frame_set.time_ns
            yield frame_set
