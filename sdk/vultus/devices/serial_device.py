"""A sensor head on a serial line (the extra `serial`): `serial:/dev/ttyACM0?baud=921600&framing=cobs|words&streams=rgb,nir&insecure=1`."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vultus.devices.base import Capabilities, Device
from vultus.devices.registry import Options
from vultus.devices.serial_description import BITS, Description, read_description
from vultus.devices.serial_port import Port
from vultus.devices.serial_session import HostSession, Phase
from vultus.devices.serial_sets import SetMaker, needed
from vultus.devices.serial_strobe import LENGTH, Strobe
from vultus.errors import DeviceError, DeviceLost, DeviceNotFound
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream

_WAIT_S: Final = 0.01
"""Longest sleep on the line: half the time after which an ACK is due."""
_FRESH_S: Final = 0.25
"""Longest time that a frame set waits for its reader once the whole of it has come, as in the synchroniser."""
_WAITING: Final = 2
"""Frame sets that wait at a time; the oldest makes room."""
_SLOW_BAUD: Final = 115_200
"""At this rate and below requests are repeated half as often (PROTOCOL.md, section 5)."""
_DRAIN_S: Final = 0.3
"""How long closing tries to tell the head so: two packets take a tenth of that at 9600 baud."""


@dataclass(frozen=True, slots=True)
class LineMode:
    """How to speak to the head: `streams` None takes all that it has, `chunk` is the frame bytes in a packet, `secure` wants a paired head."""

    baud: int = 921_600
    coded: bool = False
    chunk: int = 900
    streams: frozenset[Stream] | None = None
    secure: bool = True


class SerialHead(Device):
    """Gives what a head sends, stamped by the head's clock. A thread of its own serves the line from `open` to `close`, so that a reader
    who pauses loses frame sets and nothing else; what waited for more than a quarter of a second is dropped.
    """

    def __init__(self, path: str, mode: LineMode | None = None) -> None:
        super().__init__(DeviceIdentity("serial", "serial head", "", Source.LIVE))
        self._path, self._mode = path, mode or LineMode()
        self._firmware = ""
        self._changed = threading.Condition()
        self._line: _Line | None = None

    @property
    def firmware(self) -> str:
        """Return the head's firmware version; "" before the first open."""
        return self._firmware

    def _open(self) -> Capabilities:
        session = self._session()
        line = _Line(Port(self._path, self._mode.baud), session, self._changed)
        try:
            line.until(lambda: session.phase is Phase.READY)
            description = read_description(session.capabilities, session.calibration)
            self._identity = DeviceIdentity("serial", description.model, description.serial, Source.LIVE)
            self._firmware = description.firmware
            capabilities = line.begin(self._identity, description, self._mode.streams)
        except BaseException:
            line.close()
            raise
        self._line = line
        line.start()
        return capabilities

    def _session(self) -> HostSession:
        """Return the session to open; the one place that decides whether what goes over the line is sealed."""
        mode = self._mode
        if mode.secure:
            raise DeviceError(
                f"serial: {self._path}: an encrypted session needs a paired head, which this version cannot make yet; "
                "insecure=1 in the URL reads the head in the clear: who has the line in hand can then see and replace the pictures"
            )
        retry_s = 0.4 if mode.baud <= _SLOW_BAUD else 0.2
        return HostSession(1 + secrets.randbelow(2**32 - 1), chunk=mode.chunk, retry_s=retry_s, coded=mode.coded)

    def _next(self, deadline: float) -> FrameSet | None:
        line = self._line
        assert line is not None  # noqa: S101 - an open device has a line
        with self._changed:
            while not self._cancelled.is_set():
                found = line.take(time.monotonic())
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"serial: no frame set came in time{line.why()}")
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
        return None

    def _interrupt(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Line:
    """The port and its session, first served by `until` and then by a thread; what the thread finds waits under `changed`'s lock."""

    def __init__(self, port: Port, session: HostSession, changed: threading.Condition) -> None:
        self._port, self._session, self._changed = port, session, changed
        self._strobe = Strobe()
        self._maker: SetMaker | None = None
        self._waiting: deque[tuple[float, FrameSet]] = deque()
        self._failure: DeviceError | None = None
        self._unsent = b""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"vultus {port.path}", daemon=True)

    def until(self, done: Callable[[], bool]) -> None:
        """Serve the line until something holds; the session's own time-outs end the wait. Raises DeviceError with what went wrong."""
        while not done():
            self._turn()
            if self._session.phase is Phase.FAILED:
                kind = DeviceNotFound if self._session.packets == 0 else DeviceError
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
                assert self._maker is not None  # noqa: S101 - sets come from it
                return self._maker.timed(frame_set, self._session.clock.offset_ns)
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
                time.sleep(_WAIT_S)

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
        data = self._port.read(_WAIT_S)
        if data:
            self._session.receive(data, time.monotonic())

    def _collect(self) -> None:
        """Make frame sets of the pictures that came, and hand them over."""
        maker, pictures = self._maker, self._session.joiner.frames
        assert maker is not None  # noqa: S101 - made before the thread
        while pictures:
            picture = pictures.popleft()
            with self._changed:
                frame_set = maker.take(picture)
                if frame_set is None:
                    continue
                self._waiting.append((time.monotonic(), frame_set))
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


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `serial:` URL."""
    mode = LineMode()
    baud, chunk = options.whole("baud", mode.baud, 1200, 20_000_000), options.whole("chunk", mode.chunk, 16, 1000)
    coded = options.text("framing", "cobs", ("cobs", "words")) == "words"
    names = options.text("streams", "")
    insecure = options.flag("insecure")
    options.done()
    unknown = set(names.split(",")) - set(Stream) if names else set()
    if unknown:
        raise ValueError(f"serial: unknown stream {', '.join(sorted(unknown))}; known: {', '.join(Stream)}")
    streams = frozenset(Stream(n) for n in names.split(",")) if names else None
    if streams is not None and not streams - {Stream.NIR_AMBIENT}:
        raise ValueError("serial: nir_ambient alone is no frame set; add nir")
    if streams is not None and Stream.NIR_AMBIENT in streams and Stream.NIR not in streams:
        raise ValueError("serial: nir_ambient comes with nir; name both")
    return SerialHead(path, LineMode(baud, coded, chunk, streams, not insecure))
