"""Serve the line to a sensor head from a thread, and hold the frame sets that came until somebody reads them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from vultus.devices.base import Capabilities
from vultus.devices.heads.description import BITS, Description
from vultus.devices.heads.messages import Phase
from vultus.devices.heads.port import Port
from vultus.devices.heads.session import HostSession
from vultus.devices.heads.sets import SetMaker, needed
from vultus.devices.heads.strobe import LENGTH, Strobe
from vultus.errors import DeviceError, DeviceLost, DeviceNotFound, PairingError
from vultus.frames import DeviceIdentity, FrameSet, Stream

WAIT_S: Final = 0.01
"""Longest sleep on the line: half the time after which an ACK is due."""
_FRESH_S: Final = 0.25
"""Longest time that a frame set waits for its reader once the whole of it has come, as in the synchroniser."""
_WAITING: Final = 2
"""Frame sets that wait at a time; the oldest makes room."""
_OPEN_S: Final = 30.0
"""Longest opening: at 9600 baud and with requests repeated it takes ten; a head that answers each of a thousand questions late is none."""
_DRAIN_S: Final = 0.3
"""How long closing tries to tell the head so: two packets take a tenth of that at 9600 baud."""


class HeadLine:
    """The port and its session, first served by `until` and then by a thread; what the thread finds waits under `changed`'s lock."""

    def __init__(self, port: Port, session: HostSession, changed: threading.Condition) -> None:
        self._port, self._session, self._changed = port, session, changed
        self._strobe = Strobe()
        self._maker: SetMaker | None = None
        self._waiting: deque[tuple[float, FrameSet]] = deque()
        self._failure: DeviceError | None = None
        self._unsent = b""
        self._opened_by = time.monotonic() + _OPEN_S
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"vultus {port.path}", daemon=True)

    def until(self, done: Callable[[], bool]) -> None:
        """Serve the line until something holds; the session's own time-outs end the wait. Raises DeviceError with what went wrong."""
        while not done():
            self._turn()
            if time.monotonic() > self._opened_by:
                raise DeviceError(f"serial: the head on {self._port.path} takes longer than {_OPEN_S:g} s to open: use a higher baud=...")
            if self._session.phase is Phase.FAILED:
                kind = DeviceNotFound if self._session.packets == 0 else PairingError if self._session.distrusted else DeviceError
                hint = ": check cable, power, and baud=... in the URL" if self._session.packets == 0 else ""
                raise kind(f"serial: the head on {self._port.path} cannot be used: {self._session.failure}{hint}")

    def begin(self, identity: DeviceIdentity, description: Description, streams: frozenset[Stream] | None) -> Capabilities:
        """Ask for frames and return what will come."""
        stated = description.capabilities
        wanted = stated.streams if streams is None else streams
        missing = sorted(wanted - stated.streams)
        if missing:
            raise DeviceError(f"serial: the head gives no {', '.join(missing)}; it gives {', '.join(sorted(stated.streams))}")
        if description.strobe and Stream.NIR in wanted:
            taken: list[bool] = []
            self._give_pattern(taken.append)
            self.until(lambda: bool(taken))
            if not taken[0]:
                raise DeviceError("serial: the head says that it has a strobe and takes no pattern for it: update its firmware")
        self._maker = SetMaker(identity, description, wanted, self._strobe)
        bits = sum(BITS[s] for s in needed(wanted, description))
        period_us = round(1e6 / stated.rate_hz) if stated.rate_hz else 0
        self._session.start(bits, period_us)
        self.until(lambda: self._session.phase is Phase.STREAMING)
        if self._session.streams & bits != bits:
            raise DeviceError("serial: the head does not start all the streams that it says it has: update its firmware")
        formats = tuple(f for f in stated.formats if f.stream in wanted)
        return Capabilities(formats, stated.rate_hz, stated.finite, stated.hardware_time)

    def start(self) -> None:
        """Serve the line from a thread from now on."""
        self._thread.start()

    def take(self, now: float) -> FrameSet | None:
        """Return the oldest frame set that is fresh; raises DeviceLost when the line is gone. The caller holds the lock."""
        if self._failure is not None:
            raise DeviceLost(str(self._failure)) from self._failure
        while self._waiting:
            came, frame_set = self._waiting.popleft()
            if now - came <= _FRESH_S:
                return frame_set
            self._stale()
        return None

    def why(self) -> str:
        """Say what is known about why nothing came: a clause to add to a message."""
        session, maker = self._session, self._maker
        if maker is not None and maker.dropped:
            reason, count = maker.dropped.most_common(1)[0]
            return f"; {count} were dropped: {reason}"
        if session.spoilt > session.packets // 20:
            return f"; {session.spoilt} of {session.spoilt + session.packets} packets were spoilt: add framing=words or lower the rate"
        return "; a full set takes seconds on a slow line: wait longer, ask for fewer streams or a higher baud"

    def close(self) -> None:
        """End the session and give the port back."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            self._say_bye()
        except DeviceLost:
            # Nobody is left to be told.
            self._unsent = b""
        finally:
            self._port.close()

    def _say_bye(self) -> None:
        self._unsent += self._session.bye()
        deadline = time.monotonic() + _DRAIN_S
        while self._unsent and time.monotonic() < deadline:
            self._unsent = self._unsent[self._port.write(self._unsent) :]
            if self._unsent:
                time.sleep(WAIT_S)

    def _serve(self) -> None:
        """Serve the line until the device is closed or the line fails."""
        try:
            while not self._ending.is_set():
                self._turn()
                if self._session.phase is Phase.FAILED:
                    raise DeviceLost(f"serial: the head on {self._port.path} was lost: {self._session.failure}; open it again")
                self._collect()
        except DeviceError as problem:
            with self._changed:
                self._failure = problem
                self._changed.notify_all()

    def _turn(self) -> None:
        """Send what is to be sent and take in what has come."""
        self._unsent += self._session.step(time.monotonic())
        if self._unsent:
            self._unsent = self._unsent[self._port.write(self._unsent) :]
        data = self._port.read()
        if data:
            self._session.receive(data, time.monotonic())

    def _collect(self) -> None:
        """Make frame sets of the pictures that came, and hand them over."""
        maker, pictures = self._maker, self._session.joiner.frames
        while maker is not None and pictures:
            picture = pictures.popleft()
            with self._changed:
                frame_set = maker.take(picture)
                if frame_set is None:
                    continue
                self._waiting.append((time.monotonic(), maker.timed(frame_set, self._session.clock.offset_ns)))
                if len(self._waiting) > _WAITING:
                    self._waiting.popleft()
                    self._stale()
                self._changed.notify_all()
        if self._strobe.due and not self._session.busy:
            self._give_pattern(lambda _: None)

    def _give_pattern(self, told: Callable[[bool], None]) -> None:
        pattern = self._strobe.draw()

        def answered(good: bool) -> None:
            if good:
                self._strobe.taken()
            told(good)

        self._session.strobe(pattern.number, LENGTH, pattern.bits, answered)

    def _stale(self) -> None:
        if self._maker is not None:
            self._maker.stale += 1
