"""A sensor head on a serial line (the extra `serial`): `serial:/dev/ttyACM0?baud=921600&framing=cobs|words&streams=rgb,nir&head=DIGITS`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vultus.devices.base import Capabilities, Device
from vultus.devices.heads.description import read_description
from vultus.devices.heads.keys import plain_digits
from vultus.devices.heads.known import KnownHeads
from vultus.devices.heads.line import WAIT_S, HeadLine
from vultus.devices.heads.messages import Phase
from vultus.devices.heads.pairing import sealed_handshake, session_number, unit_serial, unproven_serial
from vultus.devices.heads.port import Port
from vultus.devices.heads.session import HostSession
from vultus.devices.registry import Options
from vultus.errors import PairingError
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream
from vultus.settings import pairing_folder

_SLOW_BAUD: Final = 115_200
"""At this rate and below requests are repeated half as often (PROTOCOL.md, section 5)."""


@dataclass(frozen=True, slots=True)
class LineMode:
    """How to speak to the head: `streams` None takes all that it has, `chunk` is the frame bytes in a packet, `secure` wants a paired head.

    heads: the folder of the heads that this host is paired with; None is the user's own. head: the check digits of the one of them
    that is meant, 30 digits; "" takes any.
    """

    baud: int = 921_600
    coded: bool = False
    chunk: int = 900
    streams: frozenset[Stream] | None = None
    secure: bool = True
    heads: Path | None = None
    head: str = ""


class SerialHead(Device):
    """Gives what a head sends, stamped by the head's clock. A thread of its own serves the line from `open` to `close`, so that a reader
    who pauses loses frame sets and nothing else; what waited for more than a quarter of a second is dropped.
    """

    def __init__(self, path: str, mode: LineMode | None = None) -> None:
        super().__init__(DeviceIdentity("serial", "serial head", "", Source.LIVE))
        self._path, self._mode = path, mode or LineMode()
        self._firmware = ""
        self._changed = threading.Condition()
        self._line: HeadLine | None = None

    @property
    def firmware(self) -> str:
        """Return the head's firmware version; "" before the first open."""
        return self._firmware

    def _open(self) -> Capabilities:
        session = self._session()
        line = HeadLine(Port(self._path, self._mode.baud, WAIT_S), session, self._changed)
        try:
            line.until(lambda: session.phase is Phase.READY)
            description = read_description(session.capabilities, session.calibration)
            # A paired head is known by the identity that it proved, so that what is bound to it is bound to no claim.
            serial = unit_serial(session.head) if self._mode.secure else unproven_serial(description.serial)
            self._identity = DeviceIdentity("serial", description.model, serial, Source.LIVE)
            self._firmware = description.firmware
            capabilities = line.begin(self._identity, description, self._mode.streams)
        except BaseException:
            line.close()
            raise
        self._line = line
        line.start()
        return capabilities

    @contextmanager
    def bare_line(self) -> Iterator[Port]:
        """Open the port alone, for pairing."""
        with closing(Port(self._path, self._mode.baud, WAIT_S)) as port:
            yield port

    def _session(self) -> HostSession:
        """Return the session to open; the one place that decides whether what goes over the line is sealed."""
        mode = self._mode
        try:
            secure = sealed_handshake(KnownHeads(mode.heads or pairing_folder()), mode.head) if mode.secure else None
        except PairingError as problem:
            clear = "insecure=1 in the URL reads a head in the clear: who has the line in hand can then see and replace the pictures"
            raise PairingError(f"serial: {self._path}: {problem}; {clear}") from problem
        retry_s = 0.4 if mode.baud <= _SLOW_BAUD else 0.2
        return HostSession(session_number(), secure=secure, chunk=mode.chunk, retry_s=retry_s, coded=mode.coded)

    def _next(self, deadline: float) -> FrameSet | None:
        line = self._line
        with self._changed:
            while line is not None and not self._cancelled.is_set():
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


def from_url(path: str, options: Options) -> Device:
    """Make the device of a `serial:` URL."""
    mode = LineMode()
    baud, chunk = options.whole("baud", mode.baud, 1200, 20_000_000), options.whole("chunk", mode.chunk, 16, 1000)
    coded = options.text("framing", "cobs", ("cobs", "words")) == "words"
    names = options.text("streams", "")
    insecure, head = options.flag("insecure"), options.text("head", "")
    options.done()
    if head and insecure:
        raise ValueError("serial: head= names a paired head, which insecure=1 does not ask for its proof: leave out one of them")
    unknown = set(names.split(",")) - set(Stream) if names else set()
    if unknown:
        raise ValueError(f"serial: unknown stream {', '.join(sorted(unknown))}; known: {', '.join(Stream)}")
    streams = frozenset(Stream(n) for n in names.split(",")) if names else None
    if streams is not None and not streams - {Stream.NIR_AMBIENT}:
        raise ValueError("serial: nir_ambient alone is no frame set; add nir")
    if streams is not None and Stream.NIR_AMBIENT in streams and Stream.NIR not in streams:
        raise ValueError("serial: nir_ambient comes with nir; name both")
    return SerialHead(path, LineMode(baud, coded, chunk, streams, not insecure, head=plain_digits(head) if head else ""))
